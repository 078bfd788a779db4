/**
 * @file The tokens of the web pipeline's language models: words between white space, or characters in languages that put
 * none between words (CHOSEN: no dictionary is in between that another machine might have in another version).
 */
import { hasSpaces } from "../dedup/simplifyText.ts";
import type { Tokenize } from "./perplexity.ts";

export const tokenizerOf = (language: string): Tokenize =>
  hasSpaces(language)
    ? (line) => line.split(/\s+/).filter(Boolean)
    : (line) => [...line].filter((character) => character.trim() !== "");

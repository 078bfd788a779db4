/**
 * @file What IBM Model 1 aligns. Words cut to their first letters, so that inflected forms of a language with little
 * text meet; pairs of neighbouring characters where no spaces are written; numbers and signs whole.
 */
import { isUnspaced } from "./text.ts";

/** Code points of a word that are kept. */
const STEM = 5;
/** Tokens of a side that are used: a longer one is scored by its beginning. */
const MAX_TOKENS = 256;

const TOKEN = /\p{Nd}+|[\p{L}\p{M}]+|[.!?。！？।؟…:：{}%@#/<>]/gu;
const LATIN = /^\p{Script=Latin}/u; // a foreign word in unspaced text is one word
const SIGNS: Record<string, string> = { "。": ".", "।": ".", "！": "!", "？": "?", "؟": "?", "：": ":" };

export function pairTokens(text: string, language: string): string[] {
  const unspaced = isUnspaced(language);
  const tokens: string[] = [];
  for (const token of text.toLowerCase().match(TOKEN) ?? []) {
    if (tokens.length >= MAX_TOKENS) break;
    if (!/^[\p{L}\p{M}]/u.test(token)) tokens.push(SIGNS[token] ?? token);
    else if (!unspaced || LATIN.test(token))
      tokens.push(token.length > STEM ? [...token].slice(0, STEM).join("") : token);
    else tokens.push(...neighbours([...token]));
  }
  return tokens.slice(0, MAX_TOKENS);
}

const neighbours = (characters: string[]) =>
  characters.length === 1 ? characters : characters.slice(1).map((character, i) => characters[i] + character);

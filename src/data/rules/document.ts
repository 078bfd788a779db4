/** @file What the rules read: a text with its words and its length, computed once per document. */
import { codePoints, stripStart } from "./pythonText.ts";
import { makeVocabulary, type Vocabulary } from "./vocabulary.ts";
import { splitWords, type Words } from "./words.ts";

export interface RuleDocument {
  text: string;
  /** ISO 639-1 code of the language that the text is in. */
  language: string;
  /** Code points. */
  length: number;
  words: Words;
  /** The different words, made when a rule asks for them. */
  vocabulary: () => Vocabulary;
  /** The lower-cased text, made when a rule asks for it. */
  lower: () => string;
  /** text.split("\n"), made when a rule asks for it. */
  lines: () => string[];
}

export function readDocument(text: string, language: string): RuleDocument {
  const words = splitWords(text, language);
  let vocabulary: Vocabulary | undefined;
  let lower: string | undefined;
  let lines: string[] | undefined;
  return {
    text,
    language,
    length: codePoints(text),
    words,
    vocabulary: () => {
      vocabulary ??= makeVocabulary(text, words);
      return vocabulary;
    },
    lower: () => {
      lower ??= text.toLowerCase();
      return lower;
    },
    lines: () => {
      lines ??= text.split("\n");
      return lines;
    },
  };
}

export const isBlank = (line: string) => stripStart(line) === "";

/** a / b, and 0 where there is nothing to divide by: a measure is never NaN. */
export const ratio = (a: number, b: number) => (b === 0 ? 0 : a / b);

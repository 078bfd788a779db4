/**
 * @file The rules of ROOTS (Laurençon et al. 2022, arXiv 2303.03915), the toolkit that CulturaX started from, with
 * its limits per language (bigscience-workshop/data-preparation, parameters_filtering.py). Languages without a row
 * have ROOTS' defaults.
 *
 * deviation: "special" is every character that is no letter and no mark (ROOTS lists some 200 characters and all
 * emoji; both count digits, punctuation and white space). deviation: words are ours, lower-cased, without those of
 * punctuation alone; ROOTS strips special characters off whatever white space separates, and has SentencePiece for
 * Chinese. deviation: stop words are stopwords-iso's, whose lists are longer than ROOTS'.
 */

import { type RuleDocument, ratio } from "./document.ts";
import type { Measure } from "./measure.ts";
import { type Counter, codePointUnits, countNGrams } from "./nGrams.ts";
import { characterClasses, LETTER, MARK, SURROGATE } from "./pythonText.ts";
import { ONLY_SYMBOLS } from "./words.ts";

export interface RootsLimits {
  minWords: number;
  maxSpecialCharacters: number;
  minStopWords: number;
  maxFlaggedWords: number;
  maxCharacterRepetition: number;
  /** Characters in the n-grams of which repetition is counted. */
  characterNGram: number;
  maxWordRepetition: number;
  wordNGram: number;
}

const row = (
  minWords: number,
  maxSpecialCharacters: number,
  minStopWords: number,
  maxFlaggedWords: number,
  maxCharacterRepetition: number,
  maxWordRepetition: number,
  characterNGram = 10,
  wordNGram = 5,
): RootsLimits => ({
  minWords,
  maxSpecialCharacters,
  minStopWords,
  maxFlaggedWords,
  maxCharacterRepetition,
  characterNGram,
  maxWordRepetition,
  wordNGram,
});

const DEFAULT = row(10, 0.4, 0.1, 0.1, 0.2, 0.3);
const LIMITS: Record<string, RootsLimits> = {
  ar: row(20, 0.3, 0.07, 0.03, 0.2, 0.34),
  bn: row(33, 0.45, 0.002, 0.001, 0.13, 0.21),
  en: row(20, 0.4, 0.3, 0.01, 0.106, 0.19),
  es: row(16, 0.34, 0.4, 0.01, 0.14, 0.25),
  fr: row(13, 0.34, 0.27, 0.008, 0.14, 0.13),
  id: row(15, 0.34, 0.15, 0.01, 0.15, 0.2),
  pt: row(19, 0.35, 0.2, 0.007, 0.25, 0.98),
  ur: row(25, 0.25, 0.01, 0.025, 0.19, 0.5, 10, 7),
  vi: row(30, 0.34, 0.08, 0.005, 0.15, 0.2),
  zh: row(1, 0.3, 0.1691, 0.001, 0.2, 0.96, 3),
};

export const rootsLimitsOf = (language: string): RootsLimits => LIMITS[language] ?? DEFAULT;

/** `flagged` is how many blocked words the text has (see blocklist.ts). */
export function roots(
  document: RuleDocument,
  stopWords: ReadonlySet<string>,
  flagged: number,
  limits: RootsLimits = rootsLimitsOf(document.language),
): Measure[] {
  const { units: words, stops } = lowerWords(document, stopWords);
  return [
    { rule: "roots.words", value: words.length, limit: limits.minWords, keep: "atLeast" },
    {
      rule: "roots.specialCharacters",
      value: ratio(countSpecial(document.text), document.length),
      limit: limits.maxSpecialCharacters,
      keep: "atMost",
    },
    { rule: "roots.stopWords", value: ratio(stops, words.length), limit: limits.minStopWords, keep: "atLeast" },
    {
      rule: "roots.flaggedWords",
      value: Math.min(1, ratio(flagged, words.length)),
      limit: limits.maxFlaggedWords,
      keep: "atMost",
    },
    {
      rule: "roots.characterRepetition",
      value: characterRepetition(document.text, limits.characterNGram),
      limit: limits.maxCharacterRepetition,
      keep: "atMost",
    },
    {
      rule: "roots.wordRepetition",
      value: wordRepetition(words, limits.wordNGram),
      limit: limits.maxWordRepetition,
      keep: "atMost",
    },
  ];
}

/** The words in lower case, without those of punctuation alone, as numbers; how many of them are stop words. */
function lowerWords({ words, vocabulary }: RuleDocument, stopWords: ReadonlySet<string>) {
  const { ids, words: different } = vocabulary();
  const numbers = new Map<string, number>();
  const isStop: boolean[] = [];
  const lower = Uint32Array.from(different, (word) => {
    const low = word.toLowerCase();
    const known = numbers.get(low);
    if (known !== undefined) return known;
    numbers.set(low, numbers.size);
    isStop.push(stopWords.has(low));
    return numbers.size - 1;
  });
  const units = new Uint32Array(words.count);
  let count = 0;
  let stops = 0;
  for (let i = 0; i < words.count; i++) {
    if (words.flags[i] & ONLY_SYMBOLS) continue;
    const id = lower[ids[i]];
    if (isStop[id]) stops++;
    units[count++] = id;
  }
  return { units: units.subarray(0, count), stops };
}

function countSpecial(text: string) {
  const kind = characterClasses();
  let special = 0;
  for (let i = 0; i < text.length; i++) {
    const bits = kind[text.charCodeAt(i)];
    if (bits & (LETTER | MARK)) continue;
    if (bits & SURROGATE && /^[\p{L}\p{M}]/u.test(String.fromCodePoint(text.codePointAt(i)!))) i++;
    else {
      special++;
      if (bits & SURROGATE && text.codePointAt(i)! > 0xffff) i++;
    }
  }
  return special;
}

/** Share of the n-grams that are among the √(distinct n-grams) commonest and occur more than once. */
export function characterRepetition(text: string, n: number): number {
  const counts = countNGrams(codePointUnits(text), n);
  return ratio(sumOfCommonest(counts), counts.total);
}

function sumOfCommonest({ tally, distinct }: Counter) {
  const repeated = tally.filter((times) => times > 1).sort((a, b) => b - a);
  const top = repeated.subarray(0, Math.min(Math.floor(Math.sqrt(distinct)), repeated.length));
  return top.reduce((sum, times) => sum + times, 0);
}

/** Share of the word n-grams that occur more than once; words as numbers. */
export function wordRepetition(words: Uint32Array, n: number): number {
  const { tally, total } = countNGrams(words, n);
  let repeated = 0;
  for (const times of tally) if (times > 1) repeated += times;
  return ratio(repeated, total);
}

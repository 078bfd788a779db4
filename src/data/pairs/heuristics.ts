/**
 * @file The paper's filters of parallel text (section 3.1.2): ratios of special symbols, stop words, digits and repeated
 * words, on the source side. The paper states no number: every limit is CHOSEN, after ROOTS and the hard rules.
 */

import type { Measure } from "../rules/measure.ts";
import { codePoints } from "../rules/pythonText.ts";
import type { SentencePair } from "./pair.ts";
import { atLeast, atMost, below, countMatches, primary, wordsOf } from "./text.ts";

export interface HeuristicLimits {
  maxCharacters: number;
  /** Neither letter, mark, digit nor white space, of all characters. */
  specialSymbols: number;
  digits: number;
  /** Times that a word directly follows itself, in a row. */
  repeatedRun: number;
  /** Words that were there before, of all words. */
  repeatedWords: number;
  /** Of `stopWordRatio`: half of ROOTS' limit for documents, as a sentence has fewer. */
  stopWords: Record<string, number>;
  /** Ratios of words are not measured of fewer. */
  minWords: number;
}

/** Half of ROOTS' minimum for documents. */
const STOP_WORDS = Object.fromEntries(
  Object.entries({
    ar: 0.07,
    bn: 0.002,
    en: 0.3,
    es: 0.4,
    fr: 0.27,
    id: 0.15,
    pt: 0.2,
    ur: 0.01,
    vi: 0.08,
    zh: 0.1691,
  }).map(([language, ratio]) => [language, ratio / 2]),
);

export const HEURISTIC_LIMITS: HeuristicLimits = {
  maxCharacters: 1024,
  specialSymbols: 0.3,
  digits: 0.5,
  repeatedRun: 1,
  repeatedWords: 0.5,
  stopWords: STOP_WORDS,
  minWords: 8,
};

export interface HeuristicOptions {
  limits?: Partial<HeuristicLimits>;
  /** Stop words of a language in lower case, if it has a list; without, no measure. */
  stopWords?: (language: string) => ReadonlySet<string> | undefined;
}

export function heuristics(pair: SentencePair, { limits, stopWords }: HeuristicOptions = {}): Measure[] {
  const limit = { ...HEURISTIC_LIMITS, ...limits };
  const { source, sourceLanguage } = pair;
  const characters = codePoints(source);
  const of = (pattern: RegExp) => countMatches(source, pattern) / Math.max(1, characters);
  const words = wordsOf(source, sourceLanguage);
  const measures = [
    atLeast("paper.characters", characters, 1),
    atMost("paper.charactersMost", characters, limit.maxCharacters),
    atMost("paper.specialSymbols", of(/[^\p{L}\p{M}\p{Nd}\s]/gu), limit.specialSymbols),
    atMost("paper.digits", of(/\p{Nd}/gu), below(limit.digits)),
    atMost("paper.repeatedRun", longestRepeat(words), limit.repeatedRun),
  ];
  if (words.length < limit.minWords) return measures;
  measures.push(atMost("paper.repeatedWords", 1 - new Set(words).size / words.length, limit.repeatedWords));
  const list = stopWords?.(primary(sourceLanguage));
  const least = limit.stopWords[primary(sourceLanguage)];
  if (list && least !== undefined) {
    const hits = words.reduce((sum, word) => sum + (list.has(word) ? 1 : 0), 0);
    measures.push(atLeast("paper.stopWords", hits / words.length, least));
  }
  return measures;
}

/** How often in a row a word follows itself: 0 in "a b", 2 in "so so so". */
function longestRepeat(words: string[]): number {
  let longest = 0;
  let run = 0;
  for (let i = 1; i < words.length; i++) {
    run = words[i] === words[i - 1] ? run + 1 : 0;
    if (run > longest) longest = run;
  }
  return longest;
}

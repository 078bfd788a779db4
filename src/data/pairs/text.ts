/** @file What the pair rules count: code points as Python counts them, words, and words of unspaced languages. */
import type { Measure } from "../rules/measure.ts";

/** How often a global pattern matches. */
export function countMatches(text: string, pattern: RegExp): number {
  let count = 0;
  pattern.lastIndex = 0;
  while (pattern.exec(text) !== null) count++;
  return count;
}

/** text.split() of Python, of text without control characters, as `cleanSide` leaves it. */
export const splitWhite = (text: string) => text.split(/\s+/).filter(Boolean);

const UNSPACED = new Set(["zh", "ja", "th"]);
export const isUnspaced = (language: string) => UNSPACED.has(primary(language));

/** `en` of `en-GB` or `EN_us`. */
export const primary = (language: string) => language.toLowerCase().split(/[-_]/)[0];

const segmenters = new Map<string, Intl.Segmenter>();

/** Words in lower case: what stands between white space without punctuation, or, where no spaces are, ICU's words. */
export function wordsOf(text: string, language: string): string[] {
  const lower = text.toLowerCase();
  if (!isUnspaced(language)) return lower.match(/[\p{L}\p{M}\p{N}]+(?:['’-][\p{L}\p{M}\p{N}]+)*/gu) ?? [];
  let segmenter = segmenters.get(language);
  if (!segmenter) {
    segmenter = new Intl.Segmenter(primary(language), { granularity: "word" });
    segmenters.set(language, segmenter);
  }
  const words: string[] = [];
  for (const { segment, isWordLike } of segmenter.segment(lower)) if (isWordLike) words.push(segment);
  return words;
}

export const atMost = (rule: string, value: number, limit: number): Measure => ({ rule, value, limit, keep: "atMost" });
export const atLeast = (rule: string, value: number, limit: number): Measure => ({
  rule,
  value,
  limit,
  keep: "atLeast",
});

/** The numbers next to `limit`, for rules that keep what is strictly below or above it. */
export const below = (limit: number) => limit - Math.abs(limit) * 2 ** -52;
export const above = (limit: number) => limit + Math.abs(limit) * 2 ** -52;

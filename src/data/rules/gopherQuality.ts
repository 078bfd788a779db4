/**
 * @file Gopher's quality rules (Rae et al. 2021, arXiv 2112.11446, appendix A1) with datatrove's readings: a word of
 * punctuation alone does not count for length; lines are Python's splitlines.
 */
import { type RuleDocument, ratio } from "./document.ts";
import type { Measure } from "./measure.ts";
import { count, splitLines, stripEnd, stripStart } from "./pythonText.ts";
import { HAS_LETTER, ONLY_SYMBOLS } from "./words.ts";

export interface GopherQualityLimits {
  minWords: number;
  maxWords: number;
  minWordLength: number;
  maxWordLength: number;
  maxHashes: number;
  maxEllipses: number;
  maxBulletLines: number;
  maxEllipsisLines: number;
  minLetterWords: number;
  minStopWords: number;
}

export const GOPHER_STOP_WORDS: ReadonlySet<string> = new Set("the be to of and that have with".split(" "));

/** Table A1 of the paper, in words of English. */
export const GOPHER_QUALITY: GopherQualityLimits = {
  minWords: 50,
  maxWords: 100_000,
  minWordLength: 3,
  maxWordLength: 10,
  maxHashes: 0.1,
  maxEllipses: 0.1,
  maxBulletLines: 0.9,
  maxEllipsisLines: 0.3,
  minLetterWords: 0.8,
  minStopWords: 2,
};

export function gopherQuality(
  { text, words, vocabulary }: RuleDocument,
  limits: GopherQualityLimits = GOPHER_QUALITY,
  stopWords: ReadonlySet<string> = GOPHER_STOP_WORDS,
): Measure[] {
  let real = 0;
  let characters = 0;
  let withLetter = 0;
  for (let i = 0; i < words.count; i++) {
    if (words.flags[i] & HAS_LETTER) withLetter++;
    if (words.flags[i] & ONLY_SYMBOLS) continue;
    real++;
    characters += words.length[i];
  }
  const lines = splitLines(text);
  let bullets = 0;
  let trailing = 0;
  for (const line of lines) {
    const first = stripStart(line);
    if (first.startsWith("•") || first.startsWith("-")) bullets++;
    const last = stripEnd(line);
    if (last.endsWith("...") || last.endsWith("…")) trailing++;
  }
  const length = ratio(characters, real);
  const stops = vocabulary().words.filter((word) => stopWords.has(word)).length; // in the case that the list has
  const ellipses = count(text, "...") + count(text, "…");
  return [
    { rule: "gopher.minWords", value: real, limit: limits.minWords, keep: "atLeast" },
    { rule: "gopher.maxWords", value: real, limit: limits.maxWords, keep: "atMost" },
    { rule: "gopher.minWordLength", value: length, limit: limits.minWordLength, keep: "atLeast" },
    { rule: "gopher.maxWordLength", value: length, limit: limits.maxWordLength, keep: "atMost" },
    { rule: "gopher.hashes", value: ratio(count(text, "#"), words.count), limit: limits.maxHashes, keep: "atMost" },
    { rule: "gopher.ellipses", value: ratio(ellipses, words.count), limit: limits.maxEllipses, keep: "atMost" },
    { rule: "gopher.bulletLines", value: ratio(bullets, lines.length), limit: limits.maxBulletLines, keep: "atMost" },
    {
      rule: "gopher.ellipsisLines",
      value: ratio(trailing, lines.length),
      limit: limits.maxEllipsisLines,
      keep: "atMost",
    },
    {
      rule: "gopher.letterWords",
      value: ratio(withLetter, words.count),
      limit: limits.minLetterWords,
      keep: "atLeast",
    },
    { rule: "gopher.stopWords", value: stops, limit: limits.minStopWords, keep: "atLeast" },
  ];
}

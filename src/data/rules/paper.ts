/**
 * @file The ratios that section 3.1.1 of the paper names and the other rule sets do not measure. The paper's list and
 * where each is measured: document length `paper.characters`, `gopher.minWords`; special symbols `paper.symbols`,
 * `roots.specialCharacters`; stop words `roots.stopWords`, `gopher.stopWords`; short lines `paper.shortLines`;
 * consecutive lines `paper.consecutiveLines`; incomplete lines `fineweb.terminalLines`; repeated words and n-grams
 * `roots.wordRepetition`, `gopher.top2Gram` to `gopher.duplicate10Grams`; blocked words `blocklist.words`; garbled
 * text `garbled.*`. The paper gives no numbers: those here are CHOSEN.
 */
import { isBlank, type RuleDocument, ratio } from "./document.ts";
import { FINEWEB } from "./fineWeb.ts";
import type { Measure } from "./measure.ts";
import { codePoints } from "./pythonText.ts";
import { HAS_LETTER, ONLY_SYMBOLS } from "./words.ts";

export const PAPER = {
  /** CHOSEN: 200 characters, or 50 words; both are measured. */
  minCharacters: 200,
  /** CHOSEN: the share of words that are punctuation alone. */
  maxSymbols: 0.4,
  /** FineWeb's number for English, for every language. */
  maxShortLines: 0.67,
  /** CHOSEN */
  maxConsecutiveLines: 0.1,
};

export function paper(document: RuleDocument, limits: typeof PAPER = PAPER): Measure[] {
  const { words, length } = document;
  let symbols = 0;
  let letters = 0;
  for (let i = 0; i < words.count; i++) {
    if (words.flags[i] & ONLY_SYMBOLS) symbols++;
    if (words.flags[i] & HAS_LETTER) letters++;
  }
  const lines = document.lines().filter((line) => !isBlank(line));
  let short = 0;
  let consecutive = 0;
  lines.forEach((line, i) => {
    if (line.length <= 2 * FINEWEB.shortLine && codePoints(line) <= FINEWEB.shortLine) short++;
    if (i > 0 && line === lines[i - 1]) consecutive++;
  });
  return [
    // Nothing, white space or symbols only: every ratio of such a text is 0.
    { rule: "empty", value: letters, limit: 1, keep: "atLeast" },
    { rule: "paper.characters", value: length, limit: limits.minCharacters, keep: "atLeast" },
    { rule: "paper.symbols", value: ratio(symbols, words.count), limit: limits.maxSymbols, keep: "atMost" },
    { rule: "paper.shortLines", value: ratio(short, lines.length), limit: limits.maxShortLines, keep: "atMost" },
    {
      rule: "paper.consecutiveLines",
      value: ratio(consecutive, lines.length),
      limit: limits.maxConsecutiveLines,
      keep: "atMost",
    },
  ];
}

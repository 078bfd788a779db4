/**
 * @file FineWeb's own quality rules (Penedo et al. 2024, arXiv 2406.17557): lines end like sentences, few are short,
 * few occur again, and the text is no list. Lines are what is between line feeds and not blank.
 */
import { isBlank, type RuleDocument, ratio } from "./document.ts";
import { duplicates } from "./gopherRepetition.ts";
import type { Measure } from "./measure.ts";
import { characterClasses, codePoints, count, TERMINAL } from "./pythonText.ts";

export interface FineWebLimits {
  minTerminalLines: number;
  maxShortLines: number;
  /** A line of up to so many characters is short. */
  shortLine: number;
  maxDuplicateCharacters: number;
  maxNewlines: number;
}

export const FINEWEB: FineWebLimits = {
  minTerminalLines: 0.12,
  maxShortLines: 0.67,
  shortLine: 30,
  maxDuplicateCharacters: 0.01,
  maxNewlines: 0.3,
};

export function fineWeb(document: RuleDocument, limits: FineWebLimits = FINEWEB): Measure[] {
  const all = document.lines();
  const lines = all.filter((line) => !isBlank(line));
  const newlines = all.length - 1;
  const terminal = lines.filter(endsSentence).length;
  const short = lines.filter((line) => line.length <= 2 * limits.shortLine && codePoints(line) <= limits.shortLine);
  return [
    {
      rule: "fineweb.terminalLines",
      value: ratio(terminal, lines.length),
      limit: limits.minTerminalLines,
      keep: "atLeast",
    },
    {
      rule: "fineweb.shortLines",
      value: ratio(short.length, lines.length),
      limit: limits.maxShortLines,
      keep: "atMost",
    },
    {
      rule: "fineweb.duplicateCharacters",
      value: ratio(duplicates(lines).characters, document.length - newlines),
      limit: limits.maxDuplicateCharacters,
      keep: "atMost",
    },
    {
      rule: "fineweb.newlines",
      value: ratio(count(document.text, "\n"), document.words.count),
      limit: limits.maxNewlines,
      keep: "atMost",
    },
  ];
}

/** Whether the last character is a full stop, question mark or the like, in any script. */
export function endsSentence(line: string): boolean {
  const last = line.charCodeAt(line.length - 1);
  if (characterClasses()[last] & TERMINAL) return true;
  return (last & 0xfc00) === 0xdc00 && /\p{Sentence_Terminal}$/u.test(line.slice(-2));
}

/**
 * @file Gopher's repetition rules (Rae et al. 2021, table A1) with datatrove's numerators: the commonest n-gram counts
 * its length with the spaces times its occurrences; repeated n-grams are found by a scan that jumps over each one it
 * finds and counts the words without spaces. The denominator is the length of the text.
 *
 * N-grams are compared by a rolling hash, then character by character where the hashes agree, so the numbers are exact.
 */
import { type RuleDocument, ratio } from "./document.ts";
import type { Measure } from "./measure.ts";
import { makeTable, slotOf } from "./nGrams.ts";
import { codePoints, strip } from "./pythonText.ts";
import { HASH_BASE, type Words } from "./words.ts";

export interface GopherRepetitionLimits {
  duplicateLines: number;
  duplicateParagraphs: number;
  duplicateLineCharacters: number;
  duplicateParagraphCharacters: number;
  /** For n = 2, 3, 4. */
  topNGrams: readonly number[];
  /** For n = 5 to 10. */
  duplicateNGrams: readonly number[];
}

export const GOPHER_REPETITION: GopherRepetitionLimits = {
  duplicateLines: 0.3,
  duplicateParagraphs: 0.3,
  duplicateLineCharacters: 0.2,
  duplicateParagraphCharacters: 0.2,
  topNGrams: [0.2, 0.18, 0.16],
  duplicateNGrams: [0.15, 0.14, 0.13, 0.12, 0.11, 0.1],
};

export function gopherRepetition(
  { text, length, words }: RuleDocument,
  limits: GopherRepetitionLimits = GOPHER_REPETITION,
): Measure[] {
  const paragraphs = strip(text).split(/\n{2,}/);
  const lines = text.split(/\n+/);
  const paragraph = duplicates(paragraphs);
  const line = duplicates(lines);
  const atMost = (rule: string, value: number, limit: number): Measure => ({
    rule: `gopher.${rule}`,
    value,
    limit,
    keep: "atMost",
  });
  const measures = [
    atMost("duplicateParagraphs", ratio(paragraph.count, paragraphs.length), limits.duplicateParagraphs),
    atMost("duplicateParagraphCharacters", ratio(paragraph.characters, length), limits.duplicateParagraphCharacters),
    atMost("duplicateLines", ratio(line.count, lines.length), limits.duplicateLines),
    atMost("duplicateLineCharacters", ratio(line.characters, length), limits.duplicateLineCharacters),
  ];
  const once = new Uint8Array(words.count);
  const hashes = { spaced: words.hash.slice(), joined: words.hash.slice() };
  for (let n = 2; n <= 10; n++) {
    lengthen(hashes, words, n);
    if (n < 5) {
      measures.push(
        atMost(`top${n}Gram`, ratio(topNGram(text, words, n, hashes.spaced, once), length), limits.topNGrams[n - 2]),
      );
    } else {
      const repeated = ratio(duplicateNGrams(text, words, n, hashes.joined), length);
      measures.push(atMost(`duplicate${n}Grams`, repeated, limits.duplicateNGrams[n - 5]));
    }
  }
  return measures;
}

/** How many of `parts` occurred before, and their code points. */
export function duplicates(parts: readonly string[]): { count: number; characters: number } {
  const seen = new Set<string>();
  let count = 0;
  let characters = 0;
  for (const part of parts) {
    if (!seen.has(part)) seen.add(part);
    else {
      count++;
      characters += codePoints(part);
    }
  }
  return { count, characters };
}

interface Hashes {
  /** Of the n words from each one on, joined by spaces; up to n = 4. */
  spaced: Int32Array;
  /** Joined by nothing. */
  joined: Int32Array;
}

/** From the hashes of n - 1 words to those of n. */
function lengthen({ spaced, joined }: Hashes, { count, hash, power }: Words, n: number) {
  for (let i = 0, last = n - 1; last < count; i++, last++) {
    if (n < 5) spaced[i] = (Math.imul((Math.imul(spaced[i], HASH_BASE) + 32) | 0, power[last]) + hash[last]) | 0;
    joined[i] = (Math.imul(joined[i], power[last]) + hash[last]) | 0;
  }
}

/**
 * Length of the commonest n-gram joined by spaces (the first one among equals) times its occurrences. `once` says
 * which of the n-grams of one word less occur once: what contains one of them does too, and is not looked up.
 */
function topNGram(text: string, words: Words, n: number, hashes: Int32Array, once: Uint8Array): number {
  const grams = words.count - n + 1;
  if (grams < 1) return 0;
  const { table, mask, base } = makeTable(grams);
  const tally = new Int32Array(grams);
  const firsts = new Int32Array(grams);
  for (let i = 0; i < grams; i++) {
    firsts[i] = i;
    if (once[i] | once[i + 1]) {
      tally[i] = 1;
      continue;
    }
    const hash = hashes[i];
    let slot = slotOf(hash, mask);
    let first = table[slot] - base;
    while (first >= 0 && !(hashes[first] === hash && sameWords(text, words, first, i, n))) {
      slot = (slot + 1) & mask;
      first = table[slot] - base;
    }
    if (first < 0) {
      first = i;
      table[slot] = base + i;
    }
    tally[first]++;
    firsts[i] = first;
  }
  for (let i = 0; i < grams; i++) once[i] = tally[firsts[i]] === 1 ? 1 : 0;
  let best = 0;
  for (let i = 1; i < grams; i++) if (tally[i] > tally[best]) best = i;
  let characters = n - 1; // the spaces between
  for (let k = best; k < best + n; k++) characters += words.length[k];
  return characters * tally[best];
}

/** Characters of the n-grams that a scan meets again; n-grams are equal when their words without spaces are. */
function duplicateNGrams(text: string, words: Words, n: number, hashes: Int32Array): number {
  const grams = words.count - n + 1;
  if (grams < 1) return 0;
  const { table, mask, base } = makeTable(grams);
  let repeated = 0;
  for (let i = 0; i < grams; ) {
    const hash = hashes[i];
    let slot = slotOf(hash, mask);
    let first = table[slot] - base;
    while (first >= 0 && !(hashes[first] === hash && sameCharacters(text, words, first, i, n))) {
      slot = (slot + 1) & mask;
      first = table[slot] - base;
    }
    if (first < 0) {
      table[slot] = base + i;
      i++;
    } else {
      for (let k = i; k < i + n; k++) repeated += words.length[k];
      i += n;
    }
  }
  return repeated;
}

function sameWords(text: string, words: Words, a: number, b: number, n: number) {
  for (let k = 0; k < n; k++) {
    const size = words.end[a + k] - words.start[a + k];
    if (words.hash[a + k] !== words.hash[b + k] || size !== words.end[b + k] - words.start[b + k]) return false;
  }
  return sameCharacters(text, words, a, b, n);
}

/** Whether the n words from a on, joined without spaces, are the n words from b on. */
function sameCharacters(text: string, words: Words, a: number, b: number, n: number) {
  const [lastA, lastB] = [a + n, b + n];
  let i = words.start[a];
  let j = words.start[b];
  for (;;) {
    while (a < lastA && i === words.end[a]) i = ++a < lastA ? words.start[a] : i;
    while (b < lastB && j === words.end[b]) j = ++b < lastB ? words.start[b] : j;
    if (a === lastA || b === lastB) return a === lastA && b === lastB;
    if (text.charCodeAt(i++) !== text.charCodeAt(j++)) return false;
  }
}

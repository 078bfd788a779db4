/**
 * @file The words of a document as typed arrays, made once for all rules.
 *
 * White space separates words; punctuation at a word's ends, and a hyphen, comma, colon or slash between two letters,
 * is a word of its own. That is spaCy's rule without its lists of exceptions ("don't" stays whole): datatrove counts
 * with spaCy, so its thresholds mean such words. Runs of Han, Kana and Thai are cut by Intl.Segmenter where the
 * language writes no spaces (zh, ja, th); it is a hundred times slower than the rest, so only those runs go through it.
 */
import {
  codePoints,
  DECIMAL,
  characterClasses as getClasses,
  INNER,
  LETTER,
  MARK,
  PEEL,
  PREFIX,
  SUFFIX,
  SURROGATE,
  SYMBOL,
  UNSPACED,
  UPPER,
  WHITE,
} from "./pythonText.ts";

/** A word has at least one letter. */
export const HAS_LETTER = 1;
/** Every character of the word is punctuation or a control character. */
export const ONLY_SYMBOLS = 2;

export interface Words {
  count: number;
  /** UTF-16 offsets in the text. */
  start: Int32Array;
  end: Int32Array;
  /** Code points. */
  length: Int32Array;
  /** Polynomial in HASH_BASE over the UTF-16 units, modulo 2^32, and HASH_BASE to the number of units. */
  hash: Int32Array;
  power: Int32Array;
  flags: Uint8Array;
}

/** Another one in every process: no result depends on it, and nobody can write words that all have the same hash. */
export const HASH_BASE = (Math.floor(Math.random() * 0x20000000) * 8) | 5;
/** Intl.Segmenter gets no more than this at a time: its cost per word grows with the text that it was given. */
const SEGMENT_UNITS = 1024;

const segmenters = new Map<string, Intl.Segmenter>();
function segmenterOf(language: string) {
  let segmenter = segmenters.get(language);
  if (!segmenter) {
    segmenter = new Intl.Segmenter(language, { granularity: "word" });
    segmenters.set(language, segmenter);
  }
  return segmenter;
}

/** Written without spaces: their runs of Han, Kana and Thai are segmented. */
const UNSPACED_LANGUAGES = ["zh", "ja", "th"];

/** The words of `text`. */
export function splitWords(text: string, language = "en"): Words {
  const kind = getClasses();
  const words = makeBuffer(text);
  const segment = UNSPACED_LANGUAGES.includes(language) ? segmenterOf(language) : undefined;
  const special = PEEL | PREFIX | SUFFIX | INNER | SURROGATE | (segment ? UNSPACED : 0);
  const n = text.length;
  for (let i = 0; i < n; ) {
    while (i < n && kind[text.charCodeAt(i)] & WHITE) i++;
    if (i === n) break;
    const start = i;
    let seen = 0;
    for (; i < n; i++) {
      const bits = kind[text.charCodeAt(i)];
      if (bits & WHITE) break;
      seen |= bits;
    }
    if ((seen & special) === 0) words.push(start, i);
    else if (seen & UNSPACED && segment) segmentRuns(text, start, i, segment, words);
    else peel(text, start, i, words);
  }
  return words.finish();
}

/** Cuts the runs of unspaced scripts in text[start:end] by the segmenter, peels what is between them. */
function segmentRuns(text: string, start: number, end: number, segmenter: Intl.Segmenter, words: Buffer) {
  const kind = getClasses();
  for (let i = start; i < end; ) {
    const from = i;
    const unspaced = kind[text.charCodeAt(i)] & UNSPACED;
    while (i < end && (kind[text.charCodeAt(i)] & UNSPACED) === unspaced) i++;
    if (!unspaced) {
      peel(text, from, i, words);
      continue;
    }
    if (i === from + 1) {
      words.push(from, i); // a character by itself is a word, and a call costs as much as twenty
      continue;
    }
    for (let at = from; at < i; at += SEGMENT_UNITS) {
      const to = Math.min(at + SEGMENT_UNITS, i);
      let position = at;
      for (const { segment } of segmenter.segment(text.slice(at, to))) {
        words.push(position, position + segment.length);
        position += segment.length;
      }
    }
  }
}

/** Emits text[start:end], which has no white space: prefixes, then what is inside, then suffixes. */
function peel(text: string, start: number, end: number, words: Buffer) {
  const kind = getClasses();
  let from = start;
  while (from < end) {
    const length = prefixLength(text, from, end, kind);
    if (length === 0) break;
    words.push(from, from + length);
    from += length;
  }
  let to = end;
  let suffixes: number[] | undefined;
  while (to > from) {
    const length = suffixLength(text, from, to, kind);
    if (length === 0) break;
    suffixes ??= [];
    suffixes.push(to);
    to -= length;
  }
  if (to > from) splitInside(text, from, to, kind, words);
  if (!suffixes) return;
  for (let i = suffixes.length - 1, at = to; i >= 0; i--) {
    words.push(at, suffixes[i]);
    at = suffixes[i];
  }
}

const DOT = 46;

/** Pictographs outside the first plane, where most of \p{So} is. */
const isPictograph = (text: string, at: number) => {
  const point = text.codePointAt(at)!;
  return point >= 0x1f000 && point < 0x1fb00;
};

function prefixLength(text: string, from: number, end: number, kind: Uint16Array): number {
  const unit = text.charCodeAt(from);
  const bits = kind[unit];
  if (unit === DOT) {
    let dots = from + 1;
    while (dots < end && text.charCodeAt(dots) === DOT) dots++;
    return dots - from > 1 ? dots - from : 0;
  }
  if (unit === 43) return from + 1 < end && kind[text.charCodeAt(from + 1)] & DECIMAL ? 0 : 1; // "+"
  if (bits & (PEEL | PREFIX)) return 1;
  return bits & SURROGATE && isPictograph(text, from) ? 2 : 0;
}

function suffixLength(text: string, from: number, to: number, kind: Uint16Array): number {
  const unit = text.charCodeAt(to - 1);
  const bits = kind[unit];
  if (unit === DOT) {
    let dots = to - 1;
    while (dots > from && text.charCodeAt(dots - 1) === DOT) dots--;
    if (to - dots > 1) return to - dots;
    return endsSentence(text, from, to - 1, kind) ? 1 : 0;
  }
  if (bits & (PEEL | SUFFIX)) return 1;
  const before = to - 2 >= from ? text.charCodeAt(to - 2) : 0;
  if ((unit === 43 || bits & PREFIX) && kind[before] & DECIMAL) return 1; // "9+", "9€"
  if ((unit === 115 || unit === 83) && (before === 39 || before === 0x2019) && to - 2 > from) return 2; // "'s"
  return bits & SURROGATE && to - 2 >= from && isPictograph(text, to - 2) ? 2 : 0;
}

/** Whether the full stop at `at` is not part of what is before it: "U.S." and "J." keep theirs, "end." does not. */
function endsSentence(text: string, from: number, at: number, kind: Uint16Array): boolean {
  if (at === from) return false;
  const unit = text.charCodeAt(at - 1);
  const bits = kind[unit];
  if (bits & UPPER) return at - 2 >= from && (kind[text.charCodeAt(at - 2)] & UPPER) !== 0;
  return (bits & (LETTER | DECIMAL | MARK | PEEL)) !== 0 || unit === 37 || unit === 43 || unit === 45;
}

/** Splits text[from:to] at punctuation between two letters; an address stays whole. */
function splitInside(text: string, from: number, to: number, kind: Uint16Array, words: Buffer) {
  let start = from;
  for (let i = from + 1; i < to - 1; i++) {
    const unit = text.charCodeAt(i);
    const bits = kind[unit];
    if ((bits & (INNER | PEEL)) === 0 && !(bits & SURROGATE && unit < 0xdc00 && isPictograph(text, i))) continue;
    if (unit === 58 && text.charCodeAt(i + 1) === 47 && text.charCodeAt(i + 2) === 47) break; // "://"
    const length = innerLength(text, i, to, kind);
    if (length === 0) continue;
    if (i > start) words.push(start, i);
    words.push(i, i + length);
    start = i + length;
    i = start - 1;
  }
  if (to > start) words.push(start, to);
}

function innerLength(text: string, at: number, to: number, kind: Uint16Array): number {
  const unit = text.charCodeAt(at);
  const bits = kind[unit];
  const before = kind[text.charCodeAt(at - 1)];
  let next = at + 1;
  if (unit === DOT || unit === 45 || unit === 0x2014) while (next < to && text.charCodeAt(next) === unit) next++;
  const after = kind[text.charCodeAt(next)];
  const length = next - at;
  const letters = (before & (LETTER | MARK)) !== 0 && (after & (LETTER | MARK)) !== 0;
  switch (unit) {
    case DOT: // "...", or "end.Start"
      return length > 1 || (letters && !(before & UPPER) && (after & UPPER) !== 0) ? length : 0;
    case 44: // ","
    case 126: // "~"
    case 0x2013: // "–"
      return letters ? 1 : 0;
    case 45: // "-"
      if (length === 1 && before & DECIMAL && (after & DECIMAL || text.charCodeAt(next) === 45)) return 1;
      return letters ? length : 0;
    case 0x2014:
      return letters ? length : 0;
    case 58: // ":"
    case 60: // "<"
    case 61: // "="
    case 62: // ">"
    case 47: // "/"
      return (before & (LETTER | MARK | DECIMAL)) !== 0 && (after & (LETTER | MARK)) !== 0 ? 1 : 0;
    case 43: // "+"
    case 42: // "*"
    case 94: // "^"
      return before & DECIMAL && (after & DECIMAL || text.charCodeAt(next) === 45) ? 1 : 0;
    case 0x2026: // "…"
      return 1;
    default:
      if (bits & SURROGATE) return 2;
      return bits & PEEL && unit > 0x2100 && unit < 0x2e80 ? 1 : 0; // symbols such as "→"
  }
}

/** Boundaries of words, growing. */
interface Buffer {
  push: (from: number, to: number) => void;
  finish: () => Words;
}

function makeBuffer(text: string): Buffer {
  let size = (text.length >> 2) + 16;
  let count = 0;
  let start = new Int32Array(size);
  let end = new Int32Array(size);
  return {
    push(from, to) {
      if (count === size) {
        size *= 2;
        const [widerStart, widerEnd] = [new Int32Array(size), new Int32Array(size)];
        widerStart.set(start);
        widerEnd.set(end);
        [start, end] = [widerStart, widerEnd];
      }
      start[count] = from;
      end[count++] = to;
    },
    finish: () => describeWords(text, start, end, count),
  };
}

/** Length, hash and flags of each word, in one pass over their characters. */
function describeWords(text: string, start: Int32Array, end: Int32Array, count: number): Words {
  const kind = getClasses();
  const length = new Int32Array(count);
  const hash = new Int32Array(count);
  const power = new Int32Array(count);
  const flags = new Uint8Array(count);
  for (let k = 0; k < count; k++) {
    const to = end[k];
    let h = 0;
    let p = 1;
    let some = 0;
    let all = SYMBOL;
    for (let i = start[k]; i < to; i++) {
      const unit = text.charCodeAt(i);
      const bits = kind[unit];
      some |= bits;
      all &= bits;
      h = (Math.imul(h, HASH_BASE) + unit) | 0;
      p = Math.imul(p, HASH_BASE);
    }
    length[k] = to - start[k];
    hash[k] = h;
    power[k] = p;
    flags[k] = (some & LETTER ? HAS_LETTER : 0) | (all ? ONLY_SYMBOLS : 0);
    if (some & SURROGATE) {
      length[k] = codePoints(text, start[k], to);
      const word = text.slice(start[k], to);
      flags[k] = (/\p{L}/u.test(word) ? HAS_LETTER : 0) | (onlySymbols(word) ? ONLY_SYMBOLS : 0);
    }
  }
  return { count, start, end, length, hash, power, flags };
}

function onlySymbols(word: string) {
  const kind = getClasses();
  for (const character of word) {
    if (character.length === 1 && kind[character.charCodeAt(0)] & SYMBOL) continue;
    if (!/\p{Sentence_Terminal}/u.test(character)) return false;
  }
  return true;
}

export const wordAt = (text: string, words: Words, i: number) => text.slice(words.start[i], words.end[i]);

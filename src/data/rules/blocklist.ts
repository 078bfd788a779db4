/**
 * @file Blocked words: the lists of naughty-words (LDNOOBW; CC-BY-4.0) where it has the language, and the user's own.
 * A word counts where no letter or digit touches it. Chinese, Japanese and Thai are written without spaces: there a word
 * counts anywhere, as in C4, but not within a longer run of Latin letters and digits or of katakana, nor before a mark.
 */
import { createRequire } from "node:module";
import { type RuleDocument, ratio } from "./document.ts";
import type { Measure } from "./measure.ts";
import { characterClasses, DECIMAL, LETTER, MARK } from "./pythonText.ts";

/**
 * Harmless words of the lists. C4's own are in more than a tenth of its documents; the others (CHOSEN) stopped manuals of
 * programs: insert, hook, a part of "traffic light", and what stands for any letters or any version.
 */
const ALLOWED: Record<string, string[]> = {
  en: ["xx"],
  ja: ["sm", "グロ", "女の子", "挿入", "フック", "xx"],
  zh: ["性", "口交", "13."],
};
const UNSPACED = ["zh", "ja", "th"];

export interface Blocklist {
  /** Words by their first two UTF-16 units (or the only one), longest first. */
  byStart: ReadonlyMap<number, readonly string[]>;
  /** By the low bits of a word's first two units: 1 where some word may start so. */
  starts: Uint8Array;
  edges: Edges;
}

/** What may not touch a word: any letter or digit; in unspaced text Latin ones and katakana, by their like; or all may. */
export type Edges = "words" | "unspaced" | "anywhere";

/** `extra`: words or phrases of the user, in any case. */
export function makeBlocklist(language: string, extra: Iterable<string> = []): Blocklist {
  const lists: Record<string, string[]> = createRequire(import.meta.url)("naughty-words");
  const allowed = ALLOWED[language] ?? [];
  return indexWords(
    [...(lists[language] ?? []).filter((word) => !allowed.includes(word)), ...extra],
    UNSPACED.includes(language) ? "unspaced" : "words",
  );
}

const bucketOf = (first: number, second: number) => (first + 31 * second) & 0xffff;
const NONE = 0; // in place of the second unit

export function indexWords(words: Iterable<string>, edges: Edges): Blocklist {
  const byStart = new Map<number, string[]>();
  const starts = new Uint8Array(0x10000);
  const unique = new Set([...words].map((word) => word.trim().toLowerCase()).filter(Boolean));
  for (const word of [...unique].sort((a, b) => b.length - a.length)) {
    const [first, second] = [word.charCodeAt(0), word.length === 1 ? NONE : word.charCodeAt(1)];
    const key = first * 0x10000 + second;
    byStart.set(key, [...(byStart.get(key) ?? []), word]);
    starts[bucketOf(first, second)] = 1;
  }
  return { byStart, starts, edges };
}

const isKatakana = (unit: number) => unit >= 0x30a0 && unit <= 0x30ff;
const isLatin = (unit: number) => unit < 0x250;

/** The blocked words in `lower`, a lower-cased text, in order; they do not overlap. */
export function findBlocked(lower: string, { byStart, starts, edges }: Blocklist): string[] {
  const kind = characterClasses();
  const inWord = (unit: number) => (kind[unit] & (LETTER | DECIMAL | MARK)) !== 0;
  /** Whether `outer`, the neighbour of a word's first or last character `inner`, makes the word a part of a longer one. */
  const touches = (inner: number, outer: number) => {
    if (edges === "anywhere" || Number.isNaN(outer) || !inWord(outer)) return false;
    if (edges === "words") return true;
    if (isKatakana(inner)) return isKatakana(outer);
    return inWord(inner) && isLatin(inner) && isLatin(outer);
  };
  const found: string[] = [];
  const wordAt = (i: number, first: number, second: number) => {
    if (starts[bucketOf(first, second)] === 0) return undefined;
    for (const word of byStart.get(first * 0x10000 + second) ?? []) {
      if (!lower.startsWith(word, i)) continue;
      const [last, next] = [lower.charCodeAt(i + word.length - 1), lower.charCodeAt(i + word.length)];
      if (!touches(last, next) && (edges === "anywhere" || (kind[next] & MARK) === 0)) return word;
    }
  };
  for (let i = 0; i < lower.length; i++) {
    const first = lower.charCodeAt(i);
    if (i > 0 && touches(first, lower.charCodeAt(i - 1))) continue;
    const second = i + 1 < lower.length ? lower.charCodeAt(i + 1) : NONE;
    const word = wordAt(i, first, second) ?? wordAt(i, first, NONE);
    if (!word) continue;
    found.push(word);
    i += word.length - 1;
  }
  return found;
}

/** Blocked words for each word of a text (CHOSEN: half of what ROOTS allows in English). */
const MOST = 0.005;

/**
 * One measure. C4 allows no blocked word at all: that drops the Declaration of Human Rights in English, French, Japanese,
 * Portuguese and Spanish ("sex", "slavery"). Below 200 words this limit is C4's; a longer text may have one in passing.
 */
export function blocklist(document: RuleDocument, list: Blocklist): Measure[] {
  const value = Math.min(1, ratio(findBlocked(document.lower(), list).length, document.words.count));
  return [{ rule: "blocklist.words", value, limit: MOST, keep: "atMost" }];
}

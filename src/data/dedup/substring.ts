/**
 * @file Exact substring deduplication (Lee et al., 2022): passages of at least n tokens that are somewhere else as well,
 * in another document or in the same, are found in the suffix array of all documents and cut out of the texts at the
 * offsets of the original characters. Token ids are of any tokenizer and any size.
 *
 * A passage is a repeat if its first n tokens are at two places that do not overlap. With `keep: "first"` the first stays
 * and every place that does not overlap it goes, so that no n tokens of what is left, within one uncut piece, are there
 * twice. Joining the pieces can make new repeats; run it again to see (Lee et al. run it twice).
 *
 * Memory: about 40 bytes a token at the peak. All documents are in memory at once; more than {@link MOST_TOKENS} tokens
 * are refused: split by language, which is how the paper deduplicates, or by source.
 */
import { normalize } from "../../tokenizer/pretokenize.ts";
import { UserError } from "../../util/assert.ts";
import { codePoints } from "../rules/pythonText.ts";
import { type Interval, mergeIntervals, restore } from "./intervals.ts";
import { longestCommonPrefixes, suffixArray } from "./suffixArray.ts";

export interface SubstringOptions {
  /** The least number of tokens in a repeat (50: Lee et al., RefinedWeb). */
  tokens: number;
  /** Keep the first of the places of a repeat, or none (as in the paper of Lee et al.). */
  keep: "first" | "none";
}

export const MOST_TOKENS = 2 ** 27;

/** Tokens [from, to) of a document that are a repeat. */
export interface Repeat extends Interval {
  document: number;
  /** The first place of the repeat's first n tokens. With `keep: "none"` it can be this one. */
  first: { document: number; token: number };
}

/** The repeats in documents, given as token ids, in the order of documents and tokens; none touch each other. */
export function findRepeats(documents: readonly ArrayLike<number>[], { tokens, keep }: SubstringOptions): Repeat[] {
  const total = documents.reduce((sum, ids) => sum + ids.length + 1, 0);
  if (total > MOST_TOKENS)
    throw new UserError(
      `substring deduplication: ${total} tokens at once, expected at most ${MOST_TOKENS}; split the documents by language or source`,
    );
  if (!(Number.isInteger(tokens) && tokens >= 1))
    throw new UserError(
      `substring deduplication: repeats of at least ${tokens} tokens, expected a whole number from 1`,
    );

  // All documents one after the other; behind each a number that nothing else has, so that no repeat goes beyond it.
  const text = new Int32Array(total);
  const numberOf = new Map<number, number>();
  for (const ids of documents)
    for (let i = 0; i < ids.length; i++) if (!numberOf.has(ids[i])) numberOf.set(ids[i], numberOf.size);
  const boundaries: Interval[] = [];
  let at = 0;
  for (const ids of documents) {
    boundaries.push({ from: at, to: at + ids.length });
    for (let i = 0; i < ids.length; i++) text[at++] = numberOf.get(ids[i])!;
    text[at++] = numberOf.size + boundaries.length - 1;
  }

  const sa = suffixArray(text, numberOf.size + documents.length);
  const room = new Int32Array(total);
  const lcp = longestCommonPrefixes(text, sa, room);
  const firstPlace = room.fill(-1); // of the n tokens at a place that is to be cut
  for (let start = 0; start < total; ) {
    let end = start + 1;
    let [first, last] = [sa[start], sa[start]];
    while (end < total && lcp[end] >= tokens) {
      first = Math.min(first, sa[end]);
      last = Math.max(last, sa[end++]);
    }
    if (last - first >= tokens)
      for (let i = start; i < end; i++) if (keep === "none" || sa[i] - first >= tokens) firstPlace[sa[i]] = first;
    start = end;
  }

  function* windows() {
    for (let from = 0; from < total; from++)
      if (firstPlace[from] >= 0) yield { from, to: from + tokens, place: firstPlace[from] };
  }
  const starts = Int32Array.from(boundaries, ({ from }) => from);
  return Array.from(restore(boundaries, mergeIntervals(windows(), "overlapping")), ({ place, ...repeat }) => {
    const document = lastAtMost(starts, place);
    return { ...repeat, first: { document, token: place - starts[document] } };
  });
}

/** Index of the last of the sorted numbers that is at most `x`. */
function lastAtMost(sorted: Int32Array, x: number): number {
  let [low, high] = [0, sorted.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (sorted[middle] <= x) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Where each token ends in the UTF-8 bytes of the text that the ids decode to: for byte-level BPE. */
export function tokenEnds(ids: ArrayLike<number>, tokenBytes: (id: number) => Uint8Array): Uint32Array {
  const ends = new Uint32Array(ids.length);
  let end = 0;
  for (let i = 0; i < ids.length; i++) {
    end += tokenBytes(ids[i]).length;
    ends[i] = end;
  }
  return ends;
}

/** A character with the marks and Hangul letters that may melt with it: what NFC never changes across. */
const INDIVISIBLE = /[\s\S][\p{M}\u1160-\u11ff]{0,1000}/gu;

/**
 * The ranges of UTF-16 units of `text` that the token ranges stand for. `ends` is where each token ends in the UTF-8 bytes
 * of `normalized(text)`: offsets are brought back to the text as it was. Ranges shrink to whole characters, and never cut
 * a surrogate pair.
 */
export function unitsOf<T extends Interval>(
  text: string,
  ends: Uint32Array,
  ranges: readonly T[],
  normalized: (text: string) => string = normalize,
): T[] {
  const changes = normalized(text) !== text;
  const cuts: T[] = [];
  let [unit, byte, next] = [0, 0, 0];
  let from: number | undefined; // first boundary inside the range `next`
  let to = 0; // last one so far
  const startOf = ({ from }: Interval) => (from === 0 ? 0 : ends[from - 1]);
  const boundary = () => {
    while (next < ranges.length && byte > ends[ranges[next].to - 1]) {
      if (from !== undefined && to > from) cuts.push({ ...ranges[next], from, to });
      from = undefined;
      next++;
    }
    if (next < ranges.length && byte >= startOf(ranges[next])) {
      from ??= unit;
      to = unit;
    }
  };
  boundary();
  for (const piece of changes ? (text.match(INDIVISIBLE) ?? []) : text) {
    unit += piece.length;
    byte += Buffer.byteLength(changes ? normalized(piece) : piece);
    boundary();
  }
  if (from !== undefined && to > from) cuts.push({ ...ranges[next], from, to });
  if (byte !== (ends.at(-1) ?? 0))
    throw new Error(`substring: the tokens end at byte ${ends.at(-1) ?? 0} of a text of ${byte} bytes: not its tokens`);
  return cuts;
}

export interface TokenizedText {
  text: string;
  ids: ArrayLike<number>;
  /** See {@link unitsOf}. */
  ends: Uint32Array;
}

export interface CutText {
  /** The text without its repeats, otherwise unchanged. */
  text: string;
  /** What was cut out, in UTF-16 units of the original, and where it is found first. */
  cuts: (Interval & { first: Repeat["first"] })[];
  /** Code points that are left. A text that was cut is to be dropped if these are fewer than 20 (RefinedWeb). */
  characters: number;
}

export const LEAST_CHARACTERS = 20;

/** Whether a text that was cut has enough left to stay. A text that was not cut stays, however short. */
export const isWorthKeeping = ({ cuts, characters }: Omit<CutText, "cuts"> & { cuts: readonly unknown[] }) =>
  cuts.length === 0 || characters >= LEAST_CHARACTERS;

/** Finds the repeats in documents and cuts them out. */
export function cutRepeats(
  documents: readonly TokenizedText[],
  options: SubstringOptions,
  normalized: (text: string) => string = normalize,
): CutText[] {
  const repeats: Repeat[][] = documents.map(() => []);
  for (const repeat of findRepeats(
    documents.map(({ ids }) => ids),
    options,
  ))
    repeats[repeat.document].push(repeat);
  return documents.map(({ text, ends }, i) => cutOut(text, ends, repeats[i], normalized));
}

/** Cuts ranges of tokens out of a text; `ends` as in {@link unitsOf}. What else a range says stays with its cut. */
export function cutOut<F>(
  text: string,
  ends: Uint32Array,
  ranges: readonly (Interval & { first: F })[],
  normalized: (text: string) => string = normalize,
) {
  const cuts = unitsOf(text, ends, ranges, normalized).map(({ from, to, first }) => ({ from, to, first }));
  const left = [...cuts, { from: text.length, to: text.length }].map(({ from }, j) =>
    text.slice(j === 0 ? 0 : cuts[j - 1].to, from),
  );
  const rest = left.join("");
  return { text: rest, cuts, characters: codePoints(rest) };
}

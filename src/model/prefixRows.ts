/**
 * @file Token sequences laid out in rows so that a beginning that several share is computed once: the choices of a
 * question, the questions after one few-shot context.
 *
 * A row is a trie in preorder: a token's place is followed by those of all that continues it. Token i then sees token j
 * when j ≤ i ≤ last(j), the place of j's last descendant: one integer a token is the whole mask (`subtreeMask` in
 * src/ops/attention.ts), of which the mask of packed documents is the case of tries without forks. The position of a
 * token is its depth.
 */
import * as tf from "@tensorflow/tfjs-core";

export interface PrefixRow {
  /** By place in the row: the token, its position in its sequence, and the place of its last descendant. */
  ids: number[];
  positions: number[];
  last: number[];
  /** The sequences of the row: index in the list that was laid out, and the place of each of its tokens. */
  sequences: { index: number; places: number[] }[];
}

/** Rows of at most `rowLength` tokens that hold each sequence, none of which may be longer. */
export function prefixRows(sequences: readonly (readonly number[])[], rowLength: number): PrefixRow[] {
  const order = [...sequences.keys()].sort((a, b) => compare(sequences[a], sequences[b]));
  const tries: PrefixRow[] = [];
  for (const index of order) {
    const ids = sequences[index];
    const trie = tries.at(-1);
    const before = trie?.sequences.at(-1);
    const shared = before ? sharedLength(ids, sequences[before.index]) : 0;
    const fits = trie && trie.ids.length + ids.length - shared <= rowLength;
    // Tries hold together what goes into one row. CHOSEN: a beginning below a quarter is not worth that.
    const room = fits && 4 * shared >= ids.length;
    const into = room ? trie : { ids: [], positions: [], last: [], sequences: [] };
    if (!room) tries.push(into);
    add(into, index, ids, room ? before!.places.slice(0, shared) : []);
  }
  return joinRows(tries, rowLength);
}

/** `count` rows of `length` as the decoder reads them, each [count, length] int32: padding is `padId`, and sees only itself. */
export function rowTensors(rows: readonly PrefixRow[], count: number, length: number, padId: number) {
  const inputIds = new Int32Array(count * length).fill(padId);
  const positionIds = new Int32Array(count * length);
  const last = Int32Array.from(inputIds, (_, t) => t % length);
  for (const [b, row] of rows.entries()) {
    inputIds.set(row.ids, b * length);
    positionIds.set(row.positions, b * length);
    last.set(row.last, b * length);
  }
  const tensor = (values: Int32Array) => tf.tensor(values, [count, length], "int32");
  return { inputIds: tensor(inputIds), positionIds: tensor(positionIds), last: tensor(last) };
}

/** The smallest power of two that is at least n and `least`: rows and their lengths have few shapes, each compiled once. */
export function powerOfTwo(n: number, least = 1): number {
  let power = least;
  while (power < n) power *= 2;
  return power;
}

/** Appends the tokens of a sequence after the `places` that it shares with the one before it. */
function add(trie: PrefixRow, index: number, ids: readonly number[], places: number[]) {
  for (let position = places.length; position < ids.length; position++) {
    places.push(trie.ids.length);
    trie.ids.push(ids[position]);
    trie.positions.push(position);
    trie.last.push(0);
  }
  for (const place of places) trie.last[place] = trie.ids.length - 1; // preorder: the newest is a descendant of all
  trie.sequences.push({ index, places });
}

/** Tries side by side: longest first, each in the first row with room. */
function joinRows(tries: PrefixRow[], rowLength: number): PrefixRow[] {
  const rows: PrefixRow[] = [];
  for (const trie of tries.sort((a, b) => b.ids.length - a.ids.length)) {
    const row = rows.find(({ ids }) => ids.length + trie.ids.length <= rowLength);
    if (!row) {
      rows.push(trie);
      continue;
    }
    const offset = row.ids.length;
    for (const id of trie.ids) row.ids.push(id);
    for (const position of trie.positions) row.positions.push(position);
    for (const place of trie.last) row.last.push(place + offset);
    for (const { index, places } of trie.sequences)
      row.sequences.push({ index, places: places.map((place) => place + offset) });
  }
  return rows;
}

/** How many tokens two sequences have in common from the start. */
function sharedLength(a: readonly number[], b: readonly number[]): number {
  let n = 0;
  while (n < a.length && n < b.length && a[n] === b[n]) n++;
  return n;
}

/** By tokens; a beginning is before what goes on with it. */
function compare(a: readonly number[], b: readonly number[]): number {
  const n = sharedLength(a, b);
  return n < a.length && n < b.length ? a[n] - b[n] : a.length - b.length;
}

/** @file How often each n-gram of a sequence of numbers (characters, word ids) occurs: exact, by a rolling hash. */

export interface Counter {
  /** Occurrences by the position of an n-gram's first occurrence, 0 elsewhere. */
  tally: Int32Array;
  distinct: number;
  total: number;
}

/** The code points of `text`; its UTF-16 units where these are the same. */
export function codePointUnits(text: string): Uint16Array | Uint32Array {
  const units = new Uint16Array(text.length);
  let pairs = false;
  for (let i = 0; i < text.length; i++) {
    units[i] = text.charCodeAt(i);
    if ((units[i] & 0xfc00) === 0xdc00) pairs = true;
  }
  return pairs ? Uint32Array.from(text, (character) => character.codePointAt(0)!) : units;
}

import { HASH_BASE as BASE } from "./words.ts";

/** Where a hash belongs in a table whose size is a power of two. */
export function slotOf(hash: number, mask: number) {
  const mixed = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return (mixed ^ (mixed >>> 13)) & mask;
}

/**
 * A table of a power of two for open addressing, at most half full with `entries`, that is empty although it is not
 * new: an entry is `base` + a number from 0 to `entries` - 1, and whatever is below `base` is none.
 */
export function makeTable(entries: number): { table: Int32Array; mask: number; base: number } {
  const size = 1 << (32 - Math.clz32(2 * entries + 1));
  if (size > shared.length || used + entries > 0x7fffffff) {
    shared = new Int32Array(Math.max(size, shared.length));
    used = 1;
  }
  const base = used;
  used += entries;
  // A table of another size reads other tables' entries: they are below its base as well.
  return { table: shared, mask: size - 1, base };
}

let shared = new Int32Array(1 << 12);
let used = 1;

export function countNGrams(units: ArrayLike<number>, n: number): Counter {
  const total = Math.max(0, units.length - n + 1);
  const tally = new Int32Array(total);
  const { table, mask, base } = makeTable(total);
  let leading = 1; // BASE to the n - 1
  for (let k = 1; k < n; k++) leading = Math.imul(leading, BASE);
  let hash = 0;
  for (let k = 0; k < n - 1 && k < units.length; k++) hash = (Math.imul(hash, BASE) + units[k] + 1) | 0;
  let distinct = 0;
  for (let i = 0; i < total; i++) {
    hash = (Math.imul(hash, BASE) + units[i + n - 1] + 1) | 0;
    let slot = slotOf(hash, mask);
    let first = table[slot] - base;
    while (first >= 0 && !same(units, first, i, n)) {
      slot = (slot + 1) & mask;
      first = table[slot] - base;
    }
    if (first < 0) {
      table[slot] = base + i;
      tally[i] = 1;
      distinct++;
    } else tally[first]++;
    hash = (hash - Math.imul(units[i] + 1, leading)) | 0;
  }
  return { tally, distinct, total };
}

function same(units: ArrayLike<number>, a: number, b: number, n: number) {
  for (let k = 0; k < n; k++) if (units[a + k] !== units[b + k]) return false;
  return true;
}

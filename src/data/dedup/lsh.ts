/**
 * @file Locality-sensitive hashing by bands: documents whose signatures agree in one whole band are candidates. Of a
 * group of any size only few pairs are compared: each document with the first of the group, or, where pairs are verified,
 * with at most {@link MOST_COMPARED} that were found to differ. So ten thousand equal documents cost ten thousand
 * comparisons for each band, not fifty million.
 */

/** Values of one band, each record `words` long, record i at `offset + i * stride`. */
export interface Band {
  data: Uint32Array;
  offset: number;
  stride: number;
  words: number;
  count: number;
}

export const MOST_COMPARED = 8;

const hashRecord = (data: Uint32Array, from: number, words: number) => {
  let hash = 0;
  for (let i = from; i < from + words; i++) hash = Math.imul(hash ^ data[i], 0x9e3779b1) ^ (hash >>> 15);
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  return hash ^ (hash >>> 13);
};

/**
 * Calls `same(earlier, later)` for candidate pairs of records, in the order of the later; it says whether the two are
 * duplicates. Memory: 12 bytes a record beside the data.
 */
export function eachCandidate(band: Band, same: (earlier: number, later: number) => boolean): void {
  const { data, offset, stride, words, count } = band;
  const slots = 2 ** Math.ceil(Math.log2(2 * count + 2));
  const first = new Int32Array(slots).fill(-1); // the first record of each value
  const next = new Int32Array(count).fill(-1); // further records of the value that differ from those before
  const equal = (a: number, b: number) => {
    const from = offset + a * stride;
    const other = offset + b * stride;
    for (let i = 0; i < words; i++) if (data[from + i] !== data[other + i]) return false;
    return true;
  };
  for (let i = 0; i < count; i++) {
    let slot = hashRecord(data, offset + i * stride, words) & (slots - 1);
    while (first[slot] >= 0 && !equal(first[slot], i)) slot = (slot + 1) & (slots - 1);
    if (first[slot] < 0) {
      first[slot] = i;
      continue;
    }
    let last = first[slot];
    for (let compared = 1; !same(last, i); compared++) {
      if (next[last] < 0) {
        if (compared < MOST_COMPARED) next[last] = i;
        break;
      }
      last = next[last];
    }
  }
}

/** Disjoint sets of 0 .. n - 1; the smallest member stands for a set. */
export interface Clusters {
  /** The smallest member of the set of `i`. */
  find(i: number): number;
  join(i: number, j: number): void;
}

export function makeClusters(n: number): Clusters {
  const parent = Int32Array.from({ length: n }, (_, i) => i);
  const find = (i: number) => {
    let at = i;
    while (parent[at] !== at) {
      parent[at] = parent[parent[at]];
      at = parent[at];
    }
    return at;
  };
  return {
    find,
    join: (i, j) => {
      const [a, b] = [find(i), find(j)];
      parent[Math.max(a, b)] = Math.min(a, b);
    },
  };
}

/**
 * @file SimHash (Charikar, 2002; Manku et al., 2007): near duplicates as 64-bit fingerprints that differ in few bits.
 * text-dedup's settings are shingles of 3, distance 3 and 4 blocks; ROOTS' are 6, 4 and 6. Of fingerprints at most k bits
 * apart, at least blocks - k blocks are equal: each choice of so many blocks is a table.
 */
import { makeClusters } from "./lsh.ts";
import { hashKey, makeShingler } from "./shingles.ts";

export interface SimHashConfig {
  /** Words in a shingle. */
  words: number;
  /** Fingerprints at most so many bits apart are near. */
  distance: number;
  /** More than `distance`. More blocks: longer keys, more tables. */
  blocks: number;
}

export const TEXT_DEDUP: SimHashConfig = { words: 3, distance: 3, blocks: 4 };
export const ROOTS: SimHashConfig = { words: 6, distance: 4, blocks: 6 };

/**
 * The fingerprint of 64-bit hashes (low, high, low, high ...): a bit is 1 where more than half of the hashes have a 1.
 * @returns its low and high half
 */
export function fingerprint(hashes: Uint32Array): [number, number] {
  const ones = new Int32Array(64);
  for (let i = 0; i < hashes.length; i += 2)
    for (let half = 0; half < 2; half++) {
      const word = hashes[i + half];
      for (let bit = 0; bit < 32; bit++) ones[32 * half + bit] += (word >>> bit) & 1;
    }
  const halves: [number, number] = [0, 0];
  for (let bit = 0; bit < 64; bit++) if (4 * ones[bit] > hashes.length) halves[bit >> 5] |= 1 << (bit & 31);
  return [halves[0] >>> 0, halves[1] >>> 0];
}

/**
 * Fingerprints of texts. The function gives undefined for a text of fewer words than a shingle: it has no hashes, and all
 * such texts would seem equal.
 */
export function makeSimHasher(config: SimHashConfig): (text: string, language: string) => [number, number] | undefined {
  const shingler = makeShingler(config.words, "xxh64");
  return (text, language) => {
    shingler.read(text, language);
    return shingler.count === 0 ? undefined : fingerprint(distinct(shingler.hashes()));
  };
}

/** Each hash once, so that a sentence said a hundred times does not outvote the rest (as text-dedup). */
function distinct(hashes: Uint32Array): Uint32Array {
  const seen = new Set<number>();
  let size = 0;
  const out = new Uint32Array(hashes.length);
  for (let i = 0; i < hashes.length; i += 2) {
    const key = hashKey(hashes[i], hashes[i + 1]);
    if (seen.has(key)) continue;
    seen.add(key);
    out[size++] = hashes[i];
    out[size++] = hashes[i + 1];
  }
  return out.subarray(0, size);
}

const ones = (x: number) => {
  let n = x - ((x >>> 1) & 0x55555555);
  n = (n & 0x33333333) + ((n >>> 2) & 0x33333333);
  return Math.imul((n + (n >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
};

/** Bits in which fingerprints i and j differ. */
export const bitsApart = (fingerprints: Uint32Array, i: number, j: number) =>
  ones(fingerprints[2 * i] ^ fingerprints[2 * j]) + ones(fingerprints[2 * i + 1] ^ fingerprints[2 * j + 1]);

/** A fingerprint that is near another; `of` is the first of its cluster. */
export interface NearFingerprint {
  document: number;
  of: number;
  /** Bits between the two; more than the config's distance where a third links them. */
  bits: number;
}

/** Clusters of near fingerprints (low, high, low, high ...); equal ones are compared once, however many there are. */
export function findNear(fingerprints: Uint32Array, { distance, blocks }: SimHashConfig): NearFingerprint[] {
  const count = fingerprints.length / 2;
  const clusters = makeClusters(count);
  const firstOf = new Map<number, Map<number, number>>();
  const distinctOnes: number[] = [];
  for (let i = 0; i < count; i++) {
    const [low, high] = [fingerprints[2 * i], fingerprints[2 * i + 1]];
    const row = firstOf.get(high) ?? new Map<number, number>();
    firstOf.set(high, row);
    const first = row.get(low);
    if (first !== undefined) clusters.join(first, i);
    else {
      row.set(low, i);
      distinctOnes.push(i);
    }
  }
  const slots = 2 ** Math.ceil(Math.log2(2 * distinctOnes.length + 2));
  for (const [lowMask, highMask] of blockMasks(blocks, blocks - distance)) {
    const head = new Int32Array(slots).fill(-1);
    const next = new Int32Array(count).fill(-1);
    for (const i of distinctOnes) {
      let hash = Math.imul((fingerprints[2 * i] & lowMask) ^ 0x9e3779b1, 0x85ebca6b);
      hash = Math.imul(hash ^ (hash >>> 15) ^ (fingerprints[2 * i + 1] & highMask), 0xc2b2ae35);
      const slot = (hash ^ (hash >>> 16)) & (slots - 1);
      for (let j = head[slot]; j >= 0; j = next[j]) if (bitsApart(fingerprints, i, j) <= distance) clusters.join(i, j);
      next[i] = head[slot];
      head[slot] = i;
    }
  }
  return Array.from({ length: count }, (_, i) => i)
    .filter((i) => clusters.find(i) !== i)
    .map((document) => {
      const of = clusters.find(document);
      return { document, of, bits: bitsApart(fingerprints, document, of) };
    });
}

/** Masks (low and high half) of every choice of `chosen` out of `blocks` blocks of the 64 bits. */
function blockMasks(blocks: number, chosen: number): [number, number][] {
  if (!(chosen >= 1 && blocks <= 64)) throw new Error(`simHash: ${blocks} blocks must be more than the distance`);
  const edges = Array.from({ length: blocks + 1 }, (_, i) => Math.floor((64 * i) / blocks));
  const masks: [number, number][] = [];
  const choose = (from: number, left: number, low: number, high: number) => {
    if (left === 0) masks.push([low, high]);
    for (let block = from; left > 0 && block <= blocks - left; block++) {
      let [l, h] = [low, high];
      for (let bit = edges[block]; bit < edges[block + 1]; bit++)
        if (bit < 32) l |= 1 << bit;
        else h |= 1 << (bit - 32);
      choose(block + 1, left - 1, l, h);
    }
  };
  choose(0, chosen, 0, 0);
  return masks;
}

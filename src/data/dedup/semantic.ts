/**
 * @file Semantic deduplication over given embeddings: documents are taken in the order of their quality, and one is kept
 * only if it is unlike all that are kept (the greedy choice of Deita; Marco keeps below 0.7). Exact: every document is
 * compared with every kept one, in blocks that stay in the cache.
 */
import { UserError } from "../../util/assert.ts";
import { makeRows } from "./cosines.ts";

export interface SemanticOptions {
  limit: number;
  /** Kept while the greatest cosine similarity is below the limit (Marco: 0.7), or at most it (Deita: 0.9). */
  keep: "below" | "atMost";
  /** Row numbers, the best first; by default as they come. */
  order?: readonly number[];
}

export interface SemanticDecision {
  kept: boolean;
  /** The greatest cosine similarity to a document that is kept, which is `nearest`; of the first one, 0 and none. */
  similarity: number;
  nearest?: number;
  /** The vector is zero or holds NaN or infinity: it is like nothing, and the document is kept. */
  unusable: boolean;
}

/** Rows of a block: two blocks of 1024 numbers a row are half a megabyte. */
const BLOCK = 64;

/** Rows and their room take 4 bytes a number, and WebAssembly's memory ends at 4 GiB. */
const MOST_NUMBERS = 1_000_000_000;

/** One decision for each row of `embeddings`, [n, dimension] row by row; `order` names each row once. */
export function semanticDuplicates(
  embeddings: Float32Array,
  dimension: number,
  { limit, keep, order }: SemanticOptions,
): SemanticDecision[] {
  const n = embeddings.length / dimension;
  if (!Number.isInteger(n)) throw new Error(`semantic: ${embeddings.length} numbers are no rows of ${dimension}`);
  if (n * (dimension + 3) > MOST_NUMBERS)
    throw new UserError(
      `semantic deduplication: ${n} embeddings of ${dimension} numbers at once, expected at most ${MOST_NUMBERS} numbers; split them, e.g. by language`,
    );
  const rowOf = order ?? Array.from({ length: n }, (_, i) => i);
  const { data, width, products } = makeRows(n, dimension, BLOCK);
  const unusable = new Uint8Array(n);
  rowOf.forEach((row, i) => {
    let squares = 0;
    for (let d = 0; d < dimension; d++) squares += embeddings[row * dimension + d] ** 2;
    const length = Math.sqrt(squares);
    if (!(length > 0 && length < Number.POSITIVE_INFINITY)) unusable[i] = 1;
    else for (let d = 0; d < dimension; d++) data[i * width + d] = embeddings[row * dimension + d] / length;
  });

  const best = new Float64Array(n); // greatest similarity to a kept one
  const nearest = new Int32Array(n).fill(-1);
  const kept: number[] = []; // their rows are moved to the front, one after the other
  /** Compares row i with the kept ones from `from` up to `to`. */
  const compare = (i: number, from: number, to: number) => {
    const found = products(i, from, to);
    for (let j = 0; j < found.length; j++)
      if (nearest[i] < 0 || found[j] > best[i]) {
        best[i] = found[j];
        nearest[i] = kept[from + j];
      }
  };
  for (let start = 0; start < n; start += BLOCK) {
    const before = kept.length;
    const block = Array.from({ length: Math.min(BLOCK, n - start) }, (_, i) => start + i).filter((i) => !unusable[i]);
    for (let from = 0; from < before; from += BLOCK)
      for (const i of block) compare(i, from, Math.min(from + BLOCK, before));
    for (const i of block) {
      compare(i, before, kept.length);
      if (nearest[i] >= 0 && !(keep === "below" ? best[i] < limit : best[i] <= limit)) continue;
      data.copyWithin(kept.length * width, i * width, (i + 1) * width); // there was a row that is done with
      kept.push(i);
    }
  }

  const isKept = new Set(kept);
  const decisions = Array<SemanticDecision>(n);
  rowOf.forEach((row, i) => {
    decisions[row] = {
      kept: isKept.has(i) || unusable[i] === 1,
      similarity: best[i],
      ...(nearest[i] >= 0 ? { nearest: rowOf[nearest[i]] } : {}),
      unusable: unusable[i] === 1,
    };
  });
  return decisions;
}

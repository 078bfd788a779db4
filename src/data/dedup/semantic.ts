/**
 * @file Semantic deduplication over given embeddings: documents are taken in the order of their quality, and one is kept
 * only if it is unlike all that are kept (the greedy choice of Deita; Marco keeps below 0.7). Exact: every document is
 * compared with every kept one, in blocks that stay in the cache.
 */

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

const BLOCK = 64;

/** One decision for each row of `embeddings`, [n, dimension] row by row. */
export function semanticDuplicates(
  embeddings: Float32Array,
  dimension: number,
  { limit, keep, order }: SemanticOptions,
): SemanticDecision[] {
  const n = embeddings.length / dimension;
  if (!Number.isInteger(n)) throw new Error(`semantic: ${embeddings.length} numbers are no rows of ${dimension}`);
  const rows = order ?? Array.from({ length: n }, (_, i) => i);
  const unit = new Float32Array(embeddings.length); // rows of length 1, in `rows`' order: [n, D]
  const unusable = new Uint8Array(n);
  rows.forEach((row, i) => {
    let squares = 0;
    for (let d = 0; d < dimension; d++) squares += embeddings[row * dimension + d] ** 2;
    const length = Math.sqrt(squares);
    if (!(length > 0 && length < Number.POSITIVE_INFINITY)) unusable[i] = 1;
    else for (let d = 0; d < dimension; d++) unit[i * dimension + d] = embeddings[row * dimension + d] / length;
  });

  const best = new Float64Array(n); // greatest similarity to a kept one
  const nearest = new Int32Array(n).fill(-1);
  const kept = new Uint8Array(n);
  const compare = (i: number, others: number[]) => {
    for (const j of others) {
      const similarity = dot(unit, i * dimension, j * dimension, dimension);
      if (nearest[i] < 0 || similarity > best[i]) {
        best[i] = similarity;
        nearest[i] = j;
      }
    }
  };
  const usableKept: number[] = [];
  for (let start = 0; start < n; start += BLOCK) {
    const block = Array.from({ length: Math.min(BLOCK, n - start) }, (_, i) => start + i).filter((i) => !unusable[i]);
    for (let from = 0; from < usableKept.length; from += BLOCK) {
      const others = usableKept.slice(from, from + BLOCK);
      for (const i of block) compare(i, others);
    }
    const fresh: number[] = []; // kept ones of this block
    for (const i of block) {
      compare(i, fresh);
      if (nearest[i] < 0 || (keep === "below" ? best[i] < limit : best[i] <= limit)) {
        kept[i] = 1;
        fresh.push(i);
      }
    }
    usableKept.push(...fresh);
  }

  const decisions = Array<SemanticDecision>(n);
  rows.forEach((row, i) => {
    decisions[row] = {
      kept: kept[i] === 1 || unusable[i] === 1,
      similarity: best[i],
      ...(nearest[i] >= 0 ? { nearest: rows[nearest[i]] } : {}),
      unusable: unusable[i] === 1,
    };
  });
  return decisions;
}

/** Four sums, so that the processor need not wait for each addition. */
function dot(x: Float32Array, a: number, b: number, length: number): number {
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  let d = 0;
  for (; d + 3 < length; d += 4) {
    s0 += x[a + d] * x[b + d];
    s1 += x[a + d + 1] * x[b + d + 1];
    s2 += x[a + d + 2] * x[b + d + 2];
    s3 += x[a + d + 3] * x[b + d + 3];
  }
  for (; d < length; d++) s0 += x[a + d] * x[b + d];
  return s0 + s1 + s2 + s3;
}

/**
 * @file Dual chunk attention (An et al. 2024, arXiv 2402.17463; Qwen2's way to 131,072 tokens, arXiv 2407.10671 section
 * 3.2): no distance is ever expressed that the model was not trained on. Positions start over in each chunk of
 * c = chunkSize - localSize tokens. Keys are turned by j mod c. A query at position i has three rotations, by where the
 * key's chunk ⌊j/c⌋ is:
 *
 *   its own        i mod c                          distance i - j, exact
 *   the one before min(i mod c + c, chunkSize)      exact up to chunkSize - j mod c, at least localSize tokens back
 *   further back   min(2c - 1, chunkSize)           constant: only how far into its chunk the key is
 *
 * While all positions are below c there is one chunk, and it is ordinary attention. Reference: ChunkLlama and vLLM's
 * DualChunkRotaryEmbedding. deviation: vLLM also sharpens queries by the length of the whole prompt beyond the trained
 * context, which makes a token depend on later ones; use YaRN's factor for that.
 */
import * as tf from "@tensorflow/tfjs-core";
import { type AttentionShape, mixValues, scoresOf } from "./attention.ts";
import { rope, ropeTables } from "./rope.ts";

export interface DualChunk {
  /** Largest distance that the rotation may express: the trained context. */
  chunkSize: number;
  /** Least number of preceding tokens, across a chunk's border, whose distances are exact. */
  localSize: number;
}

/** Tables and choices, by where a key's chunk is; tensors only, as a checkpointed layer needs them. */
export type DualChunkTables = {
  /** Of the position inside its chunk, for keys and for queries of the same chunk: each [B, T, D/2]. */
  cos: tf.Tensor;
  sin: tf.Tensor;
  /** Of queries, for keys of the chunk before. */
  cosBefore: tf.Tensor;
  sinBefore: tf.Tensor;
  /** Of queries, for keys further back. */
  cosFar: tf.Tensor;
  sinFar: tf.Tensor;
  /** Which keys are in the chunk before, and which further back: [B, T, S] in {0, 1}. */
  before: tf.Tensor;
  far: tf.Tensor;
};

/** For queries at positions [B, T] and keys at positions [B, S] (or [1, S]), both int32. */
export function dualChunkTables(
  positions: tf.Tensor,
  keyPositions: tf.Tensor,
  { chunkSize, localSize }: DualChunk,
  frequencies: Float32Array,
  scale: number,
): DualChunkTables {
  const c = chunkSize - localSize;
  const chunkOf = (x: tf.Tensor) => tf.floor(tf.div(tf.add(tf.cast(x, "float32"), 0.5), c)); // exact below 2^22
  const inside = tf.sub(tf.cast(positions, "float32"), tf.mul(chunkOf(positions), c)); // i mod c, [B, T]
  const [own, before, far] = [
    inside,
    tf.minimum(tf.add(inside, c), chunkSize),
    tf.fill(positions.shape, Math.min(2 * c - 1, chunkSize)),
  ].map((at) => ropeTables(at, frequencies, scale));
  const back = tf.sub(tf.expandDims(chunkOf(positions), 2), tf.expandDims(chunkOf(keyPositions), 1)); // [B, T, S]
  return {
    ...own,
    ...{ cosBefore: before.cos, sinBefore: before.sin, cosFar: far.cos, sinFar: far.sin },
    before: tf.cast(tf.equal(back, 1), "float32"),
    far: tf.cast(tf.greater(back, 1), "float32"),
  };
}

/** q [B, T, H·D] not turned, k [B, S, K·D] turned, v [B, S, K·D], mask [B, T, S] -> [B, T, H·D]. */
export function dualChunkAttention(
  q: tf.Tensor,
  k: tf.Tensor,
  v: tf.Tensor,
  mask: tf.Tensor,
  { cos, sin, cosBefore, sinBefore, cosFar, sinFar, before, far }: DualChunkTables,
  shape: AttentionShape,
): tf.Tensor {
  const scores = (cos: tf.Tensor, sin: tf.Tensor) => scoresOf(rope(q, cos, sin, shape.heads), k, shape); // [B, H, T, S]
  const only = (x: tf.Tensor, where: tf.Tensor) => tf.mul(x, tf.expandDims(where, 1));
  const own = only(scores(cos, sin), tf.sub(1, tf.add(before, far)));
  const all = tf.add(tf.add(own, only(scores(cosBefore, sinBefore), before)), only(scores(cosFar, sinFar), far));
  return mixValues(tf.add(all, tf.expandDims(mask, 1)), v, shape);
}

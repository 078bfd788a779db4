/**
 * @file Writes one row per sequence into a key or value cache: y[b, s] = rows[b] where s = position[b], else cache[b, s].
 * Used in generation only, so it has no gradient.
 */
import * as tf from "@tensorflow/tfjs-core";
import { assertShape } from "../util/assert.ts";
import { hasKernel, registerLazyKernel, registerLowering, runKernel } from "./fused.ts";

/** cache [B, S, W], rows [B, 1, W], position [B] int32 in [0, S) -> [B, S, W]. */
export function cacheWrite(cache: tf.Tensor, rows: tf.Tensor, position: tf.Tensor): tf.Tensor {
  const [B, S, W] = cache.shape as [number, number, number];
  assertShape(rows, [B, 1, W], "cacheWrite rows");
  assertShape(position, [B], "cacheWrite position");
  if (hasKernel("CacheWrite")) return runKernel("CacheWrite", { cache, rows, position });
  const slots = tf.expandDims(tf.range(0, S, 1, "int32"), 0); // [1, S]
  const here = tf.expandDims(tf.cast(tf.equal(slots, tf.expandDims(position, 1)), "float32"), 2); // [B, S, 1]
  return tf.add(tf.mul(cache, tf.sub(1, here)), tf.mul(rows, here));
}

registerLazyKernel("CacheWrite", ({ cache, rows, position }) => ({
  inputs: [cache, rows, position],
  outputs: [{ shape: cache.shape, dtype: "float32" }],
}));
registerLowering("CacheWrite", (g, [cache, rows, position], node) => {
  const [B, , W] = node.outputs[0].shape;
  const batch = g.reshape(g.int64s([...Array(B).keys()]), [B, 1]);
  const index = g.op("Concat", [batch, g.reshape(g.cast(position, "int64"), [B, 1])], { axis: { int: 1 } }); // [B, 2]
  return g.op("ScatterND", [cache, index, g.reshape(rows, [B, W])]);
});

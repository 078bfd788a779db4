/**
 * @file Writes rows into a key or value cache: y[b, position[b] + t] = rows[b, t], the rest is the cache's. Used in
 * generation only, so it has no gradient.
 */
import * as tf from "@tensorflow/tfjs-core";
import { assertShape } from "../util/assert.ts";
import { hasKernel, registerLazyKernel, registerLowering, runKernel } from "./fused.ts";

/** cache [B, S, W], rows [B, T, W], position [B] int32 in [0, S - T] -> [B, S, W]. */
export function cacheWrite(cache: tf.Tensor, rows: tf.Tensor, position: tf.Tensor): tf.Tensor {
  const [B, S, W] = cache.shape as [number, number, number];
  const T = rows.shape[1]!;
  assertShape(rows, [B, T, W], "cacheWrite rows");
  assertShape(position, [B], "cacheWrite position");
  if (hasKernel("CacheWrite")) return runKernel("CacheWrite", { cache, rows, position });
  const slots = tf.reshape(tf.range(0, S, 1, "int32"), [1, S, 1]);
  const at = tf.add(tf.reshape(position, [B, 1, 1]), tf.reshape(tf.range(0, T, 1, "int32"), [1, 1, T])); // [B, 1, T]
  const here = tf.cast(tf.equal(slots, at), "float32"); // [B, S, T]: row t goes to slot s
  const kept = tf.sub(1, tf.sum(here, 2, true)); // [B, S, 1]
  return tf.add(tf.mul(cache, kept), tf.matMul(here, rows));
}

registerLazyKernel("CacheWrite", ({ cache, rows, position }) => ({
  inputs: [cache, rows, position],
  outputs: [{ shape: cache.shape, dtype: "float32" }],
}));
registerLowering("CacheWrite", (g, [cache, rows, position], node) => {
  const [B, T, W] = node.inputs[1].shape;
  const each = (numbers: number[], shape: number[]) => g.reshape(g.int64s(numbers), shape);
  const batch = each(
    Array.from({ length: B * T }, (_, i) => Math.floor(i / T)),
    [B * T, 1],
  );
  const first = g.reshape(g.cast(position, "int64"), [B, 1]);
  const slot = g.reshape(g.op("Add", [first, each([...Array(T).keys()], [1, T])]), [B * T, 1]);
  const index = g.op("Concat", [batch, slot], { axis: { int: 1 } }); // [B·T, 2]
  return g.op("ScatterND", [cache, index, g.reshape(rows, [B * T, W])]);
});

/**
 * @file Rotary position embedding on halves (Qwen2's rotate_half, not interleaved pairs). For each head, with
 * x = [a, b] split in the middle and angles φ(position, i) = position · θ^(-2i/D):
 *
 *   y = [a cos φ - b sin φ, b cos φ + a sin φ]      dx = the same rotation of dy by -φ
 */
import * as tf from "@tensorflow/tfjs-core";
import { assertShape } from "../util/assert.ts";
import { hasKernel, registerLazyKernel, registerLowering, runKernel } from "./fused.ts";

/** positions [B, T] int32 -> cos φ and sin φ, each [B, T, D/2]; float32, as Hugging Face computes them. */
export function ropeTables(positions: tf.Tensor, headDim: number, theta: number): { cos: tf.Tensor; sin: tf.Tensor } {
  const inverse = Float32Array.from({ length: headDim / 2 }, (_, i) => theta ** ((-2 * i) / headDim));
  const angles = tf.mul(tf.expandDims(tf.cast(positions, "float32"), -1), tf.tensor1d(inverse)); // [B, T, D/2]
  return { cos: tf.cos(angles), sin: tf.sin(angles) };
}

/** x [B, T, heads * D], cos and sin [B, T, D/2] -> x rotated. */
export function rope(x: tf.Tensor, cos: tf.Tensor, sin: tf.Tensor, heads: number): tf.Tensor {
  const [batch, length, width] = x.shape;
  const half = width / heads / 2;
  assertShape(x, [-1, -1, -1], "rope x");
  assertShape(cos, [batch, length, half], "rope cos");
  assertShape(sin, [batch, length, half], "rope sin");
  if (hasKernel("Rope")) return runKernel("Rope", { x, cos, sin }, { heads });
  const rows = batch * length; // rank 4: the stock WebGPU backend cannot pad rank 5, which the slice's gradient does
  const split = tf.reshape(x, [rows, heads, 2, half]);
  const a = tf.slice(split, [0, 0, 0, 0], [-1, -1, 1, -1]); // [B·T, H, 1, D/2]
  const b = tf.slice(split, [0, 0, 1, 0], [-1, -1, 1, -1]);
  const c = tf.reshape(cos, [rows, 1, 1, half]);
  const s = tf.reshape(sin, [rows, 1, 1, half]);
  const rotated = [tf.sub(tf.mul(a, c), tf.mul(b, s)), tf.add(tf.mul(b, c), tf.mul(a, s))];
  return tf.reshape(tf.concat(rotated, 2), [batch, length, width]);
}

registerLazyKernel("Rope", ({ x, cos, sin }, { heads }) => ({
  inputs: [x, cos, sin],
  attributes: { heads },
  outputs: [{ shape: x.shape, dtype: "float32" }],
}));
registerLowering("Rope", (g, [x, cos, sin], node) => {
  const heads = { int: node.attributes.heads as number };
  return g.op("RotaryEmbedding", [x, cos, sin], { interleaved: { int: 0 }, num_heads: heads });
});

tf.registerGradient({
  kernelName: "Rope",
  inputsToSave: ["cos", "sin"],
  gradFunc: (dy, [cos, sin], attributes) => ({
    x: () => rope(dy as tf.Tensor, cos, tf.neg(sin), (attributes as unknown as { heads: number }).heads),
    cos: () => tf.zerosLike(cos), // positions are data: nothing flows into the angles
    sin: () => tf.zerosLike(sin),
  }),
});

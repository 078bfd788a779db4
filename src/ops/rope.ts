/**
 * @file Rotary position embedding on halves (Qwen2's rotate_half, not interleaved pairs). For each head, with
 * x = [a, b] split in the middle and angles φ(position, i) = position · θ^(-2i/D):
 *
 *   y = [a cos φ - b sin φ, b cos φ + a sin φ]      dx = the same rotation of dy by -φ
 */
import * as tf from "@tensorflow/tfjs-core";
import { assertShape } from "../util/assert.ts";
import { hasKernel, registerLazyKernel, registerLowering, runKernel } from "./fused.ts";

const f32 = Math.fround;

/**
 * θ^(-2i/D) for i < D/2: how far each pair turns from one position to the next, in radians. Each operation is rounded
 * to float32 as Hugging Face's is: at position 32,768 one bit is an angle of up to 0.002.
 */
export const ropeFrequencies = (headDim: number, theta: number) =>
  Float32Array.from({ length: headDim / 2 }, (_, i) => f32(1 / turnsPer(i, headDim, theta)));

/** θ^(2i/D) in float32. */
const turnsPer = (i: number, headDim: number, theta: number) => f32(theta ** f32((2 * i) / headDim));

export interface Yarn {
  /** s: how many times longer than the trained context. */
  factor: number;
  originalMaxPositionEmbeddings: number;
  /** Turns within the trained context above which a frequency stays as it is. */
  betaFast: number;
  /** Turns below which a frequency is divided by `factor`. */
  betaSlow: number;
  /** What cos and sin are multiplied by. 0.1 ln s + 1 when left out. */
  attentionFactor?: number;
  /** Between whole pairs only. */
  truncate: boolean;
}

/**
 * YaRN's frequencies (Peng et al. 2023, arXiv 2309.00071, eq. 23 to 25), rounded as Hugging Face's
 * `_compute_yarn_parameters`: pairs that turn at least betaFast times within the trained context keep theirs, those that
 * turn less than betaSlow times are slowed by `factor`, with a ramp between. Factor 1 changes nothing.
 */
export function yarnFrequencies(headDim: number, theta: number, yarn: Yarn): Float32Array {
  const { factor, originalMaxPositionEmbeddings: trained, betaFast, betaSlow, truncate } = yarn;
  const pairTurning = (times: number) => (headDim * Math.log(trained / (times * 2 * Math.PI))) / (2 * Math.log(theta));
  const [first, last] = [pairTurning(betaFast), pairTurning(betaSlow)];
  const low = Math.max(truncate ? Math.floor(first) : first, 0);
  const high = Math.min(truncate ? Math.ceil(last) : last, headDim - 1);
  const width = low === high ? 0.001 : high - low;
  return ropeFrequencies(headDim, theta).map((frequency, i) => {
    const slowed = Math.min(1, Math.max(0, f32(f32(i - low) / f32(width))));
    const kept = f32(1 - slowed);
    const slow = f32(1 / f32(factor * turnsPer(i, headDim, theta)));
    return f32(slow * f32(1 - kept)) + f32(frequency * kept);
  });
}

/** What cos and sin are multiplied by, so that attention is as sharp over the longer context: 0.1 ln s + 1. */
export const yarnAttentionFactor = ({ factor, attentionFactor }: Yarn) => attentionFactor ?? 0.1 * Math.log(factor) + 1;

/**
 * positions [B, T] int32, frequencies [D/2] -> cos φ and sin φ times `scale`, each [B, T, D/2]; float32, as Hugging
 * Face computes them.
 */
export function ropeTables(
  positions: tf.Tensor,
  frequencies: Float32Array,
  scale = 1,
): { cos: tf.Tensor; sin: tf.Tensor } {
  const angles = tf.mul(tf.expandDims(tf.cast(positions, "float32"), -1), tf.tensor1d(frequencies)); // [B, T, D/2]
  const scaled = (x: tf.Tensor) => (scale === 1 ? x : tf.mul(x, scale));
  return { cos: scaled(tf.cos(angles)), sin: scaled(tf.sin(angles)) };
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

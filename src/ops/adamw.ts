/**
 * @file AdamW (Loshchilov & Hutter 2019) of one parameter as PyTorch computes it, and the norm by which all gradients
 * are clipped. They make new tensors, so that a step that must not count can be dropped.
 *
 *   ‖g‖ = √Σ g²      g ← g min(1, clip / ‖g‖)      m ← β₁ m + (1-β₁) g      v ← β₂ v + (1-β₂) g²
 *   θ ← θ (1 - η λ) - η / (1-β₁ᵗ) · m / (√v / √(1-β₂ᵗ) + ε)
 *
 * The onnx engine changes parameters in place instead (`src/engine/simd.ts`), so these are kernels of GPU.js only.
 */
import * as tf from "@tensorflow/tfjs-core";
import { GPUJS_BACKENDS } from "../engine/lazy/register.ts";
import { hasKernel, registerLazyKernel, runKernel, runKernelMany } from "./fused.ts";

/** The norm of all gradients together, a scalar. */
export function globalNorm(gradients: tf.Tensor[]): tf.Tensor {
  if (hasKernel("GlobalNorm")) return runKernel("GlobalNorm", Object.fromEntries(gradients.entries()));
  // row by row first: one float32 sum over millions of squares, as TensorFlow.js' wasm has it, loses a percent
  return tf.sqrt(tf.addN(gradients.map((g) => tf.sum(tf.sum(tf.square(g), -1)))));
}

registerLazyKernel(
  "GlobalNorm",
  (gradients) => ({ inputs: Object.values(gradients), outputs: [{ shape: [], dtype: "float32" }] }),
  GPUJS_BACKENDS,
);

export interface AdamWInput {
  /** θ, its gradient, and the moments of its gradients, of one shape. */
  parameter: tf.Tensor;
  gradient: tf.Tensor;
  first: tf.Tensor;
  second: tf.Tensor;
  /** ‖g‖ of all gradients, a scalar. */
  norm: tf.Tensor;
  /** What changes from step to step: η, 1 - β₁ᵗ and √(1 - β₂ᵗ) [3]. */
  step: tf.Tensor;
}

/** θ, m and v after a step. */
export function adamw(
  { parameter, gradient, first, second, norm, step }: AdamWInput,
  options: { beta1: number; beta2: number; epsilon: number; weightDecay: number; maxGradNorm: number },
): { parameter: tf.Tensor; first: tf.Tensor; second: tf.Tensor } {
  const { beta1, beta2, epsilon, weightDecay, maxGradNorm } = options;
  if (hasKernel("AdamW")) {
    const inputs = { parameter, gradient, first, second, norm, step };
    const attributes = { beta1, beta2, epsilon, weightDecay, maxGradNorm };
    const [p, m, v] = runKernelMany("AdamW", inputs, attributes);
    return { parameter: p, first: m, second: v };
  }
  const [rate, correction1, correction2] = tf.unstack(step);
  const clip = tf.minimum(tf.div(maxGradNorm, tf.add(norm, 1e-6)), 1); // torch.nn.utils.clip_grad_norm_
  const g = tf.mul(gradient, clip);
  const m = tf.add(tf.mul(first, beta1), tf.mul(g, 1 - beta1));
  const v = tf.add(tf.mul(second, beta2), tf.mul(tf.square(g), 1 - beta2));
  const kept = tf.mul(parameter, tf.sub(1, tf.mul(rate, weightDecay)));
  const scale = tf.add(tf.div(tf.sqrt(v), correction2), epsilon);
  return { parameter: tf.sub(kept, tf.div(tf.mul(m, tf.div(rate, correction1)), scale)), first: m, second: v };
}

registerLazyKernel(
  "AdamW",
  ({ parameter, gradient, first, second, norm, step }, attributes) => ({
    inputs: [parameter, gradient, first, second, norm, step],
    attributes,
    outputs: [parameter, first, second].map(({ shape }) => ({ shape, dtype: "float32" as const })),
  }),
  GPUJS_BACKENDS,
);

/**
 * @file RMSNorm (Qwen2: no bias, no mean; the weight is applied after the normalisation).
 *
 *   r = (mean(x²) + ε)^-½      y = x r ∘ w
 *   with u = x r:  dx = r (dy ∘ w - u mean(dy ∘ u ∘ w))      dw = Σₙ dy ∘ u
 */
import * as tf from "@tensorflow/tfjs-core";
import { assertShape } from "../util/assert.ts";
import { hasKernel, registerLazyKernel, registerLowering, runKernel, runKernelMany } from "./fused.ts";

/** x [N, C], weight [C] -> [N, C]. */
export function rmsNorm(x: tf.Tensor, weight: tf.Tensor, epsilon: number): tf.Tensor {
  assertShape(x, [-1, -1], "rmsNorm x");
  assertShape(weight, [x.shape[1]!], "rmsNorm weight");
  if (hasKernel("RmsNorm")) return runKernel("RmsNorm", { x, weight }, { epsilon });
  const r = tf.rsqrt(tf.add(tf.mean(tf.square(x), -1, true), epsilon)); // [N, 1]
  return tf.mul(tf.mul(x, r), weight);
}

registerLazyKernel("RmsNorm", ({ x, weight }, { epsilon }) => ({
  inputs: [x, weight],
  attributes: { epsilon },
  outputs: [{ shape: x.shape, dtype: "float32" }],
}));
registerLowering("RmsNorm", (g, inputs, node) => {
  const epsilon = node.attributes.epsilon as number;
  return g.ops("SimplifiedLayerNormalization", inputs, { axis: { int: -1 }, epsilon }, 2)[0];
});

registerLazyKernel("RmsNormGrad", ({ x, weight, dy }, { epsilon }) => ({
  inputs: [x, weight, dy],
  attributes: { epsilon },
  outputs: [
    { shape: x.shape, dtype: "float32" },
    { shape: weight.shape, dtype: "float32" },
  ],
}));
registerLowering("RmsNormGrad", (g, [x, weight, dy], node) => {
  const epsilon = node.attributes.epsilon as number;
  const C = node.inputs[0].shape[1];
  const [, r] = g.ops("SimplifiedLayerNormalization", [x, weight], { axis: { int: -1 }, epsilon }, 2); // [N, 1]
  const unit = g.op("Mul", [x, r]); // [N, C]
  const dyUnit = g.op("Mul", [dy, unit]);
  const mean = g.op("Gemm", [dyUnit, g.reshape(weight, [C, 1])], { alpha: 1 / C }); // [N, 1], one pass
  const dx = g.op("Mul", [g.op("Sub", [g.op("Mul", [dy, weight]), g.op("Mul", [unit, mean])]), r]);
  return [dx, g.sum(dyUnit, [0])];
});

tf.registerGradient({
  kernelName: "RmsNorm",
  inputsToSave: ["x", "weight"],
  gradFunc: (dy, [x, weight], attributes) => {
    const [dx, dweight] = runKernelMany("RmsNormGrad", { x, weight, dy: dy as tf.Tensor }, attributes);
    return { x: () => dx, weight: () => dweight };
  },
});

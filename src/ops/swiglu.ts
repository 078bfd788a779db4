/**
 * @file SwiGLU: y = silu(gate) ∘ up with silu(g) = g σ(g).
 *
 *   dgate = dy ∘ up ∘ (σ + silu (1 - σ))      dup = dy ∘ silu
 */
import * as tf from "@tensorflow/tfjs-core";
import { assertShape } from "../util/assert.ts";
import { hasKernel, registerLazyKernel, registerLowering, runKernel, runKernelMany } from "./fused.ts";

/** gate and up [N, F] -> [N, F]. */
export function swiglu(gate: tf.Tensor, up: tf.Tensor): tf.Tensor {
  assertShape(up, gate.shape, "swiglu up");
  if (hasKernel("Swiglu")) return runKernel("Swiglu", { gate, up });
  return tf.mul(tf.mul(gate, tf.sigmoid(gate)), up);
}

registerLazyKernel("Swiglu", ({ gate, up }) => ({
  inputs: [gate, up],
  outputs: [{ shape: gate.shape, dtype: "float32" }],
}));
registerLowering("Swiglu", (g, [gate, up]) => {
  const silu = g.op("Mul", [gate, g.op("Sigmoid", [gate])]);
  return g.op("Mul", [silu, up]);
});

registerLazyKernel("SwigluGrad", ({ gate, up, dy }) => ({
  inputs: [gate, up, dy],
  outputs: [
    { shape: gate.shape, dtype: "float32" },
    { shape: up.shape, dtype: "float32" },
  ],
}));
registerLowering("SwigluGrad", (g, [gate, up, dy]) => {
  const sigmoid = g.op("Sigmoid", [gate]);
  const silu = g.op("Mul", [gate, sigmoid]);
  const slope = g.op("Add", [sigmoid, g.op("Mul", [silu, g.op("Sub", [g.scalar(1), sigmoid])])]);
  return [g.op("Mul", [g.op("Mul", [dy, up]), slope]), g.op("Mul", [dy, silu])];
});

tf.registerGradient({
  kernelName: "Swiglu",
  inputsToSave: ["gate", "up"],
  gradFunc: (dy, [gate, up]) => {
    const [dgate, dup] = runKernelMany("SwigluGrad", { gate, up, dy: dy as tf.Tensor });
    return { gate: () => dgate, up: () => dup };
  },
});

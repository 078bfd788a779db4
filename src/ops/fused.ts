/**
 * @file How a fused op is one op on the lazy engines and a composition everywhere else.
 *
 * Each op of this folder is a function of tensors. Where the active backend has a kernel of its name, that kernel
 * runs (and its gradient is registered beside it); otherwise the composed fallback does, whose gradient
 * TensorFlow.js derives. On the lazy engines a gradient kernel may restate forward results: equal nodes are shared.
 */
import * as tf from "@tensorflow/tfjs-core";

/** True when the active backend has a kernel of that name. */
export const hasKernel = (name: string) => tf.getKernel(name, tf.getBackend()) != null;

export function runKernel(name: string, inputs: Record<string, tf.Tensor>, attributes: object = {}): tf.Tensor {
  return tf.engine().runKernel(name, inputs, attributes as tf.NamedAttrMap) as tf.Tensor;
}

export function runKernelMany(name: string, inputs: Record<string, tf.Tensor>, attributes: object = {}): tf.Tensor[] {
  return tf.engine().runKernel(name, inputs, attributes as tf.NamedAttrMap) as tf.Tensor[];
}

export { registerLazyKernel } from "../engine/lazy/kernels.ts";
export { registerLowering } from "../engine/onnx/lowering.ts";

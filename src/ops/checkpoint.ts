/**
 * @file Activation checkpointing (Chen et al. 2016, arXiv 1604.06174): of a function's forward pass only the inputs are
 * kept; the backward pass computes the function again and differentiates that. The same gradients in less memory, for
 * one more forward pass.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { TensorMap } from "../engine/engine.ts";
import { hasKernel, registerLazyKernel, registerLowering, runKernel } from "./fused.ts";

/**
 * `f(inputs, constants)`, recomputed in the backward pass. The first of `inputs` is what the function transforms; all of
 * them get gradients and `constants` get none. `f` may use no other tensors: those could be gone by then.
 */
export function checkpoint(
  f: (inputs: TensorMap, constants: TensorMap) => tf.Tensor,
  inputs: TensorMap,
  constants: TensorMap,
): tf.Tensor {
  const names = Object.keys(inputs);
  const named = (values: tf.Tensor[]) => Object.fromEntries(names.map((name, i) => [name, values[i]]));
  const constantNames = Object.keys(constants);
  const recomputed = tf.customGrad((...args) => {
    const save = args.pop() as tf.GradSaveFunc;
    save([...(args as tf.Tensor[]), ...Object.values(constants)]);
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]) => {
      const [x, ...rest] = saved.slice(0, names.length);
      const again = Object.fromEntries(constantNames.map((name, i) => [name, saved[names.length + i]]));
      const [dx, ...others] = innerGrads((...values) => f(named(values), again), [barrier(x, [dy]), ...rest], dy);
      return [barrier(dx, others), ...others];
    };
    return { value: f(named(args as tf.Tensor[]), constants), gradFunc };
  });
  return recomputed(...Object.values(inputs));
}

/** `tf.grads` inside a gradient function: TensorFlow.js has one tape, and the outer one must outlive the inner one. */
function innerGrads(f: (...values: tf.Tensor[]) => tf.Tensor, xs: tf.Tensor[], dy: tf.Tensor): tf.Tensor[] {
  const { state } = tf.engine();
  const { activeTape } = state;
  try {
    return tf.grads(f)(xs, dy);
  } finally {
    state.activeTape = activeTape;
  }
}

/**
 * x, but not before `after` has been computed, and never merged with x: a recorded program has no order but that of its
 * data, so without it the recomputation would be the forward pass (equal kernels are one), and weight gradients could
 * all wait for the end, with what they are computed from. Elsewhere kernels run as they are called.
 */
function barrier(x: tf.Tensor, after: tf.Tensor[]): tf.Tensor {
  if (!hasKernel("Barrier")) return x;
  return runKernel("Barrier", Object.fromEntries([x, ...after].map((tensor, i) => [i, tensor])));
}

registerLazyKernel("Barrier", (inputs) => {
  const tensors = Object.values(inputs);
  return { inputs: tensors, outputs: [{ shape: tensors[0].shape, dtype: tensors[0].dtype }] };
});
registerLowering("Barrier", (g, [x, ...after], node) => {
  // ONNX has no control edges: x takes its own shape, plus no sizes of each tensor that must be there
  const none = (y: string) => g.op("Slice", [g.op("Shape", [y]), g.int64s([0]), g.int64s([0])]);
  const shape = g.op("Concat", [g.int64s(node.inputs[0].shape), ...after.map(none)], { axis: { int: 0 } });
  return g.op("Reshape", [x, shape], { allowzero: { int: 1 } });
});

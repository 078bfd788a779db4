/**
 * @file The language-model head with the log-probability of each label, without one-hot vectors:
 *
 *   z = h Wᵀ      y[n] = log softmax(z[n])[label n] = z[n, label] - logsumexp(z[n])
 *   dz[n] = dy[n] (onehot(label n) - softmax(z[n]))      dh = dz W      dW = dzᵀ h
 *
 * Cross-entropy, bits per byte and DPO's sequence log-probabilities are weighted sums of this.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { GraphBuilder, Name } from "../engine/onnx/builder.ts";
import { assertShape } from "../util/assert.ts";
import { hasKernel, registerLazyKernel, registerLowering, runKernel, runKernelMany } from "./fused.ts";

/** h [N, C], weight [V, C], labels [N] int32 in [0, V) -> [N], nats. Labels to ignore: give 0 and weight 0 later. */
export function tokenLogprobs(h: tf.Tensor, weight: tf.Tensor, labels: tf.Tensor): tf.Tensor {
  assertShape(h, [-1, -1], "tokenLogprobs h");
  assertShape(weight, [-1, h.shape[1]!], "tokenLogprobs weight");
  assertShape(labels, [h.shape[0]], "tokenLogprobs labels");
  if (hasKernel("TokenLogprobs")) return runKernel("TokenLogprobs", { h, weight, labels });
  const logprobs = tf.logSoftmax(tf.matMul(h, tf.transpose(weight))); // [N, V]
  const hit = tf.cast(tf.oneHot(labels as tf.Tensor1D, weight.shape[0]), "float32");
  return tf.sum(tf.mul(logprobs, hit), -1);
}

registerLazyKernel("TokenLogprobs", ({ h, weight, labels }) => ({
  inputs: [h, weight, labels],
  outputs: [{ shape: [h.shape[0]], dtype: "float32" }],
}));

const LAST = { axis: { int: -1 } };

function lower(g: GraphBuilder, [h, weight, labels]: Name[], n: number) {
  const z = g.op("Gemm", [h, weight], { transB: { int: 1 } }); // [N, V]
  const p = g.op("Softmax", [z], LAST);
  const index = g.reshape(g.cast(labels, "int64"), [n, 1]);
  return { z, p, index };
}

registerLowering("TokenLogprobs", (g, inputs, node) => {
  const n = node.outputs[0].shape[0];
  const { z, p, index } = lower(g, inputs, n);
  // logsumexp without a pass of its own: the largest probability is exp(max z - logsumexp)
  const max = (x: Name) => g.op("ReduceMax", [x, g.int64s([-1])], { keepdims: { int: 1 } });
  const picked = g.op("GatherElements", [z, index], LAST); // [N, 1]
  const logprob = g.op("Add", [g.op("Sub", [picked, max(z)]), g.op("Log", [max(p)])]);
  return g.reshape(logprob, [n]);
});

registerLazyKernel("TokenLogprobsGrad", ({ h, weight, labels, dy }) => ({
  inputs: [h, weight, labels, dy],
  outputs: [
    { shape: h.shape, dtype: "float32" },
    { shape: weight.shape, dtype: "float32" },
  ],
}));
registerLowering("TokenLogprobsGrad", (g, [h, weight, labels, dy], node) => {
  const n = node.inputs[0].shape[0];
  const { p, index } = lower(g, [h, weight, labels], n);
  const column = g.reshape(dy, [n, 1]);
  const smooth = g.op("Mul", [p, g.op("Neg", [column])]); // -dy softmax(z)  [N, V]
  const dz = g.op("ScatterElements", [smooth, index, column], { axis: { int: 1 }, reduction: { string: "add" } });
  return [g.op("Gemm", [dz, weight]), g.op("Gemm", [g.transpose(dz, [1, 0]), h])];
});

tf.registerGradient({
  kernelName: "TokenLogprobs",
  inputsToSave: ["h", "weight", "labels"],
  gradFunc: (dy, [h, weight, labels]) => {
    const [dh, dweight] = runKernelMany("TokenLogprobsGrad", { h, weight, labels, dy: dy as tf.Tensor });
    return { h: () => dh, weight: () => dweight, labels: () => tf.zerosLike(labels) };
  },
});

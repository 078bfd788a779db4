/**
 * @file What a trainer logs of the head's distribution at each position, beside the label's log-probability. Only to be
 * looked at: it has no gradient.
 *
 *   z = h Wᵀ      entropy[n] = -Σᵥ p[n, v] log p[n, v], p = softmax(z)      meanLogit[n] = Σᵥ z[n, v] / V
 *   isTop1[n] = 1 where the label has the largest logit (the first of equals, as TRL counts), else 0
 *
 * On ONNX Runtime z and p are those of `tokenLogprobs`, whose nodes are the same.
 */
import * as tf from "@tensorflow/tfjs-core";
import { assertShape } from "../util/assert.ts";
import { hasKernel, registerLazyKernel, registerLowering, runKernelMany } from "./fused.ts";

export interface TokenStatistics {
  /** Nats [N]. */
  entropy: tf.Tensor;
  meanLogit: tf.Tensor; // [N]
  isTop1: tf.Tensor; // [N] in {0, 1}
}

/** h [N, C], weight [V, C], labels [N] int32 in [0, V). Positions to ignore: give label 0 and weight 0 later. */
export function tokenStatistics(h: tf.Tensor, weight: tf.Tensor, labels: tf.Tensor): TokenStatistics {
  assertShape(h, [-1, -1], "tokenStatistics h");
  assertShape(weight, [-1, h.shape[1]!], "tokenStatistics weight");
  assertShape(labels, [h.shape[0]], "tokenStatistics labels");
  const meanLogit = tf.sum(tf.mul(h, tf.mean(weight, 0)), 1); // a mean of products is the product with the mean
  if (hasKernel("TokenStatistics")) {
    const [entropy, isTop1] = runKernelMany("TokenStatistics", { h, weight, labels });
    return { entropy, meanLogit, isTop1 };
  }
  const z = tf.matMul(h, tf.transpose(weight)); // [N, V]
  const logp = tf.logSoftmax(z); // [N, V]
  const entropy = tf.neg(tf.sum(tf.mul(tf.exp(logp), logp), 1));
  return { entropy, meanLogit, isTop1: tf.cast(tf.equal(tf.argMax(z, 1), labels), "float32") };
}

registerLazyKernel("TokenStatistics", ({ h, weight, labels }) => {
  const output = { shape: [h.shape[0]], dtype: "float32" as const };
  return { inputs: [h, weight, labels], outputs: [output, output] };
});

const LAST = { axis: { int: -1 } };

registerLowering("TokenStatistics", (g, [h, weight, labels], node) => {
  const N = node.outputs[0].shape[0];
  const z = g.op("Gemm", [h, weight], { transB: { int: 1 } }); // [N, V]
  const p = g.op("Softmax", [z], LAST); // [N, V]
  const max = (x: string) => g.op("ReduceMax", [x, g.int64s([-1])], { keepdims: { int: 1 } }); // [N, 1]
  const logSumExp = g.op("Sub", [max(z), g.op("Log", [max(p)])]); // the largest probability is exp(max z - logsumexp)
  const meanZ = g.op("ReduceSum", [g.op("Mul", [p, z]), g.int64s([-1])], { keepdims: { int: 1 } }); // [N, 1]
  const entropy = g.reshape(g.op("Sub", [logSumExp, meanZ]), [N]);
  const best = g.op("ArgMax", [z], { ...LAST, keepdims: { int: 0 } });
  return [entropy, g.cast(g.op("Equal", [best, g.cast(labels, "int64")]), "float32")];
});

/**
 * @file The log-probability of each label under the language-model head, without one-hot vectors:
 *
 *   z = h Wᵀ      y[n] = z[n, label n] - max z[n] - log Σ exp(z[n] - max z[n])
 *   dz[n] = dy[n] (onehot(label n) - softmax(z[n]))      dh = dz W      dW = dzᵀ h
 *
 * The products are matMul.ts' and max and sum are softmax.ts'.
 */
import { type Matrix, type Program, registerLaunches, type Thread } from "../launch.ts";
import { product } from "./matMul.ts";
import { softmaxParts } from "./softmax.ts";

/** z [N, V], labels [N, 1], max [N, 1], sum [N, 1] -> y [N, 1], nats. */
export function tokenLogprobs(
  this: Thread,
  z: number[][],
  labels: number[][],
  max: number[][],
  sum: number[][],
): number {
  return z[this.thread.y][labels[this.thread.y][0]] - max[this.thread.y][0] - Math.log(sum[this.thread.y][0]);
}

/** z [N, V], labels [N, 1], max [N, 1], sum [N, 1], dy [N, 1] -> dz [N, V]. */
export function tokenLogprobsGradient(
  this: Thread,
  z: number[][],
  labels: number[][],
  max: number[][],
  sum: number[][],
  dy: number[][],
): number {
  const p = Math.exp(z[this.thread.y][this.thread.x] - max[this.thread.y][0]) / sum[this.thread.y][0];
  if (this.thread.x === labels[this.thread.y][0]) return dy[this.thread.y][0] * (1 - p);
  return -dy[this.thread.y][0] * p;
}

function logits(p: Program, h: Matrix, weight: Matrix) {
  const z = product(p, "transposedB", h, weight); // [N, V]
  return [z, ...softmaxParts(p, z)] as const;
}

registerLaunches("TokenLogprobs", (p, [h, weight, labels]) => {
  const [z, max, sum] = logits(p, h, weight);
  return p.launch(tokenLogprobs, [z, p.view(labels, [h.rows, 1]), max, sum], [h.rows, 1]);
});

registerLaunches("TokenLogprobsGrad", (p, [h, weight, labels, dy]) => {
  const [N, V] = [h.rows, weight.rows];
  const [z, max, sum] = logits(p, h, weight);
  const inputs = [z, p.view(labels, [N, 1]), max, sum, p.view(dy, [N, 1])];
  const dz = p.launch(tokenLogprobsGradient, inputs, [N, V]);
  return [
    product(p, "plain", dz, weight), // dh [N, C]
    product(p, "transposedA", dz, h), // dW [V, C]
  ];
});

/**
 * @file Entropy of the head's distribution, and whether the label is its most likely token:
 *
 *   z = h Wᵀ      entropy[n] = max z[n] + log Σ exp(z[n] - max z[n]) - Σ softmax(z[n]) z[n]
 *
 * The product is matMul.ts', max and sum are softmax.ts' and the position of the largest logit is reduce.ts'.
 */
import { registerLaunches, type Thread } from "../launch.ts";
import { product } from "./matMul.ts";
import { extremeColumn } from "./reduce.ts";
import { softmaxParts } from "./softmax.ts";

/** z [N, V], max [N, 1], sum [N, 1] -> [N, 1], nats. */
export function rowEntropy(this: Thread, z: number[][], max: number[][], sum: number[][]): number {
  let total = 0;
  for (let v = 0; v < this.constants.V; v++) {
    const below = z[this.thread.y][v] - max[this.thread.y][0];
    total += Math.exp(below) * below;
  }
  return Math.log(sum[this.thread.y][0]) - total / sum[this.thread.y][0];
}

/** best [N, 1], labels [N, 1] -> [N, 1]: 1 where they are the same. */
export function isSame(this: Thread, best: number[][], labels: number[][]): number {
  if (best[this.thread.y][0] === labels[this.thread.y][0]) return 1;
  return 0;
}

registerLaunches("TokenStatistics", (p, [h, weight, labels]) => {
  const N = h.rows;
  const V = weight.rows;
  const z = product(p, "transposedB", h, weight); // [N, V]
  const [max, sum] = softmaxParts(p, z);
  const best = p.launch(extremeColumn, [z], [N, 1], { C: V, sign: 1 });
  return [
    p.launch(rowEntropy, [z, max, sum], [N, 1], { V }), //
    p.launch(isSame, [best, p.view(labels, [N, 1])], [N, 1]),
  ];
});

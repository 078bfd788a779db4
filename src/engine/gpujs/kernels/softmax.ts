/**
 * @file Softmax of each row, in three launches: a thread has one result, so what all columns of a row need (its maximum,
 * its sum of exponentials) is computed once per row first. The maximum is taken off so that no exponential overflows.
 *
 *   max = maxₛ x      sum = Σₛ exp(x - max)      p = exp(x - max) / sum      log p = x - max - log(sum)
 *   dx = p ∘ (dp - Σₛ p dp) for softmax      dx = dy - p Σₛ dy for log softmax
 *
 * A row with NaN becomes all NaN: Math.max may drop it (modes differ), the sum does not.
 */
import type { Matrix, Program, Thread } from "../launch.ts";

/** x [N, S] -> [N, 1]. */
export function rowMax(this: Thread, x: number[][]): number {
  let max = x[this.thread.y][0];
  for (let s = 0; s < this.constants.S; s++) max = Math.max(max, x[this.thread.y][s]);
  return max;
}

/** x [N, S], max [N, 1] -> [N, 1]. */
export function rowSumExp(this: Thread, x: number[][], max: number[][]): number {
  let sum = 0;
  for (let s = 0; s < this.constants.S; s++) sum += Math.exp(x[this.thread.y][s] - max[this.thread.y][0]);
  return sum;
}

/** x [N, S], max [N, 1], sum [N, 1] -> p [N, S]. */
export function softmax(this: Thread, x: number[][], max: number[][], sum: number[][]): number {
  return Math.exp(x[this.thread.y][this.thread.x] - max[this.thread.y][0]) / sum[this.thread.y][0];
}

/** x [N, S], max [N, 1], sum [N, 1] -> log p [N, S]. */
export function logSoftmax(this: Thread, x: number[][], max: number[][], sum: number[][]): number {
  return x[this.thread.y][this.thread.x] - max[this.thread.y][0] - Math.log(sum[this.thread.y][0]);
}

/** x [N, S] -> max and sum, each [N, 1]. */
export function softmaxParts(p: Program, x: Matrix): [max: Matrix, sum: Matrix] {
  const max = p.launch(rowMax, [x], [x.rows, 1], { S: x.columns });
  return [max, p.launch(rowSumExp, [x, max], [x.rows, 1], { S: x.columns })];
}

/**
 * @file The log-probability of each sequence, the sum over its counted tokens, as DPO compares them (Rafailov et al.
 * 2023, arXiv 2305.18290, eq. 7): y[b] = Σₜ w[b, t] logprobs[b, t].      dlogprobs[b, t] = dy[b] w[b, t]
 */
import type { Thread } from "../launch.ts";

/** logprobs and counted [B, T] -> [B, 1], nats. */
export function sequenceLogprob(this: Thread, logprobs: number[][], counted: number[][]): number {
  let sum = 0;
  for (let t = 0; t < this.constants.T; t++) sum += counted[this.thread.y][t] * logprobs[this.thread.y][t];
  return sum;
}

/** dy [B, 1], counted [B, T] -> dlogprobs [B, T]. */
export function sequenceLogprobGradient(this: Thread, dy: number[][], counted: number[][]): number {
  return dy[this.thread.y][0] * counted[this.thread.y][this.thread.x];
}

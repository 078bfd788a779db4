/**
 * @file Cross-entropy of a batch: the mean over the tokens that count (w = 1, else 0) of their negative log-probability,
 * from the sums of sequenceLogprob.ts.
 *
 *   loss = -Σ w ∘ logprobs / Σ w      dlogprobs = -dloss w / Σ w
 *
 * A recorded program has the same from its own sums and quotients; here it is in one place, for a chain of kernels that
 * is written by hand (docs/gpujs.md).
 */
import type { Thread } from "../launch.ts";

/** sequences [B, 1]: summed log-probabilities, tokens [1, 1]: how many count -> loss [1, 1], nats per token. */
export function crossEntropy(this: Thread, sequences: number[][], tokens: number[][]): number {
  let sum = 0;
  for (let b = 0; b < this.constants.B; b++) sum += sequences[b][0];
  return -sum / tokens[0][0];
}

/** counted [B, T], tokens [1, 1] -> dlogprobs [B, T] for dloss = 1. */
export function crossEntropyGradient(this: Thread, counted: number[][], tokens: number[][]): number {
  return -counted[this.thread.y][this.thread.x] / tokens[0][0];
}

/**
 * @file LD-DPO (Liu et al. 2024, arXiv 2409.06411): an answer's log-probability with its tokens beyond the length of the
 * other answer weighted by α, so that being longer counts less. In float64.
 *
 * As in TRL 1.16 (`ld_alpha`), which weighs policy and reference alike; LLaMA-Factory weighs the policy only, so there
 * the loss does not start at ln 2.
 */
import { UserError } from "../util/assert.ts";

/** @throws UserError for an α outside [0, 1] */
export function checkLdAlpha(ldAlpha: number): void {
  if (!(ldAlpha >= 0 && ldAlpha <= 1)) throw new UserError(`ldAlpha is ${ldAlpha}; expected a number from 0 to 1`);
}

/**
 * Log-probabilities of the counted tokens of a pair's two answers, in order and in nats -> the two sums, and their
 * derivatives, which are the weights: 1 for the first min(|chosen|, |rejected|) tokens, α for the rest.
 */
export function lengthDesensitized(chosen: readonly number[], rejected: readonly number[], ldAlpha: number) {
  checkLdAlpha(ldAlpha);
  const shared = Math.min(chosen.length, rejected.length);
  const weigh = (logprobs: readonly number[]) => {
    const weights = logprobs.map((_, t) => (t < shared ? 1 : ldAlpha));
    return { logprob: logprobs.reduce((sum, x, t) => sum + weights[t] * x, 0), weights };
  };
  return { chosen: weigh(chosen), rejected: weigh(rejected) };
}

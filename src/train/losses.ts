/**
 * @file The losses as pure functions of log-probabilities, on tensors. Log-probabilities are in nats; a sequence's
 * is the SUM over its counted tokens (never the mean: that would be another objective).
 */
import * as tf from "@tensorflow/tfjs-core";

export * from "./preferenceLosses.ts";

/**
 * Cross-entropy per counted token: -Σ logprobs / Σ counted. Both [B, T]; logprobs are 0 where not counted. A
 * micro-batch divides by the counted tokens of its whole step instead: `numItemsInBatch`, see `microBatches`.
 */
export function crossEntropy(logprobs: tf.Tensor, counted: tf.Tensor, numItemsInBatch?: tf.Tensor): tf.Scalar {
  return tf.neg(tf.div(tf.sum(logprobs), numItemsInBatch ?? tf.sum(counted))) as tf.Scalar;
}

/** Sequence log-probability: [B, T] -> [B]. */
export const sequenceLogprob = (logprobs: tf.Tensor): tf.Tensor => tf.sum(logprobs, 1);

export interface DpoTerms {
  /** -log σ(β Δ) per pair [B]. */
  losses: tf.Tensor;
  /** β (log π(chosen) - log π_ref(chosen)) [B], TRL's `rewards/chosen`. */
  chosenRewards: tf.Tensor;
  rejectedRewards: tf.Tensor;
}

/**
 * DPO's sigmoid loss (Rafailov et al. 2023, equation 7) from summed log-probabilities, each [B]:
 * Δ = (policyChosen - referenceChosen) - (policyRejected - referenceRejected), loss = softplus(-β Δ).
 */
export function dpoSigmoid(
  policyChosen: tf.Tensor,
  policyRejected: tf.Tensor,
  referenceChosen: tf.Tensor,
  referenceRejected: tf.Tensor,
  beta: number,
): DpoTerms {
  const chosenRewards = tf.mul(tf.sub(policyChosen, referenceChosen), beta);
  const rejectedRewards = tf.mul(tf.sub(policyRejected, referenceRejected), beta);
  const losses = tf.softplus(tf.neg(tf.sub(chosenRewards, rejectedRewards)));
  return { losses, chosenRewards, rejectedRewards };
}

/**
 * @file The losses as pure functions of log-probabilities, on tensors. Log-probabilities are in nats; a sequence's
 * is the SUM over its counted tokens (never the mean: that would be another objective).
 */
import * as tf from "@tensorflow/tfjs-core";
import { type CrossEntropyOptions, completeCrossEntropyOptions } from "../losses/crossEntropy.ts";
import { completeKtoOptions, type KtoOptions } from "../losses/kto.ts";
import { checkLdAlpha } from "../losses/lengthDesensitized.ts";

export * from "./preferenceLosses.ts";

/**
 * Cross-entropy per counted token: -Σ logprobs / Σ counted. Both [B, T]; logprobs are 0 where not counted. A
 * micro-batch divides by the counted tokens of its whole step instead: `numItemsInBatch`, see `microBatches`. 0, with
 * gradients 0, where nothing counts; training skips such a step.
 */
export function crossEntropy(logprobs: tf.Tensor, counted: tf.Tensor, numItemsInBatch?: tf.Tensor): tf.Scalar {
  return tf.neg(tf.div(tf.sum(logprobs), tf.maximum(numItemsInBatch ?? tf.sum(counted), 1))) as tf.Scalar;
}

/**
 * Cross-entropy from logits [N, V] and labels [N] int32 (negative: ignored), with label smoothing and z-loss: formulas in
 * `losses/crossEntropy.ts`. Without either, {@link crossEntropy} on the fused log-probabilities needs less memory.
 */
export function logitsCrossEntropy(
  logits: tf.Tensor,
  labels: tf.Tensor,
  options: CrossEntropyOptions = {},
  numItemsInBatch?: tf.Tensor,
): tf.Scalar {
  const { labelSmoothing, zLoss } = completeCrossEntropyOptions(options);
  const counted = tf.cast(tf.greaterEqual(labels, 0), "float32"); // [N]
  const label = tf.cast(tf.maximum(labels, 0), "int32"); // any, where nothing counts
  const hit = tf.cast(tf.oneHot(label, logits.shape[1]!), "float32"); // [N, V]; wasm's own float32 one is wrong
  const logZ = tf.logSumExp(logits, 1); // [N]
  const target = tf.add(tf.mul(hit, 1 - labelSmoothing), labelSmoothing / logits.shape[1]!);
  const nll = tf.sub(logZ, tf.sum(tf.mul(logits, target), 1)); // [N]
  const losses = zLoss === 0 ? nll : tf.add(nll, tf.mul(tf.square(logZ), zLoss));
  return crossEntropy(tf.neg(tf.mul(losses, counted)), counted, numItemsInBatch);
}

/** Sequence log-probability: [B, T] -> [B]. */
export const sequenceLogprob = (logprobs: tf.Tensor): tf.Tensor => tf.sum(logprobs, 1);

/**
 * LD-DPO's sequence log-probability, `losses/lengthDesensitized.ts`: logprobs and counted [2B, T], the chosen rows, then
 * the rejected ones of the same pairs -> [2B].
 */
export function lengthDesensitizedLogprob(logprobs: tf.Tensor, counted: tf.Tensor, ldAlpha: number): tf.Tensor {
  checkLdAlpha(ldAlpha);
  const B = logprobs.shape[0] / 2;
  const lengths = tf.reshape(tf.sum(counted, 1), [2, B]);
  const shared = tf.reshape(tf.tile(tf.min(lengths, 0, true), [2, 1]), [2 * B, 1]);
  const isTail = tf.cast(tf.greater(tf.cumsum(counted, 1), shared), "float32"); // [2B, T]
  return tf.sum(tf.mul(logprobs, tf.sub(1, tf.mul(isTail, 1 - ldAlpha))), 1);
}

/**
 * KTO's loss per answer [B], `losses/kto.ts`, from tensors [B]; `desirable` holds 1 and 0. `kl` is max(0, mean
 * (policyKl - referenceKl)) over the answers: pass what the model gives WITHOUT a gradient, it is a constant of the step.
 */
export function ktoLosses(
  answers: Record<"policy" | "reference" | "desirable" | "kl", tf.Tensor>,
  options: KtoOptions,
): tf.Tensor {
  const { beta, desirableWeight, undesirableWeight } = completeKtoOptions(options);
  const z = tf.mul(tf.sub(tf.sub(answers.policy, answers.reference), answers.kl), beta);
  const good = tf.mul(tf.sigmoid(tf.neg(z)), desirableWeight);
  const bad = tf.mul(tf.sigmoid(z), undesirableWeight);
  return tf.add(tf.mul(good, answers.desirable), tf.mul(bad, tf.sub(1, answers.desirable)));
}

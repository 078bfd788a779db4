/**
 * @file Direct preference optimisation (paper section 4.2; Rafailov et al. 2023) against a frozen reference, whose
 * log-probabilities are computed before training ({@link referenceLogps}) or at each step ({@link onlineReference}).
 * Losses and metrics are those of TRL's `DPOTrainer`, by its names; docs/trl.md says where the two differ.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { PackedRow } from "../data/pack.ts";
import type { TensorMap } from "../engine/engine.ts";
import { completeOptions, type PreferenceLossOptions } from "../losses/preference.ts";
import type { Qwen2Config } from "../model/config.ts";
import { type ForwardOptions, labelLogprobs, type Parameters } from "../model/qwen2.ts";
import { causalMask } from "../ops/attention.ts";
import { UserError } from "../util/assert.ts";
import { batchOf, targetsOf } from "./batch.ts";
import type { LossFunction } from "./loop.ts";
import { lengthDesensitizedLogprob, sequenceLogprob } from "./losses.ts";
import { preferenceLosses } from "./preferenceLosses.ts";
import { countedStatistics, type LossOptions } from "./tokenMetrics.ts";

/** A tokenised pair: prompt + chosen and prompt + rejected, labels on the answers only, one row each. */
export interface PreferenceRows {
  chosen: PackedRow;
  rejected: PackedRow;
  /** Log-probabilities of the two answers under the frozen reference, in nats: {@link referenceLogps}. */
  referenceChosen: number;
  referenceRejected: number;
}

export interface DpoOptions extends PreferenceLossOptions {
  /**
   * α of LD-DPO (Liu et al. 2024): the tokens of the longer answer beyond the length of the shorter one count α times
   * in its log-probability, the policy's and the reference's. 1 unless given, which is the plain sum.
   */
  ldAlpha?: number;
}

/**
 * The chosen rows, then the rejected ones: [2B, T]; the reference's log-probabilities, each [B]; and how many tokens the
 * answers of the whole step have, `step` being the pairs that these are a part of.
 * @throws UserError for an answer without a token to count: there would be nothing to compare
 */
export function preferenceBatch(pairs: readonly PreferenceRows[], step = pairs): TensorMap {
  const tokens = (side: "chosen" | "rejected") => {
    const counts = step.map((pair) => targetsOf(pair[side]));
    const empty = counts.indexOf(0);
    if (empty >= 0)
      throw new UserError(`pair ${empty} of a batch: its ${side} answer has no token that counts; drop such pairs`);
    return counts.reduce((a, b) => a + b, 0);
  };
  return {
    ...batchOf([...pairs.map((pair) => pair.chosen), ...pairs.map((pair) => pair.rejected)]),
    referenceChosen: tf.tensor1d(pairs.map((pair) => pair.referenceChosen)),
    referenceRejected: tf.tensor1d(pairs.map((pair) => pair.referenceRejected)),
    chosenTokensInBatch: tf.scalar(tokens("chosen")),
    rejectedTokensInBatch: tf.scalar(tokens("rejected")),
  };
}

/**
 * Mean loss over the pairs of a batch of {@link preferenceBatch}: any of `PREFERENCE_LOSSES`, plus `rpoAlpha` times the
 * cross-entropy of the chosen answers.
 *
 * Metrics, means over the pairs of the step: `rewards/chosen` = β (log π - log π_ref) in nats, `rewards/rejected`,
 * `rewards/margins`, `rewards/accuracies` (a tie is not a win), `logps/chosen`, `logps/rejected` (sums over the answer).
 * With `metrics: "full"` also means over the answers' tokens of the step: `logits/chosen` and `logits/rejected` (of all
 * logits of a position), `entropy` (both answers, nats), `mean_token_accuracy` (the chosen answers). Loss and metrics do not depend on how a step
 * is cut into micro-batches, except the loss of `aot` and `aot_unpaired`, which sorts those of a micro-batch.
 */
export function dpoLoss(
  config: Qwen2Config,
  options: DpoOptions,
  { metrics, ...forward }: LossOptions = {},
): LossFunction {
  const { ldAlpha, ...all } = options;
  const { rpoAlpha, beta, lossType } = completeOptions(all); // what does not fit is refused here, not in the first step
  const sftWeight = lossType === "sft" ? 1 : rpoAlpha;
  return (parameters, batch) => {
    const { referenceChosen, referenceRejected, numItemsInBatch } = batch;
    const answers = answerLogprobs(parameters, config, batch, forward); // logprobs and counted [2B, T]
    const [chosen, rejected] = halves(answerSums(answers, ldAlpha)); // [B]
    const [chosenTokens, rejectedTokens] = halves(tf.sum(answers.counted, 1)); // [B]
    const mean = (x: tf.Tensor) => (numItemsInBatch ? tf.div(tf.sum(x), numItemsInBatch) : tf.mean(x));
    const { chosenTokensInBatch: n = tf.sum(chosenTokens), rejectedTokensInBatch: m = tf.sum(rejectedTokens) } = batch;

    const pairs = { policyChosen: chosen, policyRejected: rejected, referenceChosen, referenceRejected };
    const terms: tf.Tensor[] = [];
    if (lossType !== "sft")
      terms.push(mean(preferenceLosses({ ...pairs, chosenTokens, rejectedTokens }, { ...all, rpoAlpha: 0 })));
    if (sftWeight > 0) {
      const chosenLogprobs = halves(answers.logprobs)[0]; // every token counts once, whatever ldAlpha is, as in TRL
      terms.push(tf.mul(tf.neg(tf.div(tf.sum(chosenLogprobs), n)), sftWeight));
    }

    const chosenRewards = tf.mul(tf.sub(chosen, referenceChosen), beta);
    const rejectedRewards = tf.mul(tf.sub(rejected, referenceRejected), beta);
    const margins = tf.sub(chosenRewards, rejectedRewards);
    const full = () => {
      const { entropy, meanLogit, isTop1 } = countedStatistics(parameters, config, answers);
      const [chosenLogits, rejectedLogits] = halves(meanLogit);
      const perToken = (x: tf.Tensor, tokens: tf.Tensor) => tf.div(tf.sum(x), tokens);
      return {
        "logits/chosen": perToken(chosenLogits, n),
        "logits/rejected": perToken(rejectedLogits, m),
        entropy: perToken(entropy, tf.add(n, m)),
        mean_token_accuracy: perToken(halves(isTop1)[0], n),
      };
    };
    return {
      loss: terms.reduce((a, b) => tf.add(a, b)) as tf.Scalar,
      metrics: {
        "rewards/chosen": mean(chosenRewards),
        "rewards/rejected": mean(rejectedRewards),
        "rewards/margins": mean(margins),
        "rewards/accuracies": mean(tf.cast(tf.greater(margins, 0), "float32")),
        "logps/chosen": mean(chosen),
        "logps/rejected": mean(rejected),
        ...(metrics === "full" ? full() : {}),
      },
    };
  };
}

/**
 * What {@link preferenceBatch} wants to know of a reference, each [B]: for a batch whose own values do not matter yet.
 * `ldAlpha` must be that of the training.
 */
export function referenceLogps(
  config: Qwen2Config,
  reference: Parameters,
  batch: TensorMap,
  { ldAlpha }: Pick<DpoOptions, "ldAlpha"> = {},
): { referenceChosen: tf.Tensor; referenceRejected: tf.Tensor } {
  // inside a custom gradient nothing is recorded, so nothing of this forward pass is kept for a backward one
  const sums = tf.customGrad(() => ({
    value: answerSums(answerLogprobs(reference, config, batch), ldAlpha), // [2B]
    gradFunc: () => [],
  }))();
  const [referenceChosen, referenceRejected] = halves(sums);
  return { referenceChosen, referenceRejected };
}

/**
 * The same loss with the reference computed at each step, in place of what the batch says: one forward pass more a
 * step, and the reference's parameters stay in memory. They get no gradient.
 */
export function onlineReference(
  config: Qwen2Config,
  reference: Parameters,
  options: DpoOptions,
  how: LossOptions = {},
): LossFunction {
  const loss = dpoLoss(config, options, how);
  return (parameters, batch) => loss(parameters, { ...batch, ...referenceLogps(config, reference, batch, options) });
}

function answerLogprobs(parameters: Parameters, config: Qwen2Config, batch: TensorMap, forward: ForwardOptions = {}) {
  const { inputIds, labels, documentIds, positionIds } = batch;
  const input = { inputIds, positionIds, mask: causalMask(documentIds), ...forward };
  return labelLogprobs(parameters, config, input, labels);
}

/** The chosen half and the rejected half of [2B, ...]. */
function halves(x: tf.Tensor): [chosen: tf.Tensor, rejected: tf.Tensor] {
  return tf.split(x, 2) as [tf.Tensor, tf.Tensor];
}

/** Sums over the answers' tokens [2B], those past the shorter answer's length `ldAlpha` times. logprobs, counted [2B, T]. */
function answerSums({ logprobs, counted }: { logprobs: tf.Tensor; counted: tf.Tensor }, ldAlpha = 1): tf.Tensor {
  return ldAlpha === 1 ? sequenceLogprob(logprobs) : lengthDesensitizedLogprob(logprobs, counted, ldAlpha);
}

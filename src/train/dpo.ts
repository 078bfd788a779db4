/**
 * @file Direct preference optimisation (paper section 4.2; Rafailov et al. 2023) against a frozen reference whose
 * log-probabilities are computed once before training. Metrics are TRL's.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { PackedRow } from "../data/pack.ts";
import type { TensorMap } from "../engine/engine.ts";
import type { Qwen2Config } from "../model/config.ts";
import { type ForwardOptions, labelLogprobs } from "../model/qwen2.ts";
import { causalMask } from "../ops/attention.ts";
import { batchOf } from "./batch.ts";
import type { LossFunction } from "./loop.ts";
import { dpoSigmoid, sequenceLogprob } from "./losses.ts";

/** A tokenised pair: prompt + chosen and prompt + rejected, labels on the answers only, one row each. */
export interface PreferenceRows {
  chosen: PackedRow;
  rejected: PackedRow;
  /** Summed log-probabilities of the two answers under the frozen reference, in nats. */
  referenceChosen: number;
  referenceRejected: number;
}

/** The chosen rows, then the rejected ones: [2B, T]; and the reference's log-probabilities, each [B]. */
export function preferenceBatch(pairs: readonly PreferenceRows[]): TensorMap {
  return {
    ...batchOf([...pairs.map((pair) => pair.chosen), ...pairs.map((pair) => pair.rejected)]),
    referenceChosen: tf.tensor1d(pairs.map((pair) => pair.referenceChosen)),
    referenceRejected: tf.tensor1d(pairs.map((pair) => pair.referenceRejected)),
  };
}

/** Mean sigmoid loss over the pairs of a batch of {@link preferenceBatch}. */
export function dpoLoss(config: Qwen2Config, beta: number, forward: ForwardOptions = {}): LossFunction {
  return (parameters, batch) => {
    const { inputIds, labels, documentIds, positionIds, referenceChosen, referenceRejected, numItemsInBatch } = batch;
    const mean = (x: tf.Tensor) => (numItemsInBatch ? tf.div(tf.sum(x), numItemsInBatch) : tf.mean(x)) as tf.Scalar;
    const input = { inputIds, positionIds, mask: causalMask(documentIds), ...forward };
    const logps = sequenceLogprob(labelLogprobs(parameters, config, input, labels).logprobs); // [2B]
    const B = referenceChosen.shape[0];
    const chosen = tf.slice(logps, 0, B); // [B]
    const rejected = tf.slice(logps, B, B); // [B]
    const terms = dpoSigmoid(chosen, rejected, referenceChosen, referenceRejected, beta);
    const margins = tf.sub(terms.chosenRewards, terms.rejectedRewards);
    return {
      loss: mean(terms.losses),
      metrics: {
        "rewards/chosen": mean(terms.chosenRewards),
        "rewards/rejected": mean(terms.rejectedRewards),
        "rewards/margins": mean(margins),
        "rewards/accuracies": mean(tf.cast(tf.greater(margins, 0), "float32")), // a tie is not a win, as in TRL
        "logps/chosen": mean(chosen),
        "logps/rejected": mean(rejected),
      },
    };
  };
}

/**
 * @file Supervised fine-tuning (paper section 4.1): cross-entropy on the answers only, examples packed side by side
 * without seeing each other ("neat packing"). What counts is decided by the labels (-100 elsewhere), what is seen by
 * the document ids; both are made by `packExamples`.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { Qwen2Config } from "../model/config.ts";
import { type ForwardOptions, labelLogprobs } from "../model/qwen2.ts";
import { causalMask } from "../ops/attention.ts";
import type { LossFunction } from "./loop.ts";
import { crossEntropy } from "./losses.ts";

/** Batch: see `batchOf`. The metric `answer_tokens` is how many tokens the loss averages over. */
export function sftLoss(config: Qwen2Config, forward: ForwardOptions = {}): LossFunction {
  return (parameters, { inputIds, labels, documentIds, positionIds, numItemsInBatch }) => {
    const input = { inputIds, positionIds, mask: causalMask(documentIds), ...forward };
    const { logprobs, counted } = labelLogprobs(parameters, config, input, labels);
    return { loss: crossEntropy(logprobs, counted, numItemsInBatch), metrics: { answer_tokens: tf.sum(counted) } };
  };
}

/**
 * @file Continual pretraining (paper section 3.2): next-token cross-entropy over every token of the packed rows.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { Qwen2Config } from "../model/config.ts";
import { type ForwardOptions, labelLogprobs } from "../model/qwen2.ts";
import { causalMask } from "../ops/attention.ts";
import type { LossFunction } from "./loop.ts";
import { crossEntropy } from "./losses.ts";

/** Batch: see `batchOf`. Tokens attend to what precedes them in the same document of the row. */
export function pretrainLoss(config: Qwen2Config, forward: ForwardOptions = {}): LossFunction {
  return (parameters, { inputIds, labels, documentIds, positionIds, numItemsInBatch }) => {
    const input = { inputIds, positionIds, mask: causalMask(documentIds), ...forward };
    const { logprobs, counted } = labelLogprobs(parameters, config, input, labels);
    return { loss: crossEntropy(logprobs, counted, numItemsInBatch), items: tf.sum(counted) };
  };
}

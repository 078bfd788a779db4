/**
 * @file Supervised fine-tuning (paper section 4.1): cross-entropy on the answers only, examples packed side by side
 * without seeing each other ("neat packing"). What counts is decided by the labels (-100 elsewhere), what is seen by
 * the document ids; both are made by `packExamples`. Loss and metrics are those of TRL's `SFTTrainer` (docs/trl.md).
 */
import * as tf from "@tensorflow/tfjs-core";
import type { Qwen2Config } from "../model/config.ts";
import { labelLogprobs } from "../model/qwen2.ts";
import { causalMask } from "../ops/attention.ts";
import type { LossFunction } from "./loop.ts";
import { crossEntropy } from "./losses.ts";
import { countedStatistics, type LossOptions } from "./tokenMetrics.ts";

/**
 * Batch: see `batchOf`. Metrics: `answer_tokens`, how many tokens the loss averages over; with `metrics: "full"` TRL's
 * `entropy` (nats) and `mean_token_accuracy`, means over them. All average over the tokens of the step, however it is cut
 * into micro-batches; TRL averages these two metrics (not the loss) over micro-batches.
 */
export function sftLoss(config: Qwen2Config, { metrics, ...forward }: LossOptions = {}): LossFunction {
  return (parameters, { inputIds, labels, documentIds, positionIds, numItemsInBatch }) => {
    const input = { inputIds, positionIds, mask: causalMask(documentIds), ...forward };
    const answers = labelLogprobs(parameters, config, input, labels);
    const tokens = tf.sum(answers.counted);
    const full = () => {
      const perToken = (x: tf.Tensor) => tf.div(tf.sum(x), numItemsInBatch ?? tokens);
      const { entropy, isTop1 } = countedStatistics(parameters, config, answers);
      return { entropy: perToken(entropy), mean_token_accuracy: perToken(isTop1) };
    };
    return {
      loss: crossEntropy(answers.logprobs, answers.counted, numItemsInBatch),
      metrics: { answer_tokens: tokens, ...(metrics === "full" ? full() : {}) },
      items: tokens,
    };
  };
}

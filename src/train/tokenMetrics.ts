/**
 * @file What TRL logs of the counted tokens beside their log-probabilities: how sure the model is, and how often its
 * first choice is the label.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { Qwen2Config } from "../model/config.ts";
import { type ForwardOptions, headWeight, type labelLogprobs, type Parameters } from "../model/qwen2.ts";
import { type TokenStatistics, tokenStatistics } from "../ops/tokenStatistics.ts";

export interface LossOptions extends ForwardOptions {
  /**
   * `full`: also TRL's metrics that are made of whole distributions: `entropy` and `mean_token_accuracy`, for DPO
   * `logits/chosen` and `logits/rejected` too. On ONNX Runtime they cost about a tenth of a step of the miniature, whose
   * head is half of it; elsewhere the head is computed once more.
   */
  metrics?: "full";
}

/** Each statistic of each position [B, T], 0 where nothing counts; from what {@link labelLogprobs} returned. */
export function countedStatistics(
  parameters: Parameters,
  config: Qwen2Config,
  { hidden, target, counted }: ReturnType<typeof labelLogprobs>,
): TokenStatistics {
  const of = tokenStatistics(hidden, headWeight(parameters, config), target);
  const masked = (x: tf.Tensor) => tf.mul(tf.reshape(x, counted.shape), counted); // [B·T] -> [B, T]
  return { entropy: masked(of.entropy), meanLogit: masked(of.meanLogit), isTop1: masked(of.isTop1) };
}

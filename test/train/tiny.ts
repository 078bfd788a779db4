/**
 * @file A model and batches that are small enough for every engine, and the log-probabilities that the losses should be
 * made of, from the logits in float64.
 */
import * as tf from "@tensorflow/tfjs-core";
import { type PackedRow, pretrainingRow } from "../../src/data/pack.ts";
import type { TensorMap } from "../../src/engine/engine.ts";
import type { Qwen2Config } from "../../src/model/config.ts";
import { decoder, logits, type Parameters } from "../../src/model/qwen2.ts";
import { causalMask } from "../../src/ops/attention.ts";
import { batchOf } from "../../src/train/batch.ts";
import type { LossFunction, StepMetrics } from "../../src/train/loop.ts";
import { makeRandom } from "../../src/util/random.ts";

export const TINY: Qwen2Config = {
  vocabSize: 40,
  hiddenSize: 16,
  intermediateSize: 24,
  numHiddenLayers: 2,
  numAttentionHeads: 4,
  numKeyValueHeads: 2,
  maxPositionEmbeddings: 32,
  rmsNormEps: 1e-6,
  ropeTheta: 1e4,
  tieWordEmbeddings: true,
  initializerRange: 0.3, // far from uniform, so that mistakes show
};

/** A schedule that always says `rate`. */
export const constant = (rate: number) => ({
  maxLearningRate: rate,
  minRatio: 1,
  warmupTokens: 0,
  totalTokens: Number.MAX_SAFE_INTEGER,
});

/** Random ids in [3, V): 0, 1 and 2 are for the tests to give a meaning. */
export function randomIds(length: number, ...labels: string[]): number[] {
  const random = makeRandom(7, ...labels);
  return Array.from({ length }, () => 3 + random.int(TINY.vocabSize - 3));
}

/** Rows of T tokens of text without end, other ones at each step. */
export const pretrainingBatch = (step: number, B = 2, T = 16): TensorMap =>
  batchOf(Array.from({ length: B }, (_, b) => pretrainingRow(Int32Array.from(STREAM), (step * B + b) * T, T)));
const STREAM = randomIds(997, "stream");

/** log p(token t | what its document has before it) for every position of a row, 0 at the first; in float64. */
export function tokenLogprobsOf(parameters: Parameters, row: PackedRow): number[] {
  const T = row.inputIds.length;
  const scores = tf.tidy(() => {
    const { inputIds, positionIds, documentIds } = batchOf([row]);
    const input = { inputIds, positionIds, mask: causalMask(documentIds) };
    return logits(parameters, TINY, decoder(parameters, TINY, input).hidden).dataSync(); // [T, V]
  });
  return Array.from({ length: T }, (_, t) => {
    if (t === 0) return 0;
    const z = Array.from(scores.subarray((t - 1) * TINY.vocabSize, t * TINY.vocabSize));
    const max = Math.max(...z);
    return z[row.inputIds[t]] - max - Math.log(z.reduce((sum, x) => sum + Math.exp(x - max), 0));
  });
}

export interface Measured {
  loss: number;
  metrics: StepMetrics;
  gradients: Record<string, Float32Array>;
}

/** Loss, metrics and gradients of a batch, which is disposed. */
export function measure(lossFunction: LossFunction, parameters: Parameters, batch: TensorMap): Measured {
  const names = Object.keys(parameters);
  const result = tf.tidy(() => {
    let metrics: StepMetrics = {};
    const { value, grads } = tf.valueAndGrads((...values: tf.Tensor[]) => {
      const out = lossFunction(Object.fromEntries(names.map((name, i) => [name, values[i]])), batch);
      metrics = Object.fromEntries(Object.entries(out.metrics ?? {}).map(([name, x]) => [name, x.dataSync()[0]]));
      return out.loss;
    })(names.map((name) => parameters[name]));
    const gradients = Object.fromEntries(names.map((name, i) => [name, grads[i].dataSync().slice() as Float32Array]));
    return { loss: value.dataSync()[0], metrics, gradients };
  });
  tf.dispose(batch);
  return result;
}

/** The parameters' values, copied. */
export const snapshot = (parameters: Parameters) =>
  Object.fromEntries(Object.entries(parameters).map(([name, x]) => [name, x.dataSync().slice() as Float32Array]));

/** Largest absolute value over all arrays. */
export const largest = (arrays: Record<string, Float32Array>) =>
  Object.values(arrays).reduce((max, array) => array.reduce((m, x) => Math.max(m, Math.abs(x)), max), 0);

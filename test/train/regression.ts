/**
 * @file The smallest thing that can be trained, in microseconds: y = x w + b against random targets. For tests of the
 * loop, its checkpoints and its accumulation, which do not care what is trained.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { TensorMap } from "../../src/engine/engine.ts";
import type { Parameters } from "../../src/model/qwen2.ts";
import { saveWeights } from "../../src/model/shards.ts";
import type { LossFunction, TrainOptions } from "../../src/train/loop.ts";
import { PAPER_ADAMW } from "../../src/train/optimizer.ts";
import { makeRandom } from "../../src/util/random.ts";
import { constant } from "./tiny.ts";

const numbers = (n: number, name: string) => {
  const random = makeRandom(3, name);
  return Array.from({ length: n }, () => random.normal());
};

export const regressionParameters = (): Parameters => ({
  w: tf.tensor(numbers(6, "w"), [2, 3]),
  b: tf.tensor(numbers(3, "b"), [3]),
});

/** One example, of which `weight` targets count. */
export interface Example {
  name: string;
  weight: number;
}

/** x [B, 2], y [B, 3], weight [B]. */
export const regressionBatch = (examples: readonly Example[]): TensorMap => ({
  x: tf.tensor2d(examples.map(({ name }) => numbers(2, `x ${name}`))),
  y: tf.tensor2d(examples.map(({ name }) => numbers(3, `y ${name}`))),
  weight: tf.tensor1d(examples.map(({ weight }) => weight)),
});

/** Σ weight |x w + b - y|² / Σ weight; a micro-batch divides by its whole step's, as cross-entropy does. */
export const regressionLoss: LossFunction = ({ w, b }, { x, y, weight, numItemsInBatch }) => {
  const errors = tf.sum(tf.square(tf.sub(tf.add(tf.matMul(x as tf.Tensor2D, w as tf.Tensor2D), b), y)), 1); // [B]
  return { loss: tf.div(tf.sum(tf.mul(errors, weight)), numItemsInBatch ?? tf.sum(weight)) as tf.Scalar };
};

export const REGRESSION: Omit<TrainOptions, "steps"> = {
  lossFunction: regressionLoss,
  tokensPerStep: 2,
  batchAt: (step) => regressionBatch([0, 1].map((i) => ({ name: `${step} ${i}`, weight: 1 + i }))),
  schedule: constant(0.01),
  optimizer: PAPER_ADAMW,
};

/** Writes the parameters as a model's weights. */
export const saveRegression = (parameters: Parameters) => (folder: string) =>
  saveWeights(
    folder,
    Object.fromEntries(Object.entries(parameters).map(([name, { shape }]) => [name, shape])),
    async (name) => (await parameters[name].data()) as Float32Array,
    "F32",
    1e9,
  );

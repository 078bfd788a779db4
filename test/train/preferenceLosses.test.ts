/**
 * @file The preference losses on tensors are those of `src/losses` in float64, on every engine: values, and the
 * gradients that TensorFlow.js derives against the ones written by hand.
 */
import * as tf from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { startEngine } from "../../src/engine/engine.ts";
import { type PairLogps, preferenceLoss } from "../../src/losses/preference.ts";
import { preferenceLosses } from "../../src/train/losses.ts";
import { ENGINES } from "../engines.ts";
import { CASES, nameOf, pair, toPairs } from "../losses/cases.ts";
import { largest } from "../ops/finiteDifferences.ts";

/** Multiples of 1/64: float32 has them and their differences exactly, so that ratios tie in both versions or in none. */
const drawn = toPairs(
  fc.sample(pair, { numRuns: 48, seed: 7 }).map((one) => {
    const rounded = Object.entries(one).map(([key, value]) => [key, Math.round(value * 64) / 64]);
    return Object.fromEntries(rounded) as typeof one;
  }),
);
const BETA = 0.25;

const tensors = (pairs: PairLogps) =>
  Object.fromEntries(Object.entries(pairs).map(([name, x]) => [name, tf.tensor1d(x)])) as Record<
    keyof PairLogps,
    tf.Tensor
  >;

describe.each(ENGINES)("engine %s", (engine) => {
  beforeAll(async () => {
    await startEngine(engine);
  });

  test.each(CASES.map((options) => [nameOf(options), options] as const))("%s is its float64 version", (_, options) => {
    const all = { ...options, beta: BETA };
    const expected = preferenceLoss(drawn, all);
    tf.tidy(() => {
      const inputs = tensors(drawn);
      const losses = preferenceLosses(inputs, all);
      const sum = (policyChosen: tf.Tensor, policyRejected: tf.Tensor) => {
        const losses = preferenceLosses({ ...inputs, policyChosen, policyRejected }, all);
        return tf.sum(tf.add(losses, tf.mul(policyRejected, 0))); // sft has no path from them, an error in tf.grads
      };
      const [chosen, rejected] = tf.grads(sum)([inputs.policyChosen, inputs.policyRejected]);
      const close = (x: tf.Tensor, y: number[], what: string) =>
        expect(x.dataSync(), what).toBeAllClose(y, { rtol: 1e-5, atol: 1e-5 * largest(y) });
      close(losses, expected.losses, "losses");
      close(chosen, expected.gradients.policyChosen, "gradient of the chosen answers");
      close(rejected, expected.gradients.policyRejected, "gradient of the rejected answers");
    });
  });
});

/**
 * @file The last step of an epoch, when its examples do not fill a batch: it is made, and averages over what it has.
 */
import * as tf from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { startEngine } from "../../src/engine/engine.ts";
import { microBatches } from "../../src/train/batch.ts";
import { type StepMetrics, train } from "../../src/train/loop.ts";
import { type Example, REGRESSION, regressionBatch, regressionParameters } from "./regression.ts";
import { snapshot } from "./tiny.ts";

beforeAll(async () => {
  await startEngine("cpu");
});

/** Σ weight |x w + b - y|² / Σ weight, in float64. */
function lossOf(examples: readonly Example[], { w, b }: Record<string, ArrayLike<number>>): number {
  const [x, y] = tf.tidy(() => {
    const batch = regressionBatch(examples);
    return [batch.x.dataSync(), batch.y.dataSync()];
  });
  const error = (i: number, j: number) => x[2 * i] * w[j] + x[2 * i + 1] * w[3 + j] + b[j] - y[3 * i + j];
  const square = (i: number) => [0, 1, 2].reduce((sum, j) => sum + error(i, j) ** 2, 0);
  const total = examples.reduce((sum, { weight }) => sum + weight, 0);
  return examples.reduce((sum, { weight }, i) => sum + weight * square(i), 0) / total;
}

test("the last, partial step of an epoch is made, and its loss is the mean over its own targets, in any micro-batches", async () => {
  const weights = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 2, maxLength: 9 });
  await fc.assert(
    fc.asyncProperty(weights, fc.integer({ min: 2, max: 5 }), fc.integer({ min: 1, max: 5 }), async (all, B, size) => {
      const examples = all.map((weight, i) => ({ name: String(i), weight }));
      const stepsPerEpoch = Math.ceil(examples.length / B);
      const rows = (step: number) => examples.slice(step * B, (step + 1) * B);
      const run = async (steps: number) => {
        const parameters = regressionParameters();
        let loss = Number.NaN;
        const batchAt = (step: number) => microBatches(rows(step), size, regressionBatch, ({ weight }) => weight);
        const onStep = (_: number, __: number, metrics: StepMetrics) => {
          loss = metrics.loss;
        };
        const done = await train(parameters, { ...REGRESSION, steps, batchAt, onStep });
        const values = snapshot(parameters);
        tf.dispose(parameters);
        return { done, loss, values };
      };
      const before = await run(stepsPerEpoch - 1);
      const { done, loss, values } = await run(stepsPerEpoch);
      expect(done).toBe(stepsPerEpoch);
      expect([loss]).toBeAllClose([lossOf(rows(stepsPerEpoch - 1), before.values)], { rtol: 1e-5 });
      expect(values).not.toEqual(before.values); // flushed, not dropped
    }),
    { numRuns: 15 },
  );
});

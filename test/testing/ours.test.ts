/** @file Our own losses under the kit that we give to others: the tensor programs in float32, and the float64 ones. */
import * as tf from "@tensorflow/tfjs-core";
import { checkLoss, type PreferenceLoss, reportText, type TokensLoss } from "marco-mini/testing";
import { beforeAll, expect, test } from "vitest";
import { startEngine } from "../../src/engine/engine.ts";
import { nextLabels } from "../../src/losses/crossEntropy.ts";
import { type PairLogps, PREFERENCE_LOSSES, type PreferenceLossType } from "../../src/losses/preference.ts";
import { logitsCrossEntropy, preferenceLosses } from "../../src/train/losses.ts";

beforeAll(async () => {
  await startEngine("cpu");
});

const SMOOTHING: Partial<Record<PreferenceLossType, number>> = { exo_pair: 0.001, robust: 0.1 };

test.each(PREFERENCE_LOSSES)("%s on tensors keeps what is claimed of it", async (lossType) => {
  const loss: PreferenceLoss = (pairs, options) =>
    tf.tidy(() => {
      const tensors = Object.fromEntries(Object.entries(pairs).map(([name, x]) => [name, tf.tensor1d(x)]));
      return preferenceLosses(tensors as Record<keyof PairLogps, tf.Tensor>, options).dataSync();
    });
  const labelSmoothing = SMOOTHING[lossType];
  const options = { beta: 0.1, ...(labelSmoothing && { labelSmoothing }) };
  const report = await checkLoss({ kind: "preference", as: lossType, ...options, numRuns: 5, loss });
  expect(reportText(report)).not.toContain("BROKEN");
  expect(report.claims.length).toBeGreaterThanOrEqual(3);
});

test("cross-entropy on tensors keeps every claim, those about its gradient and about nothing to learn too", async () => {
  const loss: TokensLoss = ({ logits, labels }) =>
    tf.tidy(() => {
      const [B, T, V] = [labels.length, labels[0].length, logits[0][0].length];
      const next = tf.tensor1d(labels.flatMap(nextLabels), "int32");
      const run = tf.valueAndGrad((z: tf.Tensor) => logitsCrossEntropy(z, next));
      const { value, grad } = run(tf.tensor2d(logits.flat(), [B * T, V]));
      return { loss: value.dataSync()[0], gradient: tf.reshape(grad, [B, T, V]).arraySync() as number[][][] };
    });
  const report = await checkLoss({ kind: "tokens", gradient: true, numRuns: 5, loss });
  expect(reportText(report)).toContain("16 of 16 claims hold (5 cases each, seed 1)");
  const empty = await checkLoss({ kind: "tokens", claims: ["a batch without labels is not NaN"], numRuns: 3, loss });
  expect(empty.holds).toBe(true);
});

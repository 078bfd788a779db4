/**
 * @file DPO on a model: what the batch says, what is frozen, what cannot be learnt.
 */
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { answerRow } from "../../src/data/chatRows.ts";
import type { PackedRow } from "../../src/data/pack.ts";
import { startEngine } from "../../src/engine/engine.ts";
import { initParameters } from "../../src/model/init.ts";
import type { Parameters } from "../../src/model/qwen2.ts";
import {
  type DpoOptions,
  dpoLoss,
  onlineReference,
  type PreferenceRows,
  preferenceBatch,
  referenceLogps,
} from "../../src/train/dpo.ts";
import { type LossFunction, type StepMetrics, train } from "../../src/train/loop.ts";
import { PAPER_ADAMW } from "../../src/train/optimizer.ts";
import { ENGINES } from "../engines.ts";
import { constant, largest, measure, randomIds, snapshot, TINY, tokenLogprobsOf } from "./tiny.ts";

const T = 16;
const BETA = 0.1;
const DPO = { lossType: "sigmoid", beta: BETA } as const;
const pairs = [0, 1, 2].map((i) => ({
  language: "en" as const,
  prompt: randomIds(4 + i, `prompt ${i}`),
  chosen: randomIds(3 + i, `chosen ${i}`),
  rejected: randomIds(5, `rejected ${i}`),
  reference: "",
}));
type Pair = (typeof pairs)[number];
const rowsOf = (
  { prompt, chosen, rejected }: Pair,
  reference: { chosen: number; rejected: number },
): PreferenceRows => ({
  chosen: answerRow(prompt, chosen, T, 0),
  rejected: answerRow(prompt, rejected, T, 0),
  referenceChosen: reference.chosen,
  referenceRejected: reference.rejected,
});
/** Summed log-probabilities of the two answers. */
function score(parameters: Parameters, pair: Pair) {
  const { chosen, rejected } = rowsOf(pair, { chosen: 0, rejected: 0 });
  const sum = (row: PackedRow) =>
    tokenLogprobsOf(parameters, row).reduce((a, x, t) => a + (row.labels[t] < 0 ? 0 : x), 0);
  return { chosen: sum(chosen), rejected: sum(rejected) };
}
const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;

describe.each(ENGINES)("engine %s", (engine) => {
  let reference: Parameters;
  const batch = (some = pairs) => preferenceBatch(some.map((pair) => rowsOf(pair, score(reference, pair))));

  beforeAll(async () => {
    await startEngine(engine);
    reference = initParameters(TINY, 1);
  });

  test("a batch is the chosen rows, then the rejected ones, and the reference's log-probabilities", () => {
    const rows = pairs.slice(0, 2).map((pair, i) => rowsOf(pair, { chosen: -1 - i, rejected: -3 - i }));
    const tensors = preferenceBatch(rows);
    const ids = tensors.inputIds.arraySync() as number[][];
    expect(ids).toEqual(
      [rows[0].chosen, rows[1].chosen, rows[0].rejected, rows[1].rejected].map((row) => [...row.inputIds]),
    );
    expect(tensors.referenceChosen.arraySync()).toEqual([-1, -2]);
    expect(tensors.referenceRejected.arraySync()).toEqual([-3, -4]);
    tf.dispose(tensors);
  });

  test("starts at ln 2 with rewards 0; a tie is not a win", () => {
    const { loss, metrics } = measure(dpoLoss(TINY, DPO), reference, batch());
    expect(loss).toBeCloseTo(Math.LN2, 5);
    expect(metrics["rewards/margins"]).toBeCloseTo(0, 5);
    // exactly equal: the reference's numbers are the policy's own
    const rows = pairs.map((pair) => rowsOf({ ...pair, rejected: pair.chosen }, { chosen: -9, rejected: -9 }));
    const tied = measure(dpoLoss(TINY, DPO), reference, preferenceBatch(rows));
    expect(tied.metrics["rewards/margins"]).toBe(0);
    expect(tied.metrics["rewards/accuracies"]).toBe(0);
  });

  test("an answer against itself teaches nothing: its two gradients cancel", () => {
    const same = rowsOf({ ...pairs[0], rejected: pairs[0].chosen }, { chosen: -9, rejected: -9 });
    const other = rowsOf(pairs[0], { chosen: -9, rejected: -9 });
    const { gradients } = measure(dpoLoss(TINY, DPO), reference, preferenceBatch([same]));
    const scale = largest(measure(dpoLoss(TINY, DPO), reference, preferenceBatch([other])).gradients);
    expect(scale).toBeGreaterThan(0.01);
    expect(largest(gradients)).toBeLessThan(1e-6 * scale); // rounding: the rows are summed in one matrix product
  });

  test("metrics are the policy's and the reference's log-probabilities, averaged over pairs", () => {
    const policy = initParameters(TINY, 2);
    const now = pairs.map((pair) => score(policy, pair));
    const before = pairs.map((pair) => score(reference, pair));
    const { loss, metrics } = measure(dpoLoss(TINY, DPO), policy, batch());
    const chosen = now.map((x, i) => BETA * (x.chosen - before[i].chosen));
    const rejected = now.map((x, i) => BETA * (x.rejected - before[i].rejected));
    const margins = chosen.map((x, i) => x - rejected[i]);
    expect(metrics["logps/chosen"]).toBeCloseTo(mean(now.map((x) => x.chosen)), 4);
    expect(metrics["logps/rejected"]).toBeCloseTo(mean(now.map((x) => x.rejected)), 4);
    expect(metrics["rewards/chosen"]).toBeCloseTo(mean(chosen), 4);
    expect(metrics["rewards/rejected"]).toBeCloseTo(mean(rejected), 4);
    expect(metrics["rewards/margins"]).toBeCloseTo(metrics["rewards/chosen"] - metrics["rewards/rejected"], 5);
    expect(metrics["rewards/accuracies"]).toBeCloseTo(mean(margins.map((x) => (x > 0 ? 1 : 0))), 6);
    expect(loss).toBeCloseTo(mean(margins.map((x) => Math.log1p(Math.exp(-x)))), 4);
    tf.dispose(policy);
  });

  test("a pair's loss does not depend on the pairs beside it or their order", () => {
    const alone = pairs.map((pair) => measure(dpoLoss(TINY, DPO), reference, batch([pair])));
    const together = measure(dpoLoss(TINY, DPO), reference, batch([...pairs].reverse()));
    expect(together.loss).toBeCloseTo(mean(alone.map(({ loss }) => loss)), 5);
  });

  test("training moves the policy and not the reference, whose answers stay what they were", async () => {
    const policy = Object.fromEntries(Object.entries(reference).map(([name, x]) => [name, tf.clone(x)]));
    const before = snapshot(reference);
    const scores = pairs.map((pair) => score(reference, pair));
    const seen: Record<string, number>[] = [];
    await train(policy, {
      lossFunction: dpoLoss(TINY, DPO),
      steps: 8,
      tokensPerStep: 2 * pairs.length * T,
      batchAt: () => preferenceBatch(pairs.map((pair, i) => rowsOf(pair, scores[i]))),
      schedule: constant(0.01),
      optimizer: PAPER_ADAMW,
      onStep: (_, __, metrics) => seen.push(metrics),
    });
    expect(seen[0].loss).toBeCloseTo(Math.LN2, 5);
    expect(seen[7].loss).toBeLessThan(0.5);
    expect(seen[7]["rewards/accuracies"]).toBe(1);
    expect(snapshot(reference)).toEqual(before);
    expect(pairs.map((pair) => score(reference, pair))).toEqual(scores);
    expect(score(policy, pairs[0]).chosen).not.toBeCloseTo(scores[0].chosen, 2);
    tf.dispose(policy);
  });
});

describe("on one engine", () => {
  let reference: Parameters;
  let policy: Parameters;

  beforeAll(async () => {
    await startEngine("onnx");
    reference = initParameters(TINY, 1);
    policy = initParameters(TINY, 2);
  });
  const rows = pairs.map((pair) => rowsOf(pair, { chosen: 0, rejected: 0 }));
  /** The pairs with what the reference says of them. */
  const known = (options: DpoOptions) => {
    const batch = preferenceBatch(rows);
    const logps = tf.tidy(() => {
      const { referenceChosen, referenceRejected } = referenceLogps(TINY, reference, batch, options);
      return [referenceChosen.dataSync(), referenceRejected.dataSync()];
    });
    tf.dispose(batch);
    return rows.map((row, i) => ({ ...row, referenceChosen: logps[0][i], referenceRejected: logps[1][i] }));
  };

  test.each<DpoOptions>([DPO, { ...DPO, lossType: "ipo", ldAlpha: 0.5 }])(
    "a reference at each step gives what a precomputed one gives, and stays as it is: %o",
    async (options) => {
      const run = async (lossFunction: LossFunction, batchRows: PreferenceRows[]) => {
        const trained = Object.fromEntries(Object.entries(policy).map(([name, x]) => [name, tf.clone(x)]));
        const log: StepMetrics[] = [];
        await train(trained, {
          ...{ lossFunction, steps: 4, tokensPerStep: 1, schedule: constant(3e-3), optimizer: PAPER_ADAMW },
          batchAt: () => preferenceBatch(batchRows),
          onStep: (_, __, metrics) => log.push(metrics),
        });
        const values = snapshot(trained);
        tf.dispose(trained);
        return { log, values };
      };
      const before = snapshot(reference);
      const online = await run(onlineReference(TINY, reference, options), rows);
      const precomputed = await run(dpoLoss(TINY, options), known(options));
      const numbers = (log: StepMetrics[]) => log.flatMap((step) => Object.values(step));
      expect(numbers(online.log)).toBeAllClose(numbers(precomputed.log), { rtol: 1e-5, atol: 1e-5 });
      for (const [name, values] of Object.entries(online.values))
        expect(values, name).toBeAllClose(precomputed.values[name], { atol: 5e-5 });
      expect(snapshot(reference)).toEqual(before);
    },
  );

  test("a reference that is computed at each step is a constant: TensorFlow.js finds no way from the loss to it", () => {
    const batch = preferenceBatch(rows);
    const names = Object.keys(reference);
    const lossOfReference = (...values: tf.Tensor[]) => {
      const frozen = Object.fromEntries(names.map((name, i) => [name, values[i]]));
      return onlineReference(TINY, frozen, DPO)(policy, batch).loss;
    };
    const gradients = () => tf.tidy(() => tf.grads(lossOfReference)(names.map((name) => reference[name])));
    expect(gradients).toThrow("Cannot compute gradient of y=f(x) with respect to x");
    tf.dispose(batch);
  });

  const lossOf = (options: DpoOptions, batchRows = known(options)) =>
    measure(dpoLoss(TINY, options), policy, preferenceBatch(batchRows)).loss;

  test("ldAlpha 1 is DPO", () => {
    expect(lossOf({ ...DPO, ldAlpha: 1 })).toBe(lossOf(DPO));
  });

  test("ldAlpha 0: tokens of the longer answer past the length of the shorter one do not matter", () => {
    const [pair] = pairs; // 3 tokens against 5
    const shorter = { ...pair, rejected: pair.rejected.slice(0, 3) };
    const of = (some: Pair, ldAlpha: number) => {
      const row = rowsOf(some, { chosen: -9, rejected: -9 });
      return measure(dpoLoss(TINY, { ...DPO, ldAlpha }), policy, preferenceBatch([row])).loss;
    };
    expect(of(pair, 0)).toBeCloseTo(of(shorter, 0), 6);
    expect(of(pair, 0)).toBeCloseTo(of(shorter, 1), 6);
    expect(Math.abs(of(pair, 1) - of(shorter, 1))).toBeGreaterThan(0.01);
  });

  test("rpoAlpha adds so many times the cross-entropy of the chosen answers, over their tokens", () => {
    const tokens = pairs.reduce((n, pair) => n + pair.chosen.length, 0);
    const crossEntropy = -pairs.reduce((sum, pair) => sum + score(policy, pair).chosen, 0) / tokens;
    expect(lossOf({ ...DPO, lossType: "sft" })).toBeCloseTo(crossEntropy, 4);
    expect(lossOf({ ...DPO, rpoAlpha: 0.3 }) - lossOf(DPO)).toBeCloseTo(0.3 * crossEntropy, 4);
  });

  test("refuses an answer with nothing to count, and options that its loss does not know", () => {
    const empty = { ...rows[0], rejected: answerRow(pairs[0].prompt, [], T, 0) };
    expect(() => preferenceBatch([rows[1], empty])).toThrow("pair 1 of a batch: its rejected answer has no token");
    expect(() => dpoLoss(TINY, { ...DPO, beta: 0 })).toThrow("beta");
    expect(() => dpoLoss(TINY, { ...DPO, lossType: "hinge", labelSmoothing: 0.1 })).toThrow("labelSmoothing");
  });
});

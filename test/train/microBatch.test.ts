/**
 * @file Micro-batches: losses, metrics, gradients and so the trained parameters equal those of the whole batch, however
 * unevenly the target tokens fall.
 */
import * as tf from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { answerRow } from "../../src/data/chatRows.ts";
import type { PackedRow } from "../../src/data/pack.ts";
import { startEngine, type TensorMap } from "../../src/engine/engine.ts";
import { initParameters } from "../../src/model/init.ts";
import { batchOf, microBatches, targetsOf } from "../../src/train/batch.ts";
import { dpoLoss, type PreferenceRows, preferenceBatch } from "../../src/train/dpo.ts";
import { type LossFunction, type StepMetrics, train } from "../../src/train/loop.ts";
import { PAPER_ADAMW } from "../../src/train/optimizer.ts";
import { sftLoss } from "../../src/train/sft.ts";
import { ENGINES } from "../engines.ts";
import { constant, largest, measure, randomIds, snapshot, TINY } from "./tiny.ts";

const T = 10;
const DPO = { lossType: "ipo", beta: 0.1, rpoAlpha: 0.5, ldAlpha: 0.5 } as const; // means of tokens and of pairs
const FULL = { metrics: "full" } as const;
/** A row with that many targets. */
const row = (targets: number, name: string) =>
  answerRow(randomIds(2, `prompt ${name}`), randomIds(targets, `answer ${name}`), T, 0);
const UNEVEN = [7, 1, 0, 3, 8]; // one row has nothing to learn
const rowsOf = (step: number, targets = UNEVEN) => targets.map((n, i) => row(n, `${step} ${i}`));
const pairsOf = (step: number): PreferenceRows[] =>
  [0, 1, 2].map((i) => ({
    chosen: row(2 + i, `chosen ${step} ${i}`),
    rejected: row(5 - i, `rejected ${step} ${i}`),
    referenceChosen: -8 - i,
    referenceRejected: -9 + i,
  }));
const splitRows = (rows: PackedRow[], size: number) => microBatches(rows, size, batchOf, targetsOf);
const splitPairs = (pairs: PreferenceRows[], size: number) => microBatches(pairs, size, preferenceBatch, () => 1);

test("the targets of a row are its labels but the first, which nothing predicts", () => {
  expect(rowsOf(0).map(targetsOf)).toEqual(UNEVEN);
  const all = { ...row(3, "x"), labels: Int32Array.from({ length: T }, (_, t) => t) };
  expect(targetsOf(all)).toBe(T - 1);
});

describe.each(ENGINES)("engine %s", (engine) => {
  beforeEach(async () => {
    await startEngine(engine);
  });

  async function run(lossFunction: LossFunction, batchAt: (step: number) => TensorMap | TensorMap[]) {
    const parameters = initParameters(TINY, 1);
    const before = tf.memory().numTensors;
    const log: StepMetrics[] = [];
    const options = { steps: 4, tokensPerStep: 1, schedule: constant(1e-3), optimizer: PAPER_ADAMW };
    await train(parameters, { ...options, lossFunction, batchAt, onStep: (_, __, metrics) => log.push(metrics) });
    expect(tf.memory().numTensors).toBe(before);
    const values = snapshot(parameters);
    tf.dispose(parameters);
    return { log, values };
  }

  /** Everything that four steps log and leave must agree to the rounding of float32. */
  function expectSame(split: Awaited<ReturnType<typeof run>>, whole: typeof split) {
    expect(split.log.map(Object.keys)).toEqual(whole.log.map(Object.keys));
    const numbers = (log: StepMetrics[]) => log.flatMap(Object.values);
    expect(numbers(split.log)).toBeAllClose(numbers(whole.log), { atol: 1e-5, rtol: 1e-5 });
    // AdamW divides by a gradient's own size, so a rounding error of a tiny gradient may move its parameter by a
    // fraction of the step of 1e-3
    for (const [name, values] of Object.entries(split.values))
      expect(values, name).toBeAllClose(whole.values[name], { atol: 5e-5 });
  }

  // other sizes: the property at the end
  test("fine-tuning with 2 of 5 rows at a time", async () => {
    const whole = await run(sftLoss(TINY, FULL), (step) => batchOf(rowsOf(step)));
    expect(whole.log[0].answer_tokens).toBe(19);
    expectSame(await run(sftLoss(TINY, FULL), (step) => splitRows(rowsOf(step), 2)), whole);
  });

  test("DPO with 2 of 3 pairs at a time", async () => {
    const whole = await run(dpoLoss(TINY, DPO, FULL), (step) => preferenceBatch(pairsOf(step)));
    expectSame(await run(dpoLoss(TINY, DPO, FULL), (step) => splitPairs(pairsOf(step), 2)), whole);
  });

  test("the mean of the micro-batches' means would be something else", async () => {
    const parameters = initParameters(TINY, 1);
    const rows = rowsOf(0).filter((_, i) => i !== 2); // a row without target has no mean
    const means = rows.map((one) => measure(sftLoss(TINY), parameters, batchOf([one])).loss);
    const { loss } = measure(sftLoss(TINY), parameters, batchOf(rows));
    expect(Math.abs(means.reduce((a, b) => a + b, 0) / means.length - loss)).toBeGreaterThan(0.01);
    tf.dispose(parameters);
  });
});

test("any split of any rows has the loss and the gradients of the whole", async () => {
  await startEngine("onnx");
  const parameters = initParameters(TINY, 1);
  const targets = fc.array(fc.integer({ min: 0, max: 8 }), { minLength: 2, maxLength: 5 });
  fc.assert(
    fc.property(
      targets.filter((counts) => counts.some((n) => n > 0)),
      fc.integer({ min: 1, max: 5 }),
      (counts, size) => {
        const rows = rowsOf(0, counts);
        const whole = measure(sftLoss(TINY), parameters, batchOf(rows));
        const parts = splitRows(rows, size).map((part) => measure(sftLoss(TINY), parameters, part));
        expect(parts).toHaveLength(Math.ceil(rows.length / Math.min(size, rows.length)));
        const sum = (values: number[]) => values.reduce((a, b) => a + b, 0);
        expect(sum(parts.map(({ loss }) => loss))).toBeCloseTo(whole.loss, 5);
        expect(sum(parts.map(({ metrics }) => metrics.answer_tokens))).toBe(sum(counts));
        const scale = largest(whole.gradients);
        for (const [name, gradient] of Object.entries(whole.gradients)) {
          const total = gradient.map((_, i) => sum(parts.map(({ gradients }) => gradients[name][i])));
          expect(total, name).toBeAllClose(gradient, { atol: 1e-6 * scale, rtol: 1e-5 });
        }
      },
    ),
    { numRuns: 20 },
  );
  tf.dispose(parameters);
});

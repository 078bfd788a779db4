/**
 * @file The losses: DPO's sigmoid loss by its properties (Rafailov et al. 2023), cross-entropy by what it counts.
 */
import * as tf from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { answerRow } from "../../src/data/chatRows.ts";
import { IGNORE, type PackedRow, packExamples } from "../../src/data/pack.ts";
import { startEngine } from "../../src/engine/engine.ts";
import { initParameters } from "../../src/model/init.ts";
import type { Parameters } from "../../src/model/qwen2.ts";
import { batchOf } from "../../src/train/batch.ts";
import { crossEntropy, dpoSigmoid, sequenceLogprob } from "../../src/train/losses.ts";
import { pretrainLoss } from "../../src/train/pretrain.ts";
import { sftLoss } from "../../src/train/sft.ts";
import { ENGINES } from "../engines.ts";
import { largest, measure, pretrainingBatch, randomIds, TINY, tokenLogprobsOf } from "./tiny.ts";

/** Policy and reference log-probabilities of one pair: [policy chosen, policy rejected, ref. chosen, ref. rejected]. */
type Pair = [number, number, number, number];

/** The terms of many pairs. */
function dpo(pairs: Pair[], beta: number) {
  return tf.tidy(() => {
    const [a, b, c, d] = [0, 1, 2, 3].map((i) => tf.tensor1d(pairs.map((pair) => pair[i])));
    const { losses, chosenRewards, rejectedRewards } = dpoSigmoid(a, b, c, d, beta);
    return [losses, chosenRewards, rejectedRewards].map((x) => Array.from(x.dataSync()));
  });
}
const losses = (pairs: Pair[], beta: number) => dpo(pairs, beta)[0];

/** Multiples of 1/8 up to 512, and a power of two as β: float32 computes their sums and products exactly. */
const BETA = 0.125;
const nats = fc.integer({ min: -4096, max: 4096 }).map((n) => n / 8);
const pair = fc.tuple(nats, nats, nats, nats);
const pairs = fc.array(pair, { minLength: 12, maxLength: 12 }); // one length: one program

describe("DPO's sigmoid loss", () => {
  beforeAll(async () => {
    await startEngine("cpu");
  });

  test("is ln 2 with rewards 0 while policy and reference are the same", () => {
    fc.assert(
      fc.property(pairs, fc.double({ min: 0.01, max: 1, noNaN: true }), (drawn, beta) => {
        const [loss, chosen, rejected] = dpo(
          drawn.map(([c, r]) => [c, r, c, r]),
          beta,
        );
        expect(loss).toBeAllClose(Array(12).fill(Math.LN2), { atol: 1e-7 });
        expect([...chosen, ...rejected]).toEqual(Array(24).fill(0));
      }),
    );
  });

  test("does not change when a constant is added to two or four of the log-probabilities", () => {
    fc.assert(
      fc.property(pairs, nats, (drawn, s) => {
        const expected = losses(drawn, BETA);
        const shifted = (by: Pair) =>
          losses(
            drawn.map((p) => p.map((x, i) => x + by[i]) as Pair),
            BETA,
          );
        expect(shifted([s, s, 0, 0])).toEqual(expected); // exact arithmetic, see `nats`
        expect(shifted([s, 0, s, 0])).toEqual(expected);
        expect(shifted([s, s, s, s])).toEqual(expected);
      }),
    );
  });

  test("L(x) - L(-x) = -x, and swapping the answers negates the margin", () => {
    fc.assert(
      fc.property(pairs, (drawn) => {
        const [forward, chosen, rejected] = dpo(drawn, BETA);
        const swapped = dpo(
          drawn.map(([a, b, c, d]) => [b, a, d, c]),
          BETA,
        );
        const margins = chosen.map((x, i) => x - rejected[i]);
        expect(forward.map((x, i) => x - swapped[0][i])).toBeAllClose(
          margins.map((x) => -x),
          { atol: 1e-5, rtol: 1e-6 },
        );
        expect(swapped[1]).toEqual(rejected);
        for (const [i, x] of forward.entries()) expect(x + swapped[0][i]).toBeGreaterThanOrEqual(2 * Math.LN2 - 1e-6);
      }),
    );
  });

  test("falls as Δ grows, to 0; and is -βΔ far on the other side", () => {
    const deltas = Array.from({ length: 201 }, (_, i) => (i - 100) * 8);
    const curve = losses(
      deltas.map((delta) => [delta, 0, 0, 0]),
      BETA,
    );
    for (let i = 1; i < curve.length; i++) expect(curve[i]).toBeLessThanOrEqual(curve[i - 1]);
    expect(curve[0]).toBe(100);
    expect(curve[200]).toBeLessThan(1e-40);
    for (let i = 1; i + 1 < curve.length; i++)
      expect(curve[i - 1] + curve[i + 1]).toBeGreaterThanOrEqual(2 * curve[i] - 1e-5); // convex
  });

  test("a smaller β brings it to ln 2 and its gradient to 0", () => {
    expect(losses([[-10, -30, -25, -5]], 1e-6)).toBeAllClose([Math.LN2], { atol: 1e-4 });
  });
});

describe.each(ENGINES)("engine %s", (engine) => {
  let parameters: Parameters;
  beforeAll(async () => {
    await startEngine(engine);
    parameters = initParameters(TINY, 1);
  });

  test("DPO stays finite at |βΔ| = 1e4", () => {
    const [big, small] = losses(
      [
        [-1e5, 0, 0, 0],
        [1e5, 0, 0, 0],
      ],
      0.1,
    );
    expect(big).toBeCloseTo(1e4, 2);
    expect(small).toBe(0);
  });

  test("DPO's gradients are -β σ(-βΔ) and its opposite: β/2 where policy and reference agree", () => {
    const drawn: Pair[] = [[-20, -30, -20, -30], ...fc.sample(pair, { numRuns: 11, seed: 1 })];
    const [pc, pr, rc, rr] = [0, 1, 2, 3].map((i) => tf.tensor1d(drawn.map((p) => p[i])));
    const [dc, dr] = tf.grads((c: tf.Tensor, r: tf.Tensor) => tf.sum(dpoSigmoid(c, r, rc, rr, BETA).losses))([pc, pr]);
    const expected = drawn.map(([a, b, c, d]) => -BETA / (1 + Math.exp(BETA * (a - c - (b - d)))));
    expect(expected[0]).toBe(-BETA / 2);
    expect(dc.dataSync()).toBeAllClose(expected, { atol: 1e-7 });
    expect(dr.dataSync()).toBeAllClose(
      expected.map((x) => -x),
      { atol: 1e-7 },
    );
  });

  test("cross-entropy divides by the counted tokens of the whole batch, not row by row", () => {
    const logprobs = tf.tensor2d([
      [-1, -2, -3],
      [-6, 0, 0],
    ]);
    const counted = tf.tensor2d([
      [1, 1, 1],
      [1, 0, 0],
    ]);
    expect(crossEntropy(logprobs, counted).dataSync()[0]).toBe(12 / 4); // the mean of row means would be 4
    expect([...sequenceLogprob(logprobs).dataSync()]).toEqual([-6, -6]);
  });

  test("cross-entropy of uniform logits is ln V", () => {
    const zeros = Object.fromEntries(Object.entries(parameters).map(([name, x]) => [name, tf.zerosLike(x)]));
    expect(measure(pretrainLoss(TINY), zeros, pretrainingBatch(0)).loss).toBeCloseTo(Math.log(TINY.vocabSize), 5);
  });

  test("pretraining predicts every token but the first of a row from what precedes it", () => {
    const rows = [0, 1].map((i) => {
      const ids = Int32Array.from(randomIds(16, `row ${i}`));
      const positionIds = Int32Array.from(ids, (_, t) => t);
      return { inputIds: ids, labels: ids, documentIds: new Int32Array(16), positionIds };
    });
    const expected = rows.flatMap((row) => tokenLogprobsOf(parameters, row)).reduce((a, b) => a - b, 0) / (2 * 15);
    expect(measure(pretrainLoss(TINY), parameters, batchOf(rows)).loss).toBeCloseTo(expected, 4);
  });

  describe("fine-tuning", () => {
    const prompt = randomIds(5, "prompt");
    const answer = [...randomIds(4, "answer"), 2]; // 2: the end of the answer
    const [T, PAD] = [12, 0];
    const row = answerRow(prompt, answer, T, PAD);
    const lossOf = (...rows: PackedRow[]) => measure(sftLoss(TINY), parameters, batchOf(rows));

    test("averages over the answer and its end, from its first token on: no prompt, no padding", () => {
      const logprobs = tokenLogprobsOf(parameters, row);
      const expected = -logprobs.slice(5, 10).reduce((a, b) => a + b, 0) / 5;
      const { loss, metrics } = lossOf(row);
      expect(loss).toBeCloseTo(expected, 4);
      expect(metrics.answer_tokens).toBe(5);
    });

    test("the first answer token counts: another one changes the loss by its share", () => {
      const other = { ...row, labels: row.labels.slice() };
      other.labels[5] = IGNORE;
      const logprobs = tokenLogprobsOf(parameters, row);
      expect(lossOf(row).loss * 5 - lossOf(other).loss * 4).toBeCloseTo(-logprobs[5], 4);
    });

    test("the last real token is not asked to predict padding, whatever the id and the amount", () => {
      const expected = lossOf(row);
      for (const padId of [1, 2, 39]) {
        const { loss, gradients } = lossOf(answerRow(prompt, answer, T, padId));
        expect(loss).toBeCloseTo(expected.loss, 6);
        expect(gradients["model.norm.weight"]).toBeAllClose(expected.gradients["model.norm.weight"], { atol: 1e-6 });
      }
      for (const longer of [10, 20]) {
        const { loss, gradients } = lossOf(answerRow(prompt, answer, longer, PAD));
        expect(loss).toBeCloseTo(expected.loss, 6);
        for (const [name, gradient] of Object.entries(gradients))
          expect(gradient, name).toBeAllClose(expected.gradients[name], { atol: 1e-5 });
      }
    });

    test("padding rows and ignored labels have no gradient of their own", () => {
      const nothing = { ...row, labels: new Int32Array(T).fill(IGNORE) };
      const alone = lossOf(row);
      const beside = lossOf(row, nothing);
      expect(beside.loss).toBeCloseTo(alone.loss, 6);
      for (const [name, gradient] of Object.entries(beside.gradients))
        expect(gradient, name).toBeAllClose(alone.gradients[name], { atol: 1e-6 });
    });

    test("examples packed in one row give the loss and the gradients of separate rows", () => {
      const examples = [3, 5, 7].map((length, i) => ({
        inputIds: randomIds(length, `example ${i}`),
        lossMask: Array.from({ length }, (_, t) => (t >= 2 ? 1 : 0)),
      }));
      const packed = packExamples(examples, 16, PAD).rows;
      expect(packed).toHaveLength(1);
      const separate = examples.flatMap((example) => packExamples([example], 16, PAD).rows);
      const [together, apart] = [lossOf(...packed), lossOf(...separate)];
      expect(together.metrics.answer_tokens).toBe(1 + 3 + 5);
      expect(together.loss).toBeCloseTo(apart.loss, 5);
      const scale = largest(apart.gradients);
      for (const [name, gradient] of Object.entries(together.gradients))
        expect(gradient, name).toBeAllClose(apart.gradients[name], { atol: 1e-5 * scale });
      const leaky = { ...packed[0], documentIds: new Int32Array(16) };
      expect(Math.abs(lossOf(leaky).loss - apart.loss)).toBeGreaterThan(1e-3); // the test can fail
    });
  });
});

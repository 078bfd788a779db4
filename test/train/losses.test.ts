/**
 * @file Cross-entropy of a model by what it counts. The formulas: test/losses, and tensorLosses.test.ts on every engine.
 */
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { answerRow } from "../../src/data/chatRows.ts";
import { IGNORE, type PackedRow, packExamples } from "../../src/data/pack.ts";
import { startEngine } from "../../src/engine/engine.ts";
import { initParameters } from "../../src/model/init.ts";
import type { Parameters } from "../../src/model/qwen2.ts";
import { batchOf } from "../../src/train/batch.ts";
import { crossEntropy, sequenceLogprob } from "../../src/train/losses.ts";
import { pretrainLoss } from "../../src/train/pretrain.ts";
import { sftLoss } from "../../src/train/sft.ts";
import { ENGINES } from "../engines.ts";
import { largest, measure, pretrainingBatch, randomIds, TINY, tokenLogprobsOf } from "./tiny.ts";

describe.each(ENGINES)("engine %s", (engine) => {
  let parameters: Parameters;
  beforeAll(async () => {
    await startEngine(engine);
    parameters = initParameters(TINY, 1);
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

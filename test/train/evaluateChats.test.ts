/** @file Evaluation of held-out answers: by hand, from the logits in float64, on every engine. */
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { packExamples } from "../../src/data/pack.ts";
import { startEngine } from "../../src/engine/engine.ts";
import { initParameters } from "../../src/model/init.ts";
import { decoder, logits, type Parameters } from "../../src/model/qwen2.ts";
import { causalMask } from "../../src/ops/attention.ts";
import { batchOf } from "../../src/train/batch.ts";
import { makeChatEvaluator } from "../../src/train/evaluateChats.ts";
import { ENGINES } from "../engines.ts";
import { randomIds, TINY, tokenLogprobsOf } from "./tiny.ts";

const LANGUAGES = ["en", "de", "ne", "en", "xx"];
const examples = LANGUAGES.map((_, i) => {
  const inputIds = randomIds(5 + 2 * i, `evaluation ${i}`);
  return { inputIds, lossMask: inputIds.map((_, t) => Number(t >= 2 && t % 3 !== 1)) };
});
const { rows, members } = packExamples(examples, 16, 0);

describe.each(ENGINES)("%s", (engine) => {
  let parameters: Parameters;
  beforeAll(async () => {
    await startEngine(engine);
    parameters = initParameters(TINY, 3);
  });

  test("loss and accuracy are means over the answers' tokens, of all, of each language and of each group", async () => {
    const expected: Record<string, { nats: number; correct: number; tokens: number }> = {};
    for (const [r, row] of rows.entries()) {
      const logprobs = tokenLogprobsOf(parameters, row);
      const likeliest = tf.tidy(() => {
        const { inputIds, positionIds, documentIds } = batchOf([row]);
        const { hidden } = decoder(parameters, TINY, { inputIds, positionIds, mask: causalMask(documentIds) });
        return tf.argMax(logits(parameters, TINY, hidden), 1).dataSync();
      });
      row.labels.forEach((label, t) => {
        if (label < 0) return;
        const language = LANGUAGES[members[r][row.documentIds[t] - 1]];
        const group = { en: "english", de: "otherHR", ne: "LR", xx: "" }[language];
        for (const name of ["eval", `eval_${language}`, ...(group ? [`eval_${group}`] : [])]) {
          expected[name] ??= { nats: 0, correct: 0, tokens: 0 };
          expected[name].nats -= logprobs[t];
          expected[name].correct += Number(likeliest[t - 1] === label);
          expected[name].tokens++;
        }
      });
    }
    const languages = members.map((row) => row.map((i) => LANGUAGES[i]));
    const before = tf.memory().numTensors;
    const evaluator = makeChatEvaluator(TINY, { rows, languages });
    const metrics = await evaluator.evaluate(parameters);
    evaluator.dispose();
    expect(tf.memory().numTensors).toBe(before);
    expect(Object.keys(metrics).length).toBe(2 * Object.keys(expected).length);
    for (const [name, { nats, correct, tokens }] of Object.entries(expected)) {
      expect(metrics[`${name}_loss`] / (nats / tokens)).toBeCloseTo(1, 5);
      expect(metrics[`${name}_mean_token_accuracy`]).toBe(correct / tokens);
    }
    expect(Object.keys(expected).sort()).toEqual(
      ["eval", "eval_LR", "eval_de", "eval_en", "eval_english", "eval_ne", "eval_otherHR", "eval_xx"].sort(),
    );
  });
});

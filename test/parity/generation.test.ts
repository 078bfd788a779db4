/**
 * @file Hugging Face's answers (test/fixtures/generation/make.py) on every engine: greedy in a batch of prompts of five
 * lengths, repetition penalty, beam search. `npm test` and the slow engines have a few of the cases,
 * `npm run parity` all.
 */
import { beforeAll, describe, expect, test } from "vitest";
import { loadModel } from "../../src/model/checkpoint.ts";
import { type Generator, makeGenerator } from "../../src/model/generate.ts";
import type { Parameters } from "../../src/model/qwen2.ts";
import { GOLDEN } from "../fixtures/generation/golden.ts";
import { FULL, onEveryEngine, SLOW } from "./engines.ts";

onEveryEngine((engine) => {
  describe.each(["tied", "untied"] as const)("answers of the %s model", (name) => {
    const { prompts, cases } = GOLDEN[name];
    const some = FULL && !SLOW.includes(engine) ? cases : cases.filter((_, i) => [1, 5, 17].includes(i));
    let parameters: Parameters;
    let generate: Generator;
    beforeAll(() => {
      const model = loadModel(`test/fixtures/qwen2/${name}`);
      parameters = model.parameters;
      generate = makeGenerator(model.config, 32, 0);
    });

    test.each(some.map((one) => ({ ...one, title: JSON.stringify(one.options) })))(
      "$title",
      async ({ options, answers, scores }) => {
        const got = await generate(parameters, prompts, options);
        expect(got.map(({ ids }) => ids)).toEqual(answers);
        if (scores) expect(got.map(({ score }) => score!)).toBeAllClose(scores, { atol: 1e-4 });
      },
    );
  });
});

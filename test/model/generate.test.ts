/**
 * @file Answers on the default engine: those of Hugging Face (test/parity/generation.test.ts has some of them on every
 * engine), what ends them, streams, seeds, and which options are refused.
 */
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { startEngine } from "../../src/engine/engine.ts";
import { loadModel } from "../../src/model/checkpoint.ts";
import { type Generator, makeGenerator } from "../../src/model/generate.ts";
import type { GenerateOptions } from "../../src/model/generateOptions.ts";
import { initParameters } from "../../src/model/init.ts";
import type { Parameters } from "../../src/model/qwen2.ts";
import { UserError } from "../../src/util/assert.ts";
import { GOLDEN } from "../fixtures/generation/golden.ts";
import { randomIds, TINY } from "../train/tiny.ts";

beforeAll(async () => {
  await startEngine("onnx");
});

describe.each(["tied", "untied"] as const)("Hugging Face's answers of the %s model", (name) => {
  let answer: (options: GenerateOptions, prompts?: number[][]) => ReturnType<Generator>;
  const { prompts, cases } = GOLDEN[name];
  const some = name === "tied" ? cases : cases.filter((_, i) => i % 4 === 0); // all: npm run parity
  beforeAll(() => {
    const { parameters, config } = loadModel(`test/fixtures/qwen2/${name}`);
    const generate = makeGenerator(config, 32, 0);
    answer = (options, some = prompts) => generate(parameters, some, options);
  });

  test.each(some.map((one) => ({ ...one, title: JSON.stringify(one.options) })))(
    "$title",
    async ({ options, answers, reasons, scores }) => {
      const got = await answer(options);
      expect(got.map(({ ids }) => ids)).toEqual(answers);
      expect(got.map(({ finishReason }) => finishReason)).toEqual(reasons);
      expect(got.map(({ score }) => score ?? 0)).toBeAllClose(scores ?? got.map(() => 0), { atol: 1e-4 });
    },
  );

  test("beams do not depend on what else is in the batch", async () => {
    const options: GenerateOptions = { maxNewTokens: 12, numBeams: 3, stopIds: cases[2].options.stopIds };
    const alone = await Promise.all(prompts.map(async (prompt) => (await answer(options, [prompt]))[0].ids));
    const many = Array.from({ length: 13 }, (_, i) => prompts[i % prompts.length]); // more than a run takes
    expect((await answer(options, many)).map(({ ids }) => ids)).toEqual(many.map((_, i) => alone[i % prompts.length]));
  });
});

describe("answers", () => {
  const CONTEXT = 32;
  const prompts = [2, 5, 9].map((length) => randomIds(length, `prompt ${length}`));
  const decode = (ids: number[]) => ids.map((id) => String.fromCharCode(97 + (id % 26))).join("");
  let parameters: Parameters;
  let generate: Generator;
  beforeAll(() => {
    parameters = initParameters(TINY, 5);
    generate = makeGenerator(TINY, CONTEXT, 0);
  });
  const answer = (options: Partial<GenerateOptions>, some = prompts) =>
    generate(parameters, some, { maxNewTokens: 10, ...options });
  const idsOf = async (options: Partial<GenerateOptions>, some?: number[][]) =>
    (await answer(options, some)).map(({ ids }) => ids);

  test("sampled with the same seed are the same, with another not; a prompt's do not depend on the others", async () => {
    const options = { doSample: true, seed: 3 };
    const first = await idsOf(options);
    expect(await idsOf(options)).toEqual(first);
    expect(await idsOf({ ...options, seed: 4 })).not.toEqual(first);
    expect(await idsOf(options, [prompts[0]])).toEqual([first[0]]);
    expect((await idsOf(options, [randomIds(20, "other"), prompts[1]]))[1]).toEqual(first[1]);
    const same = await idsOf(options, [prompts[0], prompts[0]]);
    expect(same[0]).not.toEqual(same[1]); // each prompt draws for itself
    const many = Array.from({ length: 40 }, () => prompts[0]); // in two runs
    expect(new Set((await idsOf(options, many)).map(String)).size).toBeGreaterThan(35);
  });

  test("sampled from the likeliest alone are the greedy ones, however that is said", async () => {
    const greedy = await idsOf({});
    expect(await idsOf({ doSample: true, topK: 1 })).toEqual(greedy);
    expect(await idsOf({ doSample: true, topP: 1e-9 })).toEqual(greedy);
    expect(await idsOf({ doSample: true, minP: 1 })).toEqual(greedy);
    expect(await idsOf({ doSample: true, temperature: 1e-6 })).toEqual(greedy);
    expect(await idsOf({ repetitionPenalty: 1 + 1e-12 })).toEqual(greedy); // by way of the host
  });

  test("stream as they come, and are what was streamed", async () => {
    for (const options of [{}, { doSample: true, seed: 1 }, { repetitionPenalty: 1.5 }]) {
      const streamed: number[][] = prompts.map(() => []);
      const answers = await idsOf({ ...options, onToken: (prompt, id) => streamed[prompt].push(id) });
      expect(streamed).toEqual(answers);
    }
  });

  test("end with the token that completes a stop string, or just before a stop id", async () => {
    const [free] = await idsOf({}, [prompts[2]]);
    const text = decode(free);
    const stop = text.slice(3, 6);
    const end = text.indexOf(stop) + 3;
    const ended = await answer({ stopStrings: [stop, "no such text"], decode }, [prompts[2]]);
    expect(ended).toEqual([{ ids: free.slice(0, end), finishReason: "stop" }]);
    const stopId = free[4];
    expect(await answer({ stopIds: [stopId] }, [prompts[2]])).toEqual([
      { ids: free.slice(0, free.indexOf(stopId)), finishReason: "stop" },
    ]);
    const beams = await answer({ numBeams: 2, stopStrings: [stop], decode }, [prompts[2]]);
    const beamText = decode(beams[0].ids);
    expect(beams[0].finishReason === "stop").toBe(beamText.endsWith(stop));
  });

  test("end when a signal says so, with what they have", async () => {
    const free = await idsOf({});
    const controller = new AbortController();
    const onToken = (prompt: number) => {
      if (prompt === 2 && ++heard === 4) controller.abort();
    };
    let heard = 0;
    const stopped = await answer({ onToken, signal: controller.signal });
    expect(stopped).toEqual(free.map((ids) => ({ ids: ids.slice(0, 4), finishReason: "aborted" })));
    expect(await answer({ signal: controller.signal })).toEqual(
      prompts.map(() => ({ ids: [], finishReason: "aborted" })),
    );
    expect(await answer({ numBeams: 2, signal: controller.signal }, [prompts[0]])).toEqual([
      { ids: [], finishReason: "aborted" },
    ]);
  });

  test("leave no tensor behind, however they end", async () => {
    const all: Partial<GenerateOptions>[] = [
      {},
      { doSample: true },
      { numBeams: 3 },
      { numBeams: 3, signal: AbortSignal.abort() },
      { signal: AbortSignal.abort() },
    ];
    for (const options of all) await answer(options);
    const before = tf.memory().numTensors;
    for (const options of all) await answer(options);
    expect(tf.memory().numTensors).toBe(before);
  });

  test("to a prompt that does not fit are refused with what would", async () => {
    const long = randomIds(23, "long");
    await expect(answer({}, [prompts[0], long])).rejects.toThrow(
      "generate: prompt 1 has 23 tokens, which with 10 new ones do not fit the context of 32; shorten it or ask for fewer",
    );
    expect((await idsOf({}, [long.slice(1)]))[0]).toHaveLength(10);
  });

  test.each<[Record<string, unknown>, string]>([
    [{ maxNewTokens: 0 }, "maxNewTokens is 0; expected a whole number of at least 1"],
    [{ maxNewTokens: undefined }, "maxNewTokens is missing"],
    [{ temprature: 1 }, "unknown option temprature; expected maxNewTokens, "],
    [{ doSample: true, topP: 0 }, "topP is 0; expected a number above 0, at most 1"],
    [{ doSample: true, topP: 1.1 }, "topP is 1.1"],
    [{ doSample: true, temperature: 0 }, "temperature is 0; expected a number above 0 (without sampling"],
    [{ doSample: true, temperature: Number.NaN }, "temperature is"],
    [{ doSample: true, topK: 1.5 }, "topK is 1.5; expected a whole number, 0 or more"],
    [{ doSample: true, minP: -0.1 }, "minP is -0.1; expected a number from 0 to 1"],
    [{ repetitionPenalty: 0 }, "repetitionPenalty is 0; expected a number above 0"],
    [{ temperature: 0.7 }, "temperature counts only with doSample: true; leave it out or add that"],
    [{ seed: 1 }, "seed counts only with doSample: true"],
    [{ lengthPenalty: 2 }, "lengthPenalty counts only with numBeams above 1"],
    [{ numBeams: 2, temperature: 0.7 }, "temperature counts only with doSample: true"],
    [
      { numBeams: 2, doSample: true },
      "doSample draws tokens, numBeams searches the likeliest answer; leave one of them out",
    ],
    [{ numBeams: 2, earlyStopping: "always" }, 'earlyStopping is "always"; expected true, false or "never"'],
    [{ numBeams: 2, onToken: () => {} }, "onToken is told tokens as they come"],
    [{ stopStrings: ["x"] }, "stopStrings needs decode"],
    [{ stopStrings: [""], decode }, 'stopStrings is [""]; expected a list of texts that are not empty'],
  ])("options %j are refused", async (options, message) => {
    const error = await answer(options as never).catch((error) => error);
    expect(error).toBeInstanceOf(UserError);
    expect(error.message).toContain(`generate: ${message}`);
    expect(error.message).not.toContain("\n");
  });
});

/**
 * @file Inference on the default engine against the obvious way: the whole text through the model for every token.
 * (test/parity/golden.test.ts compares generation with Hugging Face's on every engine.)
 */
import * as tf from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { answerRow } from "../../src/data/chatRows.ts";
import { startEngine } from "../../src/engine/engine.ts";
import { type Inference, makeInference } from "../../src/model/inference.ts";
import { initParameters } from "../../src/model/init.ts";
import { decoder, labelLogprobs, logits, type Parameters } from "../../src/model/qwen2.ts";
import { causalMask } from "../../src/ops/attention.ts";
import { batchOf } from "../../src/train/batch.ts";
import { randomIds, TINY, tokenLogprobsOf } from "../train/tiny.ts";

const CONTEXT = 32;
const BOS = 0;
let parameters: Parameters;
let inference: Inference;
beforeAll(async () => {
  await startEngine("onnx");
  parameters = initParameters(TINY, 5);
  inference = makeInference(TINY, CONTEXT, BOS);
});

/** The likeliest token after `ids`, by a full forward pass. */
function nextToken(ids: number[]): number {
  return tf.tidy(() => {
    const { inputIds, positionIds, documentIds } = batchOf([answerRow(ids, [], ids.length, BOS)]);
    const input = { inputIds, positionIds, mask: causalMask(documentIds) };
    const scores = logits(parameters, TINY, decoder(parameters, TINY, input).hidden); // [T, V]
    return tf.argMax(tf.slice(scores, [ids.length - 1, 0], [1, -1]), 1).dataSync()[0];
  });
}

/** Greedy generation without a cache. */
function greedy(prompt: number[], maxNewTokens: number, stop: number[]): number[] {
  const ids = [...prompt];
  for (let n = 0; n < maxNewTokens; n++) {
    const next = nextToken(ids);
    if (stop.includes(next)) break;
    ids.push(next);
  }
  return ids.slice(prompt.length);
}

/** Σ log p of the continuation, by a full forward pass in float64 from the logits. */
const scoreOf = (context: number[], continuation: number[]) => {
  const row = answerRow(context, continuation, context.length + continuation.length, BOS);
  return tokenLogprobsOf(parameters, row)
    .slice(context.length)
    .reduce((a, b) => a + b, 0);
};
const score = (...requests: { context: number[]; continuation: number[] }[]) =>
  inference.loglikelihood(parameters, requests);

describe("generation with the cache", () => {
  const prompts = [1, 7, 8, 9, 20].map((length) => randomIds(length, `prompt ${length}`));
  const generate = (some: number[][], maxNewTokens = 10, stopIds: number[] = []) =>
    inference.generate(parameters, some, { maxNewTokens, stopIds });

  test("gives the tokens of repeated full forward passes", async () => {
    const expected = prompts.map((prompt) => greedy(prompt, 10, []));
    expect(await generate(prompts)).toEqual(expected);
    expect(new Set(expected.flat()).size).toBeGreaterThan(5); // not one token for ever
  });

  test("does not depend on what else is in the batch, how much, or in which order", async () => {
    const together = await generate(prompts);
    expect(await Promise.all(prompts.map(async (prompt) => (await generate([prompt]))[0]))).toEqual(together);
    expect((await generate([...prompts].reverse())).reverse()).toEqual(together);
    const many = Array.from({ length: 70 }, (_, i) => prompts[i % prompts.length]); // more than a batch of 64
    expect(await generate(many)).toEqual(many.map((_, i) => together[i % prompts.length]));
    expect(await generate([])).toEqual([]);
  });

  test("prompts that begin alike, are alike, or go on from each other: each as if it were alone", async () => {
    const shots = randomIds(14, "shots");
    const some = [[...shots, 1, 2], shots, [...shots, 3], [...shots, 1, 2], [...shots, 1], [7], shots.slice(0, 9)];
    const expected = some.map((prompt) => greedy(prompt, 10, []));
    expect(await generate(some)).toEqual(expected);
    expect(new Set(expected.map(String)).size).toBeGreaterThan(4);
  });

  test("ends at the first stop id, without it, for each prompt on its own", async () => {
    const free = await generate(prompts);
    const stop = free[1][4];
    const stopped = await generate(prompts, 10, [stop]);
    expect(stopped).toEqual(free.map((ids) => (ids.includes(stop) ? ids.slice(0, ids.indexOf(stop)) : ids)));
    expect(stopped[1].length).toBeLessThan(5);
    expect(stopped).toEqual(prompts.map((prompt) => greedy(prompt, 10, [stop])));
  });

  test("fewer new tokens are the beginning of more", async () => {
    const long = await generate(prompts, 10);
    expect(await generate(prompts, 1)).toEqual(long.map((ids) => ids.slice(0, 1)));
    expect(await generate(prompts, 4)).toEqual(long.map((ids) => ids.slice(0, 4)));
  });

  test("a prompt without room loses its left; an empty one is <|endoftext|>", async () => {
    const long = randomIds(CONTEXT + 5, "long");
    expect(await generate([long])).toEqual([greedy(long.slice(-(CONTEXT - 10)), 10, [])]);
    expect(await generate([[]])).toEqual([greedy([BOS], 10, [])]);
  });

  test("to the last position of the context", async () => {
    const prompt = prompts[0];
    expect((await generate([prompt], CONTEXT - 1))[0]).toEqual(greedy(prompt, CONTEXT - 1, []));
    await expect(generate([prompt], CONTEXT)).rejects.toThrow("32 new tokens do not fit a context of 32");
    await expect(generate([prompt], 0)).rejects.toThrow("0 new tokens");
  });

  test("leaves no tensor behind", async () => {
    await generate(prompts);
    const before = tf.memory().numTensors;
    await generate(prompts);
    await score({ context: [1], continuation: [2, 3] });
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe("loglikelihood", () => {
  test("is the sum of labelLogprobs over the continuation", async () => {
    const [context, continuation] = [randomIds(6, "context"), randomIds(5, "continuation")];
    const row = answerRow(context, continuation, CONTEXT, BOS);
    const expected = tf.tidy(() => {
      const { inputIds, positionIds, labels, documentIds } = batchOf([row]);
      const input = { inputIds, positionIds, mask: causalMask(documentIds) };
      const { logprobs } = labelLogprobs(parameters, TINY, input, labels);
      return tf.sum(logprobs).dataSync()[0];
    });
    const [got] = await score({ context, continuation });
    expect(got).toBeCloseTo(expected, 4);
    expect(got).toBeCloseTo(scoreOf(context, continuation), 4);
  });

  test("is right on both sides of each padded length (8, 16, 32) and for many requests at once", async () => {
    const requests = [2, 7, 8, 9, 15, 16, 17, 31, 32].flatMap((total) =>
      [1, total - 1].map((length) => ({
        context: randomIds(total - length, `context ${total}`),
        continuation: randomIds(length, `continuation ${total}`),
      })),
    );
    const expected = requests.map(({ context, continuation }) => scoreOf(context, continuation));
    expect(await score(...requests)).toBeAllClose(expected, { atol: 1e-3 });
    const many = Array.from({ length: 300 }, (_, i) => requests[i % requests.length]);
    expect(await score(...many)).toBeAllClose(
      many.map((_, i) => expected[i % requests.length]),
      { atol: 1e-3 },
    );
  });

  test("does not depend on what else is in the batch", async () => {
    const request = { context: randomIds(5, "a"), continuation: randomIds(3, "b") };
    const others = [3, 6, 12, 30].map((n) => ({ context: randomIds(n, "c"), continuation: randomIds(2, "d") }));
    const [alone] = await score(request);
    const beside = (await score(...others, request)).at(-1)!;
    expect(beside).toBeCloseTo(alone, 5);
  });

  test("adds up: a continuation in two parts is the sum of the parts", async () => {
    const [context, first, second] = [randomIds(4, "x"), randomIds(3, "y"), randomIds(6, "z")];
    const [whole, one, two] = await score(
      { context, continuation: [...first, ...second] },
      { context, continuation: first },
      { context: [...context, ...first], continuation: second },
    );
    expect(one + two).toBeCloseTo(whole, 4);
  });

  test("an empty context is <|endoftext|>, an empty continuation costs nothing", async () => {
    const continuation = randomIds(4, "continuation");
    const [empty, nothing] = await score({ context: [], continuation }, { context: [3], continuation: [] });
    expect(empty).toBeCloseTo(scoreOf([BOS], continuation), 4);
    expect(nothing).toBeCloseTo(0, 10);
  });

  test("a context without room loses its left, the continuation nothing", async () => {
    const context = randomIds(50, "long context");
    for (const length of [1, 4, CONTEXT]) {
      const continuation = randomIds(length, "continuation");
      const [got] = await score({ context, continuation });
      expect(got).toBeCloseTo(scoreOf(context.slice(-(CONTEXT + 1 - length)), continuation), 3); // the last is not read
    }
    await expect(score({ context, continuation: randomIds(CONTEXT + 1, "too long") })).rejects.toThrow(
      "loglikelihood: 33 tokens do not fit a context of 32",
    );
  });

  test("says of each continuation whether greedy decoding writes it", async () => {
    const context = randomIds(6, "greedy");
    const written = greedy(context, 4, []);
    const other = [...written.slice(0, 3), (written[3] + 1) % TINY.vocabSize];
    const requests = [written, other, [other[3], ...written.slice(1)], []].map((continuation) => ({
      context,
      continuation,
    }));
    const scored = await inference.score(parameters, requests);
    expect(scored.map(({ isGreedy }) => isGreedy)).toEqual([true, false, false, true]);
  });

  test("of requests that share beginnings is that of each alone, to float32 rounding", async () => {
    const token = fc.integer({ min: 1, max: 3 }); // few, so that much is shared
    const ids = (minLength: number) => fc.array(token, { minLength, maxLength: 7 });
    const request = fc.record({ context: ids(0), continuation: ids(1) });
    await fc.assert(
      fc.asyncProperty(fc.array(request, { minLength: 2, maxLength: 20 }), async (requests) => {
        const alone = [];
        for (const request of requests) alone.push(...(await score(request)));
        expect(await score(...requests)).toBeAllClose(alone, { rtol: 1e-5, atol: 1e-5 });
      }),
      { numRuns: 15 },
    );
  });

  test("stops between two runs when its signal says so, and counts what is done", async () => {
    const requests = Array.from({ length: 40 }, (_, i) => ({ context: [1], continuation: randomIds(32, `${i}`) }));
    const controller = new AbortController();
    const seen: number[][] = [];
    const asked = inference.score(
      parameters,
      [...requests, ...requests.map(({ continuation }) => ({ context: [2], continuation }))],
      {
        signal: controller.signal,
        onProgress(done, total) {
          seen.push([done, total]);
          controller.abort(new Error("enough"));
        },
      },
    );
    await expect(asked).rejects.toThrow("enough");
    expect(seen).toEqual([[64, 80]]);
  });
});

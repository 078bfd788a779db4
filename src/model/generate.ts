/**
 * @file Answers of a Qwen2 model to prompts, with a KV cache: greedy, sampled or by beam search, in batches, streamed.
 *
 * The likeliest token is chosen on the device; other scores come to the host, where `sampling.ts` and `beam.ts` decide.
 * Greedy and beam tokens are those of Hugging Face's `generate` (test/fixtures/generation).
 */
import * as tf from "@tensorflow/tfjs-core";
import { chunk } from "../util/arrays.ts";
import { UserError } from "../util/assert.ts";
import { makeRandom } from "../util/random.ts";
import { advanceBeams, startBeams } from "./beam.ts";
import { type Cache, makeCachedDecoder } from "./cachedDecoder.ts";
import type { Qwen2Config } from "./config.ts";
import { checkGenerateOptions, type GenerateOptions } from "./generateOptions.ts";
import type { Parameters } from "./qwen2.ts";
import { greedyToken, logSoftmax, repetitionPenalty, sampleToken } from "./sampling.ts";

/** Most rows that are continued at once: a step costs nearly the same for one as for many. */
const ROWS_PER_RUN = 32;

export interface Generation {
  /** New tokens, without the stop id. */
  ids: number[];
  finishReason: "stop" | "length" | "aborted";
  /** Of beam search: Σ log p / length ^ lengthPenalty. */
  score?: number;
}

/** Continues each prompt. @throws UserError for options that are not possible and for prompts that do not fit. */
export type Generator = (
  parameters: Parameters,
  prompts: number[][],
  options: GenerateOptions,
) => Promise<Generation[]>;

/** Generation in contexts of at most `contextLength` tokens, prompt and answer together. An empty prompt is `bosId`. */
export function makeGenerator(config: Qwen2Config, contextLength: number, bosId: number): Generator {
  const model = makeCachedDecoder(config, contextLength, bosId);

  /** Answers that grow token by token. `offset`: the index of the first prompt among all. */
  async function continueEach(
    parameters: Parameters,
    prompts: number[][],
    offset: number,
    options: GenerateOptions,
  ): Promise<Generation[]> {
    const { maxNewTokens, stopIds = [], repetitionPenalty: penalty = 1, doSample = false, signal } = options;
    const { temperature = 1, topK = 0, topP = 1, minP = 0, seed = 0 } = options;
    const answers = prompts.map((): Generation => ({ ids: [], finishReason: "aborted" }));
    const streams = prompts.map((_, b) => makeRandom(seed, "generate", String(offset + b)));
    const completes = stopStringTest(options);
    const choose = (scores: Float64Array, b: number) => {
      const penalised = repetitionPenalty(scores, [...prompts[b], ...answers[b].ids], penalty);
      return doSample ? sampleToken(penalised, { temperature, topK, topP, minP }, streams[b]) : greedyToken(penalised);
    };
    const onHost = doSample || penalty !== 1;
    let { cache, rows } = model.start(parameters, prompts, maxNewTokens, onHost ? "logits" : "token");
    const open = new Set(prompts.keys());
    const positions = positionsOf(prompts, rows);
    const tokens = new Int32Array(rows);
    while (!(await aborted(signal))) {
      if (onHost) {
        const scores = await readScores(cache);
        for (const b of open) tokens[b] = choose(scores(b), b);
      } else tokens.set((await cache.token.data()) as Int32Array);
      for (const b of [...open]) {
        const answer = answers[b];
        if (stopIds.includes(tokens[b])) answer.finishReason = "stop";
        else {
          answer.ids.push(tokens[b]);
          options.onToken?.(offset + b, tokens[b]);
          if (completes(answer.ids)) answer.finishReason = "stop";
          else if (answer.ids.length === maxNewTokens) answer.finishReason = "length";
        }
        if (answer.finishReason !== "aborted") open.delete(b);
      }
      if (open.size === 0) break;
      for (let b = 0; b < rows; b++) positions[b]++;
      cache = model.step(parameters, cache, onHost ? tokens : null, positions);
    }
    tf.dispose(cache);
    return answers;
  }

  /** The best of each prompt's beams. */
  async function search(parameters: Parameters, prompts: number[][], options: GenerateOptions): Promise<Generation[]> {
    const { maxNewTokens, stopIds = [], repetitionPenalty: penalty = 1, signal } = options;
    const { numBeams = 1, lengthPenalty = 1, earlyStopping = false } = options;
    const beamOptions = { numBeams, lengthPenalty, earlyStopping, maxNewTokens, stopIds: stopIds.length };
    const completes = stopStringTest(options);
    const stops = (ids: number[]) => stopIds.includes(ids.at(-1)!) || completes(ids);
    const searches = prompts.map(() => ({ state: startBeams(numBeams), over: false }));
    let { cache } = model.start(parameters, prompts, maxNewTokens, "logits");
    /** The row of a prompt's beam: at first one row for all. */
    let rowOf = (b: number, _beam: number) => b;
    const positions = positionsOf(
      prompts.flatMap((ids) => Array(numBeams).fill(ids)),
      prompts.length * numBeams,
    );
    while (!(await aborted(signal))) {
      const scores = await readScores(cache);
      const parents: number[] = [];
      const tokens: number[] = [];
      for (const [b, one] of searches.entries()) {
        let from = [...Array(numBeams).keys()];
        if (!one.over) {
          const logprobs = one.state.running.map(({ ids }, beam) =>
            repetitionPenalty(logSoftmax(scores(rowOf(b, beam))), [...prompts[b], ...ids], penalty),
          );
          const next = advanceBeams(one.state, logprobs, beamOptions, stops);
          [one.state, one.over, from] = [next.state, next.over, next.parents];
        }
        parents.push(...from.map((beam) => rowOf(b, beam)));
        tokens.push(...one.state.running.map(({ ids }) => ids.at(-1)!));
      }
      if (searches.every(({ over }) => over)) break;
      for (let row = 0; row < positions.length; row++) positions[row]++;
      cache = model.stepFrom(parameters, cache, Int32Array.from(parents), Int32Array.from(tokens), positions);
      rowOf = (b, beam) => b * numBeams + beam;
    }
    tf.dispose(cache);
    return searches.map(({ state, over }) => {
      if (!over) return { ids: state.running[0].ids, finishReason: "aborted" };
      const { ids, score } = state.finished[0];
      const stopId = stopIds.includes(ids.at(-1)!);
      return { ids: stopId ? ids.slice(0, -1) : ids, finishReason: stops(ids) ? "stop" : "length", score };
    });
  }

  return async (parameters, prompts, options) => {
    checkGenerateOptions(options);
    const { maxNewTokens, numBeams = 1 } = options;
    const whole = prompts.map((ids) => (ids.length > 0 ? ids : [bosId]));
    const tooLong = whole.findIndex((ids) => ids.length + maxNewTokens > contextLength);
    if (tooLong >= 0)
      throw new UserError(
        `generate: prompt ${tooLong} has ${whole[tooLong].length} tokens, which with ${maxNewTokens} new ones do not fit the context of ${contextLength}; shorten it or ask for fewer`,
      );
    const answers: Generation[] = [];
    for (const batch of chunk(whole, Math.max(1, Math.floor(ROWS_PER_RUN / numBeams))))
      answers.push(
        ...(await (numBeams > 1
          ? search(parameters, batch, options)
          : continueEach(parameters, batch, answers.length, options))),
      );
    return answers;
  };
}

/** Lets the event loop turn, so that a signal can arrive. */
async function aborted(signal: AbortSignal | undefined): Promise<boolean> {
  if (signal) await tf.nextFrame();
  return signal?.aborted ?? false;
}

/** The position of each prompt's last token [rows]. */
const positionsOf = (prompts: number[][], rows: number) =>
  Int32Array.from({ length: rows }, (_, b) => (prompts[b]?.length ?? 1) - 1);

/** The scores of each row [V], in float64. */
async function readScores({ logits }: Cache): Promise<(row: number) => Float64Array> {
  const V = logits.shape[1]!;
  const values = await logits.data();
  return (row) => Float64Array.from(values.subarray(row * V, (row + 1) * V));
}

/**
 * Whether the newest of these ids completes a stop string. Only as many ids are decoded as can hold one: each has at
 * least a byte.
 */
function stopStringTest({ stopStrings = [], decode }: GenerateOptions): (ids: number[]) => boolean {
  const longest = Math.max(0, ...stopStrings.map((text) => new TextEncoder().encode(text).length));
  return (ids) => {
    if (longest === 0) return false;
    const tail = decode!(ids.slice(-longest));
    return stopStrings.some((text) => tail.includes(text));
  };
}

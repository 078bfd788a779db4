/**
 * @file A Qwen2 model as evaluation sees it: log-likelihoods of continuations and greedy answers.
 *
 * Requests are laid out side by side in rows of one length, in which they do not see each other and share the beginnings
 * that they have in common (prefixRows.ts), so there is one shape to compile and hardly any padding; the head is asked
 * only where a token is scored. One instance serves many models of the same configuration: parameters are an argument.
 */
import * as tf from "@tensorflow/tfjs-core";
import { compile } from "../engine/engine.ts";
import { subtreeMask } from "../ops/attention.ts";
import { tokenLogprobs } from "../ops/tokenLogprobs.ts";
import { tokenStatistics } from "../ops/tokenStatistics.ts";
import type { Qwen2Config } from "./config.ts";
import { makeGenerator } from "./generate.ts";
import type { GenerateOptions } from "./generateOptions.ts";
import { powerOfTwo, prefixRows, rowTensors } from "./prefixRows.ts";
import { decoder, headWeight, type Parameters } from "./qwen2.ts";

/** Tokens that are scored at once; memory grows with it, speed hardly. */
const TOKENS_PER_RUN = 2048;
/** Rows are at least so long, if there is so much: the longer, the more share a beginning, but attention is T² (CHOSEN). */
const ROW_LENGTH = 512;

export interface ScoreRequest {
  /** Token ids that are given; empty: the `bosId`. */
  context: number[];
  /** Token ids that are scored. */
  continuation: number[];
}

export interface Scored {
  /** Σ log p(token | everything before it) over the continuation, in nats. */
  logprob: number;
  /** Is each of its tokens the likeliest? Then greedy decoding writes it. */
  isGreedy: boolean;
}

export interface ScoreOptions {
  /** Stops between two runs of the model. @throws its reason */
  signal?: AbortSignal;
  /** Requests whose score is known, of all, after each run; and the tokens that were computed so far. */
  onProgress?: (done: number, total: number, tokens: number) => void;
}

export interface Inference {
  score(parameters: Parameters, requests: readonly ScoreRequest[], options?: ScoreOptions): Promise<Scored[]>;
  /** The log-probabilities of {@link score}. */
  loglikelihood(parameters: Parameters, requests: readonly ScoreRequest[]): Promise<number[]>;
  /** Greedy continuation of each prompt, up to and without the first stop id; ties go to the lowest id. */
  generate(
    parameters: Parameters,
    prompts: number[][],
    options: { maxNewTokens: number; stopIds: number[] } & Pick<GenerateOptions, "stopStrings" | "decode" | "signal">,
  ): Promise<number[][]>;
}

/**
 * Inference over contexts of at most `contextLength` tokens. Longer requests lose tokens on the left of the context (a
 * continuation must fit whole; its last token is never read, so it may be the one beyond), longer prompts on their left.
 * An empty context is `bosId`. All as in lm-evaluation-harness.
 */
export function makeInference(config: Qwen2Config, contextLength: number, bosId: number): Inference {
  const compute = compile(({ inputIds, positionIds, last, at, labels, ...parameters }) => {
    const { hidden } = decoder(parameters, config, { inputIds, positionIds, mask: subtreeMask(last) }); // [B·T, C]
    const [h, head] = [tf.gather(hidden, at), headWeight(parameters, config)]; // [P, C]
    return { logprobs: tokenLogprobs(h, head, labels), isTop1: tokenStatistics(h, head, labels).isTop1 }; // each [P]
  });
  const answer = makeGenerator(config, contextLength, bosId);

  const score: Inference["score"] = async (parameters, requests, { signal, onProgress } = {}) => {
    const wholes = requests.map(({ context, continuation }) => {
      if (continuation.length > contextLength)
        throw new Error(`loglikelihood: ${continuation.length} tokens do not fit a context of ${contextLength}`);
      return [...(context.length > 0 ? context : [bosId]), ...continuation].slice(-(contextLength + 1));
    });
    const read = wholes.map((ids) => ids.slice(0, -1)); // nothing is predicted from the last token
    const { rows, rowsPerRun, rowLength } = shapeOf(read, contextLength);
    const tokensPerRun = rowsPerRun * rowLength;
    const results = requests.map((): Scored => ({ logprob: 0, isGreedy: true }));
    let done = 0;
    for (let start = 0; start < rows.length; start += rowsPerRun) {
      signal?.throwIfAborted();
      const some = rows.slice(start, start + rowsPerRun);
      const scored: { request: number; at: number; label: number }[] = [];
      for (const [b, { sequences }] of some.entries()) {
        for (const { index: request, places } of sequences) {
          const from = wholes[request].length - requests[request].continuation.length;
          for (let position = from; position < wholes[request].length; position++)
            scored.push({ request, at: b * rowLength + places[position - 1], label: wholes[request][position] });
        }
        done += sequences.length;
      }
      const inputs = rowTensors(some, rowsPerRun, rowLength, bosId);
      for (let from = 0; from < scored.length; from += tokensPerRun) {
        // more than there are tokens only where continuations share theirs
        const part = scored.slice(from, from + tokensPerRun);
        const size = [4, 2, 1].map((by) => Math.ceil(tokensPerRun / by)).find((n) => part.length <= n)!;
        const padded = (pick: (one: (typeof scored)[number]) => number) =>
          tf.tensor1d(
            Int32Array.from({ length: size }, (_, i) => (i < part.length ? pick(part[i]) : 0)),
            "int32",
          );
        const asked = { at: padded(({ at }) => at), labels: padded(({ label }) => label) };
        const { logprobs, isTop1 } = compute({ ...inputs, ...asked, ...parameters });
        const [values, top] = await Promise.all([logprobs.data(), isTop1.data()]);
        for (const [i, { request }] of part.entries()) {
          results[request].logprob += values[i];
          results[request].isGreedy &&= top[i] === 1;
        }
        tf.dispose([asked, logprobs, isTop1]);
      }
      tf.dispose(inputs);
      onProgress?.(done, requests.length, Math.min(start + rowsPerRun, rows.length) * rowLength);
    }
    return results;
  };

  return {
    score,
    loglikelihood: async (parameters, requests) => (await score(parameters, requests)).map(({ logprob }) => logprob),

    async generate(parameters, prompts, { maxNewTokens, ...options }) {
      const room = contextLength - maxNewTokens;
      if (room < 1 || maxNewTokens < 1)
        throw new Error(`generate: ${maxNewTokens} new tokens do not fit a context of ${contextLength}`);
      const fitting = prompts.map((ids) => ids.slice(Math.max(0, ids.length - room)));
      const answers = await answer(parameters, fitting, { maxNewTokens, ...options });
      return answers.map(({ ids }) => ids);
    },
  };
}

/** The sequences in rows, and how many rows of what length are computed at once: few shapes, each compiled once. */
function shapeOf(inputs: readonly number[][], contextLength: number) {
  const total = inputs.reduce((sum, ids) => sum + ids.length, 0);
  const longest = inputs.reduce((max, ids) => Math.max(max, ids.length), 1);
  const rowLength = Math.min(
    powerOfTwo(Math.max(longest, Math.min(ROW_LENGTH, total))),
    Math.max(contextLength, ROW_LENGTH),
  );
  const rows = prefixRows(inputs, rowLength);
  const rowsPerRun = Math.min(powerOfTwo(rows.length), Math.max(1, Math.floor(TOKENS_PER_RUN / rowLength)));
  return { rows, rowsPerRun, rowLength };
}

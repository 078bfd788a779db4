/**
 * @file A Qwen2 model as evaluation sees it: log-likelihoods of continuations and greedy answers.
 *
 * Requests are packed side by side into rows of one length, in which they do not see each other, so there is one shape
 * to compile and hardly any padding; the head is asked only where a token is scored. One instance serves many models
 * of the same configuration: parameters are an argument.
 */
import * as tf from "@tensorflow/tfjs-core";
import { compile } from "../engine/engine.ts";
import { causalMask } from "../ops/attention.ts";
import { tokenLogprobs } from "../ops/tokenLogprobs.ts";
import type { Qwen2Config } from "./config.ts";
import { makeGenerator } from "./generate.ts";
import { decoder, headWeight, type Parameters } from "./qwen2.ts";

/** Tokens that are scored at once; memory grows with it, speed hardly. */
const TOKENS_PER_RUN = 2048;
export interface Inference {
  /** For each request: Σ log p(token | everything before it) over the continuation, in nats. */
  loglikelihood(parameters: Parameters, requests: { context: number[]; continuation: number[] }[]): Promise<number[]>;
  /** Greedy continuation of each prompt, up to and without the first stop id; ties go to the lowest id. */
  generate(
    parameters: Parameters,
    prompts: number[][],
    options: { maxNewTokens: number; stopIds: number[] },
  ): Promise<number[][]>;
}

/**
 * Inference over contexts of at most `contextLength` tokens. Longer requests lose tokens on the left of the context
 * (a continuation must fit whole), longer prompts on their left. An empty context is `bosId`, as in lm-evaluation-harness.
 */
export function makeInference(config: Qwen2Config, contextLength: number, bosId: number): Inference {
  const rowsPerRun = Math.max(1, Math.floor(TOKENS_PER_RUN / contextLength));
  const tokensPerRun = rowsPerRun * contextLength;
  const scoredSizes = [4, 2, 1].map((part) => Math.ceil(tokensPerRun / part));

  const score = compile(({ inputIds, positionIds, documentIds, at, labels, ...parameters }) => {
    const { hidden } = decoder(parameters, config, { inputIds, positionIds, mask: causalMask(documentIds) }); // [B·T, C]
    return { logprobs: tokenLogprobs(tf.gather(hidden, at), headWeight(parameters, config), labels) }; // [P]
  });
  const answer = makeGenerator(config, contextLength, bosId);

  return {
    async loglikelihood(parameters, requests) {
      const sequences = requests.map(({ context, continuation }, request) => {
        if (continuation.length >= contextLength)
          throw new Error(`loglikelihood: ${continuation.length} tokens do not fit a context of ${contextLength}`);
        const whole = [...(context.length > 0 ? context : [bosId]), ...continuation];
        const ids = whole.slice(Math.max(0, whole.length - contextLength));
        return { request, ids, from: ids.length - continuation.length };
      });
      const results = new Array<number>(requests.length).fill(0);
      const rows = packRows(sequences, contextLength);
      for (let start = 0; start < rows.length; start += rowsPerRun) {
        const inputIds = new Int32Array(tokensPerRun).fill(bosId);
        const positionIds = new Int32Array(tokensPerRun);
        const documentIds = new Int32Array(tokensPerRun); // 0: padding
        const scored: { request: number; at: number; label: number }[] = [];
        rows.slice(start, start + rowsPerRun).forEach((row, b) => {
          let t = b * contextLength;
          row.forEach(({ request, ids, from }, document) => {
            ids.forEach((id, position) => {
              if (position >= from) scored.push({ request, at: t - 1, label: id }); // predicted from the token before
              inputIds[t] = id;
              positionIds[t] = position;
              documentIds[t++] = document + 1;
            });
          });
        });
        const size = scoredSizes.find((n) => scored.length <= n)!;
        const padded = (values: number[]) =>
          tensor(
            Int32Array.from({ length: size }, (_, i) => values[i] ?? 0),
            [size],
          );
        const shape = [rowsPerRun, contextLength];
        const inputs = {
          ...{ inputIds: tensor(inputIds, shape), positionIds: tensor(positionIds, shape) },
          ...{ documentIds: tensor(documentIds, shape), at: padded(scored.map((one) => one.at)) },
          labels: padded(scored.map((one) => one.label)),
        };
        const { logprobs } = score({ ...inputs, ...parameters });
        const values = await logprobs.data();
        scored.forEach(({ request }, i) => {
          results[request] += values[i];
        });
        tf.dispose([inputs, logprobs]);
      }
      return results;
    },

    async generate(parameters, prompts, { maxNewTokens, stopIds }) {
      const room = contextLength - maxNewTokens;
      if (room < 1 || maxNewTokens < 1)
        throw new Error(`generate: ${maxNewTokens} new tokens do not fit a context of ${contextLength}`);
      const fitting = prompts.map((ids) => ids.slice(Math.max(0, ids.length - room)));
      const answers = await answer(parameters, fitting, { maxNewTokens, stopIds });
      return answers.map(({ ids }) => ids);
    },
  };
}

/** Sequences side by side in rows of at most `length` tokens: longest first, each row until the next does not fit. */
function packRows<S extends { ids: number[] }>(sequences: S[], length: number): S[][] {
  const rows: S[][] = [];
  let room = 0;
  for (const sequence of [...sequences].sort((a, b) => b.ids.length - a.ids.length)) {
    if (sequence.ids.length > room) {
      rows.push([]);
      room = length;
    }
    rows[rows.length - 1].push(sequence);
    room -= sequence.ids.length;
  }
  return rows;
}

const tensor = (values: Int32Array, shape: number[]) => tf.tensor(values, shape, "int32");

/**
 * @file A Qwen2 model as evaluation sees it: log-likelihoods of continuations and greedy generation with a KV cache.
 *
 * Requests are packed side by side into rows of one length, in which they do not see each other, so there is one shape
 * to compile and hardly any padding; the head is asked only where a token is scored. One instance serves many models
 * of the same configuration: parameters are an argument.
 */
import * as tf from "@tensorflow/tfjs-core";
import { compile, type TensorMap } from "../engine/engine.ts";
import { causalMask, MASKED } from "../ops/attention.ts";
import { tokenLogprobs } from "../ops/tokenLogprobs.ts";
import type { Qwen2Config } from "./config.ts";
import { decoder, headWeight, type KeyValues, logits, type Parameters } from "./qwen2.ts";

/** Tokens that are scored at once; memory grows with it, speed hardly. */
const TOKENS_PER_RUN = 2048;
/** Most prompts that are continued at once: a step costs nearly the same for one as for many. */
const PROMPTS_PER_RUN = 32;
/** Least length of a prompt and of a cache as they are computed: each length is a shape to compile. */
const SHORTEST = 16;

/** A step writes its keys and values into the cache that it is given, and does not copy it. */
const OVERWRITE = { overwrite: true };

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
  const prefill = compile(({ inputIds, last, cacheSlots, ...parameters }) => {
    const { hidden, keys, values } = decoder(parameters, config, causalInput(inputIds));
    const [B, T] = inputIds.shape as [number, number];
    const index = tf.add(last, tf.mul(tf.range(0, B, 1, "int32"), tf.scalar(T, "int32"))); // rows of [B·T, C]
    const free = cacheSlots.size - T;
    const roomy = (x: tf.Tensor) =>
      free > 0
        ? tf.pad3d(x as tf.Tensor3D, [
            [0, 0],
            [0, free],
            [0, 0],
          ])
        : x; // [B, S, K·D]
    const cache = { keys: keys.map(roomy), values: values.map(roomy) };
    return { token: greedy(parameters, config, tf.gather(hidden, index)), ...named(cache) };
  });
  const step = compile(({ token, position, ...rest }) => {
    const { parameters, keys, values } = unnamed(rest, config.numHiddenLayers);
    const S = keys[0].shape[1]!;
    const slots = tf.expandDims(tf.range(0, S, 1, "int32"), 0); // [1, S]
    const at = tf.expandDims(position, 1); // [B, 1]
    const hidden = tf.cast(tf.greater(slots, at), "float32"); // [B, S]
    const mask = tf.expandDims(tf.mul(hidden, MASKED), 1); // [B, 1, S]
    const input = { inputIds: tf.expandDims(token, 1), positionIds: at, mask, cache: { keys, values, position } };
    const out = decoder(parameters, config, input);
    return { token: greedy(parameters, config, out.hidden), ...named(out) };
  }, OVERWRITE);

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
      const stop = new Set(stopIds);
      const room = contextLength - maxNewTokens;
      if (room < 1 || maxNewTokens < 1)
        throw new Error(`generate: ${maxNewTokens} new tokens do not fit a context of ${contextLength}`);
      const answers: number[][] = prompts.map(() => []);
      for (let start = 0; start < prompts.length; start += PROMPTS_PER_RUN) {
        const batch = prompts
          .slice(start, start + PROMPTS_PER_RUN)
          .map((ids) => ids.slice(Math.max(0, ids.length - room)));
        const longest = Math.max(...batch.map((ids) => ids.length));
        const B = powerOfTwo(batch.length);
        const T = Math.min(contextLength, powerOfTwo(longest, SHORTEST)); // the prompts', padded
        const S = Math.min(contextLength, powerOfTwo(Math.max(T, longest + maxNewTokens), SHORTEST)); // the cache's
        const inputIds = new Int32Array(B * T).fill(bosId);
        const position = new Int32Array(B); // of the newest token
        batch.forEach((ids, b) => {
          inputIds.set(ids, b * T);
          position[b] = Math.max(0, ids.length - 1);
        });
        const cacheSlots = tensor(new Int32Array(S), [S]); // its size is what counts
        const inputs = { inputIds: tensor(inputIds, [B, T]), last: tensor(position, [B]), cacheSlots };
        let state = prefill({ ...inputs, ...parameters });
        tf.dispose(inputs);
        const open = new Set(batch.keys());
        for (let n = 0; ; n++) {
          const tokens = await state.token.data();
          for (const b of [...open]) {
            if (stop.has(tokens[b])) open.delete(b);
            else answers[start + b].push(tokens[b]);
          }
          if (open.size === 0 || n + 1 === maxNewTokens) break;
          for (let b = 0; b < B; b++) position[b] = Math.min(position[b] + 1, S - 1);
          const at = tensor(position.slice(), [B]);
          const next = step({ ...state, position: at, ...parameters });
          tf.dispose([state, at]);
          state = next;
        }
        tf.dispose(state);
      }
      return answers;
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

/** The smallest power of two that is at least n and `least`. */
function powerOfTwo(n: number, least = 1): number {
  let power = least;
  while (power < n) power *= 2;
  return power;
}

const tensor = (values: Int32Array, shape: number[]) => tf.tensor(values, shape, "int32");

/** Plain causal input: positions 0..T-1, one document per row. */
function causalInput(inputIds: tf.Tensor) {
  const [B, T] = inputIds.shape as [number, number];
  const positionIds = tf.tile(tf.expandDims(tf.range(0, T, 1, "int32"), 0), [B, 1]); // [B, T]
  return { inputIds, positionIds, mask: causalMask(tf.zeros([B, T], "int32")) };
}

/** The most likely next token: hidden [N, C] -> [N] int32. */
const greedy = (parameters: Parameters, config: Qwen2Config, hidden: tf.Tensor) =>
  tf.argMax(logits(parameters, config, hidden), 1);

/** Keys and values as named tensors, and back. */
function named({ keys, values }: KeyValues): TensorMap {
  const entries = [...keys.map((x, i) => [`key ${i}`, x]), ...values.map((x, i) => [`value ${i}`, x])];
  return Object.fromEntries(entries);
}

function unnamed(tensors: TensorMap, layers: number): KeyValues & { parameters: Parameters } {
  const parameters = { ...tensors };
  const take = (name: string) => {
    const x = parameters[name];
    delete parameters[name];
    return x;
  };
  const keys = Array.from({ length: layers }, (_, i) => take(`key ${i}`));
  const values = Array.from({ length: layers }, (_, i) => take(`value ${i}`));
  return { keys, values, parameters };
}

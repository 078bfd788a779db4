/**
 * @file The decoder with a KV cache, as compiled programs: read the prompts, then a token of each at a time.
 *
 * Prompts are read in rows that share the beginnings which several have in common (prefixRows.ts), and are then taken
 * apart: row b of a cache has a prompt in its first slots and its answer behind it, slot = position. What lies behind
 * the newest token is masked, and overwritten as the answer grows.
 */
import * as tf from "@tensorflow/tfjs-core";
import { compile, type TensorMap } from "../engine/engine.ts";
import { cacheMask, subtreeMask } from "../ops/attention.ts";
import type { Qwen2Config } from "./config.ts";
import { powerOfTwo, prefixRows, rowTensors } from "./prefixRows.ts";
import { decoder, type KeyValues, logits, type Parameters } from "./qwen2.ts";

/** Least length of a prompt and of a cache as they are computed: each length is a shape to compile. */
const SHORTEST = 16;

/** A step writes its keys and values into the cache that it is given, and does not copy it. */
const OVERWRITE = { overwrite: true };

/** What is read of the scores: the likeliest token of each row [B], or all [B, V]. */
export type Head = "token" | "logits";

/** Keys and values of each layer [B, S, K·D], and `token` or `logits` of the newest position. */
export type Cache = TensorMap;

export interface CachedDecoder {
  /** Reads prompts [≤ B] into a cache with room for `maxNewTokens` more. Rows beyond the prompts are padding. */
  start(parameters: Parameters, prompts: number[][], maxNewTokens: number, head: Head): { cache: Cache; rows: number };
  /**
   * `tokens` [B] at `positions` [B], cut at the cache's last; null: those that the cache's `token` has. The cache is
   * used up.
   */
  step(parameters: Parameters, cache: Cache, tokens: Int32Array | null, positions: Int32Array): Cache;
  /** The same after row b has become that of `parents[b]`; there may be more or fewer rows than before. */
  stepFrom(parameters: Parameters, cache: Cache, parents: Int32Array, tokens: Int32Array, positions: Int32Array): Cache;
}

/** One instance serves many models of the same configuration: parameters are an argument. `padId`: any token. */
export function makeCachedDecoder(config: Qwen2Config, contextLength: number, padId: number): CachedDecoder {
  const scoresOf = (head: Head, parameters: Parameters, hidden: tf.Tensor): TensorMap => {
    const scores = logits(parameters, config, hidden); // [B, V]
    return head === "logits" ? { logits: scores } : { token: tf.argMax(scores, 1) }; // ties go to the lowest id
  };
  const prefill = (head: Head) =>
    compile(({ inputIds, positionIds, last, places, ends, ...parameters }) => {
      const input = { inputIds, positionIds, mask: subtreeMask(last) };
      const { hidden, keys, values } = decoder(parameters, config, input);
      const apart = (x: tf.Tensor) => {
        const width = x.shape[2]!;
        return tf.reshape(tf.gather(tf.reshape(x, [-1, width]), places), [ends.size, -1, width]); // [B, S, K·D]
      };
      const cache = { keys: keys.map(apart), values: values.map(apart) };
      return { ...scoresOf(head, parameters, tf.gather(hidden, ends)), ...named(cache) };
    });
  const decode = (head: Head, parameters: Parameters, { keys, values }: KeyValues, token: tf.Tensor, at: tf.Tensor) => {
    const positionIds = tf.expandDims(at, 1); // [B, 1]
    const mask = cacheMask(at, 1, keys[0].shape[1]!); // [B, 1, S]
    const input = { inputIds: tf.expandDims(token, 1), positionIds, mask, cache: { keys, values, position: at } };
    const out = decoder(parameters, config, input);
    return { ...scoresOf(head, parameters, out.hidden), ...named(out) };
  };
  const step = (head: Head) =>
    compile(({ token, position, ...rest }) => {
      const { parameters, ...cache } = unnamed(rest, config.numHiddenLayers);
      return decode(head, parameters, cache, token, position);
    }, OVERWRITE);
  const programs = {
    prefill: { token: prefill("token"), logits: prefill("logits") },
    step: { token: step("token"), logits: step("logits") },
    stepFrom: compile(({ token, position, parents, ...rest }) => {
      const { parameters, keys, values } = unnamed(rest, config.numHiddenLayers);
      const rows = (x: tf.Tensor) => tf.gather(x, parents); // [rows of parents, S, K·D]
      return decode("logits", parameters, { keys: keys.map(rows), values: values.map(rows) }, token, position);
    }),
  };

  return {
    start(parameters, prompts, maxNewTokens, head) {
      const longest = Math.max(...prompts.map((ids) => ids.length));
      const B = powerOfTwo(prompts.length);
      const T = Math.min(contextLength, powerOfTwo(longest, SHORTEST)); // of a row that is read
      const S = Math.min(contextLength, powerOfTwo(Math.max(T, longest + maxNewTokens), SHORTEST)); // the cache's
      const rows = prefixRows(prompts, T);
      const R = powerOfTwo(rows.length);
      const places = new Int32Array(B * S); // of each slot's token among the R·T
      const ends = new Int32Array(B); // of each prompt's last
      for (const [r, { sequences }] of rows.entries())
        for (const { index: b, places: ofPrompt } of sequences) {
          for (const [slot, place] of ofPrompt.entries()) places[b * S + slot] = r * T + place;
          ends[b] = r * T + ofPrompt.at(-1)!;
        }
      const inputs = { ...rowTensors(rows, R, T, padId), places: tensor(places), ends: tensor(ends) };
      const cache = programs.prefill[head]({ ...inputs, ...parameters });
      tf.dispose(inputs);
      return { cache, rows: B };
    },
    step(parameters, cache, tokens, positions) {
      const { token, logits, ...rest } = cache;
      const inputs = { token: tokens ? tensor(tokens) : token, position: within(cache, positions) };
      const next = programs.step[logits ? "logits" : "token"]({ ...inputs, ...rest, ...parameters });
      tf.dispose([cache, inputs]);
      return next;
    },
    stepFrom(parameters, cache, parents, tokens, positions) {
      const { token: _, logits: __, ...rest } = cache;
      const inputs = { token: tensor(tokens), position: within(cache, positions), parents: tensor(parents) };
      const next = programs.stepFrom({ ...inputs, ...rest, ...parameters });
      tf.dispose([cache, inputs]);
      return next;
    },
  };
}

/** Positions inside the cache: rows that are finished or padding may have gone on beyond it. */
const within = (cache: Cache, positions: Int32Array) =>
  tensor(positions.map((position) => Math.min(position, cache["key 0"].shape[1]! - 1)));

/** A tensor that keeps its own copy of the numbers. */
const tensor = (values: Int32Array) => tf.tensor1d(values.slice(), "int32");

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

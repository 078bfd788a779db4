/**
 * @file The whole Qwen2 decoder (arXiv 2407.10671), read top to bottom: embed → layers of (norm → attention, norm →
 * MLP) → norm → head. Reference: Hugging Face `modeling_qwen2.py`; test/parity/golden.test.ts compares logits, every
 * gradient and ten training losses with it.
 *
 * Shapes: B batch, T query positions, S key positions, C hiddenSize, H query heads, K key/value heads, D headDim,
 * F intermediateSize, V vocabSize. Parameters are named as Hugging Face names them; linear weights are [out, in].
 */
import * as tf from "@tensorflow/tfjs-core";
import type { TensorMap } from "../engine/engine.ts";
import { attention, MASKED } from "../ops/attention.ts";
import { cacheWrite } from "../ops/cacheWrite.ts";
import { checkpoint } from "../ops/checkpoint.ts";
import { type DualChunkTables, dualChunkAttention, dualChunkTables } from "../ops/dualChunkAttention.ts";
import { embedding } from "../ops/embedding.ts";
import { linear } from "../ops/linear.ts";
import { rmsNorm } from "../ops/rmsNorm.ts";
import { rope, ropeFrequencies, ropeTables, yarnAttentionFactor, yarnFrequencies } from "../ops/rope.ts";
import { swiglu } from "../ops/swiglu.ts";
import { tokenLogprobs } from "../ops/tokenLogprobs.ts";
import { headDim, type Qwen2Config } from "./config.ts";

/** Tensors by Hugging Face's names; `lm_head.weight` only when the head is not tied to the embedding. */
export type Parameters = Record<string, tf.Tensor>;

/** Keys and values by layer, each [B, S, K·D]. */
export interface KeyValues {
  keys: tf.Tensor[];
  values: tf.Tensor[];
}

export interface DecoderInput extends ForwardOptions {
  /** Token ids [B, T] int32. */
  inputIds: tf.Tensor;
  /** Position of each token in its document [B, T] int32. */
  positionIds: tf.Tensor;
  /** What each query may see, additive [B, T, S]; see `causalMask` and `cacheMask`. */
  mask: tf.Tensor;
  /** Earlier keys and values, slot s of position s; this step's T are put from slot `position` [B] int32 on. */
  cache?: KeyValues & { position: tf.Tensor };
}

/** How the same result is computed. */
export interface ForwardOptions {
  /** Keep only each layer's input for the backward pass, which computes the layer again (not with a cache). */
  gradientCheckpointing?: boolean;
}

/** Hidden states after the final norm [B·T, C], and every layer's keys and values (none with gradientCheckpointing). */
export function decoder(
  parameters: Parameters,
  config: Qwen2Config,
  input: DecoderInput,
): KeyValues & { hidden: tf.Tensor } {
  const { positionIds, mask, cache, gradientCheckpointing } = input;
  const slots = cache && tf.expandDims(tf.range(0, mask.shape[2]!, 1, "int32"), 0); // [1, S]
  const tables = rotation(config, positionIds, slots ?? positionIds);
  const sliding = config.slidingWindow && slidingMask(mask, positionIds, slots ?? positionIds, config.slidingWindow);
  const kv: KeyValues = { keys: [], values: [] };

  let x = embedding(parameters["model.embed_tokens.weight"], tf.reshape(input.inputIds, [-1])); // [B·T, C]
  for (let i = 0; i < config.numHiddenLayers; i++) {
    const weights = layerWeights(parameters, i);
    const context = { ...tables, mask: config.layerTypes?.[i] === "sliding_attention" ? (sliding as tf.Tensor) : mask };
    if (gradientCheckpointing) {
      const forward = ({ x, ...weights }: TensorMap, context: TensorMap) =>
        decoderLayer(x, weights, config, context as Context).x;
      x = checkpoint(forward, { x, ...weights }, context); // [B·T, C]
    } else {
      const past = cache && { k: cache.keys[i], v: cache.values[i], position: cache.position };
      const out = decoderLayer(x, weights, config, context, past);
      x = out.x; // [B·T, C]
      kv.keys.push(out.k);
      kv.values.push(out.v);
    }
  }
  return { hidden: rmsNorm(x, parameters["model.norm.weight"], config.rmsNormEps), ...kv }; // [B·T, C]
}

/** The parameters of one layer, by their names inside it. */
function layerWeights(parameters: Parameters, layer: number): Parameters {
  const prefix = `model.layers.${layer}.`;
  const inside = Object.keys(parameters).filter((name) => name.startsWith(prefix));
  return Object.fromEntries(inside.map((name) => [name.slice(prefix.length), parameters[name]]));
}

/** What all layers share: tables of angles, each [B, T, D/2], and the mask [B, T, S]. */
type Context = { cos: tf.Tensor; sin: tf.Tensor; mask: tf.Tensor } & Partial<DualChunkTables>;
type Past = { k: tf.Tensor; v: tf.Tensor; position: tf.Tensor };

/** The angles of queries at positionIds [B, T] and keys at keyPositionIds [B, S]; see the two files of ops. */
function rotation(config: Qwen2Config, positionIds: tf.Tensor, keyPositionIds: tf.Tensor) {
  const { ropeTheta, ropeScaling: yarn, dualChunkAttention: chunk } = config;
  const frequencies = yarn
    ? yarnFrequencies(headDim(config), ropeTheta, yarn)
    : ropeFrequencies(headDim(config), ropeTheta);
  const scale = yarn ? yarnAttentionFactor(yarn) : 1;
  if (chunk) return dualChunkTables(positionIds, keyPositionIds, chunk, frequencies, scale);
  return ropeTables(positionIds, frequencies, scale);
}

/** `mask` [B, T, S], and nothing that is `window` positions back or more. */
function slidingMask(mask: tf.Tensor, positionIds: tf.Tensor, keyPositionIds: tf.Tensor, window: number): tf.Tensor {
  const oldest = tf.sub(tf.expandDims(positionIds, 2), tf.scalar(window, "int32")); // [B, T, 1]: the first that is gone
  const gone = tf.lessEqual(tf.expandDims(keyPositionIds, 1), oldest); // [B, T, S]
  return tf.minimum(mask, tf.mul(tf.cast(gone, "float32"), MASKED));
}

/** norm → attention, norm → MLP, each added to what came in. x [B·T, C] -> x [B·T, C], k and v [B, S, K·D]. */
function decoderLayer(x: tf.Tensor, weights: Parameters, config: Qwen2Config, context: Context, past?: Past) {
  const a = rmsNorm(x, weights["input_layernorm.weight"], config.rmsNormEps); // [B·T, C]
  const { mixed, k, v } = selfAttention(a, weights, config, context, past); // [B·T, H·D]
  const y = linear(mixed, weights["self_attn.o_proj.weight"], x); // [B·T, C]

  const m = rmsNorm(y, weights["post_attention_layernorm.weight"], config.rmsNormEps); // [B·T, C]
  const gate = linear(m, weights["mlp.gate_proj.weight"]); // [B·T, F]
  const up = linear(m, weights["mlp.up_proj.weight"]); // [B·T, F]
  return { x: linear(swiglu(gate, up), weights["mlp.down_proj.weight"], y), k, v }; // [B·T, C]
}

/** Attention of one layer: a [B·T, C] -> mixed [B·T, H·D], and its keys and values [B, S, K·D], earlier ones included. */
function selfAttention(
  a: tf.Tensor,
  weights: Parameters,
  config: Qwen2Config,
  { cos, sin, mask, ...chunks }: Context,
  past?: Past,
) {
  const shape = { heads: config.numAttentionHeads, kvHeads: config.numKeyValueHeads };
  const [B, T] = mask.shape as [number, number];
  const project = (name: string) => {
    const y = linear(a, weights[`self_attn.${name}.weight`], weights[`self_attn.${name}.bias`]); // [B·T, heads·D]
    return tf.reshape(y, [B, T, -1]); // [B, T, heads·D]
  };
  const q = project("q_proj"); // [B, T, H·D]
  let k = rope(project("k_proj"), cos, sin, shape.kvHeads); // [B, T, K·D]
  let v = project("v_proj"); // [B, T, K·D]
  if (past) {
    k = cacheWrite(past.k, k, past.position); // [B, S, K·D]
    v = cacheWrite(past.v, v, past.position); // [B, S, K·D]
  }
  const mixed = config.dualChunkAttention
    ? dualChunkAttention(q, k, v, mask, { cos, sin, ...chunks } as DualChunkTables, shape)
    : attention(rope(q, cos, sin, shape.heads), k, v, mask, shape); // [B, T, H·D]
  return { mixed: tf.reshape(mixed, [B * T, -1]), k, v };
}

/** The head: the embedding itself when tied. [V, C] */
export const headWeight = (parameters: Parameters, config: Qwen2Config) =>
  parameters[config.tieWordEmbeddings ? "model.embed_tokens.weight" : "lm_head.weight"];

/** Next-token scores: hidden [N, C] -> [N, V]. */
export const logits = (parameters: Parameters, config: Qwen2Config, hidden: tf.Tensor) =>
  linear(hidden, headWeight(parameters, config));

/**
 * Log-probability of each label given what precedes it, and which labels count. Labels are unshifted and -100 is
 * ignored, as Hugging Face has them; the one shift happens here: position t predicts label t + 1, the last position
 * nothing. labels [B, T] -> logprobs [B, T] in nats (0 where nothing counts), counted [B, T] in {0, 1}, and what they are
 * made from: hidden [B·T, C], target [B·T] int32 (0 where nothing counts).
 */
export function labelLogprobs(
  parameters: Parameters,
  config: Qwen2Config,
  input: DecoderInput,
  labels: tf.Tensor,
): { logprobs: tf.Tensor; counted: tf.Tensor; hidden: tf.Tensor; target: tf.Tensor } {
  const [B, T] = labels.shape as [number, number];
  const { hidden } = decoder(parameters, config, input); // [B·T, C]
  const next = tf.concat([tf.slice(labels, [0, 1], [B, T - 1]), tf.fill([B, 1], -100, "int32")], 1); // [B, T]
  const counted = tf.cast(tf.greaterEqual(next, 0), "float32");
  const target = tf.reshape(tf.maximum(next, tf.scalar(0, "int32")), [-1]); // [B·T]
  const logprobs = tf.reshape(tokenLogprobs(hidden, headWeight(parameters, config), target), [B, T]);
  return { logprobs: tf.mul(logprobs, counted), counted, hidden, target };
}

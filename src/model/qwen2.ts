/**
 * @file The whole Qwen2 decoder (arXiv 2407.10671), read top to bottom: embed → layers of (norm → attention, norm →
 * MLP) → norm → head. Reference: Hugging Face `modeling_qwen2.py`; test/model/parity.test.ts compares logits, every
 * gradient and ten training losses with it.
 *
 * Shapes: B batch, T query positions, S key positions, C hiddenSize, H query heads, K key/value heads, D headDim,
 * F intermediateSize, V vocabSize. Parameters are named as Hugging Face names them; linear weights are [out, in].
 */
import * as tf from "@tensorflow/tfjs-core";
import { attention } from "../ops/attention.ts";
import { cacheWrite } from "../ops/cacheWrite.ts";
import { embedding } from "../ops/embedding.ts";
import { linear } from "../ops/linear.ts";
import { rmsNorm } from "../ops/rmsNorm.ts";
import { rope, ropeTables } from "../ops/rope.ts";
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

export interface DecoderInput {
  /** Token ids [B, T] int32. */
  inputIds: tf.Tensor;
  /** Position of each token in its document [B, T] int32. */
  positionIds: tf.Tensor;
  /** What each query may see, additive [B, T, S]; see `causalMask` and `cacheMask`. */
  mask: tf.Tensor;
  /** Earlier keys and values; this step's are put at `position` [B] int32 (then T must be 1). */
  cache?: KeyValues & { position: tf.Tensor };
}

/** Hidden states after the final norm [B·T, C], and every layer's keys and values. */
export function decoder(
  parameters: Parameters,
  config: Qwen2Config,
  input: DecoderInput,
): KeyValues & { hidden: tf.Tensor } {
  const { cos, sin } = ropeTables(input.positionIds, headDim(config), config.ropeTheta); // [B, T, D/2]
  const kv: KeyValues = { keys: [], values: [] };

  let x = embedding(parameters["model.embed_tokens.weight"], tf.reshape(input.inputIds, [-1])); // [B·T, C]
  for (let layer = 0; layer < config.numHiddenLayers; layer++) {
    const weight = (name: string) => parameters[`model.layers.${layer}.${name}`];

    const a = rmsNorm(x, weight("input_layernorm.weight"), config.rmsNormEps); // [B·T, C]
    const mixed = selfAttention(a, weight, layer, config, { ...input, cos, sin }, kv); // [B·T, H·D]
    x = linear(mixed, weight("self_attn.o_proj.weight"), x); // [B·T, C]

    const m = rmsNorm(x, weight("post_attention_layernorm.weight"), config.rmsNormEps); // [B·T, C]
    const gate = linear(m, weight("mlp.gate_proj.weight")); // [B·T, F]
    const up = linear(m, weight("mlp.up_proj.weight")); // [B·T, F]
    x = linear(swiglu(gate, up), weight("mlp.down_proj.weight"), x); // [B·T, C]
  }
  return { hidden: rmsNorm(x, parameters["model.norm.weight"], config.rmsNormEps), ...kv }; // [B·T, C]
}

/** Attention of one layer; appends the layer's keys and values to `kv`. a [B·T, C] -> [B·T, H·D]. */
function selfAttention(
  a: tf.Tensor,
  weight: (name: string) => tf.Tensor,
  layer: number,
  config: Qwen2Config,
  { inputIds, mask, cache, cos, sin }: DecoderInput & { cos: tf.Tensor; sin: tf.Tensor },
  kv: KeyValues,
): tf.Tensor {
  const [B, T] = inputIds.shape as [number, number];
  const heads = config.numAttentionHeads;
  const kvHeads = config.numKeyValueHeads;
  const project = (name: string) => {
    const y = linear(a, weight(`self_attn.${name}.weight`), weight(`self_attn.${name}.bias`)); // [B·T, heads·D]
    return tf.reshape(y, [B, T, -1]); // [B, T, heads·D]
  };
  const q = rope(project("q_proj"), cos, sin, heads); // [B, T, H·D]
  let k = rope(project("k_proj"), cos, sin, kvHeads); // [B, T, K·D]
  let v = project("v_proj"); // [B, T, K·D]
  if (cache) {
    k = cacheWrite(cache.keys[layer], k, cache.position); // [B, S, K·D]
    v = cacheWrite(cache.values[layer], v, cache.position); // [B, S, K·D]
  }
  kv.keys.push(k);
  kv.values.push(v);
  return tf.reshape(attention(q, k, v, mask, { heads, kvHeads }), [B * T, -1]); // [B·T, H·D]
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
 * nothing. labels [B, T] -> logprobs [B, T] in nats (0 where nothing counts), counted [B, T] in {0, 1}.
 */
export function labelLogprobs(
  parameters: Parameters,
  config: Qwen2Config,
  input: DecoderInput,
  labels: tf.Tensor,
): { logprobs: tf.Tensor; counted: tf.Tensor } {
  const [B, T] = labels.shape as [number, number];
  const { hidden } = decoder(parameters, config, input); // [B·T, C]
  const next = tf.concat([tf.slice(labels, [0, 1], [B, T - 1]), tf.fill([B, 1], -100, "int32")], 1); // [B, T]
  const counted = tf.cast(tf.greaterEqual(next, 0), "float32");
  const target = tf.reshape(tf.maximum(next, tf.scalar(0, "int32")), [-1]); // [B·T]
  const logprobs = tf.reshape(tokenLogprobs(hidden, headWeight(parameters, config), target), [B, T]);
  return { logprobs: tf.mul(logprobs, counted), counted };
}

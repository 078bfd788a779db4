/**
 * @file Fresh parameters as Hugging Face initialises Qwen2: matrices normal(0, initializerRange), biases 0, norms 1.
 */
import * as tf from "@tensorflow/tfjs-core";
import { makeRandom } from "../util/random.ts";
import { headDim, type Qwen2Config } from "./config.ts";
import type { Parameters } from "./qwen2.ts";

/** Name -> shape of every parameter, in Hugging Face's order. 12 · layers + 2 tensors, one more when untied. */
export function parameterShapes(config: Qwen2Config): Record<string, number[]> {
  const { vocabSize: V, hiddenSize: C, intermediateSize: F } = config;
  const q = config.numAttentionHeads * headDim(config);
  const kv = config.numKeyValueHeads * headDim(config);
  const shapes: Record<string, number[]> = { "model.embed_tokens.weight": [V, C] };
  for (let layer = 0; layer < config.numHiddenLayers; layer++) {
    const prefix = `model.layers.${layer}.`;
    Object.assign(shapes, {
      [`${prefix}self_attn.q_proj.weight`]: [q, C],
      [`${prefix}self_attn.q_proj.bias`]: [q],
      [`${prefix}self_attn.k_proj.weight`]: [kv, C],
      [`${prefix}self_attn.k_proj.bias`]: [kv],
      [`${prefix}self_attn.v_proj.weight`]: [kv, C],
      [`${prefix}self_attn.v_proj.bias`]: [kv],
      [`${prefix}self_attn.o_proj.weight`]: [C, q],
      [`${prefix}mlp.gate_proj.weight`]: [F, C],
      [`${prefix}mlp.up_proj.weight`]: [F, C],
      [`${prefix}mlp.down_proj.weight`]: [C, F],
      [`${prefix}input_layernorm.weight`]: [C],
      [`${prefix}post_attention_layernorm.weight`]: [C],
    });
  }
  shapes["model.norm.weight"] = [C];
  if (!config.tieWordEmbeddings) shapes["lm_head.weight"] = [V, C];
  return shapes;
}

export const countParameters = (config: Qwen2Config) =>
  Object.values(parameterShapes(config)).reduce((n, shape) => n + shape.reduce((a, b) => a * b, 1), 0);

/** Random parameters; each tensor has a random stream of its own, named after it. */
export function initParameters(config: Qwen2Config, seed: number): Parameters {
  const make = (name: string, shape: number[]) => {
    const size = shape.reduce((a, b) => a * b, 1);
    if (name.endsWith("norm.weight")) return tf.ones(shape);
    if (name.endsWith(".bias")) return tf.zeros(shape);
    const random = makeRandom(seed, "init", name);
    const values = new Float32Array(size); // filled in a loop: Float32Array.from is many times slower, and this may be 10^8
    for (let i = 0; i < size; i++) values[i] = random.normal() * config.initializerRange;
    return tf.tensor(values, shape);
  };
  return Object.fromEntries(Object.entries(parameterShapes(config)).map(([name, shape]) => [name, make(name, shape)]));
}

/**
 * @file The configuration of a Qwen2 decoder: Hugging Face's `config.json`, with its keys in camelCase.
 */
import { z } from "zod";
import { UserError } from "../util/assert.ts";

export interface Qwen2Config {
  vocabSize: number;
  hiddenSize: number;
  intermediateSize: number;
  numHiddenLayers: number;
  numAttentionHeads: number;
  numKeyValueHeads: number;
  maxPositionEmbeddings: number;
  rmsNormEps: number;
  ropeTheta: number;
  tieWordEmbeddings: boolean;
  initializerRange: number;
}

/** Our keys and Hugging Face's. */
const HF_KEYS: Record<keyof Qwen2Config, string> = {
  vocabSize: "vocab_size",
  hiddenSize: "hidden_size",
  intermediateSize: "intermediate_size",
  numHiddenLayers: "num_hidden_layers",
  numAttentionHeads: "num_attention_heads",
  numKeyValueHeads: "num_key_value_heads",
  maxPositionEmbeddings: "max_position_embeddings",
  rmsNormEps: "rms_norm_eps",
  ropeTheta: "rope_theta",
  tieWordEmbeddings: "tie_word_embeddings",
  initializerRange: "initializer_range",
};

const size = z.number().int().positive();
const schema = z
  .object({
    model_type: z.literal("qwen2"),
    hidden_act: z.literal("silu"),
    use_sliding_window: z.literal(false).optional(),
    vocab_size: size,
    hidden_size: size,
    intermediate_size: size,
    num_hidden_layers: size,
    num_attention_heads: size,
    num_key_value_heads: size,
    max_position_embeddings: size,
    rms_norm_eps: z.number().positive(), // per checkpoint, never defaulted: 1e-5 and 1e-6 both exist
    rope_theta: z.number().positive().optional(),
    rope_parameters: z.object({ rope_theta: z.number().positive(), rope_type: z.literal("default") }).optional(),
    tie_word_embeddings: z.boolean(),
    initializer_range: z.number().positive().default(0.02),
  })
  .refine((c) => (c.rope_theta ?? c.rope_parameters) !== undefined, "rope_theta is missing")
  .refine((c) => c.hidden_size % c.num_attention_heads === 0, "hidden_size must be a multiple of num_attention_heads")
  .refine(
    (c) => c.num_attention_heads % c.num_key_value_heads === 0,
    "num_attention_heads must be a multiple of num_key_value_heads",
  );

/** Reads a parsed `config.json`, old style (`rope_theta`) or new (`rope_parameters`). `where` names it in errors. */
export function fromHuggingFace(json: unknown, where = "config.json"): Qwen2Config {
  const parsed = schema.safeParse(json);
  if (!parsed.success) {
    const { path, message } = parsed.error.issues[0];
    throw new UserError(
      `${where}: ${path.join(".") || "configuration"}: ${message}; expected a Qwen2 model's config.json`,
    );
  }
  const flat: Record<string, unknown> = { ...parsed.data };
  flat.rope_theta ??= parsed.data.rope_parameters?.rope_theta;
  return Object.fromEntries(Object.entries(HF_KEYS).map(([ours, theirs]) => [ours, flat[theirs]])) as never;
}

/** The `config.json` that Hugging Face transformers loads. */
export function toHuggingFace(config: Qwen2Config, eosTokenId: number): Record<string, unknown> {
  return {
    architectures: ["Qwen2ForCausalLM"],
    model_type: "qwen2",
    hidden_act: "silu",
    use_sliding_window: false,
    attention_dropout: 0,
    torch_dtype: "float32",
    bos_token_id: null,
    eos_token_id: eosTokenId,
    ...Object.fromEntries(Object.entries(HF_KEYS).map(([ours, theirs]) => [theirs, config[ours as keyof Qwen2Config]])),
  };
}

export const headDim = (config: Qwen2Config) => config.hiddenSize / config.numAttentionHeads;

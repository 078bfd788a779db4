/**
 * @file The configuration of a Qwen2 decoder: Hugging Face's `config.json`, with its keys in camelCase.
 */
import { z } from "zod";
import type { DualChunk } from "../ops/dualChunkAttention.ts";
import type { Yarn } from "../ops/rope.ts";
import { UserError } from "../util/assert.ts";

export interface Qwen2Config {
  vocabSize: number;
  hiddenSize: number;
  intermediateSize: number;
  numHiddenLayers: number;
  numAttentionHeads: number;
  numKeyValueHeads: number;
  /** Width of a head, where it is not hiddenSize / numAttentionHeads. */
  headDim?: number;
  maxPositionEmbeddings: number;
  rmsNormEps: number;
  ropeTheta: number;
  /** For contexts longer than those the model was trained on. */
  ropeScaling?: Yarn;
  /** In layers of type sliding_attention a token sees this many tokens, itself included. */
  slidingWindow?: number;
  /** Only with slidingWindow; all layers are full_attention otherwise. */
  layerTypes?: LayerType[];
  /** For the same, with positions that start over in each chunk. */
  dualChunkAttention?: DualChunk;
  tieWordEmbeddings: boolean;
  initializerRange: number;
}

export type LayerType = "full_attention" | "sliding_attention";

/** Our keys and Hugging Face's, where both hold the same value. */
const HF_KEYS = {
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
} as const satisfies Partial<Record<keyof Qwen2Config, string>>;

const size = z.number().int().positive();
const positive = z.number().positive();
const layerTypes = z.array(z.enum(["full_attention", "sliding_attention"]));

/** `rope_scaling` of old files (`type`), `rope_parameters` of new ones (`rope_type`). */
const ropeSchema = z
  .strictObject({
    rope_type: z.enum(["default", "yarn"]).optional(),
    type: z.enum(["default", "yarn"]).optional(),
    rope_theta: positive.optional(),
    factor: z.number().min(1).nullish(), // null: the context's growth
    original_max_position_embeddings: size.optional(),
    beta_fast: positive.nullish(),
    beta_slow: positive.nullish(),
    attention_factor: positive.nullish(),
    mscale: z.number().nullish(),
    mscale_all_dim: z.number().nullish(),
    truncate: z.boolean().optional(),
  })
  .refine((rope) => (rope.rope_type ?? rope.type) !== "yarn" || rope.factor !== undefined, "yarn needs a factor");

type Rope = z.infer<typeof ropeSchema>;

const schema = z
  .object({
    model_type: z.literal("qwen2"),
    hidden_act: z.literal("silu"),
    vocab_size: size,
    hidden_size: size,
    intermediate_size: size,
    num_hidden_layers: size.max(10_000), // before an array is made of them
    num_attention_heads: size,
    num_key_value_heads: size.nullish(), // absent: one for each query head
    head_dim: size.nullish(),
    max_position_embeddings: size,
    rms_norm_eps: positive, // per checkpoint, never defaulted: 1e-5 and 1e-6 both exist
    rope_theta: positive.optional(),
    rope_parameters: ropeSchema.nullish(),
    rope_scaling: ropeSchema.nullish(),
    use_sliding_window: z.boolean().default(false),
    sliding_window: size.nullish(), // 131072 in released files, though it is off there
    max_window_layers: z.number().int().nonnegative().optional(),
    layer_types: layerTypes.nullish(),
    dual_chunk_attention_config: z.object({ chunk_size: size, local_size: size }).nullish(),
    attention_dropout: z.literal(0, "expected 0: this decoder has no dropout").default(0),
    quantization_config: z.null("quantized weights cannot be read; take the model in bfloat16").optional(),
    tie_word_embeddings: z.boolean(),
    initializer_range: positive.default(0.02),
  })
  .superRefine((c, context) => {
    const refuse = (path: string, message: string) => context.addIssue({ code: "custom", path: [path], message });
    const heads = c.num_attention_heads;
    const width = c.head_dim ?? c.hidden_size / heads;
    if ((ropeOf(c).rope_theta ?? c.rope_theta) === undefined) refuse("rope_theta", "is missing");
    if (!Number.isInteger(width)) refuse("hidden_size", "must be a multiple of num_attention_heads");
    else if (width % 2 !== 0) refuse("head_dim", `${width} is odd, but rotary embeddings turn pairs`);
    if (heads % (c.num_key_value_heads ?? heads) !== 0)
      refuse("num_attention_heads", "must be a multiple of num_key_value_heads");
    if (c.layer_types && c.layer_types.length !== c.num_hidden_layers)
      refuse("layer_types", `has ${c.layer_types.length} entries for ${c.num_hidden_layers} layers`);
    if (c.use_sliding_window && !c.sliding_window) refuse("sliding_window", "is missing, use_sliding_window is true");
    if (c.use_sliding_window && !c.layer_types && c.max_window_layers === undefined)
      refuse("max_window_layers", "is missing, use_sliding_window is true");
    if (!c.use_sliding_window && c.layer_types?.includes("sliding_attention"))
      refuse("layer_types", "has sliding_attention, but use_sliding_window is false");
    const dual = c.dual_chunk_attention_config;
    if (dual && dual.local_size >= dual.chunk_size)
      refuse("dual_chunk_attention_config", "local_size must be less than chunk_size");
    if (dual && c.use_sliding_window) refuse("dual_chunk_attention_config", "cannot be used with a sliding window");
  });

/** The part about rotary embeddings; where both stand, transformers takes the old style's. */
function ropeOf(c: { rope_scaling?: Rope | null; rope_parameters?: Rope | null }): Rope {
  return c.rope_scaling ?? c.rope_parameters ?? {};
}

/** Reads a parsed `config.json`, old style (`rope_theta`) or new (`rope_parameters`). `where` names it in errors. */
export function fromHuggingFace(json: unknown, where = "config.json"): Qwen2Config {
  const parsed = schema.safeParse(json);
  if (!parsed.success) {
    const { path, message } = parsed.error.issues[0];
    const line = message.replace(/\p{Cc}+/gu, " ").slice(0, 200); // it may have a key of the file in it
    throw new UserError(
      `${where}: ${path.join(".") || "configuration"}: ${line}; expected a Qwen2 model's config.json`,
    );
  }
  const c = parsed.data;
  const flat: Record<string, unknown> = { ...c };
  flat.rope_theta = ropeOf(c).rope_theta ?? c.rope_theta;
  flat.num_key_value_heads ??= c.num_attention_heads;
  const config = Object.fromEntries(Object.entries(HF_KEYS).map(([ours, theirs]) => [ours, flat[theirs]])) as never;
  return { ...(config as Qwen2Config), ...optionalParts(c) };
}

/** What most models do not have; absent keys stay absent. */
function optionalParts(c: z.infer<typeof schema>): Partial<Qwen2Config> {
  const parts: Partial<Qwen2Config> = {};
  if (c.head_dim && c.head_dim !== c.hidden_size / c.num_attention_heads) parts.headDim = c.head_dim;
  const rope = ropeOf(c);
  if ((rope.rope_type ?? rope.type) === "yarn") {
    const trained = rope.original_max_position_embeddings ?? c.max_position_embeddings;
    const factor = rope.factor ?? c.max_position_embeddings / trained;
    parts.ropeScaling = {
      factor,
      originalMaxPositionEmbeddings: trained,
      betaFast: rope.beta_fast ?? 32,
      betaSlow: rope.beta_slow ?? 1,
      truncate: rope.truncate ?? true,
    };
    const { attention_factor: given, mscale, mscale_all_dim: all } = rope;
    const growth = (m: number) => 0.1 * m * Math.log(factor) + 1;
    if (given) parts.ropeScaling.attentionFactor = given;
    else if (mscale && all) parts.ropeScaling.attentionFactor = growth(mscale) / growth(all);
  }
  if (c.use_sliding_window) {
    const fromLayer = c.max_window_layers!;
    const types = Array.from(
      { length: c.num_hidden_layers },
      (_, i): LayerType => (i >= fromLayer ? "sliding_attention" : "full_attention"),
    );
    parts.slidingWindow = c.sliding_window!;
    parts.layerTypes = c.layer_types ?? types;
  }
  const dual = c.dual_chunk_attention_config;
  if (dual) parts.dualChunkAttention = { chunkSize: dual.chunk_size, localSize: dual.local_size };
  return parts;
}

/** The `config.json` that Hugging Face transformers loads, with the keys of the released Qwen2 files. */
export function toHuggingFace(config: Qwen2Config, eosTokenId: number, dtype = "float32"): Record<string, unknown> {
  const { ropeScaling: yarn, dualChunkAttention: dual, layerTypes, slidingWindow } = config;
  const firstSliding = layerTypes?.indexOf("sliding_attention") ?? -1;
  return {
    architectures: ["Qwen2ForCausalLM"],
    model_type: "qwen2",
    hidden_act: "silu",
    attention_dropout: 0,
    torch_dtype: dtype,
    bos_token_id: null,
    eos_token_id: eosTokenId,
    ...Object.fromEntries(Object.entries(HF_KEYS).map(([ours, theirs]) => [theirs, config[ours as keyof Qwen2Config]])),
    ...(config.headDim ? { head_dim: config.headDim } : {}),
    ...(yarn
      ? {
          rope_scaling: {
            rope_type: "yarn",
            factor: yarn.factor,
            original_max_position_embeddings: yarn.originalMaxPositionEmbeddings,
            beta_fast: yarn.betaFast,
            beta_slow: yarn.betaSlow,
            ...(yarn.attentionFactor ? { attention_factor: yarn.attentionFactor } : {}),
            truncate: yarn.truncate,
          },
        }
      : {}),
    use_sliding_window: slidingWindow !== undefined,
    sliding_window: slidingWindow ?? null,
    max_window_layers: firstSliding < 0 ? config.numHiddenLayers : firstSliding,
    ...(layerTypes ? { layer_types: layerTypes } : {}),
    ...(dual ? { dual_chunk_attention_config: { chunk_size: dual.chunkSize, local_size: dual.localSize } } : {}),
  };
}

export const headDim = (config: Qwen2Config) => config.headDim ?? config.hiddenSize / config.numAttentionHeads;

/**
 * @file What a Qwen2 model costs: parameters, floating-point operations, memory. Estimates by formula, of the arrays that
 * must be there; a runtime's buffers, transient copies and program come on top (docs/checkpoints.md has measurements).
 *
 * Letters as in qwen2.ts, with L layers. Bytes and operations are exact integers of the formulas below.
 */
import { headDim, type Qwen2Config } from "./config.ts";
import { parameterShapes } from "./init.ts";

/** Name -> parameters in all layers together, from the shapes of one. */
function sizes(config: Qwen2Config): [name: string, size: number, rank: number][] {
  const once = Object.entries(parameterShapes({ ...config, numHiddenLayers: 1 }));
  return once.map(([name, shape]) => {
    const times = name.startsWith("model.layers.") ? config.numHiddenLayers : 1;
    return [name, times * shape.reduce((n, size) => n * size, 1), shape.length];
  });
}

/** Which part of the model a parameter belongs to. */
function partOf(name: string) {
  if (name.includes("embed_tokens")) return "embedding";
  if (name.includes("self_attn")) return "attention";
  if (name.includes(".mlp.")) return "mlp";
  return name.includes("norm") ? "norms" : "head";
}

/** Parameters by part; `total` is the sum of the parts. */
export function countByPart(config: Qwen2Config) {
  const parts = { embedding: 0, attention: 0, mlp: 0, norms: 0, head: 0 };
  const all = sizes(config);
  for (const [name, size] of all) parts[partOf(name)] += size;
  const total = Object.values(parts).reduce((a, b) => a + b, 0);
  const inLayer = all.filter(([name]) => name.startsWith("model.layers.")).length;
  const tensors = all.length + (config.numHiddenLayers - 1) * inLayer;
  return { total, ...parts, nonEmbedding: total - parts.embedding - parts.head, tensors };
}

/**
 * Operations per token of a sequence of T, a multiplication and an addition for each weight that multiplies (N: matrices
 * of the layers and the head; a table that is looked up, biases and norms are not) and for each score and mixed value:
 *
 *   forward   2 N + 4 L H D T        training   6 N + 12 L H D T   (backward is two products for one)
 *
 * the convention of PaLM, appendix B (arXiv 2204.02311): attention over the whole [T, T] square, nothing that is computed
 * twice to save memory, sliding windows as if they were open. bench/configs.ts counts the same products one by one.
 */
export function flopsPerToken(config: Qwen2Config, T: number) {
  const { vocabSize: V, hiddenSize: C, numHiddenLayers: L, numAttentionHeads: H } = config;
  const matrices = sizes(config).filter(([name, , rank]) => rank === 2 && name.startsWith("model.layers."));
  const N = matrices.reduce((sum, [, size]) => sum + size, V * C);
  const forward = 2 * N + 4 * L * H * headDim(config) * T;
  return { multiplying: N, forward, training: 3 * forward };
}

export interface TrainingBatch {
  /** B: sequences of a step, or of a micro-batch. */
  batchSize: number;
  /** T */
  sequenceLength: number;
  /** Everything in float32; or weights, gradients and activations in bfloat16 with float32 master weights. */
  precision: "float32" | "mixed";
  /** Only each layer's input is kept; one layer at a time is computed again. */
  gradientCheckpointing: boolean;
}

/**
 * Bytes that a training step with AdamW holds at its fullest.
 *
 *   state         16 per parameter: float32 weight, gradient, two moments (4 + 4 + 8); mixed: bfloat16 weight and gradient,
 *                 float32 master weight and two moments (2 + 2 + 4 + 8; ZeRO, arXiv 1910.02054, section 3.1)
 *   activations   per token and layer, what the gradients need: 4 C (inputs of the norms and of the projections),
 *                 2 H D + 2 K D (q, mixed; k, v), 3 F (gate, up, their product)
 *   attention     the probabilities, H T per token and layer; 0 with FlashAttention, which computes them again
 *   logits        2 V per token in float32: scores and their gradient
 */
export function trainingMemory(config: Qwen2Config, batch: TrainingBatch) {
  const { vocabSize: V, hiddenSize: C, intermediateSize: F, numHiddenLayers: L } = config;
  const { numAttentionHeads: H, numKeyValueHeads: K } = config;
  const D = headDim(config);
  const N = countByPart(config).total;
  const tokens = batch.batchSize * batch.sequenceLength;
  const mixed = batch.precision === "mixed";
  const width = mixed ? 2 : 4;
  const inLayer = 4 * C + 2 * H * D + 2 * K * D + 3 * F;
  const whole = batch.gradientCheckpointing ? 1 : L; // layers whose insides are there at once
  const inputs = batch.gradientCheckpointing ? L * C : 0;
  const parts = {
    weights: width * N,
    gradients: width * N,
    optimizer: (mixed ? 12 : 8) * N,
    activations: width * tokens * (whole * inLayer + inputs + 2 * C), // 2 C: in and out of the last norm
    attention: width * tokens * whole * H * batch.sequenceLength,
    logits: 4 * tokens * 2 * V,
  };
  return { ...parts, total: Object.values(parts).reduce((a, b) => a + b, 0) };
}

/** Bytes of inference: the weights, and keys and values of B sequences of S tokens, 2 L K D numbers for each token. */
export function inferenceMemory(config: Qwen2Config, batchSize: number, S: number, dtype: "float32" | "bfloat16") {
  const width = dtype === "float32" ? 4 : 2;
  const weights = width * countByPart(config).total;
  const cachePerToken = width * 2 * config.numHiddenLayers * config.numKeyValueHeads * headDim(config);
  const cache = cachePerToken * batchSize * S;
  return { weights, cachePerToken, cache, total: weights + cache };
}

/**
 * @file The models and batches that are timed, and their numbers: weights and token ids come from a formula, so that
 * every contender, in any language (bench/common.py has the same), starts from the same and must report the same losses.
 */
import * as tf from "@tensorflow/tfjs-core";
import { headDim, type Qwen2Config } from "../src/model/config.ts";
import { parameterShapes } from "../src/model/init.ts";
import type { Parameters } from "../src/model/qwen2.ts";
import { PRESETS } from "../src/train/presets.ts";

export interface BenchConfig {
  model: Qwen2Config;
  /** Sequences of a training step, and tokens of each. */
  batchSize: number;
  sequenceLength: number;
}

function config(
  [vocabSize, hiddenSize, intermediateSize]: number[],
  [numHiddenLayers, numAttentionHeads]: number[],
  [batchSize, sequenceLength]: number[],
): BenchConfig {
  const model = {
    ...{ vocabSize, hiddenSize, intermediateSize, numHiddenLayers, numAttentionHeads, numKeyValueHeads: 2 },
    ...{ maxPositionEmbeddings: sequenceLength, rmsNormEps: 1e-6, ropeTheta: 1e6 },
    ...{ tieWordEmbeddings: true, initializerRange: 0.02 },
  };
  return { model, batchSize, sequenceLength };
}

const miniature = PRESETS.default;

export const CONFIGS: Record<string, BenchConfig> = {
  A: config([4096, 256, 704], [4, 8], [8, 128]),
  B: config([2048, 128, 352], [4, 4], [8, 128]),
  C: config([8192, 512, 1408], [6, 8], [4, 256]),
  /** The miniature's own: the default preset. */
  D: {
    model: {
      ...miniature.model,
      vocabSize: miniature.vocabSize,
      maxPositionEmbeddings: miniature.sequenceLength,
    },
    batchSize: miniature.batchSize,
    sequenceLength: miniature.sequenceLength,
  },
};

export function describeConfig({ model, batchSize, sequenceLength }: BenchConfig): string {
  const { vocabSize, hiddenSize, numHiddenLayers } = model;
  return `vocabulary ${vocabSize}, width ${hiddenSize}, ${numHiddenLayers} layers, ${batchSize} x ${sequenceLength} tokens`;
}

/** For bench/*.py, by the letters of their legend. */
export function toPython({ model, batchSize, sequenceLength }: BenchConfig): string {
  return JSON.stringify({
    V: model.vocabSize,
    C: model.hiddenSize,
    L: model.numHiddenLayers,
    H: model.numAttentionHeads,
    K: model.numKeyValueHeads,
    F: model.intermediateSize,
    B: batchSize,
    T: sequenceLength,
    eps: model.rmsNormEps,
    theta: model.ropeTheta,
    tied: model.tieWordEmbeddings,
  });
}

/** One matrix product, `times` over: [m, k] by [k, n]. */
export interface Product {
  m: number;
  n: number;
  k: number;
  times: number;
}

/**
 * Every matrix product of a training step, forward and backward: three for a linear layer (y, dx, dW), six for
 * attention (scores, mixed values; dv, dP, dq, dk), over the whole [T, T] square. What is computed twice to save memory
 * counts once, and nothing but products counts.
 */
export function productsOfStep({ model, batchSize, sequenceLength: T }: BenchConfig): Product[] {
  const { vocabSize: V, hiddenSize: C, intermediateSize: F, numHiddenLayers: L, numAttentionHeads: H } = model;
  const D = headDim(model);
  const KD = model.numKeyValueHeads * D;
  const N = batchSize * T;
  const linear = (inputs: number, outputs: number, times: number): Product[] => [
    { m: N, n: outputs, k: inputs, times }, // y = x Wᵀ
    { m: N, n: inputs, k: outputs, times }, // dx = dy W
    { m: outputs, n: inputs, k: N, times }, // dW = dyᵀ x
  ];
  const heads = L * batchSize * H;
  return [
    ...linear(C, H * D, L), // q
    ...linear(C, KD, 2 * L), // k, v
    ...linear(H * D, C, L), // o
    ...linear(C, F, 2 * L), // gate, up
    ...linear(F, C, L), // down
    ...linear(C, V, 1), // head
    { m: T, n: T, k: D, times: 2 * heads }, // q kᵀ, dP = do vᵀ
    { m: T, n: D, k: T, times: 4 * heads }, // P v, dv = Pᵀ do, dq = dS k, dk = dSᵀ q
  ];
}

/** Floating-point operations of {@link productsOfStep}: a multiplication and an addition for each of m·n·k. */
export const flopsOfStep = (config: BenchConfig) =>
  productsOfStep(config).reduce((sum, { m, n, k, times }) => sum + 2 * m * n * k * times, 0);

/** Numbers in [0, 1): lowbias32(fnv1a32(name) + i) / 2^32. */
export function hashed(name: string, count: number): Float64Array {
  let seed = 0x811c9dc5;
  for (const byte of Buffer.from(name)) seed = Math.imul(seed ^ byte, 0x01000193);
  return Float64Array.from({ length: count }, (_, i) => {
    let x = (seed + i) | 0;
    x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
    x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
    return ((x ^ (x >>> 16)) >>> 0) / 2 ** 32;
  });
}

/** Wide enough that the layers outweigh the embedding: with 0.04 greedy generation repeats the last token of the prompt. */
export const GENERATION_WIDTH = 0.4;

/** width (u - 0.5), and 1 + that for norms. */
export function makeParameters(model: Qwen2Config, width = 0.04): Parameters {
  const make = ([name, shape]: [string, number[]]) => {
    const around = name.includes("norm") ? 1 : 0;
    const size = shape.reduce((a, b) => a * b, 1);
    const values = Float32Array.from(hashed(name, size), (u) => around + width * (u - 0.5));
    return [name, tf.tensor(values, shape)];
  };
  return Object.fromEntries(Object.entries(parameterShapes(model)).map(make));
}

/** Token ids with a skewed distribution, so that there is something to learn. */
export const makeTokens = (name: string, count: number, vocabSize: number) =>
  Int32Array.from(hashed(name, count), (u) => Math.floor(vocabSize * (u * u * u)));

/**
 * @file Qwen2's dense sizes: Table 1 of the technical report (arXiv 2407.10671) for the architecture, the base models'
 * config.json for the rest: rows of the embedding (a multiple that divides well, above the 151,646 tokens of the report),
 * context, epsilon, base of the rotary embedding. Sliding window is off in all of them.
 */
import type { Qwen2Config } from "./config.ts";

const COMMON = {
  maxPositionEmbeddings: 131_072, // base models; 32,768 in the Instruct models' config.json
  rmsNormEps: 1e-6,
  ropeTheta: 1e6, // report, section 3.2: from 10,000 to 1,000,000 with the context
  initializerRange: 0.02,
};

export const QWEN2_SIZES = {
  "0.5b": {
    ...COMMON,
    vocabSize: 151_936,
    hiddenSize: 896,
    intermediateSize: 4864,
    numHiddenLayers: 24,
    numAttentionHeads: 14,
    numKeyValueHeads: 2,
    tieWordEmbeddings: true,
  },
  "1.5b": {
    ...COMMON,
    vocabSize: 151_936,
    hiddenSize: 1536,
    intermediateSize: 8960,
    numHiddenLayers: 28,
    numAttentionHeads: 12,
    numKeyValueHeads: 2,
    tieWordEmbeddings: true,
  },
  "7b": {
    ...COMMON,
    vocabSize: 152_064,
    hiddenSize: 3584,
    intermediateSize: 18_944,
    numHiddenLayers: 28,
    numAttentionHeads: 28,
    numKeyValueHeads: 4,
    tieWordEmbeddings: false,
  },
  "72b": {
    ...COMMON,
    vocabSize: 152_064,
    hiddenSize: 8192,
    intermediateSize: 29_568,
    numHiddenLayers: 80,
    numAttentionHeads: 64,
    numKeyValueHeads: 8,
    tieWordEmbeddings: false,
    // The base model's, by Pai-Megatron-Patch's scripts, with which it is converted and trained; a config.json of
    // 72B-Instruct says 1e-6. A checkpoint's own config.json decides.
    rmsNormEps: 1e-5,
  },
} as const satisfies Record<string, Qwen2Config>;

export type Qwen2Size = keyof typeof QWEN2_SIZES;

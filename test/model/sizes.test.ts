/**
 * @file Qwen2's sizes: exact counts (the released checkpoints' numbers of parameters and tensors), operations counted
 * one product at a time, memory against a measured training step.
 */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { CONFIGS, flopsOfStep } from "../../bench/configs.ts";
import type { Qwen2Config } from "../../src/model/config.ts";
import { countByPart, flopsPerToken, inferenceMemory, trainingMemory } from "../../src/model/cost.ts";
import { countParameters } from "../../src/model/init.ts";
import { QWEN2_SIZES } from "../../src/model/sizes.ts";
import { TINY } from "../train/tiny.ts";

describe("parameters and tensors", () => {
  test.each([
    ["0.5b", 494_032_768, 357_898_112, 290],
    ["1.5b", 1_543_714_304, 1_310_340_608, 338],
    ["7b", 7_615_616_512, 6_525_621_760, 339],
    ["72b", 72_706_203_648, 70_214_787_072, 963],
  ] as const)("of Qwen2-%s: %i, %i without embedding and head, in %i tensors", (size, total, nonEmbedding, tensors) => {
    const config = QWEN2_SIZES[size];
    expect(countByPart(config)).toMatchObject({ total, nonEmbedding, tensors });
    expect(countParameters(config)).toBe(total);
    // the formula by hand
    const { vocabSize: V, hiddenSize: C, intermediateSize: F, numHiddenLayers: L } = config;
    const { numAttentionHeads: H, numKeyValueHeads: K } = config;
    const D = C / H;
    const layer = C * H * D + H * D + 2 * (C * K * D + K * D) + H * D * C + 3 * C * F + 2 * C;
    expect(V * C + L * layer + C + (config.tieWordEmbeddings ? 0 : V * C)).toBe(total);
  });

  test("by part, of a model small enough to count", () => {
    // V 40, C 16, F 24, 2 layers, 4 heads of 4, 2 of keys and values
    const attention = 2 * (16 * 16 + 16 + 2 * (8 * 16 + 8) + 16 * 16);
    const parts = { embedding: 640, attention, mlp: 2 * 3 * 16 * 24, norms: 5 * 16, head: 0 };
    expect(countByPart(TINY)).toMatchObject(parts);
    expect(countByPart({ ...TINY, tieWordEmbeddings: false }).head).toBe(640);
    const wide = countByPart({ ...TINY, headDim: 8 }); // heads wider than their share
    expect(wide.attention).toBe(2 * (16 * 32 + 32 + 2 * (16 * 16 + 16) + 32 * 16));
  });
});

describe("operations", () => {
  test.each(Object.entries(CONFIGS))("of a training step of the benchmark %s are those of its products", (_, bench) => {
    const tokens = bench.batchSize * bench.sequenceLength;
    expect(flopsPerToken(bench.model, bench.sequenceLength).training * tokens).toBe(flopsOfStep(bench));
  });

  test("are 6 N + 12 L H D T, and a third of that forward", () => {
    for (const config of Object.values(QWEN2_SIZES)) {
      const { training, forward, multiplying } = flopsPerToken(config, 4096);
      expect(training).toBe(6 * multiplying + 12 * config.numHiddenLayers * config.hiddenSize * 4096); // H D = C here
      expect(3 * forward).toBe(training);
      const { total, embedding } = countByPart(config);
      const tied = config.tieWordEmbeddings ? 0 : embedding; // looked up only
      expect(multiplying / (total - tied)).toBeGreaterThan(0.9995); // but for biases and norms
    }
  });
});

describe("memory", () => {
  test("of training: 16 bytes of state per parameter in both precisions, and what a small model keeps", () => {
    const batch = { batchSize: 2, sequenceLength: 8, precision: "float32", gradientCheckpointing: false } as const;
    const N = countByPart(TINY).total;
    const state = (precision: "float32" | "mixed") => {
      const { weights, gradients, optimizer } = trainingMemory(TINY, { ...batch, precision });
      return [weights, gradients, optimizer];
    };
    expect(state("float32")).toEqual([4 * N, 4 * N, 8 * N]);
    expect(state("mixed")).toEqual([2 * N, 2 * N, 12 * N]);
    const layer = 4 * 16 + 2 * 16 + 2 * 8 + 3 * 24; // 184 numbers of a token in a layer
    expect(trainingMemory(TINY, batch)).toMatchObject({
      activations: 4 * 16 * (2 * layer + 32),
      attention: 4 * 16 * 2 * 4 * 8,
      logits: 4 * 16 * 2 * 40,
    });
    expect(trainingMemory(TINY, { ...batch, gradientCheckpointing: true })).toMatchObject({
      activations: 4 * 16 * (layer + 2 * 16 + 32),
      attention: 4 * 16 * 4 * 8,
    });
    expect(trainingMemory(TINY, { ...batch, precision: "mixed" }).activations).toBe(2 * 16 * (2 * layer + 32));
  });

  test("of inference: Qwen2-7B's cache takes 56 KiB a token in bfloat16", () => {
    const { weights, cachePerToken, cache, total } = inferenceMemory(QWEN2_SIZES["7b"], 2, 1000, "bfloat16");
    expect(cachePerToken).toBe(2 * 28 * 4 * 128 * 2);
    expect([weights, cache, total]).toEqual([15_231_233_024, 114_688_000, 15_231_233_024 + 114_688_000]);
  });

  test("is less than the measured peak of a training step, by less than a third; and so is what checkpointing saves", () => {
    const file = "bench/results/2026-11-21-0.5b-amd-epyc.json";
    const { rows, tokens, results } = JSON.parse(readFileSync(file, "utf8"));
    const estimate = (gradientCheckpointing: boolean) => {
      const batch = { batchSize: rows, sequenceLength: tokens, precision: "float32", gradientCheckpointing } as const;
      return trainingMemory(QWEN2_SIZES["0.5b"], batch).total;
    };
    const [plain, checkpointing] = results.map(({ peakBytes }: { peakBytes: number }) => peakBytes);
    const ratios = [
      estimate(false) / plain, // 0.72: the rest is the runtime's (docs/checkpoints.md)
      estimate(true) / checkpointing, // 0.72
      (estimate(false) - estimate(true)) / (plain - checkpointing), // 0.79
    ];
    for (const ratio of ratios) {
      expect(ratio).toBeGreaterThan(2 / 3);
      expect(ratio).toBeLessThan(1);
    }
  });
});

test("the 72B's epsilon is the base model's", () => {
  const epsilons = Object.values(QWEN2_SIZES).map((config: Qwen2Config) => config.rmsNormEps);
  expect(epsilons).toEqual([1e-6, 1e-6, 1e-6, 1e-5]);
});

/**
 * @file What the benchmark computes from its timings: products counted by hand, medians and their intervals.
 */
import { describe, expect, test } from "vitest";
import { type BenchConfig, CONFIGS, flopsOfStep, hashed, productsOfStep } from "../../bench/configs.ts";
import { median, medianInterval } from "../../bench/statistics.ts";
import { countParameters } from "../../src/model/init.ts";
import { quantile } from "../../src/util/quantile.ts";

/** C = 4, H = 2, K = 1, D = 2, F = 3, V = 5, one layer, one sequence of 2 tokens. */
const tiny: BenchConfig = {
  model: {
    ...CONFIGS.A.model,
    ...{ vocabSize: 5, hiddenSize: 4, intermediateSize: 3, numHiddenLayers: 1 },
    ...{ numAttentionHeads: 2, numKeyValueHeads: 1 },
  },
  batchSize: 1,
  sequenceLength: 2,
};

describe("products of a training step", () => {
  test("are counted as by hand", () => {
    const linear = 3 * 2 * (4 * 4 + 2 * 4 * 2 + 4 * 4 + 2 * 4 * 3 + 3 * 4 + 4 * 5); // q, k and v, o, gate and up, down, head
    const attention = 2 * 6 * (2 * 2 * 2); // heads, products, T·T·D
    expect(flopsOfStep(tiny)).toBe(2 * (linear + attention));
  });

  test("are 6 N for each weight of a matrix, and attention's", () => {
    for (const config of Object.values(CONFIGS)) {
      const { model, batchSize, sequenceLength } = config;
      const { hiddenSize: C, numHiddenLayers: L, numKeyValueHeads: K, numAttentionHeads: H } = model;
      const vectors = L * (C + (2 * C * K) / H + 2 * C) + C; // biases and norms
      const weights = 6 * batchSize * sequenceLength * (countParameters(model) - vectors);
      const attention = 12 * L * batchSize * sequenceLength ** 2 * C;
      expect(flopsOfStep(config)).toBe(weights + attention);
    }
  });

  test("have sizes", () => {
    expect(productsOfStep(tiny).every(({ m, n, k, times }) => m * n * k * times > 0)).toBe(true);
  });
});

test("quantiles interpolate", () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 2, 3])).toBe(2.5);
  expect(quantile([0, 10], 0.25)).toBe(2.5);
  expect(quantile([7], 0.75)).toBe(7);
});

test("the interval of a median takes as many values off its ends as 95 % allow", () => {
  const upTo = (n: number) => Array.from({ length: n }, (_, i) => i + 1);
  expect(medianInterval(upTo(1))).toEqual({ median: 1, low: 1, high: 1, coverage: 0 });
  expect(medianInterval(upTo(5))).toEqual({ median: 3, low: 1, high: 5, coverage: 1 - 2 / 32 });
  expect(medianInterval(upTo(7))).toEqual({ median: 4, low: 1, high: 7, coverage: 1 - 2 / 128 });
  expect(medianInterval(upTo(9))).toEqual({ median: 5, low: 2, high: 8, coverage: 1 - 20 / 512 }); // C(9,0) + C(9,1) = 10
  expect(medianInterval(upTo(20))).toMatchObject({ low: 6, high: 15 }); // the sign test's table
});

test("numbers of a name are the same on every machine and in bench/common.py", () => {
  // python -c 'import sys; sys.path.insert(0, "bench"); from common import hashed; print(list(hashed("tokens.0", 3)))'
  expect([...hashed("tokens.0", 3)]).toEqual([0.29743548459373415, 0.3467411850579083, 0.7530022822320461]);
});

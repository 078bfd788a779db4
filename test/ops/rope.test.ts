/**
 * @file The rotary frequencies are Hugging Face's to the last bit but one (test/fixtures/qwen2/grid/make.py): PyTorch's own
 * power is off by one bit in some places, and may be in others on another processor.
 */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { fromHuggingFace } from "../../src/model/config.ts";
import { ropeFrequencies, yarnAttentionFactor, yarnFrequencies } from "../../src/ops/rope.ts";

interface Golden {
  head_dim: number;
  rope_parameters: object;
  bits: number[];
  scaling: number;
}
const golden: Record<string, Golden> = JSON.parse(readFileSync("test/fixtures/qwen2/grid/frequencies.json", "utf8"));
const { config } = JSON.parse(readFileSync("test/fixtures/qwen2/grid/cases.json", "utf8"))[0];

test.each(Object.entries(golden))("%s", (_, { head_dim, rope_parameters, bits, scaling }) => {
  const { ropeTheta, ropeScaling } = fromHuggingFace({ ...config, head_dim, rope_parameters });
  const got = ropeScaling ? yarnFrequencies(head_dim, ropeTheta, ropeScaling) : ropeFrequencies(head_dim, ropeTheta);
  const off = Array.from(new Int32Array(got.buffer), (x, i) => Math.abs(x - bits[i]));
  expect(off).toHaveLength(bits.length);
  expect(Math.max(...off)).toBeLessThanOrEqual(1);
  expect(off.filter((n) => n > 0).length / off.length).toBeLessThan(0.12);
  expect(ropeScaling ? yarnAttentionFactor(ropeScaling) : 1).toBeCloseTo(scaling, 15);
});

describe("YaRN", () => {
  const yarn = { factor: 4, originalMaxPositionEmbeddings: 32768, betaFast: 32, betaSlow: 1, truncate: true };
  const plain = ropeFrequencies(128, 1e6);

  test("changes nothing for factor 1", () => {
    expect(yarnFrequencies(128, 1e6, { ...yarn, factor: 1 })).toEqual(plain);
    expect(yarnAttentionFactor({ ...yarn, factor: 1 })).toBe(1);
  });

  test("keeps the fastest frequencies and slows the slowest by the factor", () => {
    const slowed = yarnFrequencies(128, 1e6, yarn);
    expect(slowed.slice(0, 16)).toEqual(plain.slice(0, 16));
    expect(slowed[63]).toBeCloseTo(plain[63] / 4, 12);
    slowed.forEach((x, i) => {
      expect(x).toBeLessThanOrEqual(plain[i]);
    });
  });
});

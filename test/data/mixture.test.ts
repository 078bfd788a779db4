import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  allocate,
  BASE_SHARES,
  deriveTable1,
  interleave,
  overdrawn,
  planStage,
  STREAM_NAMES,
  type StreamName,
  stageMixture,
  streamCounts,
  TABLE_1,
  TABLE_2,
  utilisation,
} from "../../src/data/mixture.ts";

describe("Table 1 from Tables 2 and 3", () => {
  const derived = deriveTable1();
  const used = Object.fromEntries(derived.map((row) => [row.name, row.used]));

  it("gives the used tokens before rounding", () => {
    expect(used.en).toBe(90.4);
    expect(used.zh).toBe(48.2);
    for (const language of ["ar", "de", "es", "fr", "ko", "ja", "pt", "tr"]) expect(used[language]).toBe(10.55);
    for (const { name, group } of derived) if (group === "LR") expect(used[name]).toBe(35.4 / 19); // 1.863
    expect(used.parallel).toBe(20.8);
    expect(used.knowledge).toBe(16.4);
    expect(used.synthetic).toBe(4.4);
    expect(derived.reduce((sum, row) => sum + row.used, 0)).toBeCloseTo(300, 10);
  });

  it("rounds to the printed used tokens, except the other HR languages' 10.55, printed 10.6", () => {
    for (const { name, used: printed } of TABLE_1) expect(Math.abs(used[name] - printed)).toBeLessThan(0.0501);
    expect(TABLE_1.reduce((sum, row) => sum + row.used, 0)).toBeCloseTo(301.1, 10); // the printed column's own sum
    expect(TABLE_1.reduce((sum, row) => sum + row.available, 0)).toBeCloseTo(5115.9, 10);
  });

  it("gives every printed utilisation, except Hebrew's and Malay's, which rounded collection sizes explain", () => {
    const different = derived
      .map((row, i) => ({ ...row, printed: TABLE_1[i].utilisation }))
      .filter((row) => row.utilisation !== row.printed);
    expect(different.map((row) => [row.name, row.utilisation, row.printed])).toEqual([
      ["he", 16.5, 16.4],
      ["ms", 64.2, 64.4],
    ]);
    for (const { available, used, printed } of different) {
      expect((100 * used) / (available + 0.05) - 0.05).toBeLessThan(printed);
      expect((100 * used) / (available - 0.05) + 0.05).toBeGreaterThan(printed);
    }
  });

  it("has shares that sum to 100 in every stage", () => {
    for (const shares of [TABLE_2.stage1, TABLE_2.stage2, BASE_SHARES]) {
      expect(Object.values(shares).reduce((a, b) => a + b)).toBe(100);
    }
  });
});

describe("allocate", () => {
  it("gives the left-over units to the largest remainders", () => {
    // quotas of 10: 4.7, 1.6, 3.7 -> floors 4 1 3, two units left for the remainders .7 and .7
    expect(allocate({ a: 47, b: 16, c: 37 }, 10)).toEqual({ a: 5, b: 1, c: 4 });
    expect(allocate({ a: 1, b: 1, c: 1 }, 2)).toEqual({ a: 1, b: 1, c: 0 }); // equal remainders: first wins
  });

  it("sums to the total and stays within one of the quota", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(1000), { minLength: 1, maxLength: 32 }), fc.nat(5000), (weights, total) => {
        const sum = weights.reduce((a, b) => a + b, 0);
        fc.pre(sum > 0);
        const shares = Object.fromEntries(weights.map((w, i) => [`s${i}`, w]));
        const counts = allocate(shares, total);
        expect(Object.values(counts).reduce((a, b) => a + b)).toBe(total);
        for (const name of Object.keys(shares)) {
          expect(Math.abs(counts[name] - (shares[name] * total) / sum)).toBeLessThan(1);
        }
      }),
    );
  });
});

describe("interleave", () => {
  const indices = (counts: number[]) =>
    interleave(Object.fromEntries(counts.map((n, i) => [`s${i}`, n]))).map((name) => Number(name.slice(1)));

  it("draws Stage I in the order that Megatron-LM's helper does", () => {
    expect(indices([320, 170, 300, 90, 60, 50, 10]).slice(0, 40)).toEqual([
      0, 2, 1, 3, 0, 2, 4, 5, 0, 2, 1, 0, 2, 1, 0, 2, 3, 0, 2, 1, 0, 2, 4, 0, 6, 2, 1, 0, 3, 2, 0, 5, 2, 1, 0, 2, 0, 3,
      1, 2,
    ]);
  });

  it("breaks ties as exact arithmetic does", () => {
    expect(indices([2, 10, 6, 2])).toEqual([1, 2, 0, 1, 3, 1, 2, 1, 2, 1, 0, 1, 2, 1, 3, 1, 2, 1, 2, 1]);
  });

  it("draws each stream exactly its count, never an empty one", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(30), { minLength: 1, maxLength: 12 }), (counts) => {
        const drawn = counts.map(() => 0);
        for (const i of indices(counts)) drawn[i]++;
        expect(drawn).toEqual(counts);
      }),
    );
  });

  it("keeps every prefix of a stage within two sequences of its target", () => {
    const order = planStage(TABLE_2.stage2, 2000);
    const counts = streamCounts(TABLE_2.stage2, 2000);
    const taken = Object.fromEntries(STREAM_NAMES.map((name) => [name, 0])) as Record<StreamName, number>;
    let furthest = 0;
    order.forEach((name, i) => {
      taken[name]++;
      for (const stream of STREAM_NAMES) {
        furthest = Math.max(furthest, Math.abs(taken[stream] - (counts[stream] * (i + 1)) / 2000));
      }
    });
    expect(furthest).toBeLessThan(2);
  });
});

describe("a stage", () => {
  it("realises Table 2 exactly in 1000 sequences, languages within one of each other", () => {
    const order = planStage(TABLE_2.stage1, 1000);
    const mixture = stageMixture("stage1", TABLE_2.stage1, order, 256);
    expect(mixture.tokens).toBe(256_000);
    for (const line of mixture.sources) expect(line.realised).toBe(line.target);
    const counts = streamCounts(TABLE_2.stage1, 1000);
    expect(counts.az).toBe(5); // 90 sequences over 19 languages: 14 get 5 and 5 get 4
    expect(counts.vi).toBe(4);
    expect(counts.de).toBe(38); // 300 over 8: 37.5
    expect(counts.tr).toBe(37);
  });

  it("reports streams that would repeat before training starts", () => {
    const available = Object.fromEntries(STREAM_NAMES.map((name) => [name, 1000])) as Record<StreamName, number>;
    const rows = utilisation([["en", "en", "ne"], ["en"]], 400, available);
    expect(rows.find((row) => row.name === "en")).toEqual({
      name: "en",
      group: "HR",
      available: 1000,
      used: 1200,
    });
    expect(overdrawn(rows)).toEqual([{ name: "en", epochs: 1.2 }]);
  });
});

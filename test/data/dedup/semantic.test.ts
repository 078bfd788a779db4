import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { semanticDuplicates } from "../../../src/data/dedup/semantic.ts";

const kept = (decisions: { kept: boolean }[]) => decisions.flatMap((decision, i) => (decision.kept ? [i] : []));

describe("semantic deduplication", () => {
  // Directions at 0, 30, 60 and 90 degrees, of different lengths; cosines 0.866, 0.5, 0.
  const turned = [0, 30, 60, 90].flatMap((degrees, i) => {
    const angle = (degrees * Math.PI) / 180;
    return [(i + 1) * Math.cos(angle), (i + 1) * Math.sin(angle)];
  });

  test("keeps what is unlike all that is kept, in the order of quality", () => {
    const embeddings = Float32Array.from(turned);
    const decisions = semanticDuplicates(embeddings, 2, { limit: 0.7, keep: "below" });
    expect(kept(decisions)).toEqual([0, 2]);
    expect(decisions[1].nearest).toBe(0);
    expect(decisions[1].similarity).toBeCloseTo(0.866, 3);
    expect(decisions[3].nearest).toBe(2);
    expect(kept(semanticDuplicates(embeddings, 2, { limit: 0.7, keep: "below", order: [1, 3, 0, 2] }))).toEqual([1, 3]);
    expect(kept(semanticDuplicates(embeddings, 2, { limit: 0.9, keep: "atMost" }))).toEqual([0, 1, 2, 3]);
  });

  test("at the limit itself drops with `below` and keeps with `atMost`", () => {
    const same = Float32Array.of(1, 0, 2, 0);
    expect(kept(semanticDuplicates(same, 2, { limit: 1, keep: "below" }))).toEqual([0]);
    expect(kept(semanticDuplicates(same, 2, { limit: 1, keep: "atMost" }))).toEqual([0, 1]);
  });

  test("keeps and flags zero vectors and NaN, which are like nothing (bad input 33)", () => {
    const embeddings = Float32Array.of(0, 0, 1, 0, Number.NaN, 1, 0, 0, 1, 0, Number.POSITIVE_INFINITY, 0);
    const decisions = semanticDuplicates(embeddings, 2, { limit: 0.7, keep: "below" });
    expect(kept(decisions)).toEqual([0, 1, 2, 3, 5]);
    expect(decisions.map(({ unusable }) => unusable)).toEqual([true, false, true, true, false, true]);
    for (const { similarity } of decisions) expect(Number.isNaN(similarity)).toBe(false);
    expect(decisions[2].similarity).toBe(0);
  });

  test("is the plain greedy choice, over more than one block", () => {
    const rows = fc.array(fc.array(fc.integer({ min: -3, max: 3 }), { minLength: 5, maxLength: 5 }), {
      maxLength: 200,
    });
    fc.assert(
      fc.property(rows, (list) => {
        const cosine = (a: number[], b: number[]) => {
          const product = (x: number[], y: number[]) => x.reduce((sum, value, i) => sum + value * y[i], 0);
          return product(a, b) / Math.sqrt(product(a, a) * product(b, b));
        };
        for (const a of list) for (const b of list) fc.pre(!(Math.abs(cosine(a, b) - 0.71) < 1e-5)); // in float32
        const expected: number[] = [];
        list.forEach((row, i) => {
          const zero = row.every((value) => value === 0);
          if (zero || expected.every((j) => !(cosine(row, list[j]) >= 0.71))) expected.push(i);
        });
        expect(kept(semanticDuplicates(Float32Array.from(list.flat()), 5, { limit: 0.71, keep: "below" }))).toEqual(
          expected,
        );
      }),
      { numRuns: 50 },
    );
  });

  test("refuses numbers that make no rows", () => {
    expect(() => semanticDuplicates(new Float32Array(7), 2, { limit: 0.7, keep: "below" })).toThrow("no rows of 2");
  });
});

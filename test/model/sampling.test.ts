/**
 * @file The filters of a row of scores: equal to Hugging Face's, with the properties that their definitions promise,
 * and draws that have the distribution they should.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  draw,
  greedyToken,
  indicesOfLargest,
  logSoftmax,
  minP,
  repetitionPenalty,
  sampleToken,
  softmax,
  temperature,
  topK,
  topP,
} from "../../src/model/sampling.ts";
import { makeRandom } from "../../src/util/random.ts";
import { GOLDEN } from "../fixtures/generation/golden.ts";

const row = (values: (number | null)[]) => Float64Array.from(values, (x) => x ?? -Infinity);
const kept = (scores: Float64Array) => [...scores.keys()].filter((id) => scores[id] > -Infinity);

describe("Hugging Face's processors", () => {
  const { ids, cases } = GOLDEN.processors;
  const ours: Record<(typeof cases)[number]["function"], (scores: Float64Array, argument: number) => Float64Array> = {
    ...{ temperature, topK, topP, minP },
    repetitionPenalty: (scores, penalty) => repetitionPenalty(scores, ids, penalty),
    all: (scores) => minP(topP(topK(temperature(repetitionPenalty(scores, ids, 1.2), 0.7), 6), 0.85), 0.05),
  };

  test.each(cases)("$function $argument of the row '$row'", ({ function: name, argument, scores, result }) => {
    const got = ours[name](row(scores), argument);
    expect(kept(got)).toEqual(kept(row(result)));
    expect(got).toBeAllClose(row(result), { atol: 1e-12 });
  });
});

/** Rows with ties, tokens that cannot come, and far apart scores. */
const scoresArbitrary = fc
  .array(
    fc.oneof(
      { weight: 5, arbitrary: fc.double({ min: -30, max: 30, noNaN: true }) },
      { weight: 3, arbitrary: fc.integer({ min: -3, max: 3 }) },
      { weight: 1, arbitrary: fc.constant(-Infinity) },
    ),
    { minLength: 1, maxLength: 40 },
  )
  .filter((values) => values.some((x) => x > -Infinity))
  .map((values) => Float64Array.from(values));
const share = fc.double({ min: 1e-9, max: 1, noNaN: true });
const isSubset = (a: number[], b: number[]) => a.every((x) => b.includes(x));

describe("every filter", () => {
  const filters: [string, (scores: Float64Array, p: number) => Float64Array][] = [
    ["topK", (scores, p) => topK(scores, Math.ceil(p * scores.length))],
    ["topP", topP],
    ["minP", (scores, p) => minP(scores, 1 - p)], // so that a larger p keeps more
  ];

  test.each(filters)(
    "%s keeps one of the likeliest, changes no score that stays, and keeps more for more",
    (_, filter) => {
      fc.assert(
        fc.property(scoresArbitrary, share, share, (scores, a, b) => {
          const [small, large] = [Math.min(a, b), Math.max(a, b)].map((p) => filter(scores, p));
          const max = Math.max(...scores);
          expect(kept(small).some((id) => scores[id] === max)).toBe(true);
          expect(kept(small).every((id) => small[id] === scores[id])).toBe(true);
          expect(isSubset(kept(small), kept(large))).toBe(true);
        }),
      );
    },
  );

  test.each(filters)("%s does not see a shift of all scores", (_, filter) => {
    fc.assert(
      // whole scores, a whole shift and few digits: no rounding decides
      fc.property(
        fc.array(fc.integer({ min: -8, max: 8 }), { minLength: 1, maxLength: 20 }),
        fc.integer({ min: -1000, max: 1000 }),
        share,
        (values, shift, p) => {
          const scores = Float64Array.from(values);
          expect(
            kept(
              filter(
                scores.map((x) => x + shift),
                p,
              ),
            ),
          ).toEqual(kept(filter(scores, p)));
        },
      ),
    );
  });

  test("topK keeps k or those equal to the k-th; topP the fewest that reach p; minP those likely enough", () => {
    fc.assert(
      fc.property(scoresArbitrary, share, (scores, p) => {
        const k = Math.ceil(p * scores.length);
        const least = [...scores].sort((a, b) => b - a)[k - 1];
        expect(kept(topK(scores, k))).toEqual(kept(scores).filter((id) => scores[id] >= least));

        const probabilities = softmax(scores);
        const chosen = kept(topP(scores, p)).map((id) => probabilities[id]);
        const sum = chosen.reduce((a, b) => a + b, 0);
        expect(sum).toBeGreaterThan(p - 1e-12);
        if (chosen.length > 1) expect(sum - Math.min(...chosen)).toBeLessThan(p + 1e-12);

        const largest = Math.max(...probabilities);
        for (const id of kept(minP(scores, p)))
          expect(probabilities[id]).toBeGreaterThanOrEqual(p * largest * (1 - 1e-12));
      }),
    );
  });

  test("does nothing at temperature 1, penalty 1, top-k 0 or V, top-p 1, min-p 0", () => {
    fc.assert(
      fc.property(scoresArbitrary, (scores) => {
        for (const same of [
          temperature(scores, 1),
          repetitionPenalty(scores, scores.keys(), 1),
          topK(scores, 0),
          topK(scores, scores.length),
          topP(scores, 1),
          minP(scores, 0),
        ])
          expect(same).toEqual(scores);
      }),
    );
  });

  test("leaves its input as it was", () => {
    const scores = row([1, -2, 3, 0]);
    for (const filter of [
      temperature(scores, 2),
      repetitionPenalty(scores, [0, 1], 2),
      topK(scores, 1),
      topP(scores, 0.1),
      minP(scores, 1),
    ])
      expect(filter).not.toBe(scores);
    expect(scores).toEqual(row([1, -2, 3, 0]));
  });
});

test("repetition penalty: each token once, however often it came; negative scores the other way", () => {
  expect(repetitionPenalty(row([4, -4, 4, 0]), [0, 1, 1, 1, 3], 2)).toEqual(row([2, -8, 4, 0]));
  expect(repetitionPenalty(row([4, -4]), [0, 1], 0.5)).toEqual(row([8, -2]));
});

test("softmax sums to one and is blind to a shift; logSoftmax is its logarithm", () => {
  fc.assert(
    fc.property(scoresArbitrary, fc.double({ min: -1000, max: 1000, noNaN: true }), (scores, shift) => {
      const p = softmax(scores);
      expect(p.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 12);
      expect(softmax(scores.map((x) => x + shift))).toBeAllClose(p, { atol: 1e-9 });
      expect(logSoftmax(scores).map(Math.exp)).toBeAllClose(p, { atol: 1e-12 });
    }),
  );
});

test("the largest values come in order, of equals the lower index first; the likeliest token is the first", () => {
  fc.assert(
    fc.property(scoresArbitrary, fc.integer({ min: 1, max: 45 }), (scores, k) => {
      const sorted = [...scores.keys()].sort((a, b) =>
        scores[a] === scores[b] ? a - b : scores[b] > scores[a] ? 1 : -1,
      );
      expect(indicesOfLargest(scores, k)).toEqual(sorted.slice(0, k));
      expect(greedyToken(scores)).toBe(sorted[0]);
    }),
  );
  const many = Float64Array.from({ length: 151_936 }, (_, i) => (i * 7919) % 1000); // a vocabulary full of ties
  expect(indicesOfLargest(many, 3).map((i) => many[i])).toEqual([999, 999, 999]);
});

test("scores that are no numbers are refused, not sampled", () => {
  expect(() => softmax(row([1, Number.NaN]))).toThrow("the model's scores hold NaN");
  expect(() => greedyToken(row([1, Infinity]))).toThrow("the model's scores hold Infinity");
  expect(() => softmax(row([null, null]))).toThrow("the model's scores hold -Infinity");
});

describe("draws", () => {
  const N = 20_000;
  const SCORES = row([2, 1, 0.5, 0, -1, null, 1, -3]);
  const all = { temperature: 1, topK: 0, topP: 1, minP: 0 };

  /** Pearson's statistic of N draws against expected probabilities; a token of probability 0 must not come. */
  function chiSquare(options: typeof all, expected: Float64Array, seed: number): number {
    const random = makeRandom(seed, "draws");
    const counts = new Array<number>(expected.length).fill(0);
    for (let i = 0; i < N; i++) counts[sampleToken(SCORES, options, random)]++;
    return counts.reduce((sum, count, id) => {
      if (expected[id] > 0) return sum + (count - N * expected[id]) ** 2 / (N * expected[id]);
      expect(count).toBe(0);
      return sum;
    }, 0);
  }

  // The seeds are fixed, so this cannot flake. 24.32 is the 0.999 quantile of χ² with 7 degrees of freedom; with fewer
  // degrees it is smaller, so the bound holds for the filtered rows too.
  const QUANTILE = 24.32;
  test.each([
    ["as they are", all, softmax(SCORES)],
    ["at temperature 0.5", { ...all, temperature: 0.5 }, softmax(SCORES.map((x) => 2 * x))],
    ["of the top 2 with ties", { ...all, topK: 2 }, softmax(row([2, 1, null, null, null, null, 1, null]))],
    ["of the top 0.6", { ...all, topP: 0.6 }, softmax(row([2, null, null, null, null, null, 1, null]))],
    ["of min-p 0.3", { ...all, minP: 0.3 }, softmax(row([2, 1, null, null, null, null, 1, null]))],
  ])("%s have the probabilities of softmax", (_, options, expected) => {
    for (const seed of [1, 2, 3]) expect(chiSquare(options, expected, seed)).toBeLessThan(QUANTILE);
  });

  test("that test can fail: another temperature is far outside", () => {
    expect(chiSquare(all, softmax(SCORES.map((x) => x / 1.1)), 1)).toBeGreaterThan(2 * QUANTILE);
  });

  test("follow the uniform number through the cumulative probabilities, rounding included", () => {
    const at = (u: number) => draw(row([0.25, 0, 0.75 - 1e-9]), { ...makeRandom(1), next: () => u });
    expect([0, 0.2499, 0.25, 0.7, 1 - 2 ** -53].map(at)).toEqual([0, 0, 2, 2, 2]);
  });
});

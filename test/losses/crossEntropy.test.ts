/** @file Cross-entropy over logits in float64, by its properties (training-anchors, section 5.3). */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  accumulatedCrossEntropy,
  type CrossEntropyOptions,
  crossEntropyLoss,
  IGNORE_INDEX,
  nextLabels,
  type Predictions,
} from "../../src/losses/crossEntropy.ts";
import { between } from "../arbitraries.ts";
import { finiteDifferences } from "../ops/finiteDifferences.ts";
import { fewRuns, isBroken } from "./cases.ts";

fewRuns();

const V = 5;
const row = fc.record({
  z: fc.array(between(-8, 8), { minLength: V, maxLength: V }),
  label: fc.oneof({ arbitrary: fc.nat(V - 1), weight: 3 }, { arbitrary: fc.constant(IGNORE_INDEX), weight: 1 }),
});
const toPredictions = (rows: readonly { z: number[]; label: number }[]): Predictions => ({
  logits: rows.map(({ z }) => z),
  labels: rows.map(({ label }) => label),
});
const batch = fc.array(row, { minLength: 1, maxLength: 6 });
const options: fc.Arbitrary<CrossEntropyOptions> = fc.record({
  labelSmoothing: fc.oneof(fc.constant(0), between(0, 0.5)),
  zLoss: fc.oneof(fc.constant(0), between(0, 0.1)),
});
const sum = (values: readonly number[]) => values.reduce((total, x) => total + x, 0);

describe("cross-entropy", () => {
  test("is ln V for uniform logits: 11.93 nats for Qwen2's 151,936 tokens", () => {
    for (const size of [2, 40, 151_936]) {
      const { loss } = crossEntropyLoss({ logits: [Array(size).fill(3)], labels: [size - 1] });
      expect(loss).toBeCloseTo(Math.log(size), 9);
    }
    expect(Math.log(151_936)).toBeCloseTo(11.93, 2);
  });

  test("the gradient is that of finite differences", () =>
    fc.assert(
      fc.property(batch, options, (rows, options) => {
        const { logits, labels } = toPredictions(rows);
        const loss = (flat: Float64Array) => [
          crossEntropyLoss({ logits: rows.map((_, n) => [...flat.slice(n * V, (n + 1) * V)]), labels }, options).loss,
        ];
        const expected = finiteDifferences(loss, logits.flat(), [1]);
        expect(crossEntropyLoss({ logits, labels }, options).gradient.flat()).toBeAllClose(expected, { atol: 1e-8 });
      }),
    ));

  test("a constant added to the logits of a position changes nothing", () =>
    fc.assert(
      fc.property(batch, between(-100, 100), between(0, 0.5), (rows, c, labelSmoothing) => {
        const moved = rows.map(({ z, label }, n) => ({ z: z.map((x) => x + c * (n + 1)), label }));
        const [there, here] = [moved, rows].map((given) => crossEntropyLoss(toPredictions(given), { labelSmoothing }));
        expect(there.loss).toBeCloseTo(here.loss, 10);
        expect(there.gradient.flat()).toBeAllClose(here.gradient.flat(), { atol: 1e-11 });
      }),
    ));

  test("z-loss does see it, and the property says so", () => {
    const invariant = fc.property(batch, between(1, 100), (rows, c) => {
      const moved = rows.map(({ z, label }) => ({ z: z.map((x) => x + c), label }));
      const [there, here] = [moved, rows].map((given) => crossEntropyLoss(toPredictions(given), { zLoss: 1e-2 }));
      expect(there.loss).toBeCloseTo(here.loss, 10);
    });
    expect(isBroken(invariant)).toBe(true);
  });

  test("each row of the gradient sums to 0", () =>
    fc.assert(
      fc.property(batch, between(0, 0.5), (rows, labelSmoothing) => {
        const { gradient } = crossEntropyLoss(toPredictions(rows), { labelSmoothing });
        for (const values of gradient) expect(Math.abs(sum(values))).toBeLessThan(2 * V * Number.EPSILON);
      }),
    ));

  test("ignored positions have a gradient of exactly 0, and their logits do not matter", () =>
    fc.assert(
      fc.property(batch, options, between(-1e6, 1e6), (rows, options, x) => {
        const result = crossEntropyLoss(toPredictions(rows), options);
        const other = rows.map((one) => (one.label === IGNORE_INDEX ? { ...one, z: one.z.map(() => x) } : one));
        expect(crossEntropyLoss(toPredictions(other), options)).toEqual(result);
        for (const [n, { label }] of rows.entries())
          if (label === IGNORE_INDEX) expect(result.gradient[n]).toEqual([0, 0, 0, 0, 0]);
      }),
    ));

  test("pulls the label up and every other token down", () =>
    fc.assert(
      fc.property(batch, (rows) => {
        const { gradient } = crossEntropyLoss(toPredictions(rows));
        for (const [n, { label }] of rows.entries())
          for (const [v, slope] of gradient[n].entries())
            if (label !== IGNORE_INDEX) expect(Math.sign(slope)).toBe(v === label ? -1 : 1);
      }),
    ));

  test("is finite for logits of 1e4, where exp alone is not", () => {
    const { loss, gradient } = crossEntropyLoss({ logits: [[1e4, -1e4, 0]], labels: [1] });
    expect(loss).toBe(2e4);
    expect(gradient[0]).toEqual([1, -1, 0]);
  });

  test("labels are shifted once: position t predicts the label after it, and the last predicts nothing", () => {
    expect(nextLabels([IGNORE_INDEX, 7, 8])).toEqual([7, 8, IGNORE_INDEX]);
  });

  test("refuses a label outside the vocabulary, and counts that do not match", () => {
    expect(() => crossEntropyLoss({ logits: [[0, 0]], labels: [2] })).toThrow(
      "label 2 at row 0; expected -100 or 0 to 1",
    );
    expect(() => crossEntropyLoss({ logits: [[0, 0]], labels: [] })).toThrow("0 labels for 1 rows");
    expect(() => crossEntropyLoss({ logits: [[0]], labels: [0] }, { labelSmoothing: 1 })).toThrow(
      "labelSmoothing is 1",
    );
  });
});

describe("label smoothing", () => {
  test("at 0 is cross-entropy", () =>
    fc.assert(
      fc.property(batch, (rows) => {
        const predictions = toPredictions(rows);
        expect(crossEntropyLoss(predictions, { labelSmoothing: 0 })).toEqual(crossEntropyLoss(predictions));
      }),
    ));

  test("has no gradient where the label has probability 1 - ε + ε/V and the others ε/V", () =>
    fc.assert(
      fc.property(between(0.01, 0.9), fc.nat(V - 1), (labelSmoothing, label) => {
        const z = Array.from({ length: V }, (_, v) =>
          Math.log((v === label ? 1 - labelSmoothing : 0) + labelSmoothing / V),
        );
        const { gradient } = crossEntropyLoss({ logits: [z], labels: [label] }, { labelSmoothing });
        expect(gradient[0]).toBeAllClose([0, 0, 0, 0, 0], { atol: 1e-12 });
      }),
    ));
});

describe("z-loss", () => {
  test("adds c (log Z)² per counted token", () =>
    fc.assert(
      fc.property(batch, between(0, 0.1), (rows, zLoss) => {
        const predictions = toPredictions(rows);
        const counted = rows.filter(({ label }) => label !== IGNORE_INDEX);
        const squares = counted.map(({ z }) => Math.log(sum(z.map(Math.exp))) ** 2);
        const more = crossEntropyLoss(predictions, { zLoss }).loss - crossEntropyLoss(predictions).loss;
        expect(more).toBeCloseTo((zLoss * sum(squares)) / Math.max(counted.length, 1), 10);
      }),
    ));

  test("pulls log Z to 0: a step against its gradient brings it nearer", () =>
    fc.assert(
      fc.property(row, (one) => {
        fc.pre(one.label !== IGNORE_INDEX);
        const predictions = toPredictions([one]);
        const logZ = (z: readonly number[]) => Math.log(sum(z.map(Math.exp)));
        fc.pre(Math.abs(logZ(one.z)) > 0.1);
        const [withIt, without] = [{ zLoss: 1 }, {}].map(
          (options) => crossEntropyLoss(predictions, options).gradient[0],
        );
        const moved = one.z.map((x, v) => x - 0.01 * (withIt[v] - without[v]));
        expect(Math.abs(logZ(moved))).toBeLessThan(Math.abs(logZ(one.z)));
      }),
    ));
});

describe("a step of several micro-batches", () => {
  /** Rows, and where they are cut. */
  const divided = fc.tuple(fc.array(row, { minLength: 2, maxLength: 8 }), fc.array(fc.nat(7), { maxLength: 3 }));
  const parts = (rows: readonly { z: number[]; label: number }[], cuts: readonly number[]) => {
    const at = [0, ...cuts.map((cut) => cut % rows.length).sort((a, b) => a - b), rows.length];
    return at.slice(1).map((end, k) => toPredictions(rows.slice(at[k], end)));
  };

  test("has the loss and the gradients of the whole batch, however it is divided, to 1e-12", () =>
    fc.assert(
      fc.property(divided, options, ([rows, cuts], options) => {
        const whole = crossEntropyLoss(toPredictions(rows), options);
        const step = accumulatedCrossEntropy(parts(rows, cuts), options);
        expect(step.tokens).toBe(whole.tokens);
        expect([step.loss]).toBeAllClose([whole.loss], { atol: 1e-12, rtol: 1e-12 });
        expect(step.gradients.flat(2)).toBeAllClose(whole.gradient.flat(), { atol: 1e-12 });
      }),
    ));

  /** What a step would be with another average of the micro-batches' losses. */
  const averaged = (average: (losses: number[], tokens: number[]) => number) =>
    fc.property(divided, ([rows, cuts]) => {
      const results = parts(rows, cuts).map((part) => crossEntropyLoss(part));
      const loss = average(
        results.map(({ loss }) => loss),
        results.map(({ tokens }) => tokens),
      );
      expect(loss).toBeCloseTo(crossEntropyLoss(toPredictions(rows)).loss, 10);
    });
  test("the mean weighted by counted tokens is that too", () =>
    fc.assert(averaged((losses, tokens) => sum(losses.map((x, k) => x * tokens[k])) / Math.max(sum(tokens), 1))));
  test.each([
    ["the mean of the means", (losses: number[]) => sum(losses) / losses.length],
    ["dividing by the number of micro-batches twice", (losses: number[]) => sum(losses) / losses.length ** 2],
    ["never dividing by it", (losses: number[]) => sum(losses)],
  ])("%s is not, and the property says so", (_, average) => {
    expect(isBroken(averaged(average))).toBe(true);
  });

  test("does not see the order of its rows", () =>
    fc.assert(
      fc.property(batch, options, (rows, options) => {
        const [there, back] = [rows, [...rows].reverse()].map((given) =>
          crossEntropyLoss(toPredictions(given), options),
        );
        expect(back.loss).toBeCloseTo(there.loss, 12);
        expect([...back.gradient].reverse()).toEqual(there.gradient);
      }),
    ));

  test("a fully masked micro-batch adds 0 and is never NaN, and so is a step of nothing else", () => {
    const masked: Predictions = { logits: [[1, 2, 3]], labels: [IGNORE_INDEX] };
    const counted: Predictions = { logits: [[3, 1, 2]], labels: [2] };
    expect(crossEntropyLoss(masked)).toEqual({ loss: 0, gradient: [[0, 0, 0]], tokens: 0 });
    expect(accumulatedCrossEntropy([masked, counted]).loss).toBe(crossEntropyLoss(counted).loss);
    expect(accumulatedCrossEntropy([masked, masked])).toEqual({
      loss: 0,
      gradients: [[[0, 0, 0]], [[0, 0, 0]]],
      tokens: 0,
    });
  });
});

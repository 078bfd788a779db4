/**
 * @file Packing changes nothing: in float64 (test/parity/referenceModel.ts), examples side by side with a
 * block-diagonal mask have the logits, the loss and the gradients of rows of their own.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { bestFitDecreasing, IGNORE, type MaskedExample, type PackedRow, packExamples } from "../../src/data/pack.ts";
import type { Qwen2Config } from "../../src/model/config.ts";
import { parameterShapes } from "../../src/model/init.ts";
import { makeRandom } from "../../src/util/random.ts";
import { type Arrays64, type Batch, crossEntropy, lossAndGradients } from "../parity/referenceModel.ts";

const CONFIG: Qwen2Config = {
  vocabSize: 11,
  hiddenSize: 8,
  intermediateSize: 12,
  numHiddenLayers: 2,
  numAttentionHeads: 2,
  numKeyValueHeads: 1,
  maxPositionEmbeddings: 64,
  rmsNormEps: 1e-6,
  ropeTheta: 1e4,
  tieWordEmbeddings: false,
  initializerRange: 0.3,
};
const V = CONFIG.vocabSize;
const PAD = 0;
const T = 16;
const PARAMETERS: Arrays64 = Object.fromEntries(
  Object.entries(parameterShapes(CONFIG)).map(([name, shape]) => {
    const random = makeRandom(3, name);
    const length = shape.reduce((a, b) => a * b);
    return [name, Float64Array.from({ length }, () => 0.5 * random.normal() + (name.endsWith("norm.weight") ? 1 : 0))];
  }),
);

/** Examples with at least one target, two to four of them, of at most T tokens together: one row. */
const example = fc
  .array(fc.record({ id: fc.nat(V - 1), mask: fc.constantFrom(0, 1) }), { minLength: 2, maxLength: 5 })
  .map(
    (tokens): MaskedExample => ({
      inputIds: tokens.map(({ id }) => id),
      lossMask: tokens.map(({ mask }, t) => (t === tokens.length - 1 ? 1 : mask)),
    }),
  );
const examples = fc
  .array(example, { minLength: 2, maxLength: 4 })
  .filter((drawn) => drawn.reduce((n, { inputIds }) => n + inputIds.length, 0) <= T);
const run = (property: Parameters<typeof fc.assert>[0]) =>
  fc.assert(property as fc.IProperty<unknown>, { numRuns: 10, seed: 1 });

const batchOf = (rows: readonly PackedRow[]): Batch => {
  const all = (field: keyof PackedRow) => rows.flatMap((row) => [...row[field]]);
  return {
    ...{ B: rows.length, T: rows[0].inputIds.length },
    ...{ inputIds: all("inputIds"), labels: all("labels") },
    ...{ positionIds: all("positionIds"), documentIds: all("documentIds") },
  };
};
const measure = (rows: readonly PackedRow[]) => lossAndGradients(PARAMETERS, CONFIG, batchOf(rows), crossEntropy);
const packed = (drawn: readonly MaskedExample[], padId = PAD) => {
  const { rows, members } = packExamples(drawn, T, padId);
  expect(rows).toHaveLength(1);
  return { row: rows[0], order: members[0] };
};
const separate = (drawn: readonly MaskedExample[], length = T) =>
  drawn.map((one) => packExamples([one], length, PAD).rows[0]);
const logitsAt = (logits: Float64Array, position: number) => [...logits.subarray(position * V, (position + 1) * V)];

test("packed examples have the loss and every gradient of rows of their own, to 1e-10", () =>
  run(
    fc.property(examples, (drawn) => {
      const [one, many] = [measure([packed(drawn).row]), measure(separate(drawn))];
      expect([one.loss]).toBeAllClose([many.loss], { rtol: 1e-10 });
      for (const [name, gradient] of Object.entries(one.gradients))
        expect(gradient, name).toBeAllClose(many.gradients[name], { atol: 1e-10 });
    }),
  ));

test("and the logits, example by example", () =>
  run(
    fc.property(examples, (drawn) => {
      const { row, order } = packed(drawn);
      const { logits } = measure([row]);
      const alone = measure(separate(drawn)).logits;
      let at = 0;
      for (const index of order)
        for (let t = 0; t < drawn[index].inputIds.length; t++)
          expect(logitsAt(logits, at++)).toBeAllClose(logitsAt(alone, index * T + t), { atol: 1e-10 });
    }),
  ));

test("a token of one example changed leaves the logits of the others as they were, to the bit", () =>
  run(
    fc.property(examples, fc.nat(100), fc.integer({ min: 1, max: V - 1 }), (drawn, where, by) => {
      const { row } = packed(drawn);
      const used = row.documentIds.filter((id) => id > 0).length;
      const at = where % used;
      const inputIds = row.inputIds.slice();
      inputIds[at] = (inputIds[at] + by) % V;
      const [before, after] = [measure([row]).logits, measure([{ ...row, inputIds }]).logits];
      for (let t = 0; t < used; t++)
        if (row.documentIds[t] !== row.documentIds[at]) expect(logitsAt(after, t)).toEqual(logitsAt(before, t));
      expect(logitsAt(after, at)).not.toEqual(logitsAt(before, at)); // the test can fail
    }),
  ));

test("with the mask, positions need not restart: rotary positions are relative", () =>
  run(
    fc.property(examples, (drawn) => {
      const { row } = packed(drawn);
      const running = { ...row, positionIds: Int32Array.from(row.positionIds, (_, t) => t) };
      const [one, other] = [measure([row]), measure([running])];
      expect(other.logits).toBeAllClose(one.logits, { atol: 1e-10 });
      expect([other.loss]).toBeAllClose([one.loss], { rtol: 1e-10 });
    }),
  ));

test("without the mask, restarting positions isolates nothing", () => {
  const drawn = [1, 2].map((i) => ({ inputIds: [i, i + 3, i + 5], lossMask: [0, 1, 1] }));
  const { row } = packed(drawn);
  const leaky = { ...row, documentIds: new Int32Array(T) };
  expect(Math.abs(measure([leaky]).loss - measure(separate(drawn)).loss)).toBeGreaterThan(1e-2);
});

test("padding, its amount and its id, changes neither loss nor gradients", () =>
  run(
    fc.property(examples, fc.nat(V - 1), fc.integer({ min: 5, max: 20 }), (drawn, padId, length) => {
      const [one, other] = [measure([packed(drawn, PAD).row]), measure([packed(drawn, padId).row])];
      const longer = measure(separate(drawn, length));
      for (const { loss, gradients } of [other, longer]) {
        expect([loss]).toBeAllClose([one.loss], { rtol: 1e-10 });
        const [head, expected] = [gradients, one.gradients].map((of) => of["lm_head.weight"]);
        expect(head).toBeAllClose(expected, { atol: 1e-10 });
      }
    }),
  ));

test("no example predicts the first token of the next: a label is ignored wherever a position is 0", () =>
  run(
    fc.property(examples, (drawn) => {
      const { row } = packed(drawn);
      row.positionIds.forEach((position, t) => {
        if (position === 0) expect(row.labels[t]).toBe(IGNORE);
      });
    }),
  ));

const lengths = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 7 });

test("best-fit decreasing takes at most 11/9 of the fewest bins plus 6/9, counted by trying all", () =>
  run(
    fc.property(lengths, (drawn) => {
      const [most, fewest] = [bestFitDecreasing(drawn, 12).length, fewestBins(drawn, 12)];
      expect(most).toBeLessThanOrEqual((11 / 9) * fewest + 6 / 9);
      expect(most).toBeGreaterThanOrEqual(fewest);
    }),
  ));

test("no two of its bins fit into one", () =>
  run(
    fc.property(lengths, (drawn) => {
      const sums = bestFitDecreasing(drawn, 12).map((bin) => bin.reduce((n, i) => n + drawn[i], 0));
      sums.forEach((a, i) => {
        for (const b of sums.slice(i + 1)) expect(a + b).toBeGreaterThan(12);
      });
    }),
  ));

/** Every way to put the items into bins. */
function fewestBins(items: readonly number[], size: number, bins: readonly number[] = []): number {
  if (items.length === 0) return bins.length;
  const [first, ...rest] = items;
  const into = bins.flatMap((used, i) => (used + first <= size ? [bins.map((x, j) => (j === i ? x + first : x))] : []));
  return Math.min(...[...into, [...bins, first]].map((next) => fewestBins(rest, size, next)));
}

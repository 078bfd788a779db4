import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  bestFitDecreasing,
  epochsAt,
  IGNORE,
  joinDocuments,
  type MaskedExample,
  packExamples,
  placeSequences,
  pretrainingRow,
} from "../../src/data/pack.ts";

const END = 99;

describe("pretraining rows", () => {
  const stream = joinDocuments([[1, 2], [3], [4, 5, 6]], END);

  it("joins documents with the end of text after each", () => {
    expect([...stream]).toEqual([1, 2, END, 3, END, 4, 5, 6, END]);
  });

  it("cuts across documents and wraps around at the end of the stream", () => {
    const row = pretrainingRow(stream, 7, 4);
    expect([...row.inputIds]).toEqual([6, END, 1, 2]);
    expect([...row.labels]).toEqual([6, END, 1, 2]); // every token is a label
    expect([...row.documentIds]).toEqual([0, 0, 0, 0]);
    expect([...row.positionIds]).toEqual([0, 1, 2, 3]);
  });

  it("lets Stage II continue each stream where Stage I stopped", () => {
    const stage1 = placeSequences(["a", "b", "a"], 4);
    const stage2 = placeSequences(["a", "b"], 4, stage1.cursors);
    expect(stage1.places.map((place) => place.cursor)).toEqual([0, 0, 4]);
    expect(stage2.places.map((place) => place.cursor)).toEqual([8, 4]);
    expect(stage2.cursors).toEqual({ a: 12, b: 8 });
    expect(stage1.cursors).toEqual({ a: 8, b: 4 }); // not changed by Stage II
    expect(epochsAt(stream, 12)).toBeCloseTo(12 / 9);
  });

  it("loses and repeats nothing: rows of an epoch spell the stream", () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.nat(50)), { minLength: 1, maxLength: 8 }),
        fc.integer({ min: 1, max: 9 }),
        (documents, T) => {
          const tokens = joinDocuments(documents, END);
          const { places } = placeSequences(Array(tokens.length).fill("x"), T); // T epochs in rows of T
          const read = places.flatMap(({ cursor }) => [...pretrainingRow(tokens, cursor, T).inputIds]);
          expect(read).toEqual(Array.from({ length: T }, () => [...tokens]).flat());
        },
      ),
    );
  });
});

describe("neat packing", () => {
  const example = (inputIds: number[], trained: number): MaskedExample => ({
    inputIds,
    lossMask: inputIds.map((_, i) => (i >= inputIds.length - trained ? 1 : 0)),
  });

  it("puts the longest first, each into the fullest bin with room (TRL's documented case)", () => {
    // lengths 4 2 3 1 in bins of 4 -> [4], [3 1], [2]
    expect(bestFitDecreasing([4, 2, 3, 1], 4)).toEqual([[0], [2, 3], [1]]);
  });

  it("isolates examples, restarts positions and ignores each first label and the padding", () => {
    const packed = packExamples([example([10, 11, 12], 2), example([20, 21], 2)], 6, 0);
    expect(packed.rows).toHaveLength(1);
    const row = packed.rows[0];
    expect([...row.inputIds]).toEqual([10, 11, 12, 20, 21, 0]);
    expect([...row.documentIds]).toEqual([1, 1, 1, 2, 2, 0]);
    expect([...row.positionIds]).toEqual([0, 1, 2, 0, 1, 0]);
    // 20 is trained on by its mask, but as a label it would be the target of 12
    expect([...row.labels]).toEqual([IGNORE, 11, 12, IGNORE, 21, IGNORE]);
    expect(packed.utilisation).toBe(5 / 6);
  });

  it("drops and counts what is too long or has nothing to learn", () => {
    const packed = packExamples(
      [example([1, 2, 3, 4, 5], 1), example([1, 2], 0), example([7], 1), example([1, 2], 1)],
      4,
      0,
    );
    expect(packed.tooLong).toEqual([0]);
    expect(packed.withoutLabel).toEqual([1, 2]);
    expect(packed.members).toEqual([[3]]);
  });

  it("conserves examples, overfills no row and predicts nothing across documents", () => {
    const examples = fc.array(
      fc.array(fc.record({ id: fc.integer({ min: 1, max: 90 }), mask: fc.integer({ min: 0, max: 1 }) }), {
        maxLength: 14,
      }),
      { maxLength: 30 },
    );
    fc.assert(
      fc.property(examples, fc.integer({ min: 1, max: 12 }), (drawn, T) => {
        const given = drawn.map((tokens) => ({
          inputIds: tokens.map((t) => t.id),
          lossMask: tokens.map((t) => t.mask),
        }));
        const packed = packExamples(given, T, 0);
        expect(packExamples(given, T, 0)).toEqual(packed);
        const all = [...packed.members.flat(), ...packed.tooLong, ...packed.withoutLabel].sort((a, b) => a - b);
        expect(all).toEqual(given.map((_, i) => i));
        const tokens = packed.members.flat().reduce((n, i) => n + given[i].inputIds.length, 0);
        expect(packed.rows.length).toBeGreaterThanOrEqual(Math.ceil(tokens / T));
        packed.rows.forEach((row, r) => {
          const expected = packed.members[r].flatMap((i) => given[i].inputIds);
          expect([...row.inputIds.subarray(0, expected.length)]).toEqual(expected);
          expect(row.inputIds).toHaveLength(T);
          expect(row.labels[0]).toBe(IGNORE);
          for (let t = 1; t < T; t++) {
            if (row.labels[t] === IGNORE) continue;
            expect(row.labels[t]).toBe(row.inputIds[t]);
            expect(row.documentIds[t]).toBe(row.documentIds[t - 1]);
            expect(row.documentIds[t]).toBeGreaterThan(0);
          }
        });
        const labels = packed.rows.reduce((n, row) => n + row.labels.filter((label) => label !== IGNORE).length, 0);
        const wanted = packed.members.flat().reduce((n, i) => n + given[i].lossMask.filter((m, t) => m && t).length, 0);
        expect(labels).toBe(wanted);
      }),
    );
  });

  it("never needs more than 11/9 of the fewest rows plus one", () => {
    // a case with a known optimum: pairs that fill a row exactly
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 15 }), { minLength: 1, maxLength: 40 }), (halves) => {
        const bins = bestFitDecreasing(
          halves.flatMap((n) => [n, 16 - n]),
          16,
        );
        expect(bins.length).toBeLessThanOrEqual((11 / 9) * halves.length + 6 / 9);
      }),
    );
  });
});

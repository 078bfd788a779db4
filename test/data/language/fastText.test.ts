/** @file Predictions of fastText models against the Python package's, and files that are refused. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { type LabelProbability, loadFastText, predictLabels } from "../../../src/data/language/fastText.ts";
import { FNV_START, fnv } from "../../../src/data/language/fastTextFile.ts";
import { UserError } from "../../../src/util/assert.ts";

const path = (name: string) => fileURLToPath(new URL(`../../fixtures/data/fastText/${name}`, import.meta.url));
const golden = JSON.parse(readFileSync(path("golden.json"), "utf8"));
const model = loadFastText(path("softmax.bin"));

test("hashes n-grams as fastText does", () => {
  const vectors = JSON.parse(readFileSync(path("vectors.json"), "utf8")).fasttext_subword_hash;
  for (const [ngram, hash] of Object.entries(vectors)) {
    expect(new TextEncoder().encode(ngram).reduce(fnv, FNV_START) >>> 0, ngram).toBe(hash);
  }
});

describe.each(Object.keys(golden.models))("model %s", (name) => {
  const loaded = loadFastText(path(`${name}.bin`));
  const { words, predictions } = golden.models[name];

  test("has the words and labels of the file", () => {
    expect(loaded.words.count).toBe(words);
    expect(loaded.endOfLine).toBeGreaterThanOrEqual(0);
    expect([...loaded.labels].sort()).toEqual(["ar", "de", "en", "th", "zh"].map((code) => `__label__${code}`));
  });

  test("predicts what the Python package predicts, within 1e-5", () => {
    for (const [i, text] of golden.texts.entries()) {
      const found = predictLabels(loaded, text, { k: 5 });
      const expected: [string, number][] = predictions[i];
      expect(found.length).toBe(expected.length); // hierarchical softmax gives up paths of less than 1e-5
      const byLabel = new Map(found.map(({ label, probability }) => [label, probability]));
      for (const [label, probability] of expected) {
        expect(Math.abs(byLabel.get(label)! - probability), `${text.slice(0, 60)}: ${label}`).toBeLessThan(1e-5);
      }
      // The same order, where two are not within the tolerance of each other.
      for (let rank = 0; rank + 1 < found.length; rank++) {
        expect(found[rank].probability).toBeGreaterThanOrEqual(found[rank + 1].probability);
        if (expected[rank][1] - expected[rank + 1][1] > 2e-5) expect(found[rank].label).toBe(expected[rank][0]);
      }
    }
  });
});

const probabilities = (found: LabelProbability[]) => found.map(({ label, probability }) => [label, probability]);

describe("a prediction", () => {
  test("is right for held-out sentences, with character n-grams", () => {
    const found = golden.texts.slice(0, 30).map((text: string) => predictLabels(model, text)[0].label.slice(-2));
    expect(found).toEqual(["en", "de", "zh", "ar", "th"].flatMap((language) => new Array(6).fill(language)));
  });

  test("of k labels over a threshold", () => {
    const all = predictLabels(model, "the house", { k: 5 });
    expect(predictLabels(model, "the house")).toEqual(all.slice(0, 1));
    expect(predictLabels(model, "the house", { k: 3 })).toEqual(all.slice(0, 3));
    const middle = all[2].probability;
    expect(predictLabels(model, "the house", { k: 5, threshold: middle }).length).toBe(2);
    expect(predictLabels(model, "the house", { threshold: 2 })).toEqual([]);
  });

  test("takes line breaks as spaces, and `</s>` in the text for nothing", () => {
    const plain = probabilities(predictLabels(model, "the house and the tree", { k: 5 }));
    expect(probabilities(predictLabels(model, "the house\nand\r\nthe tree\n", { k: 5 }))).toEqual(plain);
    expect(probabilities(predictLabels(model, "the house </s> and the tree", { k: 5 }))).toEqual(plain);
  });

  test("is of a distribution, whatever the text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const sum = predictLabels(model, text, { k: 5 }).reduce((total, { probability }) => total + probability, 0);
        expect(Math.abs(sum - 1 - 5e-5)).toBeLessThan(1e-6); // fastText adds 1e-5 to each
      }),
    );
  });

  test("of a long text is of its beginning, cut between characters", () => {
    const begin = predictLabels(model, "的人".repeat(10), { k: 5, maxBytes: 62 });
    expect(begin).toEqual(predictLabels(model, "的人".repeat(10), { k: 5 }).slice(0, 5));
    const cut = predictLabels(model, "的人".repeat(1000), { k: 5, maxBytes: 62 });
    expect(cut).toEqual(predictLabels(model, "的人".repeat(10), { k: 5 }));
  });
});

describe("a file is refused in one line:", () => {
  const directory = mkdtempSync(join(tmpdir(), "fasttext-"));
  afterAll(() => rmSync(directory, { recursive: true }));
  const original = readFileSync(path("softmax.bin"));
  const refusal = (bytes: Uint8Array): UserError => {
    const file = join(directory, "m.bin");
    writeFileSync(file, bytes);
    try {
      predictLabels(loadFastText(file), "the house");
    } catch (error) {
      return error as UserError;
    }
    return expect.unreachable("it was read");
  };
  /** The model with an int32 changed. */
  const withInt = (at: number, value: number) => {
    const bytes = Buffer.from(original);
    bytes.writeInt32LE(value, at);
    return bytes;
  };
  // magic 0, version 4, dim 8, ..., wordNgrams 28, loss 32, model 36, bucket 40, minn 44, maxn 48, ..., t 56;
  // entries 64, words 68, labels 72, tokens 76, pruned 84, then the dictionary
  const outputBytes = 5 * 8 * 4;
  const inputBytes = (golden.models.softmax.words + 700) * 8 * 4;
  const quantised = original.length - outputBytes - 16 - 1 - inputBytes - 16 - 1;
  const nan = Buffer.from(original);
  nan.writeFloatLE(Number.NaN, original.length - 4);
  const pruned = Buffer.from(original);
  pruned.writeBigInt64LE(7n, 84);
  const cases: [string, Uint8Array, string][] = [
    ["an empty one", new Uint8Array(), "does not start as one"],
    ["text", Buffer.from("hello, this is no model"), "does not start as one"],
    ["a later version", withInt(4, 13), "version 13"],
    ["word vectors", withInt(36, 1), "word vectors"],
    ["negative sampling", withInt(32, 2), "loss 2"],
    ["one vector for all", withInt(32, 4), "loss 4"],
    ["no dimension", withInt(8, 0), "out of range"],
    ["another dimension", withInt(8, 9), "a matrix of 8 columns"],
    ["no buckets", withInt(40, 0), "out of range"],
    ["more buckets than rows", withInt(40, 1 << 30), "input rows"],
    ["two thousand million words", withInt(68, 2e9), "a dictionary of 2000000000 words"],
    ["no labels", withInt(72, 0), "0 labels"],
    ["a label less", withInt(72, 4), "4 labels"],
    ["a pruned dictionary", pruned, "quantised"],
    ["a quantised input", original.with(quantised, 1), "quantised"],
    ["a quantised output", original.with(original.length - outputBytes - 17, 1), "quantised"],
    ["its first half", original.subarray(0, original.length >> 1), "rows that fit the file"],
    ["all but its last byte", original.subarray(0, original.length - 1), "rows that fit the file"],
    ["its settings alone", original.subarray(0, 60), "ends too early"],
    ["weights that are not numbers", nan, "not numbers"],
  ];
  test.each(cases)("%s", (_, bytes, part) => {
    const error = refusal(bytes);
    expect(error).toBeInstanceOf(UserError);
    expect(error.message).toContain(part);
    expect(error.message).not.toContain("\n");
  });

  test("one that is not there", () => {
    expect(() => loadFastText(join(directory, "none.bin"))).toThrow(/none\.bin: cannot be opened \(ENOENT\)/);
  });

  test("whatever byte is changed, it is read or refused", () => {
    const file = join(directory, "changed.bin");
    fc.assert(
      fc.property(fc.nat(quantised + 40), fc.nat(255), (at, byte) => {
        writeFileSync(file, original.with(at, byte));
        try {
          predictLabels(loadFastText(file), "the house");
        } catch (error) {
          expect(error).toBeInstanceOf(UserError);
        }
      }),
      { numRuns: 300 },
    );
  });
});

/** @file The estimator against lmplz' own output, against plain counting, and against what a probability must obey. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { writeArpa } from "../../../src/data/lm/arpa.ts";
import { estimateDiscounts, FALLBACK, type TrainedModel, trainKneserNey } from "../../../src/data/lm/kneserNey.ts";
import { ngramCounts, scoreSentence } from "../../../src/data/lm/ngramModel.ts";
import { UserError } from "../../../src/util/assert.ts";

const fixture = (name: string) => readFileSync(new URL(`../../fixtures/data/lm/${name}`, import.meta.url), "utf8");
const split = (line: string) => line.split(" ").filter(Boolean);
const train = (lines: string[], order: number) => trainKneserNey(lines.map(split), { order });

/** Each n-gram of a model with its log10 probability and back-off. */
function entries(model: TrainedModel): Map<string, [number, number]> {
  const lines = [...writeArpa(model)].join("").split("\n");
  return new Map(lines.flatMap((line) => (line.includes("\t") ? [parse(line)] : [])));
}
function parse(line: string): [string, [number, number]] {
  const [logProb, words, backoff] = line.split("\t");
  return [words, [Number(logProb), Number(backoff ?? 0)]];
}

function expectEntry(found: [number, number] | undefined, expected: [number, number], what: string) {
  expect(found, what).toBeDefined();
  expect(Math.abs(found![0] - expected[0]), `${what}: log probability`).toBeLessThan(1e-4);
  expect(Math.abs(found![1] - expected[1]), `${what}: back-off`).toBeLessThan(1e-4);
}

describe("lmplz' complete outputs for two-line texts", () => {
  const { kenlm } = JSON.parse(fixture("vectors.json"));
  const texts: Record<string, string[]> = {
    lmplz_toy0: kenlm.lmplz_toy0.corpus,
    lmplz_toy1: kenlm.lmplz_toy1.corpus,
  };
  for (const [name, lines] of Object.entries(texts)) {
    test(`${name}: every probability and back-off, and no n-gram more`, () => {
      const found = entries(train(lines, 3));
      const { unigrams, bigrams, trigrams } = kenlm[name];
      const last = Object.entries<number>(trigrams).map(([words, logProb]) => [words, [logProb, 0]]);
      const expected: Record<string, [number, number]> = { ...unigrams, ...bigrams, ...Object.fromEntries(last) };
      for (const [words, values] of Object.entries(expected)) expectEntry(found.get(words), values, words);
      expect([...found.keys()].sort()).toEqual(Object.keys(expected).sort());
    });
  }

  test("query totals and unknown tokens", () => {
    const model = train(texts.lmplz_toy0, 3);
    const totals = Object.entries<[number, number]>(kenlm.query_total_log10["toy0.arpa"]);
    expect(totals.length).toBe(4);
    for (const [sentence, [total, unknown]] of totals) {
      const score = scoreSentence(model, split(sentence));
      expect(score.logProb).toBeCloseTo(total, 4);
      expect(score.unknown).toBe(unknown);
    }
  });
});

const golden = JSON.parse(fixture("golden.json"));

describe.each(["words", "characters", "few", "unigrams"])("lmplz on real text: %s", (name) => {
  const { order, counts, discounts, fallback, lines, sentences, scores } = golden[name];
  const model = train(fixture(`${name}.txt`).split("\n").slice(0, -1), order);

  test("counts, discounts and fallbacks", () => {
    expect(ngramCounts(model)).toEqual(counts);
    expect(model.discounts.map((each) => each.fallback)).toEqual(fallback);
    const differences = model.discounts.flatMap((each, k) =>
      each.discounts.slice(1).map((discount, j) => Math.abs(discount - discounts[k][j])),
    );
    expect(Math.max(...differences)).toBeLessThan(1e-4);
  });

  test("n-grams throughout the file", () => {
    const found = entries(model);
    expect(lines.length).toBeGreaterThan(15);
    for (const line of lines) {
      const [words, values] = parse(line);
      expectEntry(found.get(words), values, words);
    }
  });

  if (!scores) return; // KenLM queries models of order 2 and up
  test("KenLM's score of every token of held-out sentences", () => {
    for (const [i, sentence] of sentences.entries()) {
      const found: [number, number, boolean][] = [];
      scoreSentence(model, split(sentence), (...each) => found.push([each[0], each[1], each[2] === 0]));
      expect(found.map(([, length, unknown]) => [length, unknown])).toEqual(
        scores[i].map(([, length, unknown]: [number, number, boolean]) => [length, unknown]),
      );
      for (const [t, [logProb]] of found.entries()) expect(Math.abs(logProb - scores[i][t][0])).toBeLessThan(1e-4);
    }
  });
});

test("both kinds of discount are in those texts", () => {
  const all = Object.values<{ fallback?: boolean[] }>(golden).flatMap(({ fallback }) => fallback ?? []);
  expect(new Set(all)).toEqual(new Set([true, false]));
});

/** Chen and Goodman's formula by plain counting, with the discounts given. */
function obvious(lines: string[][], order: number, discounts: number[][]) {
  const occurrences = new Map<string, number>();
  const before = new Map<string, Set<string>>();
  for (const line of lines) {
    const padded = [...new Array(order - 1).fill("<s>"), ...line, "</s>"];
    for (let end = order - 1; end < padded.length; end++) {
      for (let k = 1; k <= order; k++) {
        const gram = padded.slice(end - k + 1, end + 1);
        if (gram[1] === "<s>") continue;
        const key = gram.join(" ");
        occurrences.set(key, (occurrences.get(key) ?? 0) + 1);
        if (k < order) before.set(key, (before.get(key) ?? new Set()).add(padded[end - k]));
      }
    }
  }
  const countOf = (gram: string[]) => {
    const key = gram.join(" ");
    const kept = gram.length === order || gram[0] === "<s>";
    return (kept ? occurrences.get(key) : before.get(key)?.size) ?? 0;
  };
  const vocabulary = [...new Set(lines.flat()), "</s>", "<unk>"];
  const probability = (context: string[], word: string): number => {
    if (context.length === order) return probability(context.slice(1), word);
    const shorter = () => (context.length ? probability(context.slice(1), word) : 1 / vocabulary.length);
    const counts = vocabulary.map((next) => countOf([...context, next]));
    const total = counts.reduce((a, b) => a + b, 0);
    if (total === 0) return shorter();
    const discount = (count: number) => discounts[context.length][Math.min(count, 3)];
    const gamma = counts.reduce((sum, count) => sum + discount(count), 0) / total;
    const count = countOf([...context, word]);
    return (count - discount(count)) / total + gamma * shorter();
  };
  return { vocabulary, probability };
}

const token = fc.constantFrom("a", "b", "c", "d", "é", "17", "的");
const text = fc.array(fc.array(token, { maxLength: 9 }), { minLength: 1, maxLength: 12 });

/** log10 p(word | <s> context). */
function logProbAfter(model: TrainedModel, context: string[], word: string): number {
  const each: number[] = [];
  scoreSentence(model, word === "</s>" ? context : [...context, word], (logProb) => each.push(logProb));
  return each[context.length];
}

test("equals plain counting, on any text, at any order", () => {
  fc.assert(
    fc.property(text, fc.integer({ min: 1, max: 5 }), fc.array(token, { maxLength: 6 }), (lines, order, context) => {
      const model = trainKneserNey(lines, { order });
      const discounts = model.discounts.map((each) => each.discounts);
      const { vocabulary, probability } = obvious(lines, order, discounts);
      const known = context.filter((word) => vocabulary.includes(word)); // an unknown word is another context
      const history = ["<s>", ...known].slice(-(order - 1) || known.length + 1);
      for (const word of vocabulary) {
        expect(logProbAfter(model, known, word)).toBeCloseTo(Math.log10(probability(history, word)), 4);
      }
    }),
    { numRuns: 60 },
  );
});

test("the probabilities of the vocabulary sum to 1 after any context", () => {
  fc.assert(
    fc.property(text, fc.integer({ min: 1, max: 5 }), fc.array(token, { maxLength: 6 }), (lines, order, context) => {
      const model = trainKneserNey(lines, { order });
      const words = model.vocabulary.filter((word) => word !== "<s>");
      const sum = words.reduce((total, word) => total + 10 ** logProbAfter(model, context, word), 0);
      expect(Math.abs(sum - 1)).toBeLessThan(1e-5);
    }),
    { numRuns: 100 },
  );
});

describe("discounts", () => {
  test("are those of equation (26)", () => {
    // Y = 10 / (10 + 2 * 5) = 0.5; D1 = 1 - 2 * 0.5 * 5 / 10; D2 = 2 - 3 * 0.5 * 3 / 5; D3 = 3 - 4 * 0.5 * 2 / 3
    const { discounts, fallback } = estimateDiscounts([0, 10, 5, 3, 2]);
    expect(discounts.map((d) => Number(d.toFixed(6)))).toEqual([0, 0.5, 1.1, 1.666667]);
    expect(fallback).toBe(false);
  });

  test.each([
    ["no n-gram seen once", [0, 0, 5, 3, 2]],
    ["no n-gram seen twice", [0, 10, 0, 3, 2]],
    ["no n-gram seen three times", [0, 10, 5, 0, 2]],
    ["a discount under 0", [0, 10, 5, 1, 9]],
  ])("fall back: %s", (_, numbers) => {
    expect(estimateDiscounts(numbers)).toEqual({ discounts: FALLBACK, fallback: true });
  });
});

describe("odd input", () => {
  test("tokens that spell a control token are left out of training and unknown in a query", () => {
    const plain = train(["a b", "b a"], 3);
    const spelled = train(["a <s> b </s>", "<unk> b a"], 3);
    expect(spelled).toEqual(plain);
    expect(scoreSentence(plain, ["<s>", "a", "</s>"]).unknown).toBe(2);
    expect(scoreSentence(plain, ["<s>"])).toEqual(scoreSentence(plain, ["zzz"]));
  });

  test("names of JavaScript's own properties are words like others", () => {
    const model = train(["constructor __proto__ toString", "toString constructor"], 2);
    expect(scoreSentence(model, ["__proto__", "constructor", "hasOwnProperty"]).unknown).toBe(1);
  });

  test("an empty sentence counts as one, as in lmplz; no sentence at all is refused", () => {
    expect(scoreSentence(train(["", "", "a"], 2), []).logProb).toBeGreaterThan(
      scoreSentence(train(["a"], 2), []).logProb,
    );
    expect(() => trainKneserNey([])).toThrow(UserError);
  });

  test.each([0, -1, 2.5, Number.NaN, 256])("order %s is refused", (order) => {
    expect(() => trainKneserNey([["a"]], { order })).toThrow(UserError);
  });
});

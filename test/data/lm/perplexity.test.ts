/** @file Perplexity of documents, CCNet's normalisation, and the cut-offs. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { normalizeAsCcnet, replaceUnicodePunctuation } from "../../../src/data/lm/ccnet.ts";
import { trainKneserNey } from "../../../src/data/lm/kneserNey.ts";
import {
  documentPerplexity,
  measurePerplexity,
  perplexityCutoff,
  ROOTS_CAPS,
} from "../../../src/data/lm/perplexity.ts";
import { passes } from "../../../src/data/rules/measure.ts";
import { UserError } from "../../../src/util/assert.ts";

const fixture = (name: string) => readFileSync(new URL(`../../fixtures/data/lm/${name}`, import.meta.url), "utf8");
const { kenlm, cc_net_normalizer } = JSON.parse(fixture("vectors.json"));
const words = (line: string) => line.split(/\s+/).filter(Boolean);
const toy = trainKneserNey(kenlm.lmplz_toy0.corpus.map(words), { order: 3 });

describe("perplexity", () => {
  const total = (sentence: string) => kenlm.query_total_log10["toy0.arpa"][sentence][0];

  test("is 10 to the mean negative log10 probability, over tokens and line ends", () => {
    // "a a b a": 4 tokens and the end; "b b": 2 and the end
    expect(documentPerplexity(toy, "a a b a", words)).toBeCloseTo(10 ** (-total("a a b a") / 5), 3);
    const both = 10 ** (-(total("a a b a") + total("b b")) / 8);
    expect(documentPerplexity(toy, "a a b a\n\n  \nb b\n", words)).toBeCloseTo(both, 3);
  });

  test("ccnet-compat reads the document as one line, the words at line breaks glued, to one decimal", () => {
    expect(normalizeAsCcnet("A a\nB b")).toBe("a ab b");
    const glued = documentPerplexity(toy, "a ab b", words)!;
    expect(documentPerplexity(toy, "A a\nB b", words, "ccnet-compat")).toBe(Math.round(glued * 10) / 10);
    expect(documentPerplexity(toy, "A a\nB b", words)).not.toBeCloseTo(glued, 1);
  });

  test.each(["", "\n", " \n\t\n", "\r\n"])("of a text without tokens (%j) is null", (text) => {
    expect(documentPerplexity(toy, text, words)).toBeNull();
    expect(documentPerplexity(toy, text, words, "ccnet-compat")).toBeNull();
  });

  test("row 22: of any text is a finite number of at least 1, or null", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "binary" }),
        fc.constantFrom("per-line" as const, "ccnet-compat" as const),
        (text, mode) => {
          const perplexity = documentPerplexity(toy, text, words, mode);
          expect(perplexity === null || (perplexity >= 1 && perplexity < Number.POSITIVE_INFINITY)).toBe(true);
        },
      ),
    );
  });

  test("of text of its own language is lower than of that text shuffled, and of another language's", () => {
    const lines = fixture("words.txt").split("\n").slice(0, -1);
    const model = trainKneserNey(lines.slice(0, 800).map(words));
    const own = lines.slice(800).join("\n");
    const letters = words(own).reverse().join(" ");
    const of = (text: string) => documentPerplexity(model, text, words)!;
    expect(of(own)).toBeLessThan(of(letters));
    expect(of(letters)).toBeLessThan(of(fixture("few.txt")));
  });
});

describe("CCNet's normalisation", () => {
  test("of punctuation and numbers", () => {
    const { replace_punct, numbers } = cc_net_normalizer;
    expect(replaceUnicodePunctuation(replace_punct.in)).toBe(replace_punct.out);
    expect(normalizeAsCcnet(numbers.in)).toBe(numbers.out);
  });

  test("lowers, drops accents and control characters, and strips as Python does", () => {
    expect(normalizeAsCcnet("\x1c\u3000 Ça va à Zürich\x85\u0007!\n")).toBe("ca va a zurich!");
    expect(normalizeAsCcnet("\ufeffA")).toBe("\ufeffa"); // Python's strip leaves it
    expect(normalizeAsCcnet("ΟΔΟΣ İ ไม่")).toBe("οδος i ไม");
  });
});

describe("cut-offs", () => {
  // logarithms 1, 2, 3, 4: mean 2.5, standard deviation sqrt(1.25)
  const sample = [1, null, 2, 3, 4, null].map((x) => (x === null ? null : Math.exp(x)));

  test("mean and standard deviations of the log-perplexity", () => {
    const cutoff = perplexityCutoff("de", sample)!;
    expect(cutoff.limit).toBeCloseTo(Math.exp(2.5 + 2 * Math.sqrt(1.25)), 9);
    expect(cutoff.derivedFrom).toBe(
      "exp(2.5000 + 2 x 1.1180): mean and standard deviation of the logarithms of the perplexities of 4 documents in de",
    );
    expect(perplexityCutoff("de", sample, { rule: "sd", deviations: 0 })!.limit).toBeCloseTo(Math.exp(2.5), 9);
  });

  test("percentile, as numpy's", () => {
    // np.percentile([10, 20, 30, 40], 90) = 37.0
    const cutoff = perplexityCutoff("th", [40, 10, null, 30, 20], { rule: "percentile" })!;
    expect(cutoff.limit).toBeCloseTo(37, 9);
    expect(cutoff.derivedFrom).toContain("percentile 90 of the perplexities of 4 documents in th");
    expect(perplexityCutoff("th", [5], { rule: "percentile", percent: 30 })!.limit).toBe(5);
  });

  test("caps", () => {
    expect(perplexityCutoff("fr", [], { rule: "caps", caps: ROOTS_CAPS })).toEqual({
      limit: 1770,
      derivedFrom: "given for fr",
    });
    expect(perplexityCutoff("ne", [], { rule: "caps", caps: ROOTS_CAPS })).toBeNull();
    expect(perplexityCutoff("constructor", [], { rule: "caps", caps: ROOTS_CAPS })).toBeNull();
    expect(() => perplexityCutoff("fr", [], { rule: "caps", caps: { fr: Number.NaN } })).toThrow(UserError);
  });

  test("nothing measured gives no cut-off; settings out of range are refused", () => {
    expect(perplexityCutoff("de", [null, null])).toBeNull();
    expect(() => perplexityCutoff("de", sample, { rule: "percentile", percent: 101 })).toThrow(UserError);
    expect(() => perplexityCutoff("de", sample, { rule: "sd", deviations: Number.NaN })).toThrow(UserError);
  });

  test("a measure carries the limit and where it is from; no perplexity, no measure", () => {
    const cutoff = perplexityCutoff("de", sample)!;
    const measure = measurePerplexity(1e9, cutoff)!;
    expect(measure).toEqual({ rule: "lm.perplexity", value: 1e9, keep: "atMost", ...cutoff });
    expect(passes(measure)).toBe(false);
    expect(passes(measurePerplexity(5, cutoff)!)).toBe(true);
    expect(measurePerplexity(null, cutoff)).toBeNull();
  });
});

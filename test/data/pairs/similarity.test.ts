/** @file Margins against LASER's published ones, IBM Model 1 by its own laws and by hand, and the cut. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { loadCorpus } from "../../../src/data/corpus.ts";
import { cosineScorer, marginOf, marginScorer, nearest, ratioMargin } from "../../../src/data/pairs/embeddings.ts";
import { type Ibm1, trainIbm1 } from "../../../src/data/pairs/ibm1.ts";
import { lengthScorer } from "../../../src/data/pairs/lengths.ts";
import { ibm1MarginScorer, ibm1Scorer } from "../../../src/data/pairs/lexicalScore.ts";
import type { SentencePair } from "../../../src/data/pairs/pair.ts";
import { calibrate } from "../../../src/data/pairs/scorer.ts";
import { quantile } from "../../../src/util/quantile.ts";

const makePair = (source: string, target: string, targetLanguage = "de"): SentencePair => ({
  id: source,
  source,
  target,
  sourceLanguage: "en",
  targetLanguage,
});

describe("ratio margin", () => {
  it("of stopes' neighbours is what stopes prints (test_mine_index_utils.py): its distances are squared, 2 - 2 cos", () => {
    const xToY = [
      [0.2, 0.3, 0.6],
      [0.7, 0.2, 0.4],
      [0.1, 0, 1],
    ]; // prettier-ignore
    const index = [
      [0, 1, 2],
      [1, 2, 0],
      [0, 2, 1],
    ];
    const yToX = [
      [0.8, 0.3, 0.1],
      [0.7, 0.2, 0.9],
      [0.1, 0, 1],
    ];
    const expected = [
      [1.11340206, 1.12087912, 0.85714286],
      [0.87640449, 1.125, 1.01052632],
      [1.17525773, 1.2244898, 0.65934066],
    ];
    const cosine = (distance: number) => 1 - distance / 2;
    const means = (rows: number[][]) => {
      const greatest = nearest(3, 3);
      for (const [i, row] of rows.entries()) for (const distance of row) greatest.add(i, cosine(distance));
      return rows.map((_, i) => greatest.mean(i));
    };
    const [forward, backward] = [means(xToY), means(yToX)];
    for (const [i, row] of xToY.entries())
      for (const [n, d] of row.entries())
        expect(marginOf(cosine(d), forward[i], backward[index[i][n]])).toBeCloseTo(expected[i][n], 7);
  });

  it("is the plain definition, for any vectors", () => {
    const vectors = fc.array(fc.array(fc.integer({ min: -9, max: 9 }), { minLength: 3, maxLength: 3 }), {
      minLength: 2,
      maxLength: 7,
    });
    const unit = (v: number[]) => {
      const length = Math.hypot(...v);
      return Float32Array.from(v, (x) => (length > 0 ? x / length : 0));
    };
    const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, x, i) => sum + x * b[i], 0);
    fc.assert(
      fc.property(vectors, fc.integer({ min: 1, max: 4 }), (raw, k) => {
        const x = raw.map(unit);
        const y = raw.map((v) => unit([v[1], v[2], v[0]]));
        const top = (values: number[]) => {
          const best = [...values].sort((a, b) => b - a).slice(0, k);
          return best.reduce((a, b) => a + b, 0) / best.length;
        };
        const obvious = x.map((v, i) => {
          const both = (top(y.map((w) => dot(v, w))) + top(x.map((w) => dot(w, y[i])))) / 2;
          return both <= 0 ? 0 : dot(v, y[i]) / both;
        });
        for (const [i, value] of ratioMargin(x, y, k).entries()) expect(value).toBeCloseTo(obvious[i], 10);
      }),
    );
  });

  it("is higher for a pair than its cosine's rank says where everything is near (the hub)", async () => {
    const table: Record<string, number[]> = {
      a: [1, 0],
      b: [0.8, 0.6],
      hub: [0.95, 0.3],
      A: [1, 0.05],
      B: [0.7, 0.71],
      zero: [0, 0],
    };
    const embed = async (texts: readonly string[]) => texts.map((text) => Float32Array.from(table[text]));
    const pairs = [makePair("a", "A"), makePair("b", "B"), makePair("a", "hub"), makePair("zero", "B")];
    const cosines = await cosineScorer(embed).score(pairs);
    const margins = await marginScorer(embed, 2).score(pairs);
    expect(cosines[0]).toBeGreaterThan(cosines[1]);
    expect(margins[0]).toBeGreaterThan(margins[2]);
    expect([cosines[3], margins[3]]).toEqual([0, 0]); // row 33: a zero vector is like nothing
  });
});

/** Sum over links from each token of its probabilities. */
function sums({ links, forward, backward }: Ibm1) {
  const by = (from: Int32Array, to: Int32Array, probability: Float64Array) => {
    const all = new Map<number, number>();
    for (let link = 0; link < from.length; link++)
      if (to[link] !== 0) all.set(from[link], (all.get(from[link]) ?? 0) + probability[link]);
    return [...all.values()];
  };
  return [
    ...by(links.sources(), links.targets(), forward.probability),
    ...by(links.targets(), links.sources(), backward.probability),
  ];
}

describe("IBM Model 1", () => {
  const words = fc.array(fc.constantFrom("ab", "cd", "ef", "gh", "1", "."), { maxLength: 5 }).map((w) => w.join(" "));
  const someLanguage = fc.constantFrom("de", "zh");

  it("never loses likelihood in a step, and its tables sum to 1, for any pairs", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(words, words, someLanguage), { minLength: 1, maxLength: 8 }), (rows) => {
        const model = trainIbm1(
          rows.map(([s, t, language]) => makePair(s, t, language)),
          { iterations: 8 },
        );
        for (const { logLikelihood } of [model.forward, model.backward])
          for (let i = 1; i < logLikelihood.length; i++)
            expect(logLikelihood[i]).toBeGreaterThanOrEqual(logLikelihood[i - 1] - 1e-9);
        for (const sum of sums(model)) expect(sum).toBeCloseTo(1, 9);
      }),
      { numRuns: 100 },
    );
  });

  it("takes the step that one takes by hand, and finds the dictionary of the textbook's example", () => {
    const pairs = [makePair("the house", "das haus"), makePair("the book", "das buch"), makePair("a book", "ein buch")];
    const p = (model: Ibm1, s: string, t: string) =>
      model.forward.probability[model.links.find(s === "" ? 0 : model.source.ids.get(s)!, model.target.ids.get(t)!)];
    // Uniform start: p(das | the) = 1/3, p(das | house) = 1/2, p(das | NULL) = 1/4. Then the expected counts of "the":
    const das = 1 / 3 / (1 / 3 + 1 / 2 + 1 / 4) + 1 / 3 / (1 / 3 + 1 / 3 + 1 / 4); // with "house", with "book"
    const haus = 1 / 3 / (1 / 3 + 1 / 2 + 1 / 4);
    const buch = 1 / 3 / (1 / 3 + 1 / 3 + 1 / 4);
    const one = trainIbm1(pairs, { iterations: 1 });
    expect(p(one, "the", "das")).toBeCloseTo(das / (das + haus + buch), 12);
    const model = trainIbm1(pairs, { iterations: 40 });
    for (const [s, t] of [
      ["the", "das"],
      ["house", "haus"],
      ["book", "buch"],
      ["a", "ein"],
    ])
      expect(p(model, s, t), s).toBeGreaterThan(0.9);
  });

  it("tells translations of kept-back keys from others, in languages with and without spaces", async () => {
    const records = loadCorpus().filter(
      ({ kind, text }) => kind === "message" && (text.en ?? "").split(" ").length >= 5,
    );
    for (const language of ["de", "zh"] as const) {
      const has = records.filter(({ text }) => text[language] && text[language] !== text.en);
      const pairs = (test: boolean, most: number) =>
        has
          .filter(({ split }) => (split !== "train") === test)
          .slice(0, most)
          .map(({ text }) => makePair(text.en!, text[language]!, language));
      const known = pairs(false, 2600);
      const [good, model] = [pairs(true, 150), trainIbm1(known.slice(300))];
      const bad = good.map((pair, i) => ({ ...pair, target: good[(i + 71) % good.length].target }));
      for (const scorer of [ibm1Scorer(model), ibm1MarginScorer(model, { seed: 1, candidates: 12 })]) {
        const cut = await calibrate(scorer, known.slice(0, 300), { seed: 1 });
        const [above, below] = [await scorer.score(good), await scorer.score(bad)];
        const right = above.filter((s) => s >= cut).length + below.filter((s) => s < cut).length;
        expect(right / (2 * good.length), `${language} ${scorer.name}`).toBeGreaterThan(0.9);
      }
    }
  }, 120_000);

  it("scores empty and unknown sides with numbers", async () => {
    const model = trainIbm1([makePair("the house", "das haus")]);
    const odd = [makePair("", ""), makePair("x", ""), makePair("…", "—"), makePair("the", "das"), makePair("Qq", "Qq")];
    const scores = await ibm1Scorer(model).score(odd);
    expect(scores.every(Number.isFinite)).toBe(true);
    expect(scores[3]).toBeGreaterThan(scores[1]);
    expect((await ibm1MarginScorer(model, { seed: 1 }).score(odd.slice(0, 1))).every(Number.isFinite)).toBe(true);
    expect(trainIbm1([]).forward.logLikelihood.every((value) => value === 0)).toBe(true);
  });
});

describe("lengths", () => {
  it("are fitted by medians, and a cut target is far out, in either direction alike", async () => {
    const pairs = [20, 40, 60, 80, 100].flatMap((n) =>
      [-2, -1, 0, 1, 2].map((d) =>
        makePair("s".repeat(n - 1), "t".repeat(Math.round(n * 1.5 + (d * Math.sqrt(n)) / 2) - 1)),
      ),
    );
    const scorer = lengthScorer([...pairs, makePair("s", "t".repeat(999))]);
    expect(scorer.ratio).toBeCloseTo(1.5, 1);
    expect(scorer.deviation).toBeGreaterThan(0.4);
    expect(scorer.deviation).toBeLessThan(1.2);
    const scores = await scorer.score([
      makePair("s".repeat(59), "t".repeat(89)),
      makePair("s".repeat(59), "t".repeat(35)),
      makePair("\u{1F600}".repeat(59), "t".repeat(89)), // code points
    ]);
    expect(scores[0]).toBeGreaterThan(-0.5);
    expect(scores[1]).toBeLessThan(-5);
    expect(scores[2]).toBe(scores[0]);
    expect([...(await lengthScorer([]).score([makePair("", "")]))].every(Number.isFinite)).toBe(true);
  });
});

it("a quantile is numpy's, and a cut needs pairs that differ", async () => {
  expect(quantile([4, 1, 3, 2], 0.5)).toBe(2.5);
  expect(quantile([1, 2, 3, 4], 0.9)).toBeCloseTo(3.7, 12); // numpy.quantile([1, 2, 3, 4], 0.9)
  const model = trainIbm1([makePair("a", "b")]);
  await expect(calibrate(ibm1Scorer(model), [makePair("a", "b")], { seed: 1 })).rejects.toThrow("targets are the same");
});

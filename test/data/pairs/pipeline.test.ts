/** @file Pairs through the whole pipeline: reasons, conservation, and the seeded templates. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { heuristics } from "../../../src/data/pairs/heuristics.ts";
import { lengthScorer } from "../../../src/data/pairs/lengths.ts";
import type { PairItem, SentencePair } from "../../../src/data/pairs/pair.ts";
import type { Identify } from "../../../src/data/pairs/pairRules.ts";
import { type PairOutcome, type PairsOptions, pairsPipeline } from "../../../src/data/pairs/pipeline.ts";
import { renderSeeded } from "../../../src/data/pairs/render.ts";
import { TEMPLATE_NAMES } from "../../../src/data/parallel.ts";
import { passes } from "../../../src/data/rules/measure.ts";

const EN = "The committee accepted the proposal yesterday";
const DE = "Der Ausschuss nahm gestern den Vorschlag an";
const makePair = (source: string, target: string, id = "1"): SentencePair => ({
  id,
  source,
  target,
  sourceLanguage: "en",
  targetLanguage: "de-AT",
});
const german = /\b(?:Der|den|nahm|gestern)\b/;
const identify: Identify = (text) => ({ language: german.test(text) ? "de" : "en", probability: 0.9 });
const quarantine = { file: "f", line: 1, offset: 0, reason: "not UTF-8", head: "" };

async function run(items: PairItem[], options: Omit<PairsOptions, "items"> = {}) {
  const outcomes: PairOutcome[] = [];
  const pipeline = pairsPipeline({ items, ...options });
  for (;;) {
    const { value, done } = await pipeline.next();
    if (done) return { outcomes, counts: value };
    outcomes.push(value);
  }
}
const reasonOf = async (pair: SentencePair, options: Omit<PairsOptions, "items"> = { identify }) => {
  const [outcome] = (await run([{ pair }], options)).outcomes;
  return "pair" in outcome ? outcome.reason : "quarantine";
};

describe("a pair's reason", () => {
  it("names an empty side, equal sides, swapped and wrong languages (rows 23 and 26)", async () => {
    expect(await reasonOf(makePair(EN, DE))).toBe(null);
    expect(await reasonOf(makePair(EN, ""))).toBe("empty_side");
    expect(await reasonOf(makePair("", DE))).toBe("empty_side");
    expect(await reasonOf(makePair("", ""))).toBe("empty_side");
    expect(await reasonOf(makePair(EN, EN.toUpperCase()))).toBe("identical");
    expect(await reasonOf(makePair(DE, EN))).toBe("swapped");
    expect(await reasonOf(makePair(EN, "The proposal was then accepted by them"))).toBe("wrong_language(target)");
    expect(await reasonOf(makePair("Den Vorschlag nahm der Ausschuss gestern an", DE))).toBe("wrong_language(source)");
    expect(await reasonOf(makePair("Der gestern", "this that"), { identify, hardRules: false })).toBe(null); // too short
  });

  it("offers the exchanged pair for a swapped one", async () => {
    const [outcome] = (await run([{ pair: makePair(DE, EN) }], { identify })).outcomes;
    expect(outcome).toMatchObject({ kept: false, fix: { source: EN, target: DE, sourceLanguage: "en" } });
  });

  it("is the first rule that fails, while all are measured", async () => {
    const pair = makePair("5 5 5 5 5 5 %s {{", DE);
    const [outcome] = (await run([{ pair }])).outcomes;
    if (!("pair" in outcome)) throw new Error("quarantined");
    const failed = outcome.measures.filter((measure) => !passes(measure)).map(({ rule }) => rule);
    expect(outcome.reason).toBe(failed[0]);
    expect(failed).toContain("paper.repeatedRun");
    expect(failed).toContain("hardrules.no_literals(left)");
    expect(failed).toContain("opusfilter.nonZeroNumerals");
  });

  it("may be the similarity, of a scorer or as the file states it", async () => {
    const scorer = {
      name: "similarity.test",
      score: async (pairs: readonly SentencePair[]) => Float64Array.from(pairs, () => Number.NaN),
    };
    expect(await reasonOf(makePair(EN, DE), { similarity: [{ scorer, cut: 0.5 }] })).toBe("similarity.test"); // NaN is 0
    expect(await reasonOf({ ...makePair(EN, DE), givenScore: 1.03 })).toBe("ccaligned.laserMargin");
    expect(await reasonOf({ ...makePair(EN, DE), givenScore: 1.04 })).toBe(null);
  });
});

describe("the pipeline", () => {
  it("loses nothing and measures with numbers, for any text and block size", async () => {
    const side = fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom("", EN, DE, "a  b", "\u{1F600}", "字字字"));
    const item = fc.oneof(
      fc
        .tuple(side, side, fc.constantFrom("zh", "de", "th"))
        .map(([s, t, l]) => ({ pair: { ...makePair(s, t), targetLanguage: l } })),
      fc.constant({ quarantine }),
    );
    const scorer = {
      name: "s",
      score: async (pairs: readonly SentencePair[]) => Float64Array.from(pairs, ({ source }) => source.length),
    };
    await fc.assert(
      fc.asyncProperty(fc.array(item, { maxLength: 12 }), fc.integer({ min: 1, max: 5 }), async (items, blockSize) => {
        const { outcomes, counts } = await run(items as PairItem[], {
          blockSize,
          identify,
          similarity: [
            { scorer, cut: 3 },
            { scorer: lengthScorer([]), cut: -9 },
          ],
        });
        expect(outcomes.length).toBe(items.length);
        expect(counts.kept + counts.dropped + counts.quarantined).toBe(items.length);
        expect(Object.values(counts.reasons).reduce((a, b) => a + b, 0)).toBe(counts.dropped);
        for (const [i, outcome] of outcomes.entries()) {
          expect("quarantine" in outcome).toBe("quarantine" in items[i]);
          if ("quarantine" in outcome) continue;
          expect(outcome.pair).toBe((items[i] as { pair: SentencePair }).pair);
          expect(outcome.kept).toBe(outcome.measures.every(passes));
          for (const { value, rule } of outcome.measures) expect(Number.isFinite(value), rule).toBe(true);
        }
      }),
      { numRuns: 60 },
    );
  });

  it("holds one block of pairs, not the file", async () => {
    let ahead = 0;
    let most = 0;
    async function* items(): AsyncGenerator<PairItem> {
      for (let i = 0; i < 100; i++) {
        most = Math.max(most, ++ahead);
        yield { pair: makePair(EN, DE, String(i)) };
      }
    }
    for await (const _ of pairsPipeline({ items: items(), blockSize: 10 })) ahead--;
    expect(most).toBe(10);
  });
});

describe("the paper's heuristics", () => {
  const failed = (source: string, stopWords?: Set<string>) =>
    heuristics(makePair(source, ""), { stopWords: stopWords && (() => stopWords) })
      .filter((measure) => !passes(measure))
      .map(({ rule }) => rule);

  it("drop symbols, digits, repeated words and text without stop words, by the source alone", () => {
    expect(failed(EN)).toEqual([]);
    expect(failed("a ### b $$$ c")).toEqual(["paper.specialSymbols"]);
    expect(failed("ab 12345")).toEqual(["paper.digits"]);
    expect(failed("ab 123")).toEqual(["paper.digits"]); // half of the characters is too many
    expect(failed("so so far")).toEqual([]);
    expect(failed("so so so far")).toEqual(["paper.repeatedRun"]);
    expect(failed("a b a b a b a b a b")).toEqual(["paper.repeatedWords"]);
    const eight = "red green blue white black grey brown pink";
    expect(failed(eight, new Set(["the", "of"]))).toEqual(["paper.stopWords"]);
    expect(failed(`the ${eight} of`, new Set(["the", "of"]))).toEqual([]);
    expect(failed("x".repeat(1025))).toEqual(["paper.charactersMost"]);
    expect(failed("\u{1F600}".repeat(1025))).toEqual(["paper.charactersMost", "paper.specialSymbols"]);
    expect(failed("x\u{1D54F}".repeat(512))).toEqual([]); // code points, not UTF-16 units
  });
});

describe("templates", () => {
  it("are drawn by seed and id, all eleven and both directions alike", () => {
    const rendered = Array.from({ length: 4400 }, (_, i) => renderSeeded(makePair("Save", "Speichern", `f#${i}`), 7));
    expect(rendered).toEqual(rendered.map(({ id }) => renderSeeded(makePair("Save", "Speichern", id), 7)));
    for (const name of TEMPLATE_NAMES) {
      const count = rendered.filter(({ template }) => template === name).length;
      expect(Math.abs(count - 400), name).toBeLessThan(4 * Math.sqrt(400)); // four standard deviations
    }
    const forward = rendered.filter(({ source }) => source === "en").length;
    expect(Math.abs(forward - 2200)).toBeLessThan(4 * Math.sqrt(1100));
    expect(new Set(rendered.map(({ text }) => text)).size).toBe(22);
    expect(renderSeeded(makePair("Save", "Speichern"), 8)).not.toEqual(renderSeeded(makePair("Save", "Speichern"), 9));
  });

  it("never expand text that spells a slot or the table's line break (row 27)", () => {
    const source = "<tgt_lang> ^ <output> $& $1";
    const target = "<src_lang> ^ <input>";
    for (let i = 0; i < 60; i++) {
      const { text } = renderSeeded(makePair(source, target, String(i)), 1);
      expect(text.split(source)).toHaveLength(2);
      expect(text.split(target)).toHaveLength(2);
    }
  });

  it("need a language that has a name", () => {
    expect(() => renderSeeded({ ...makePair("a", "b"), targetLanguage: "xx" }, 1)).toThrow(/"xx" is none of en zh/);
  });
});

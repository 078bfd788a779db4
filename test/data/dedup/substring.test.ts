import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { mergeIntervals, restore } from "../../../src/data/dedup/intervals.ts";
import {
  cutRepeats,
  findRepeats,
  isWorthKeeping,
  MOST_TOKENS,
  tokenEnds,
  unitsOf,
} from "../../../src/data/dedup/substring.ts";
import { longestCommonPrefixes, suffixArray } from "../../../src/data/dedup/suffixArray.ts";
import { makeTokenizer } from "../../../src/tokenizer/bpe.ts";
import { english, longTexts } from "./fixtures.ts";

/** Compares the suffixes at a and b value by value: the end is less than any. */
function compareSuffixes(text: Int32Array, a: number, b: number): number {
  for (let i = 0; ; i++) {
    if (a + i === text.length || b + i === text.length) return b - a;
    if (text[a + i] !== text[b + i]) return text[a + i] - text[b + i];
  }
}

describe("the suffix array", () => {
  const small = fc
    .integer({ min: 0, max: 5 })
    .chain((most) => fc.tuple(fc.constant(most), fc.array(fc.nat(most), { maxLength: 60 })));

  test("and its common prefixes are those of plain sorting", () => {
    fc.assert(
      fc.property(small, ([most, values]) => {
        const text = Int32Array.from(values);
        const sorted = values.map((_, i) => i).sort((a, b) => compareSuffixes(text, a, b));
        const sa = suffixArray(text, most);
        expect([...sa]).toEqual(sorted);
        const shared = (a: number, b: number) => {
          let n = 0;
          while (a + n < text.length && b + n < text.length && text[a + n] === text[b + n]) n++;
          return n;
        };
        const lcp = longestCommonPrefixes(text, sa, new Int32Array(text.length));
        expect([...lcp]).toEqual(sorted.map((at, i) => (i === 0 ? 0 : shared(sorted[i - 1], at))));
      }),
      { numRuns: 500 },
    );
  });

  test("of 20,000 numbers with long repeats is in order", () => {
    const text = Int32Array.from({ length: 20_000 }, (_, i) => (i * i) % 150_001);
    text.copyWithin(10_000, 2000, 4000);
    const sa = suffixArray(text, 150_001);
    expect(new Set(sa).size).toBe(text.length);
    for (let i = 1; i < sa.length; i++) if (compareSuffixes(text, sa[i - 1], sa[i]) >= 0) expect.fail(`at ${i}`);
  });
});

describe("intervals as text-dedup's", () => {
  const of = (...pairs: [number, number][]) => pairs.map(([from, to]) => ({ from, to }));
  const merged = (strategy: "overlapping" | "longest", ...pairs: [number, number][]) =>
    [...mergeIntervals(of(...pairs), strategy)].map(({ from, to }) => [from, to]);
  const steps: [number, number][] = [
    [0, 10],
    [1, 11],
    [2, 12],
    [3, 13],
    [4, 14],
    [5, 15],
    [6, 16],
    [7, 21],
  ];

  test("are merged", () => {
    expect(merged("overlapping", ...steps)).toEqual([[0, 21]]);
    expect(merged("longest", ...steps)).toEqual(steps);
    expect(merged("overlapping", [0, 2], [2, 4], [4, 5])).toEqual([[0, 5]]);
    expect(merged("longest", [0, 4], [2, 4], [4, 5])).toEqual([
      [0, 4],
      [4, 5],
    ]);
    expect(merged("longest", [0, 10], [0, 10], [0, 10])).toEqual([[0, 10]]);
    expect(merged("overlapping")).toEqual([]);
  });

  test("are brought back to their documents", () => {
    const boundaries = of([0, 10], [10, 20]);
    const back = (...pairs: [number, number][]) =>
      [...restore(boundaries, of(...pairs))].map(({ document, from, to }) => [document, from, to]);
    // text-dedup gives [5, 10) of document 0 once, though three intervals hold it: there it stops at the first.
    const found = back([0, 5], [5, 10], [5, 15], [5, 19]);
    expect([...new Set(found.map(String))]).toEqual(["0,0,5", "0,5,10", "1,0,5", "1,0,9"]);
    expect(back([0, 5], [5, 10], [12, 19])).toEqual([
      [0, 0, 5],
      [0, 5, 10],
      [1, 2, 9],
    ]);
    const one = () => [...restore(boundaries, of([0, 5], [5, 10], [12, 19]))].filter(({ document }) => document === 0);
    expect([...mergeIntervals(one(), "longest")]).toHaveLength(2);
    expect([...mergeIntervals(one(), "overlapping")]).toEqual([{ document: 0, from: 0, to: 10 }]);
    expect(back([0, 20])).toEqual([
      [0, 0, 10],
      [1, 0, 10],
    ]);
  });
});

/** What {@link findRepeats} says of each token, found by comparing all pairs of places. */
function obviousRepeats(documents: number[][], n: number, keep: "first" | "none"): boolean[][] {
  const places = documents.flatMap((ids, document) =>
    ids.slice(n - 1).map((_, at) => ({ document, at, key: ids.slice(at, at + n).join() })),
  );
  const cut = documents.map((ids) => ids.map(() => false));
  for (const place of places) {
    const all = places.filter(({ key }) => key === place.key);
    const apart = (a: typeof place, b: typeof place) => a.document !== b.document || Math.abs(a.at - b.at) >= n;
    if (keep === "first" ? apart(all[0], place) : apart(all[0], all.at(-1)!))
      cut[place.document].fill(true, place.at, place.at + n);
  }
  return cut;
}

describe("repeats", () => {
  const documents = fc.array(fc.array(fc.nat(2), { maxLength: 25 }), { maxLength: 5 });
  const options = fc.record({ tokens: fc.integer({ min: 1, max: 6 }), keep: fc.constantFrom("first", "none") });

  test("are what comparing all pairs of places finds", () => {
    fc.assert(
      fc.property(documents, options, (ids, { tokens, keep }) => {
        const cut = ids.map((one) => one.map(() => false));
        for (const { document, from, to, first } of findRepeats(ids, { tokens, keep })) {
          cut[document].fill(true, from, to);
          const start = ids[document].slice(from, from + tokens);
          expect(ids[first.document].slice(first.token, first.token + tokens)).toEqual(start);
        }
        expect(cut).toEqual(obviousRepeats(ids, tokens, keep));
      }),
      { numRuns: 500 },
    );
  });

  test("are gone after one pass that keeps the first: in the uncut pieces a second finds none", () => {
    fc.assert(
      fc.property(documents, fc.integer({ min: 1, max: 6 }), (ids, tokens) => {
        const repeats = findRepeats(ids, { tokens, keep: "first" });
        const pieces = ids.flatMap((one, document) => {
          const cuts = repeats.filter((repeat) => repeat.document === document);
          return [...cuts, { from: one.length, to: one.length }].map(({ from }, i) =>
            one.slice(i === 0 ? 0 : cuts[i - 1].to, from),
          );
        });
        expect(findRepeats(pieces, { tokens, keep: "first" })).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });

  test("hold for ids of any size (bad input 40)", () => {
    const passage = [70_000, 4_294_967_295, 4464, 151_643]; // 70,000 is 4464 in 16 bits
    const found = findRepeats([[1, ...passage], Uint32Array.from([...passage, 65_535]), [4464, 65_535, 4464, 20_571]], {
      tokens: 4,
      keep: "first",
    });
    expect(found).toEqual([{ document: 1, from: 0, to: 4, first: { document: 0, token: 1 } }]);
  });

  test("of more tokens than fit are refused with what to do", () => {
    const huge = { length: MOST_TOKENS } as ArrayLike<number>;
    expect(() => findRepeats([huge], { tokens: 50, keep: "first" })).toThrow(/expected at most 134217728; split/);
    expect(() => findRepeats([[1]], { tokens: 0, keep: "first" })).toThrow(/whole number from 1/);
  });
});

describe("cuts", () => {
  /** Every byte a token: the smallest byte-level tokenizer. */
  const tokenizer = makeTokenizer(Array.from({ length: 256 }, (_, i) => Uint8Array.of(i)));
  afterAll(() => tokenizer.free());
  const tokenized = (text: string) => {
    const ids = tokenizer.encode(text);
    return { text, ids, ends: tokenEnds(ids, tokenizer.tokenBytes) };
  };

  test("leave the rest as it was, at the offsets of the original", () => {
    const passage = "the passage that stands in both of the texts";
    const texts = [`One. ${passage}! More of the first text.`, `Two: ${passage}? More; of another text.`];
    const [one, two] = cutRepeats(texts.map(tokenized), { tokens: 20, keep: "first" });
    expect(one).toEqual({ text: texts[0], cuts: [], characters: texts[0].length });
    // " the passage ... texts" with the space before, which is the same, too.
    expect(two.text).toBe("Two:? More; of another text.");
    expect(two.cuts).toEqual([{ from: 4, to: 4 + 1 + passage.length, first: { document: 0, token: 4 } }]);
    const both = cutRepeats(texts.map(tokenized), { tokens: 20, keep: "none" });
    expect(both.map(({ text }) => text)).toEqual(["One.! More of the first text.", "Two:? More; of another text."]);
  });

  test("never split a character, though a token does", () => {
    // 😀 is f0 9f 98 80 and 😁 f0 9f 98 81: three bytes are the same.
    const [, two] = cutRepeats(["x 😀".repeat(1), "y 😁"].map(tokenized), { tokens: 4, keep: "first" });
    expect(two.text).toBe("y😁"); // only the space is whole
    expect(two.text).not.toMatch(/\p{Surrogate}/u);
  });

  test("in text that is not NFC go back to its own characters", () => {
    const passage = "cafe\u0301 \u1112\u1161\u11ab"; // é as two, 한 as three
    const [, two] = cutRepeats([`1${passage}`, `2${passage}3 e\u0301`].map(tokenized), { tokens: 9, keep: "first" });
    expect(two.text).toBe("23 e\u0301");
  });

  test("keep every character outside them, whatever the texts", () => {
    const text = fc.array(fc.constantFrom("a", "b", "é", "e\u0301", "한", "😀", "\ud83d", " "), { maxLength: 30 });
    fc.assert(
      fc.property(fc.array(text, { maxLength: 4 }), fc.integer({ min: 1, max: 8 }), (texts, tokens) => {
        const before = texts.map((units) => units.join(""));
        cutRepeats(before.map(tokenized), { tokens, keep: "first" }).forEach(({ text, cuts, characters }, i) => {
          let [rest, at] = ["", 0];
          for (const { from, to } of cuts) {
            rest += before[i].slice(at, from);
            expect(to).toBeGreaterThan(from);
            for (const edge of [from, to])
              expect(
                /^[\udc00-\udfff]/.test(before[i].slice(edge)) && /[\ud800-\udbff]$/.test(before[i].slice(0, edge)),
              ).toBe(false);
            at = to;
          }
          expect(text).toBe(rest + before[i].slice(at));
          expect(characters).toBe([...text].length);
        });
      }),
      { numRuns: 300 },
    );
  });

  test("of tokens that are not the text's are refused", () => {
    expect(() => unitsOf("abc", Uint32Array.of(1, 2), [])).toThrow("the tokens end at byte 2 of a text of 3 bytes");
  });

  test("drop a text with fewer than 20 characters left, but not one that was short before", () => {
    const cut = { from: 0, to: 1, first: { document: 0, token: 0 } };
    expect(isWorthKeeping({ text: "", cuts: [cut], characters: 19 })).toBe(false);
    expect(isWorthKeeping({ text: "", cuts: [cut], characters: 20 })).toBe(true);
    expect(isWorthKeeping({ text: "", cuts: [], characters: 3 })).toBe(true);
  });

  test("of real texts take out what was planted, and a second pass on the new text finds less", () => {
    const planted = english[3].slice(200, 600);
    const others = longTexts.filter(([, , language]) => language !== "en").slice(0, 6);
    const texts = [
      english[3],
      ...others.map(([, , , text], i) => `${text.slice(0, 300 + i)}${planted}${text.slice(900, 1200)}`),
    ];
    const options = { tokens: 100, keep: "first" } as const;
    const once = cutRepeats(texts.map(tokenized), options);
    expect(once[0].text).toBe(texts[0]);
    for (const { text, cuts } of once.slice(1)) {
      expect(text).not.toContain(planted.slice(0, 100));
      expect(cuts.some(({ first }) => first.document === 0)).toBe(true);
    }
    const twice = cutRepeats(
      once.map(({ text }) => tokenized(text)),
      options,
    );
    const cutUnits = (all: typeof once) =>
      all.flatMap(({ cuts }) => cuts).reduce((sum, { from, to }) => sum + to - from, 0);
    expect(cutUnits(twice)).toBeLessThan(cutUnits(once) / 10);
  });
});

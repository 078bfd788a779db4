import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { mergesOf } from "../../src/tokenizer/bpe.ts";
import { pretokenize } from "../../src/tokenizer/pretokenize.ts";
import { learnMerges, ranksOf, trainBpe, weighPretokens } from "../../src/tokenizer/trainBpe.ts";
import { hardText, UDHR } from "./fixtures.ts";

const [a, b, c] = Buffer.from("abc");

/** The trainer as its definition says: count all pairs again before each merge. */
function learnMergesSlowly(wordWeights: ReadonlyMap<string, number>, mergeCount: number): [number, number][] {
  const words = [...wordWeights].map(([text, weight]) => ({ ids: [...Buffer.from(text)], weight }));
  const merges: [number, number][] = [];
  for (let id = 256; id < 256 + mergeCount; id++) {
    const counts = new Map<string, { left: number; right: number; weight: number }>();
    for (const { ids, weight } of words)
      for (let i = 1; i < ids.length; i++) {
        const name = `${ids[i - 1]} ${ids[i]}`;
        counts.set(name, { left: ids[i - 1], right: ids[i], weight: (counts.get(name)?.weight ?? 0) + weight });
      }
    const pairs = [...counts.values()].sort((p, q) => q.weight - p.weight || p.left - q.left || p.right - q.right);
    if (pairs.length === 0) break;
    const { left, right } = pairs[0];
    merges.push([left, right]);
    for (const { ids } of words)
      for (let i = 0; i + 1 < ids.length; i++) if (ids[i] === left && ids[i + 1] === right) ids.splice(i, 2, id);
  }
  return merges;
}

describe("learnMerges", () => {
  it("merges the heaviest pair first", () => {
    // ab 5, bc 3: 256 = ab. Then 256 c 3 and nothing else: 257 = abc.
    expect(learnMerges(new Map(Object.entries({ ab: 2, abc: 3 })), 9)).toEqual([
      [a, b],
      [256, c],
    ]);
  });

  it("breaks ties by the smaller left id, then the smaller right id", () => {
    expect(learnMerges(new Map(Object.entries({ bc: 1, ba: 1, ac: 1, ab: 1 })), 9)).toEqual([
      [a, b],
      [a, c],
      [b, a],
      [b, c],
    ]);
  });

  it("merges a run of equal ids from the left", () => {
    // aaaaa: aa 4; [aa aa a]: (256, 256) 1 before (256, a)? a is the smaller right id.
    expect(learnMerges(new Map([["aaaaa", 1]]), 9)).toEqual([
      [a, a],
      [256, a],
      [256, 257],
    ]);
  });

  const words = fc.dictionary(
    fc.oneof(fc.string({ unit: fc.constantFrom("a", "b", "c"), minLength: 1, maxLength: 12 }), hardText),
    fc.integer({ min: 1, max: 20 }),
    { maxKeys: 25, noNullPrototype: true },
  );

  it("equals the slow trainer", () => {
    fc.assert(
      fc.property(words, (weights) => {
        const map = new Map(Object.entries(weights));
        expect(learnMerges(map, 60)).toEqual(learnMergesSlowly(map, 60));
      }),
      { numRuns: 300 },
    );
  });

  it("equals the slow trainer on 29 languages", () => {
    const weights = weighPretokens(UDHR);
    expect(learnMerges(weights, 40)).toEqual(learnMergesSlowly(weights, 40));
  });

  it("does not depend on the order of the words", () => {
    fc.assert(
      fc.property(words, (weights) => {
        const entries = Object.entries(weights);
        expect(learnMerges(new Map(entries.toReversed()), 60)).toEqual(learnMerges(new Map(entries), 60));
      }),
    );
  });

  it("can be read back from the byte strings", () => {
    fc.assert(
      fc.property(words, (weights) => {
        const merges = learnMerges(new Map(Object.entries(weights)), 60);
        expect(mergesOf(ranksOf(merges))).toEqual(merges);
      }),
    );
  });
});

describe("weighPretokens", () => {
  it("gives every language the same weight in bytes", () => {
    const weights = weighPretokens({ en: ["ab ab", "cd"], ru: ["да"] });
    // en has 7 bytes, ru 4; half of 2^53 each.
    expect([...weights]).toEqual([
      ["ab", Math.floor(2 ** 52 / 7)],
      [" ab", Math.floor(2 ** 52 / 7)],
      ["cd", Math.floor(2 ** 52 / 7)],
      ["да", 2 ** 50],
    ]);
  });

  it("stays where doubles are exact", () => {
    const weights = weighPretokens(UDHR);
    let total = 0n;
    for (const [word, weight] of weights) {
      expect(Number.isSafeInteger(weight)).toBe(true);
      total += BigInt(weight) * BigInt(Buffer.byteLength(word));
    }
    expect(total).toBeLessThanOrEqual(2n ** 53n);
    expect(total).toBeGreaterThan(2n ** 53n - 2n ** 20n);
  });
});

describe("trainBpe", () => {
  it("starts with the bytes, holds no token twice and leaves room for the control tokens", () => {
    const ranks = trainBpe(UDHR, { vocabSize: 500 });
    expect(ranks.slice(0, 256)).toEqual(Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte)));
    expect(new Set(ranks.map((bytes) => Buffer.from(bytes).toString("hex"))).size).toBe(497);
  });

  it("gives the same vocabulary whatever the order of languages and texts", () => {
    const reversed = Object.fromEntries(
      Object.entries(UDHR)
        .reverse()
        .map(([language, texts]) => [language, texts.toReversed()]),
    );
    expect(trainBpe(reversed, { vocabSize: 500 })).toEqual(trainBpe(UDHR, { vocabSize: 500 }));
  });

  it("never merges across pre-tokens", () => {
    const ranks = trainBpe(UDHR, { vocabSize: 1500 });
    const utf8 = new TextDecoder("utf-8", { fatal: true });
    for (const bytes of ranks.slice(256)) {
      let text: string;
      try {
        text = utf8.decode(bytes);
      } catch {
        continue; // part of a character
      }
      expect(pretokenize(text)).toEqual([text]);
    }
  });

  it.each([258, 300.5, 65537])("refuses vocabSize %d", (vocabSize) => {
    expect(() => trainBpe(UDHR, { vocabSize })).toThrow("expected an integer from 259 to 65536");
  });

  it("refuses texts too small for the vocabulary", () => {
    expect(() => trainBpe({ en: ["abc"], de: [] }, { vocabSize: 300 })).toThrow("allow 2 merges, but vocabSize 300");
  });
});

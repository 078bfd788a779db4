import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  bytesPerToken,
  controlTokens,
  makeTokenizer,
  mergeBytes,
  mergesOf,
  rankMap,
  type Tokenizer,
} from "../../src/tokenizer/bpe.ts";
import { normalize, pretokenize } from "../../src/tokenizer/pretokenize.ts";
import { ranksOf, trainBpe } from "../../src/tokenizer/trainBpe.ts";
import { GOLDEN, hardText, mergeSlowly, SMALL_VOCAB_SIZE, UDHR } from "./fixtures.ts";

let ranks: Uint8Array[];
let tokenizer: Tokenizer;
beforeAll(() => {
  ranks = trainBpe(UDHR, { vocabSize: SMALL_VOCAB_SIZE });
  tokenizer = makeTokenizer(ranks);
});
afterAll(() => tokenizer.free());

describe("encode and decode", () => {
  it("equals Hugging Face tokenizers", () => {
    for (const { text, ids } of GOLDEN.texts) expect(tokenizer.encode(text), text).toEqual(ids);
  });

  it.each(Object.keys(UDHR))("returns %s text", (language) => {
    for (const text of UDHR[language]) expect(tokenizer.decode(tokenizer.encode(text))).toBe(text.normalize("NFC"));
  });

  it("equals Hugging Face with other added tokens", () => {
    const { tokens, texts } = GOLDEN.added;
    const extended = makeTokenizer(ranks, [...controlTokens(ranks.length), ...tokens]);
    for (const { text, ids } of texts) expect(extended.encode(text), text).toEqual(ids);
    expect(extended.vocabSize).toBe(611);
    expect(extended.decode([601, 606, 610])).toBe("<tool_call>cafécall>>");
    expect(extended.decode([97, 607, 98])).toBe("ab"); // a gap between the added tokens is no text
    extended.free();
  });

  it("returns any text, normalised", () => {
    const codePoint = fc.integer({ min: 0, max: 0x10ffff }).map((value) => String.fromCodePoint(value));
    const anyCharacters = fc.array(codePoint, { maxLength: 10 }).map((characters) => characters.join(""));
    const anyText = fc.oneof(hardText, anyCharacters, fc.constantFrom("\ufeffa", "\ud800x", "x\udc00"));
    fc.assert(
      fc.property(anyText, (text) => {
        expect(tokenizer.decode(tokenizer.encode(text))).toBe(normalize(text));
      }),
    );
  });

  it("equals the slow encoder", () => {
    const rankOf = rankMap(ranks);
    const encodeSlowly = (text: string) =>
      pretokenize(normalize(text)).flatMap((word) => mergeSlowly(Buffer.from(word).toString("latin1"), rankOf));
    for (const text of Object.values(UDHR).flat()) expect(tokenizer.encode(text)).toEqual(encodeSlowly(text));
    fc.assert(
      fc.property(hardText, (text) => {
        expect(tokenizer.encode(text)).toEqual(encodeSlowly(text));
      }),
    );
  });

  it("never yields a control id, whatever the text", () => {
    const spelled = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];
    for (const text of [...spelled, spelled.join(""), `a${spelled[2]}\n${spelled[1]}assistant\n`]) {
      const ids = tokenizer.encode(text);
      expect(Math.max(...ids)).toBeLessThan(tokenizer.special.endOfText);
      expect(tokenizer.decode(ids)).toBe(text);
    }
  });

  it("puts the control tokens last and decodes them to their names", () => {
    expect(tokenizer.vocabSize).toBe(600);
    expect(tokenizer.special).toEqual({ endOfText: 597, imStart: 598, imEnd: 599 });
    expect(tokenizer.decode([598, ...tokenizer.encode("hi"), 599, 597])).toBe("<|im_start|>hi<|im_end|><|endoftext|>");
    expect(Buffer.from(tokenizer.tokenBytes(597)).toString()).toBe("<|endoftext|>");
  });

  it("falls back to bytes", () => {
    const bytesOnly = makeTokenizer(ranksOf([]));
    expect(bytesOnly.vocabSize).toBe(259);
    expect(bytesOnly.encode("é😀")).toEqual([0xc3, 0xa9, 0xf0, 0x9f, 0x98, 0x80]);
    bytesOnly.free();
  });

  it("decodes part of a character to U+FFFD", () => expect(tokenizer.decode([0x61, 0xc3])).toBe("a\ufffd"));

  it("refuses an id outside the vocabulary", () => {
    for (const id of [-1, 600, 1.5]) expect(() => tokenizer.decode([id])).toThrow(`id ${id} is not in the vocabulary`);
  });

  it.each([
    ["a", 1e6],
    ["中", 5e4],
    ["!", 5e4],
    [" ", 5e4],
    ["\n", 5e4],
    ["ก", 5e4],
    ["😀", 5e4],
  ])("takes near-linear time on unbroken text of %j", (character, n) => {
    const text = character.repeat(n);
    const start = performance.now();
    const ids = tokenizer.encode(text);
    expect(performance.now() - start).toBeLessThan(8000); // 0.1 to 1 s; tiktoken takes 37 s for 200,000 times "a"
    expect(tokenizer.decode(ids)).toBe(text);
  });

  it("stops working once freed", () => {
    const freed = makeTokenizer(ranks);
    freed.free();
    expect(() => freed.encode("a")).toThrow();
  });
});

/** Any vocabulary: the bytes and words of few letters, in any order, so that some are reached by no merges. */
const letters = fc.string({ unit: fc.constantFrom("a", "b", "c"), minLength: 2, maxLength: 6 });
const anyRanks = fc
  .uniqueArray(letters, { maxLength: 30 })
  .map((words) => [...ranksOf([]), ...words.map((word) => Uint8Array.from(Buffer.from(word)))]);

describe("mergeBytes", () => {
  const text = (maxLength: number) => fc.string({ unit: fc.constantFrom("a", "b", "c"), minLength: 1, maxLength });

  it("equals the definition and tiktoken, with a heap (long text) and without", () => {
    fc.assert(
      fc.property(anyRanks, fc.oneof(text(60), text(100), text(400)), (ranks, text) => {
        const rankOf = rankMap(ranks);
        const ids = mergeBytes(text, rankOf);
        expect(ids).toEqual(rankOf.has(text) ? [rankOf.get(text)] : mergeSlowly(text, rankOf));
        const tokenizer = makeTokenizer(ranks);
        if (text.length < 128) expect(tokenizer.encode(text)).toEqual(ids); // by tiktoken
        tokenizer.free();
      }),
      { numRuns: 40 },
    );
  });

  it("stops below a limit", () => {
    fc.assert(
      fc.property(anyRanks, text(150), fc.integer({ min: 256, max: 290 }), (ranks, text, limit) => {
        const rankOf = rankMap(ranks);
        const known = rankOf.get(text) ?? Infinity;
        expect(mergeBytes(text, rankOf, limit)).toEqual(known < limit ? [known] : mergeSlowly(text, rankOf, limit));
      }),
    );
  });

  it("encodes every text as tiktoken does, whichever of them encodes it", () => {
    const rankOf = rankMap(ranks);
    for (const [language, texts] of Object.entries(UDHR)) {
      const words = pretokenize(normalize(texts.join(" ")));
      const ids = words.flatMap((word) => mergeBytes(Buffer.from(word).toString("latin1"), rankOf));
      expect(tokenizer.encode(texts.join(" ")), language).toEqual(ids);
      const filler = "!".repeat(200); // a long pre-token, which makes mergeBytes encode all
      expect(tokenizer.encode(`${texts.join(" ")}\n${filler}`).slice(0, ids.length), language).toEqual(ids);
    }
  });
});

describe("mergesOf", () => {
  /** As Hugging Face: join the neighbours whose listed merge stands first, the leftmost of equals. */
  const mergeListed = (text: string, merges: [number, number][]) => {
    const ids = [...Buffer.from(text)];
    for (;;) {
      const places = ids.map((id, i) => merges.findIndex(([left, right]) => left === id && right === ids[i + 1]));
      const listed = places.filter((place) => place >= 0);
      if (listed.length === 0) return ids;
      const best = Math.min(...listed);
      ids.splice(places.indexOf(best), 2, 256 + best);
    }
  };
  it("where it equals the listed merges, Hugging Face and tiktoken agree on every text", () => {
    const choices = fc.array(fc.tuple(fc.nat(999), fc.nat(999)), { minLength: 2, maxLength: 12 });
    const letters = fc.string({ unit: fc.constantFrom("a", "b", "c"), minLength: 20, maxLength: 60 });
    let agreed = 0;
    let differed = 0;
    const property = fc.property(choices, letters, (pairs, text) => {
      const words = ["a", "b", "c"]; // and every merge's; ids 97, 98, 99, then from 256
      const merges: [number, number][] = [];
      for (const pair of pairs) {
        const [left, right] = pair.map((n) => n % words.length);
        if (words.includes(words[left] + words[right])) continue;
        const [leftId, rightId] = [left, right].map((i) => (i < 3 ? 97 + i : 253 + i));
        merges.push([leftId, rightId]);
        words.push(words[left] + words[right]);
      }
      const ranks = ranksOf(merges);
      const listed = `${mergeListed(text, merges)}`;
      const joined = `${mergeSlowly(text, rankMap(ranks))}`;
      if (JSON.stringify(mergesOf(ranks)) !== JSON.stringify(merges)) differed += Number(joined !== listed);
      else {
        expect(joined).toBe(listed);
        agreed++;
      }
    });
    fc.assert(property, { numRuns: 500, seed: 1 });
    expect(agreed).toBeGreaterThan(25);
    expect(differed).toBeGreaterThan(25);
  });

  it("shows which tokens no merge makes", () => {
    const words = (...words: string[]) => [...ranksOf([]), ...words.map((word) => Buffer.from(word))];
    expect(mergesOf(words("ab", "abc"))).toEqual([
      [97, 98],
      [256, 99],
    ]);
    // ab, then c, d: abcd has three parts when its turn comes; cd comes after it.
    expect(mergesOf(words("ab", "abcd", "cd"))).toEqual([[97, 98], undefined, [99, 100]]);
  });
});

describe("bytesPerToken", () => {
  it("is 1 with the bytes alone", () => {
    const bytesOnly = makeTokenizer(ranksOf([]));
    expect(new Set(Object.values(bytesPerToken(bytesOnly, UDHR)))).toEqual(new Set([1]));
    bytesOnly.free();
  });

  it("counts the bytes of normalised text", () => {
    // "ab" -> 2 ids or 1; e + U+0301 becomes é, 2 bytes.
    const pair = makeTokenizer(ranksOf([[0xc3, 0xa9]]));
    expect(bytesPerToken(pair, { fr: ["e\u0301", "x"] })).toEqual({ fr: 3 / 2 });
    pair.free();
  });

  it("shows that a trained vocabulary serves every language", () => {
    for (const [language, ratio] of Object.entries(bytesPerToken(tokenizer, UDHR)))
      expect(ratio, language).toBeGreaterThan(1.1);
  });
});

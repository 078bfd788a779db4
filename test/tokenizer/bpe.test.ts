import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  bytesPerToken,
  encodeWithRanks,
  loadRanks,
  loadTokenizer,
  makeTokenizer,
  saveTokenizer,
  type Tokenizer,
} from "../../src/tokenizer/bpe.ts";
import { normalize, pretokenize } from "../../src/tokenizer/pretokenize.ts";
import { ranksOf, trainBpe } from "../../src/tokenizer/trainBpe.ts";
import { GOLDEN, hardText, SMALL_DIR, SMALL_VOCAB_SIZE, UDHR } from "./fixtures.ts";

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

  it("returns any text, normalised", () => {
    const anyText = fc.oneof(hardText, fc.string({ unit: "binary" }), fc.constantFrom("\ufeffa", "\ud800x", "x\udc00"));
    fc.assert(
      fc.property(anyText, (text) => {
        expect(tokenizer.decode(tokenizer.encode(text))).toBe(normalize(text));
      }),
    );
  });

  it("equals the slow encoder", () => {
    const rankOf = new Map(ranks.map((bytes, rank) => [Buffer.from(bytes).toString("latin1"), rank]));
    const encodeSlowly = (text: string) =>
      pretokenize(normalize(text)).flatMap((word) => encodeWithRanks(Buffer.from(word).toString("latin1"), rankOf));
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

  it.each(["a", "中", "!", " ", "\n", "ก"])("takes linear time on 200,000 times %j", (character) => {
    const text = character.repeat(200_000);
    const start = performance.now();
    const ids = tokenizer.encode(text);
    expect(performance.now() - start).toBeLessThan(5000); // 0.1 to 0.7 s; without the cut, tiktoken takes 37 to 340 s
    expect(tokenizer.decode(ids)).toBe(text);
  });

  it("stops working once freed", () => {
    const freed = makeTokenizer(ranks);
    freed.free();
    expect(() => freed.encode("a")).toThrow();
  });
});

describe("saveTokenizer and loadTokenizer", () => {
  let dir: string;
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), "tokenizer-"));
    saveTokenizer(dir, ranks);
  });
  afterAll(() => rmSync(dir, { recursive: true }));

  it("writes exactly the committed files, so training has not changed", () => {
    const names = ["chat_template.jinja", "special_tokens_map.json", "tokenizer.json", "tokenizer_config.json"];
    expect(readdirSync(dir).sort()).toEqual(names);
    for (const name of names)
      expect(readFileSync(join(dir, name), "utf8")).toBe(readFileSync(join(SMALL_DIR, name), "utf8"));
  });

  it("reads back the same vocabulary", () => {
    expect(loadRanks(SMALL_DIR)).toEqual(ranks);
    const loaded = loadTokenizer(SMALL_DIR);
    expect(loaded.encode(UDHR.vi[0])).toEqual(tokenizer.encode(UDHR.vi[0]));
    loaded.free();
  });

  it("refuses files that it cannot read faithfully, and says why", () => {
    const file = JSON.parse(readFileSync(join(SMALL_DIR, "tokenizer.json"), "utf8"));
    const attempt = (changed: unknown) => {
      const other = mkdtempSync(join(tmpdir(), "tokenizer-"));
      writeFileSync(join(other, "tokenizer.json"), JSON.stringify(changed));
      try {
        loadRanks(other);
      } finally {
        rmSync(other, { recursive: true });
      }
    };
    expect(() => attempt(file)).not.toThrow();
    expect(() => attempt({ ...file, model: { ...file.model, type: "Unigram" } })).toThrow("the model is Unigram");
    expect(() => attempt({ ...file, pre_tokenizer: null })).toThrow("another Split pattern");
    expect(() => attempt({ ...file, added_tokens: [] })).toThrow("the added tokens are ");
    expect(() => attempt({ ...file, model: { ...file.model, vocab: { "!": 33 } } })).toThrow("ranks of 1 tokens reach");
    expect(() => loadRanks(join(SMALL_DIR, "absent"))).toThrow("ENOENT");
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

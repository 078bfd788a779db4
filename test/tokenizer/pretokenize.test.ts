import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { makeTokenizer, type Tokenizer } from "../../src/tokenizer/bpe.ts";
import { hasLongPretoken, LONG_RUN, normalize, pretokenize } from "../../src/tokenizer/pretokenize.ts";
import { GOLDEN, hardText, UDHR } from "./fixtures.ts";

describe("normalize", () => {
  it("composes to NFC", () => expect(normalize("e\u0301")).toBe("\u00e9"));
  it("replaces half a surrogate pair and keeps a whole one", () => {
    expect(normalize("a\ud83db\ude00c😀")).toBe("a\ufffdb\ufffdc😀");
  });
});

describe("pretokenize", () => {
  it.each([
    ["I'll say IT'S", ["I", "'ll", " say", " IT", "'S"]], // contractions in either case
    ["'ſx", ["'ſ", "x"]], // case folding: long s is an s
    ["12 34", ["1", "2", " ", "3", "4"]], // digits one by one, the space apart
    ["(x) != y;\n\nz", ["(x", ")", " !=", " y", ";\n\n", "z"]], // one mark joins a word; line breaks join punctuation
    ["a   b", ["a", "  ", " b"]], // the last space goes to the word
    ["a  \n  b", ["a", "  \n", " ", " b"]],
    ["a \t", ["a", " \t"]],
    ["a\u0085\u00a0b", ["a", "\u0085", "\u00a0b"]], // U+0085 is white space
    ["a \ufeff!", ["a", " \ufeff!"]], // U+FEFF is not
    ["ที่", ["ท", "ี่"]], // Thai vowel signs are marks, not letters
    ["حَ", ["ح", "َ"]], // so are harakat
    ["中文。好", ["中文", "。好"]],
    ["👩‍👧 😀", ["👩‍👧", " 😀"]],
  ])("splits %j as Qwen2 does", (text, words) => expect(pretokenize(text)).toEqual(words));

  it.each(["x", "字", "!", " ", "😀"])("does not cut a run of %j", (character) => {
    const run = character.repeat(5000);
    expect(pretokenize(run)).toEqual([run]);
  });

  it("tells texts that may hold a long pre-token", () => {
    for (const character of ["x", "字", "!", " ", "\n", "😀", "𝐀"]) {
      expect(hasLongPretoken(character.repeat(LONG_RUN - 1))).toBe(false);
      expect(hasLongPretoken(`a 1${character.repeat(LONG_RUN)}`)).toBe(true);
    }
    expect(hasLongPretoken("1".repeat(500))).toBe(false); // digits stand alone
    expect(hasLongPretoken("word ".repeat(500))).toBe(false);
  });

  it("loses and changes nothing", () => {
    fc.assert(
      fc.property(hardText.map(normalize), (text) => {
        expect(pretokenize(text).join("")).toBe(text);
      }),
    );
  });

  it("splits as tiktoken does", () => {
    const check = (text: string) => {
      const { tokenizer, idOf } = tokenizerOfWords(pretokenize(text));
      expect(tokenizer.encode(text)).toEqual(pretokenize(text).map(idOf));
      tokenizer.free();
    };
    check(normalize(Object.values(UDHR).flat().join("\r\n")));
    check(normalize(GOLDEN.texts.map(({ text }) => text).join("\n")));
    fc.assert(fc.property(hardText.map(normalize), check), { numRuns: 60 });
  });
});

/** A tokenizer whose vocabulary is the bytes and these words, so that its ids show where it splits. */
function tokenizerOfWords(words: string[]): { tokenizer: Tokenizer; idOf: (word: string) => number } {
  const longer = [...new Set(words)].filter((word) => Buffer.byteLength(word) > 1);
  const bytes = Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte));
  const idOf = (word: string) => (longer.includes(word) ? 256 + longer.indexOf(word) : Buffer.from(word)[0]);
  return { tokenizer: makeTokenizer([...bytes, ...longer.map((word) => new TextEncoder().encode(word))]), idOf };
}

import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { streamDecoder } from "../../src/tokenizer/streamDecoder.ts";
import { loadTokenizer } from "../../src/tokenizer/tokenizerFiles.ts";
import { hardText, SMALL_DIR, UDHR } from "./fixtures.ts";

const tokenizer = loadTokenizer(SMALL_DIR);
afterAll(() => tokenizer.free());

/** What each push returns, then the end. */
function pieces(ids: readonly number[]): string[] {
  const decoder = streamDecoder(tokenizer);
  return [...ids.map(decoder.push), decoder.end()];
}
const bytes = (...values: number[]) => pieces(values); // ids 0 to 255 are the bytes

describe("streamDecoder", () => {
  it("holds a character back until its last byte", () => {
    expect(bytes(...Buffer.from("é😀a"))).toEqual(["", "é", "", "", "", "😀", "a", ""]);
  });

  it("keeps a byte order mark, at the start as elsewhere", () => {
    expect(bytes(0xef, 0xbb, 0xbf, 0x61, 0xef, 0xbb, 0xbf)).toEqual(["", "", "\ufeff", "a", "", "", "\ufeff", ""]);
  });

  it("gives up on a character as soon as the next byte does not fit", () => {
    expect(bytes(0xf0, 0x9f, 0x61)).toEqual(["", "", "\ufffda", ""]); // one U+FFFD for the part that began well
    expect(bytes(0x61, 0x80, 0xff, 0xc0)).toEqual(["a", "\ufffd", "\ufffd", "\ufffd", ""]); // never part of any
    expect(bytes(0xed, 0xa0, 0x80)).toEqual(["", "\ufffd\ufffd", "\ufffd", ""]); // half a surrogate pair
    expect(bytes(0xe4, 0xb8)).toEqual(["", "", "\ufffd"]); // what never ended
  });

  it("names control tokens", () => expect(pieces([tokenizer.special.imEnd])).toEqual(["<|im_end|>", ""]));

  it("joins to the text of all ids, whatever the ids", () => {
    const byte = fc.oneof(fc.nat(255), fc.constantFrom(0x80, 0xbf, 0xe0, 0xed, 0xef, 0xbb, 0xf0, 0xf4, 0x9f));
    const ids = fc.oneof(
      fc.array(fc.oneof(byte, fc.nat(tokenizer.vocabSize - 1)), { maxLength: 20 }),
      hardText.map((text) => [...Buffer.from(text)]),
    );
    fc.assert(
      fc.property(ids, (ids) => {
        expect(pieces(ids).join("")).toBe(tokenizer.decode(ids));
      }),
      { numRuns: 3000 },
    );
  });

  it("never gives half a character of any language", () => {
    for (const text of Object.values(UDHR).flat()) {
      const parts = pieces(tokenizer.encode(text));
      expect(parts.join("")).toBe(text.normalize("NFC"));
      expect(parts.filter((part) => /[\p{Surrogate}\ufffd]/u.test(part))).toEqual([]);
    }
  });
});

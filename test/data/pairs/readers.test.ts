/** @file Moses, TSV and TMX: what they read, what they refuse, and that nothing is lost or crashes. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Piece } from "../../../src/data/files/bytes.ts";
import type { SourceFile } from "../../../src/data/files/lines.ts";
import { readMoses } from "../../../src/data/pairs/moses.ts";
import { cleanSide, type PairItem } from "../../../src/data/pairs/pair.ts";
import { readTmx } from "../../../src/data/pairs/tmx.ts";
import { readTsv, TSV_LAYOUTS } from "../../../src/data/pairs/tsv.ts";

const languages = { sourceLanguage: "en", targetLanguage: "de" };

/** A file of these bytes, in pieces of `size`. */
function file(content: string | Uint8Array, size = 7, name = "f"): SourceFile {
  const bytes = Buffer.from(content as string);
  return {
    name,
    async *open(): AsyncGenerator<Piece> {
      for (let at = 0; at < bytes.length; at += size) yield { bytes: bytes.subarray(at, at + size), offset: 0 };
    },
  };
}
async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
const sides = (items: PairItem[]) =>
  items.flatMap((item) => ("pair" in item ? [[item.pair.source, item.pair.target]] : []));
const refused = (items: PairItem[]) => items.flatMap((item) => ("quarantine" in item ? [item.quarantine] : []));

describe("Moses files", () => {
  it("pair line by line, whatever the pieces, with or without a last line end", async () => {
    for (const size of [1, 2, 5, 100]) {
      const source = file("\uFEFFone\r\ntwo ünï\n\n", size, "a.en");
      const target = file("eins\nzwei\ndrei", size, "a.de");
      const items = await collect(readMoses({ source, target, ...languages }));
      expect(sides(items)).toEqual([
        ["one", "eins"],
        ["two ünï", "zwei"],
        ["", "drei"], // row 23: an empty side is a pair, which the rules drop
      ]);
      expect(items.map((item) => ("pair" in item ? item.pair.id : ""))).toEqual(["a.en#1", "a.en#2", "a.en#3"]);
    }
  });

  it("keep the alignment past lines that are too long or not UTF-8", async () => {
    const bad = Buffer.concat([Buffer.from("one\n"), Buffer.from([0xff, 0x20]), Buffer.from("\nthree\nfour")]);
    const target = file(`eins\nzwei\n${"x".repeat(50)}\nvier\n`);
    const items = await collect(readMoses({ source: file(bad), target, ...languages, maxLineBytes: 20 }));
    expect(sides(items)).toEqual([
      ["one", "eins"],
      ["four", "vier"],
    ]);
    expect(refused(items).map(({ line, offset, reason }) => [line, offset, reason])).toEqual([
      [2, 4, "not UTF-8"],
      [3, 10, "a line of more than 20 bytes"],
    ]);
  });

  it("of different lengths are refused before the first pair, with the place where they part", async () => {
    const texts = Array.from({ length: 60 }, (_, i) => "ab ".repeat(1 + ((i * i * 7) % 23)) + (i % 3 === 0 ? i : ""));
    const without = (from: number, count: number) => [...texts.slice(0, from), ...texts.slice(from + count)];
    const attempt = async (a: string[], b: string[]) => {
      const [source, target] = [
        file(a.map((line) => `${line}\n`).join(""), 64, "a.en"),
        file(b.map((line) => `${line}\n`).join(""), 64, "a.de"),
      ];
      return readMoses({ source, target, ...languages })
        .next()
        .then(
          () => "",
          (error: Error) => `${error.name}: ${error.message}`,
        );
    };
    for (const [from, count] of [
      [20, 1],
      [0, 1],
      [33, 3],
    ]) {
      for (const message of [await attempt(texts, without(from, count)), await attempt(without(from, count), texts)]) {
        expect(message).toMatch(/^UserError: .*has (60|57|59) lines and/);
        expect(message).toContain(`seem to part at line ${from + 1}:`);
        expect(message).not.toContain("\n");
      }
    }
    expect(await attempt(texts, texts.slice(0, 50))).toContain("the first 50 lines seem to pair: a.de ends there");
    expect(await attempt(texts, [])).toContain("a.de ends there");
  });

  it("that are damaged or UTF-16 are refused", async () => {
    const damaged: SourceFile = {
      name: "x.gz",
      async *open() {
        yield { bytes: Buffer.from("one\ntw"), offset: 0 };
        yield { damage: { offset: 9, reason: "cut off", head: new Uint8Array() } };
      },
    };
    await expect(collect(readMoses({ source: damaged, target: file("a\n"), ...languages }))).rejects.toThrow(
      "damaged at byte 9",
    );
    const utf16 = Buffer.from("\uFEFFone\n", "utf16le");
    await expect(collect(readTsv({ file: file(utf16), ...languages }))).rejects.toThrow(/UTF-16.*iconv/);
  });
});

describe("TSV", () => {
  it("quarantines rows with too few or too many columns and goes on (row 25)", async () => {
    const items = await collect(
      readTsv({ file: file("one\teins\nshort\ntwo\ttabs\there\n\nthree\tdrei"), ...languages }),
    );
    expect(sides(items)).toEqual([
      ["one", "eins"],
      ["three", "drei"],
    ]);
    expect(refused(items)).toEqual([
      { file: "f", line: 2, offset: 9, reason: "1 columns, expected 2", head: "short" },
      { file: "f", line: 3, offset: 15, reason: "3 columns, expected 2", head: "two tabs here" },
      { file: "f", line: 4, offset: 29, reason: "1 columns, expected 2", head: "" },
    ]);
  });

  it("reads CCAligned's sentences with their score, and its documents", async () => {
    const layout = TSV_LAYOUTS.ccalignedSentences;
    const items = await collect(readTsv({ file: file("a\tb\t1.05\na\tb\tnone\na\tb\t\n"), layout, ...languages }));
    expect(items[0]).toMatchObject({ pair: { source: "a", target: "b", givenScore: 1.05 } });
    expect(refused(items).map(({ reason }) => reason)).toEqual(Array(2).fill("column 3 is not a number"));
    const documents = file("d.org\thttps://d.org/en\tHello\thttps://d.org/de\tHallo\n");
    expect(
      sides(await collect(readTsv({ file: documents, layout: TSV_LAYOUTS.ccalignedDocuments, ...languages }))),
    ).toEqual([["Hello", "Hallo"]]);
  });

  it("tells damage, and does not use the line that follows it", async () => {
    const broken: SourceFile = {
      name: "x",
      async *open() {
        yield { bytes: Buffer.from("one\teins\ntwo\tzw"), offset: 0 };
        yield { damage: { offset: 99, reason: "bad member", head: Buffer.from("?") } };
        yield { bytes: Buffer.from("ree\tdrei\nfour\tvier\n"), offset: 200 };
      },
    };
    const items = await collect(readTsv({ file: broken, ...languages }));
    expect(sides(items)).toEqual([
      ["one", "eins"],
      ["four", "vier"],
    ]);
    expect(refused(items).map(({ reason }) => reason)).toEqual([
      "bad member (at byte 99 of the file)",
      "the line's beginning is lost in the damage before it",
    ]);
  });

  it("never throws: as many items as lines, for any bytes in any pieces", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 60 }), fc.integer({ min: 1, max: 9 }), async (bytes, size) => {
        fc.pre(!(bytes[0] >= 0xfe && bytes[1] >= 0xfe));
        const items = await collect(readTsv({ file: file(bytes, size), ...languages, maxLineBytes: 12 }));
        const text = Buffer.from(bytes).toString("latin1");
        expect(items.length).toBe(text === "" ? 0 : text.split("\n").length - (text.endsWith("\n") ? 1 : 0));
      }),
      { numRuns: 200 },
    );
  });
});

describe("TMX", () => {
  const unit = (en: string, de: string, more = "") =>
    `<tu tuid="u"${more}><tuv xml:lang="en-US"><seg>${en}</seg></tuv>\n<tuv lang='DE_de'><seg>${de}</seg></tuv></tu>`;
  const read = (body: string | Uint8Array, size = 11, maxUnitBytes?: number) =>
    collect(readTmx({ file: file(body, size), ...languages, maxUnitBytes }));

  it("reads units with language variants, entities, CDATA and inline elements, in any pieces", async () => {
    const body = `<?xml version="1.0"?><tmx version="1.4"><header/><body><!-- <tu> is not one -->
      ${unit('A &amp;lt; <bpt i="1">&lt;b></bpt>bold<ept i="1">&lt;/b></ept> <hi>kept</hi> <ph x="1"/>&#252;&#x1F600;', "<![CDATA[</tu> & <x>]]> über")}
      ${unit("two", "zwei")}</body></tmx>`;
    for (const size of [1, 3, 64, 10_000]) {
      expect(sides(await read(body, size))).toEqual([
        ["A &lt; bold kept ü😀", "</tu> & <x> über"],
        ["two", "zwei"],
      ]);
    }
    expect(sides(await read(Buffer.from(`\uFEFF${body}`, "utf16le"), 5))).toHaveLength(2);
  });

  it("takes the exact language before a variant; a missing one is an empty side", async () => {
    const tuv = (language: string, text: string) => `<tuv xml:lang="${language}"><seg>${text}</seg></tuv>`;
    const body = `<tu>${tuv("en-GB", "colour")}${tuv("en", "color")}${tuv("de", "Farbe")}${tuv("fr", "couleur")}</tu><tu>${tuv("en", "x")}</tu>`;
    expect(sides(await read(body))).toEqual([
      ["color", "Farbe"],
      ["x", ""],
    ]);
  });

  it("quarantines what is broken, each unit by itself", async () => {
    const latin1 = Buffer.from(unit("\xfc", "y"), "latin1");
    const body = Buffer.concat([
      Buffer.from(`${unit("a &nbsp; b", "c")}<tu/>${unit("long ".repeat(100), "x")}${unit("ok", "gut")}`),
      latin1,
      Buffer.from("<tu><tuv xml:lang='en'><seg>lost <tu>"),
      Buffer.from("<tuv xml:lang='en'><seg>end"),
    ]);
    const items = await read(body, 13, 300);
    expect(sides(items)).toEqual([["ok", "gut"]]);
    expect(refused(items).map(({ line, reason }) => [line, reason])).toEqual([
      [1, "an entity that XML does not have"],
      [2, "an empty <tu/>"],
      [3, "a <tu> of more than 300 bytes"],
      [5, "not UTF-8"],
      [6, "a <tu> inside a <tu>"],
      [7, "the file ends inside a <tu>"],
    ]);
    const [first] = refused(items);
    expect([first.offset, first.head.slice(0, 13)]).toEqual([0, '<tu tuid="u">']);
  });

  it("does not expand entities twice, nor any that a file defines", async () => {
    const bomb = `<!DOCTYPE tmx [<!ENTITY a "&b;&b;">]>${unit("&a;", "x")}${unit("&amp;amp;", "&#0;")}${unit("&amp;amp;", "y")}`;
    const items = await read(bomb);
    expect(sides(items)).toEqual([["&amp;", "y"]]);
    expect(refused(items)).toHaveLength(2);
  });
});

it("a clean side is NFC, with single spaces and without control characters", () => {
  expect(cleanSide(" e\u0301\u0000\u0007 x\u00a0\u3000\ty \r\n")).toBe("é x y");
  expect(cleanSide("\ud800a")).toBe("\uFFFDa");
  expect(cleanSide("می\u200cخواهم")).toBe("می\u200cخواهم"); // the joiner is spelling
  expect(cleanSide("a \u0007 b")).toBe("a b");
  const some = fc.constantFrom(
    "a",
    " ",
    "\t",
    "é",
    "e\u0301",
    "字",
    "\u3000",
    "\u2028",
    "\u0085",
    "\u{1F600}",
    "\ud800",
    "\u200c",
    "\uFEFF",
  );
  fc.assert(
    fc.property(fc.array(some), (parts) => {
      const clean = cleanSide(parts.join(""));
      expect(cleanSide(clean)).toBe(clean);
      expect(clean).toBe(clean.normalize("NFC").trim());
      expect(clean).not.toMatch(/ {2}|[^\P{Z} ]|\p{Cc}|\p{Cs}|\uFEFF/u);
    }),
  );
});

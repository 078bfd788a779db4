/** @file WARC files, whole and damaged: damage costs what it hits, is told with its place, and nothing is lost in silence. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { WARCParser } from "warcio";
import { crc32, readPieces } from "../../../src/data/files/bytes.ts";
import { decodePage, parseHttp } from "../../../src/data/web/http.ts";
import { isDamage, readWarc, type WarcRecord } from "../../../src/data/web/warc.ts";
import { makeRecord, makeWarc } from "./warcFile.ts";

const folder = mkdtempSync(join(tmpdir(), "marco-warc-"));
afterAll(() => rmSync(folder, { recursive: true }));

async function read(bytes: Uint8Array, maxBlock?: number) {
  const path = join(folder, "a.warc");
  writeFileSync(path, bytes);
  const found: (Awaited<ReturnType<typeof one>> | string)[] = [];
  for await (const record of readWarc(readPieces(path), maxBlock))
    found.push(isDamage(record) ? `${record.offset}: ${record.reason}` : one(record));
  return found;
}

const one = ({ url, block, wrongLength }: WarcRecord) => {
  const http = parseHttp(block);
  const body = typeof http === "string" ? Buffer.from(block).toString() : Buffer.from(http.body).toString();
  return { url, body, ...(wrongLength ? { wrongLength } : {}) };
};
const page = (n: number) => ({ url: `https://example.org/${n}`, body: `page ${n}` });
const three = [{ body: "page 0" }, { body: "page 1" }, { body: "page 2" }];

describe.each(["none", "records", "whole"] as const)("compression: %s", (compression) => {
  test("records come one by one, as warcio reads them", async () => {
    const bytes = makeWarc(three, compression);
    expect(await read(bytes)).toEqual([page(0), page(1), page(2)]);
    const theirs: object[] = [];
    for await (const record of WARCParser.iterRecords([bytes]))
      theirs.push({ url: record.warcTargetURI, body: await record.contentText() });
    expect(theirs).toEqual([page(0), page(1), page(2)]);
  });

  test("any pages, in any number, however the file is cut into pieces", async () => {
    const bodies = fc.array(fc.string({ unit: "binary", maxLength: 200 }), { maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(bodies, fc.integer({ min: 1, max: 300 }), async (bodies, size) => {
        const bytes = makeWarc(
          bodies.map((body) => ({ body })),
          "none",
        );
        async function* pieces() {
          for (let at = 0; at < bytes.length; at += size) yield { bytes: bytes.subarray(at, at + size), offset: at };
        }
        const found: unknown[] = [];
        for await (const record of readWarc(pieces())) found.push(isDamage(record) ? record : one(record).body);
        expect(found).toEqual(bodies.map((body) => Buffer.from(body).toString()));
      }),
      { numRuns: 60 },
    );
  });
});

describe("damage", () => {
  const records = three.map((record, i) => makeRecord(record, i));
  const members = records.map((record) => gzipSync(record));
  const [a, b] = [members[0].length, members[0].length + members[1].length];

  test("row 1: a gzip member cut off at the end: whole records are kept, the tail is told", async () => {
    const bytes = Buffer.concat(members);
    for (const cut of [b + 5, b + 40, bytes.length - 1]) {
      const found = await read(bytes.subarray(0, cut));
      expect(found.slice(0, 2), `cut at ${cut}`).toEqual([page(0), page(1)]);
      expect(found.length, `cut at ${cut}`).toBeGreaterThan(2);
      for (const tail of found.slice(2))
        expect(tail === page(2) || typeof tail === "string" || cut > b + 40).toBe(true);
      expect(found.some((x) => typeof x === "string" && x.startsWith(`${b}: `))).toBe(true);
    }
  });

  test("row 2: a wrong checksum or broken bytes in the middle: goes on at the next member", async () => {
    for (const at of [a + 12, a + 30, b - 6]) {
      const bytes = Buffer.concat(members);
      bytes[at] ^= 0x55;
      const found = await read(bytes);
      expect(found[0], `byte ${at}`).toEqual(page(0));
      expect(found.at(-1), `byte ${at}`).toEqual(page(2));
      expect(
        found.some((x) => typeof x === "string" && x.startsWith(`${a}: `)),
        `byte ${at}`,
      ).toBe(true);
    }
  });

  test("row 3: one large gzip member is streamed", async () => {
    const body = Array.from({ length: 200_000 }, (_, i) => `${(i * 7919) % 1e9}`).join("\n");
    const found = await read(makeWarc(Array(25).fill({ body }), "whole"));
    expect(found.length).toBe(25);
    expect(found[24]).toEqual({ url: "https://example.org/24", body });
  });

  test.each([
    ["too short", 20],
    ["too long", 60],
    ["much too long", 500],
  ])("row 4: Content-Length %s: the next record is found by its first line", async (_, contentLength) => {
    const bytes = makeWarc([{ body: "page 0", contentLength }, three[1], three[2]]);
    expect(await read(bytes)).toEqual([{ ...page(0), wrongLength: true }, page(1), page(2)]);
  });

  test("row 4: Content-Length missing or no number: told, and the next record is read", async () => {
    const text = records[0].toString().replace(/Content-Length: \d+/, "Content-Length: many");
    expect(await read(Buffer.concat([Buffer.from(text), records[1]]))).toEqual(["0: Content-Length is many", page(1)]);
  });

  test("row 5: a file that is no WARC is refused with its first line", async () => {
    const found = await read(Buffer.from("<?xml version='1.0'?>\n<Error>AccessDenied</Error>"));
    expect(found).toEqual([`0: not a WARC file: it starts with ${JSON.stringify("<?xml version='1.0'?>")}`]);
  });

  test("row 6: no address, the old `uri`, angle brackets, a space in it: the record is kept", async () => {
    const odd = [
      { body: "page 0", url: null },
      { body: "page 1", url: null, lines: ["uri: http://old.example/"] },
      { body: "page 2", url: "<http://angle.example/>" },
      { body: "page 3", url: "http://example.org/a b" },
    ];
    const urls = (await read(makeWarc(odd))).map((found) => (found as { url: string }).url);
    expect(urls).toEqual([null, "http://old.example/", "http://angle.example/", "http://example.org/a b"]);
  });

  test("row 7: bombs and records that are too long are passed over", async () => {
    const bomb = gzipSync(makeRecord({ body: Buffer.alloc(60 << 20) }, 1));
    const found = await read(Buffer.concat([members[0], bomb, members[2]]), 1 << 20);
    expect(found[0]).toEqual(page(0));
    expect(found.at(-1)).toEqual(page(2));
    expect(found.filter((x) => typeof x === "string").join()).toMatch(/more than/);
    const long = makeWarc([three[0], { body: "x".repeat(5000) }, three[2]]);
    const kept = await read(long, 2000);
    expect(kept[0]).toEqual(page(0));
    expect(kept[1]).toMatch(/more than 2000/);
    expect(kept[2]).toEqual(page(2));
  });

  test("any byte changed or any end cut: never an exception, never a record of other text unnoticed", async () => {
    const bytes = Buffer.concat(members);
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), fc.boolean(), async (at, x, cut) => {
        const changed = cut ? Buffer.from(bytes.subarray(0, at)) : Buffer.from(bytes);
        if (!cut) changed[at] ^= x;
        const found = await read(changed);
        const good = found.filter((record) => typeof record !== "string");
        for (const record of good) expect([page(0), page(1), page(2)]).toContainEqual(record);
        if (at > 0 && ![a, b].includes(at)) expect(good.length === 3 || found.length > good.length).toBe(true);
      }),
      { numRuns: 150 },
    );
  });

  test("crc32 of the standard's check value", () => expect(crc32(Buffer.from("123456789"))).toBe(0xcbf43926));
});

describe("HTTP bodies", () => {
  const body = "<p>Grüße</p>".repeat(20);
  const response = (headers: string[], bytes: Uint8Array) =>
    parseHttp(Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\n${headers.join("\r\n")}\r\n\r\n`), bytes]));
  const text = (result: ReturnType<typeof parseHttp>) =>
    typeof result === "string" ? `refused: ${result}` : Buffer.from(result.body).toString();

  test.each([
    ["gzip", gzipSync(body)],
    ["br", brotliCompressSync(body)],
    ["deflate", deflateSync(body)],
    ["deflate", deflateRawSync(body)],
    ["gzip", Buffer.from(body)], // decompressed by the crawler, header kept
    ["br", Buffer.from(body)],
    ["identity", Buffer.from(body)],
  ])("content-encoding %s", (encoding, bytes) => {
    expect(text(response([`Content-Encoding: ${encoding}`], bytes))).toBe(body);
  });

  test("chunks, chunks that are cut off, and bodies that were joined already", () => {
    const chunked = ["Transfer-Encoding: chunked"];
    expect(text(response(chunked, Buffer.from("4\r\nWiki\r\n6;x=y\r\npedia \r\n0\r\n\r\n")))).toBe("Wikipedia ");
    expect(text(response(chunked, Buffer.from("4\r\nWiki\r\n9\r\nped")))).toBe("Wikiped");
    expect(text(response(chunked, Buffer.from("<html>")))).toBe("<html>");
  });

  test("a body that grows beyond the limit is refused", () => {
    const bytes = gzipSync(Buffer.alloc(1 << 20));
    const block = Buffer.concat([Buffer.from("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n"), bytes]);
    expect(parseHttp(block, 1000)).toBe("the body is more than 1000 bytes when decompressed");
  });

  test.each<[string, Uint8Array, string, string | null, string?]>([
    ["UTF-8 without a word", Buffer.from("Grüße"), "", "Grüße", "utf-8"],
    ["a byte order mark", Buffer.from("\ufeffGrüße"), "", "Grüße", "utf-8"],
    ["UTF-16", Buffer.from("\ufeffGrüße", "utf16le"), "", "Grüße", "utf-16le"],
    ["HTTP's charset", Buffer.from("Gr\xfc\xdfe", "latin1"), "text/html; charset=ISO-8859-1", "Grüße", "windows-1252"],
    ["the page's", Buffer.from('<meta charset="windows-1251">\xcf\xf0', "latin1"), "", "Пр", "windows-1251"],
    ["none that fits: nothing is guessed", Buffer.from("Gr\xfc\xdfe", "latin1"), "", null],
    ["an unknown one", Buffer.from("Gr\xfc\xdfe", "latin1"), "charset=klingon", null],
  ])("charset by %s", (_, bytes, contentType, expected, charset) => {
    const decoded = decodePage(bytes, contentType);
    if (expected === null) expect(decoded).toBeNull();
    else expect({ end: decoded!.text.endsWith(expected), charset: decoded!.charset }).toEqual({ end: true, charset });
  });
});

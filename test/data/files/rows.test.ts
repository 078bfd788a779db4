import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { readCsv } from "../../../src/data/files/csv.ts";
import { type Row, type RowItem, readRows } from "../../../src/data/files/readRows.ts";
import { makeRowWriter, OUTPUT_KINDS } from "../../../src/data/files/writeRows.ts";
import { UserError } from "../../../src/util/assert.ts";

const folder = mkdtempSync(join(tmpdir(), "rows-"));
afterAll(() => rmSync(folder, { recursive: true }));
const at = (name: string) => join(folder, name);
const put = (name: string, content: string | Uint8Array) => {
  writeFileSync(at(name), content);
  return at(name);
};
async function all(path: string): Promise<RowItem[]> {
  const items: RowItem[] = [];
  for await (const item of readRows(path)) items.push(item);
  return items;
}
const rowsOf = async (path: string) => (await all(path)).map((item) => ("row" in item ? item.row : item.reason));
function save(name: string, rows: readonly Row[]) {
  const writer = makeRowWriter(at(name));
  for (const row of rows) writer.write(row);
  writer.close();
  return at(name);
}

describe("reading", () => {
  test("a bad line is an item of its own, with its place and its beginning; the lines after it are read", async () => {
    const path = put("some.jsonl", '{"a":1}\n{"a":\n\n[1]\n{"a":2}');
    expect(await all(path)).toEqual([
      { ordinal: 0, offset: 0, row: { a: 1 } },
      { ordinal: 1, offset: 8, reason: "not JSON", head: '{"a":' },
      { ordinal: 2, offset: 15, reason: "not a JSON object", head: "[1]" },
      { ordinal: 3, offset: 19, row: { a: 2 } },
    ]);
  });

  test("row 9: a line that is not UTF-8 costs that line only", async () => {
    const path = put("bytes.jsonl", Buffer.from('{"a":1}\n{"a":"\xff"}\n{"a":2}\n', "latin1"));
    expect(await rowsOf(path)).toEqual([{ a: 1 }, "not UTF-8", { a: 2 }]);
  });

  test("gzip, and a JSON array", async () => {
    expect(await rowsOf(put("some.jsonl.gz", gzipSync('{"a":1}\n')))).toEqual([{ a: 1 }]);
    expect(await rowsOf(put("some.json", '[{"a":1},2]'))).toEqual([{ a: 1 }, "not a JSON object"]);
    expect(await rowsOf(put("one.json", '{"a":1}'))).toEqual([{ a: 1 }]);
  });

  test("CSV: quoted fields hold commas, quotes and line feeds; what is no record costs itself", async () => {
    const path = put("some.csv", '\ufeffid,text\r\n1,plain\r\n2,"a ""b"", c\nd"\r\n\r\n3\r\n4,x"y\r\n5,"é"\r\n6,""');
    expect(await rowsOf(path)).toEqual([
      { id: "1", text: "plain" },
      { id: "2", text: 'a "b", c\nd' },
      "1 fields, expected 2",
      "a quote inside a field without quotes, or text after one with them",
      { id: "5", text: "é" },
      { id: "6", text: "" },
    ]);
  });

  test("CSV: whatever the fields, they are read as they were written, in whatever pieces", async () => {
    const quote = (field: string) => (/[",\r\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field);
    const field = fc.string({ unit: fc.constantFrom("a", '"', ",", "\n", "é", "第", " ") });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(field, field), { minLength: 1 }),
        fc.integer({ min: 1, max: 9 }),
        async (rows, size) => {
          const bytes = Buffer.from(
            ["a,b", ...rows.map((row) => row.map(quote).join(","))].map((line) => `${line}\n`).join(""),
          );
          async function* open() {
            for (let offset = 0; offset < bytes.length; offset += size)
              yield { offset, bytes: bytes.subarray(offset, offset + size) };
          }
          const found = [];
          for await (const record of readCsv({ name: "f", open }, 1000))
            found.push("fields" in record ? record.fields : record);
          expect(found).toEqual(rows.map(([a, b]) => ({ a, b })));
        },
      ),
      { numRuns: 200 },
    );
  });

  test.each(["none", "snappy", "gzip", "zstd", "brotli"])("pyarrow's Parquet with %s compression", async (codec) => {
    expect(await all(`test/fixtures/data/parquet/${codec}.parquet`)).toEqual(
      [
        {
          ...{ text: "first", number: 1, score: 0.5 },
          messages: [
            { role: "user", content: "Hi" },
            { role: "assistant", content: "Hello" },
          ],
        },
        { text: null, number: 2 ** 53 - 1, score: null, messages: [] },
        { text: "第三 ✓", number: -3, score: 2, messages: [{ role: "user", content: null }] },
      ].map((row, i) => ({ ordinal: i, offset: i, row })),
    );
  });

  test("a damaged row group of Parquet is one item, and the others are read", async () => {
    const bytes = readFileSync("test/fixtures/data/parquet/zstd.parquet");
    bytes.fill(0x55, 30, 60); // in the first column of the first two rows
    const items = await all(put("damaged.parquet", bytes));
    expect(items).toHaveLength(2);
    expect(items[0]).toMatchObject({ ordinal: 0, reason: expect.stringMatching(/^rows 0 to 1: /) });
    expect(items[1]).toMatchObject({ ordinal: 1, row: { text: "第三 ✓" } });
  });

  test.each([
    ["rows.txt", "", /unknown kind of file; expected .jsonl/],
    ["cut.parquet", "PAR1 and no more", /not a whole Parquet file/],
    ["bad.json", "{", /not JSON .*expected an array of objects/],
    ["missing.jsonl", null, /cannot be read \(ENOENT\)/],
  ])("refuses %s in one line", async (name, content, message) => {
    if (content !== null) put(name, content);
    await expect(all(at(name))).rejects.toThrow(UserError);
    await expect(all(at(name))).rejects.toThrow(message);
  });
});

describe("writing", () => {
  const text = fc.string({ unit: "grapheme" });
  const message = fc.record({ role: fc.constantFrom("user", "assistant"), content: fc.option(text) });
  const row = fc.record({
    id: text,
    score: fc.double({ noNaN: true, noDefaultInfinity: true }),
    ok: fc.boolean(),
    messages: fc.array(message),
  });

  test.each(OUTPUT_KINDS)("what is written as %s is read again, and equal rows give equal bytes", async (kind) => {
    await fc.assert(
      fc.asyncProperty(fc.array(row, { minLength: 1 }), async (rows) => {
        const expected = JSON.parse(JSON.stringify(rows)); // -0 is 0 in JSON
        const path = save(`a.${kind}`, rows);
        expect(await rowsOf(path)).toEqual(expected);
        expect(readFileSync(save(`b.${kind}`, rows)).equals(readFileSync(path))).toBe(true);
      }),
      { numRuns: 30 },
    );
  });

  test.each(OUTPUT_KINDS)("no rows make an empty %s file", async (kind) => {
    expect(await rowsOf(save(`empty.${kind}`, []))).toEqual([]);
  });

  test("many rows are several row groups, in order", async () => {
    const rows = Array.from({ length: 40 }, (_, i) => ({ i, text: "x".repeat(1 << 20) }));
    const read = await rowsOf(save("long.parquet", rows));
    expect(read.map((row) => (row as Row).i)).toEqual(rows.map(({ i }) => i));
  }, 20_000);

  test("row 39: a file that is being written is not in its place, and nothing is left of a discarded one", () => {
    const writer = makeRowWriter(at("later.jsonl"));
    writer.write({ a: 1 });
    expect(existsSync(at("later.jsonl"))).toBe(false);
    writer.discard();
    expect(readdirSync(folder).filter((name) => name.startsWith("later"))).toEqual([]);
  });

  test("row 35: rows whose types differ make no Parquet file", () => {
    const writer = makeRowWriter(at("mixed.parquet"));
    writer.write({ a: null });
    writer.write({ a: 1 });
    writer.write({ a: "one" });
    expect(() => writer.close()).toThrow(/mixed.parquet: row 2, a: string where rows before have number/);
    writer.discard();
  });

  test("refuses another kind of file, and a place that cannot be written", () => {
    expect(() => makeRowWriter(at("rows.csv"))).toThrow(/expected .jsonl, .jsonl.gz, .parquet/);
    put("file", "");
    expect(() => makeRowWriter(at("file/rows.jsonl"))).toThrow(UserError);
  });
});

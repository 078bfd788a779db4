/**
 * @file What the web pipeline does with bad inputs: rows of the list of 43 that meet whole documents. Nothing aborts a run;
 * every document is in the ledger with what became of it. (Damaged archives: test/data/web/warc.test.ts.)
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadCorpus } from "../../../src/data/corpus.ts";
import { readItems } from "../../../src/data/curate/items.ts";
import type { LedgerLine } from "../../../src/data/curate/ledger.ts";
import { parseRecipe } from "../../../src/data/curate/recipe.ts";
import { curate } from "../../../src/data/curate/run.ts";
import { makeWarc } from "../web/warcFile.ts";

const folder = mkdtempSync(join(tmpdir(), "marco-bad-"));
afterAll(() => rmSync(folder, { recursive: true }));
const at = (name: string) => join(folder, name);
const jsonl = (rows: unknown[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join("");

const [first, second, third, fourth] = loadCorpus()
  .filter(({ kind, text }) => kind === "document" && (text.en?.length ?? 0) > 1500 && (text.de?.length ?? 0) > 1500)
  .map(({ text }) => ({ en: text.en!, de: text.de! }));
const recipe = parseRecipe({ rules: { sets: ["garbled"] }, substring: false });
const ledgerOf = (out: string): LedgerLine[] =>
  readFileSync(join(out, "ledger.jsonl"), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));

describe("rows of text", () => {
  const rows = {
    plain: first.en,
    again: first.en,
    "third time": first.en,
    surrogate: `${second.en.slice(0, 1200)} \ud800`,
    controls: `${third.en.slice(0, 1000)}\0\x07\x9f`,
    "many controls": fourth.en.slice(0, 1000).replace(/ /g, " \0"),
    bidi: first.en.replace(/ /g, " \u202e"),
    joiner: `${fourth.en.slice(0, 1200)} \u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645`,
    nfd: first.de.normalize("NFD"),
    nfc: first.de,
    "full width": first.de.replace(/\d/g, (digit) => String.fromCharCode(digit.charCodeAt(0) + 0xfee0)),
    mojibake: new TextDecoder("windows-1252").decode(Buffer.from(second.de)),
    empty: "",
    white: " \n\t\u3000 ",
    symbols: "*** --- !!! ???",
    emoji: "😀😀😀😀",
    "three letters": "abc",
    hostile: `<script>alert(1)</script></script><img src=x onerror=alert(2)>\u202e ${third.de}`,
    path: second.en,
  };
  const ids = Object.keys(rows).map((name) => (name === "path" ? "../../path" : name));
  let lines: Map<string, LedgerLine>;
  let kept: Map<string, string>;
  beforeAll(async () => {
    const made = Object.values(rows).map((text, i) => ({ id: ids[i], text, url: `https://example.org/${i}/../..` }));
    writeFileSync(at("rows.jsonl"), jsonl(made));
    await curate({ inputs: [at("rows.jsonl")], out: at("run/out"), recipe, threads: 1 });
    lines = new Map(ledgerOf(at("run/out")).map((line) => [line.id, line]));
    kept = new Map(
      readdirSync(at("run/out/documents")).flatMap((file) =>
        readFileSync(join(at("run/out/documents"), file), "utf8")
          .trimEnd()
          .split("\n")
          .map((line): [string, string] => [JSON.parse(line).id, JSON.parse(line).text]),
      ),
    );
  });
  const measure = (id: string, rule: string) => lines.get(id)!.measures.find((m) => m.rule === rule)!;

  test("row 11: half of a surrogate pair is replaced, measured, and compared as what it was replaced by", () => {
    expect(kept.get("surrogate")).toMatch(/ \ufffd$/);
    expect(measure("surrogate", "garbled.replacement").value).toBeCloseTo(1 / 1202, 12);
  });

  test("row 12: control characters go and are counted; a text full of them is garbled", () => {
    expect(lines.get("controls")).toMatchObject({ controls: 3, outcome: "dropped", reason: "garbled.control" });
    expect(measure("controls", "garbled.control").value).toBeCloseTo(3 / 1003, 12);
    expect(lines.get("many controls")!.reason).toBe("garbled.control");
    expect(lines.get("plain")).not.toHaveProperty("controls");
  });

  test("row 13: direction overrides are no difference between documents; joiners stay in the text", () => {
    expect(lines.get("bidi")).toMatchObject({
      reason: "minHash.duplicate",
      duplicateOf: { id: "plain", similarity: 1 },
    });
    expect(kept.get("joiner")).toContain("\u200c");
  });

  test("row 13: the report writes direction overrides out", () => {
    const page = readFileSync(at("run/out/report.html"), "utf8");
    expect(page).not.toMatch(/[\u202a-\u202e]/);
    expect(page).toContain("⟨U+202E⟩");
  });

  test("row 14: text is stored as NFC, and digits as they are; neither is a difference between documents", () => {
    expect(kept.get("nfd")).toBe(first.de.normalize("NFC"));
    for (const id of ["nfc", "full width"])
      expect(lines.get(id)).toMatchObject({ reason: "minHash.duplicate", duplicateOf: { id: "nfd", similarity: 1 } });
  });

  test("row 15: mojibake is told, and not repaired", () => {
    const line = lines.get("mojibake")!;
    expect(line.outcome).toBe("dropped");
    expect(line.start).toContain("Ã");
    if (line.language === "de") expect(measure("mojibake", "garbled.mojibake").value).toBeGreaterThan(0.005);
  });

  test.each(["empty", "white", "symbols", "emoji"])("row 16: a text that is %s has the reason empty", (id) => {
    expect(lines.get(id)).toMatchObject({ outcome: "dropped", stage: "extract", reason: "empty" });
  });

  test("row 16: no value is NaN or infinite", () => {
    for (const { measures } of lines.values())
      for (const { value, rule } of measures) expect(Number.isFinite(value), rule).toBe(true);
  });

  test("row 19: of equal documents in one file the first stays, and the others point to it", () => {
    for (const id of ["again", "third time"])
      expect(lines.get(id)).toMatchObject({ reason: "minHash.duplicate", duplicateOf: { id: "plain", similarity: 1 } });
  });

  test("row 21: fewer than twenty letters are in no language", () => {
    expect(lines.get("three letters")).toMatchObject({ language: "und", reason: "language.undetermined" });
  });

  test("row 42: no text of a document becomes HTML in the report", () => {
    const page = readFileSync(at("run/out/report.html"), "utf8");
    expect(page).toContain("default-src 'none'");
    expect(page.match(/<script/g)!.length).toBe(2); // the data and the page's own
    expect(page).not.toContain("<img");
    expect(page).toContain("\\u003cscript>alert(1)");
  });

  test("row 43: no name in a document becomes a path", () => {
    expect(lines.has("../../path")).toBe(true);
    expect(readdirSync(dirname(at("run")))).toEqual(["rows.jsonl", "run"]);
    expect(readdirSync(at("run"))).toEqual(["out"]);
  });
});

describe("pages", () => {
  const body = `<p>${first.de.split("\n").join("</p><p>")}</p>`;
  const latin1 = Buffer.from(body.replace(/[^\x20-\xff]/g, "?"), "latin1");
  test("row 10: UTF-16 and declared charsets are read and recorded; what fits none is undecodable, not guessed", async () => {
    const pages = [
      { url: "https://a.example/utf16", body: Buffer.from(`\ufeff${body}`, "utf16le") },
      { url: "https://a.example/declared", body: latin1, http: ["Content-Type: text/html; charset=ISO-8859-1"] },
      { url: "https://a.example/undeclared", body: latin1 },
    ];
    writeFileSync(at("pages.warc"), makeWarc(pages));
    await curate({ inputs: [at("pages.warc")], out: at("pages"), recipe, threads: 1 });
    const [utf16, declared, undeclared] = ledgerOf(at("pages"));
    expect(utf16).toMatchObject({ charset: "utf-16le", language: "de" });
    expect(declared).toMatchObject({ charset: "windows-1252", language: "de" });
    expect(undeclared).toMatchObject({ outcome: "quarantined", stage: "extract", reason: "undecodable" });
  });

  test("row 6: a page without an address is dropped for that, and its text is measured all the same", async () => {
    writeFileSync(at("none.warc"), makeWarc([{ url: null, body }]));
    await curate({ inputs: [at("none.warc")], out: at("none"), recipe, threads: 1 });
    expect(ledgerOf(at("none"))[0]).toMatchObject({ url: null, reason: "url.no_url", language: "de" });
  });

  test("row 1: an archive that is cut off: whole pages are kept, the tail is in the ledger", async () => {
    const bytes = makeWarc([{ body }, { body }], "records");
    writeFileSync(at("cut.warc.gz"), bytes.subarray(0, bytes.length - 60));
    const summary = await curate({ inputs: [at("cut.warc.gz")], out: at("cut"), recipe, threads: 1 });
    expect(summary.stages.read).toMatchObject({ kept: 1 });
    expect(summary.stages.read.quarantined).toBeGreaterThan(0);
    const { in: all, kept, dropped, quarantined } = summary.stages.read;
    expect(all).toBe(kept + dropped + quarantined);
  });
});

describe("files of rows", () => {
  const read = async (name: string) => {
    const found: string[] = [];
    for await (const { content } of readItems(at(name)))
      found.push(content.kind === "text" ? content.text : content.kind === "damage" ? `! ${content.reason}` : "?");
    return found;
  };

  test("row 8: a gigantic line is set aside, and the lines around it are read", async () => {
    const long = Buffer.from(`{"text":"${"x".repeat(33 << 20)}"}\n`);
    writeFileSync(
      at("long.jsonl.gz"),
      gzipSync(Buffer.concat([Buffer.from(jsonl([{ text: "a" }])), long, Buffer.from(jsonl([{ text: "b" }]))]), {
        level: 1,
      }),
    );
    expect(await read("long.jsonl.gz")).toEqual(["a", expect.stringMatching(/^! a line of more than/), "b"]);
  });

  test("row 9: a line that is not UTF-8 costs that line", async () => {
    const bytes = [
      Buffer.from(jsonl([{ text: "a" }])),
      Buffer.from([0x22, 0xff, 0x22, 10]),
      Buffer.from(jsonl([{ text: "b" }])),
    ];
    writeFileSync(at("bytes.jsonl"), Buffer.concat(bytes));
    expect(await read("bytes.jsonl")).toEqual(["a", "! not UTF-8", "b"]);
  });

  test("row 10: rows in UTF-16 are refused with what to do", async () => {
    writeFileSync(at("utf16.jsonl"), Buffer.from(`\ufeff${jsonl([{ text: "a" }])}`, "utf16le"));
    await expect(read("utf16.jsonl")).rejects.toThrow(/UTF-16.*iconv/);
  });
});

describe("row 38: a folder goes on with its own inputs and recipe only", () => {
  const run = (force?: boolean) =>
    curate({ inputs: [at("edited.jsonl")], out: at("edited"), recipe, threads: 1, ...(force ? { force } : {}) });
  test("an input that was edited is refused and named, even when it is as long as before", async () => {
    writeFileSync(at("edited.jsonl"), jsonl([{ id: "x", text: first.en }]));
    await run();
    writeFileSync(at("edited.jsonl"), jsonl([{ id: "y", text: first.en }]));
    await expect(run()).rejects.toThrow(/edited\.jsonl has changed.*--force/s);
    expect(ledgerOf(at("edited"))[0].id).toBe("x");
  });

  test("force throws the old run away", async () => {
    await run(true);
    expect(ledgerOf(at("edited"))[0].id).toBe("y");
    expect(existsSync(at("edited/chunks/0000000.jsonl"))).toBe(true);
  });
});

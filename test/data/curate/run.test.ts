/**
 * @file Web text end to end on a small WARC with planted pages: the right ones are dropped for the right reason, nothing
 * is lost, and neither threads nor a kill change a byte of what comes out.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadCorpus } from "../../../src/data/corpus.ts";
import { STAGES } from "../../../src/data/curate/judge.ts";
import { countStages, type LedgerLine } from "../../../src/data/curate/ledger.ts";
import { parseRecipe } from "../../../src/data/curate/recipe.ts";
import { curate } from "../../../src/data/curate/run.ts";
import { makeWarc } from "../web/warcFile.ts";

const folder = mkdtempSync(join(tmpdir(), "marco-curate-"));
afterAll(() => rmSync(folder, { recursive: true }));
const at = (name: string) => join(folder, name);

const html = (text: string) =>
  `<html><head><title>t</title></head><body><nav>Home About</nav><article>${text
    .split("\n")
    .map((line) => `<p>${line.replace(/&/g, "&amp;").replace(/</g, "&lt;")}</p>`)
    .join("")}</article></body></html>`;

const texts = loadCorpus()
  .filter(({ kind, text }) => kind === "document" && (text.en?.length ?? 0) > 1500)
  .slice(0, 8)
  .map(({ text }) => text.en!);
const planted = {
  good: texts,
  copy: [texts[2]],
  nearCopy: [texts[3].replace(/\bthe\b/, "a")],
  empty: ["   "],
  short: ["A short page about nothing."],
  otherLanguage: ["Dit is een pagina in het Nederlands over het weer van morgen en de wind aan zee. ".repeat(12)],
  garbled: [texts[4].replace(/[aeiou]/g, "\ufffd")],
};
const pages = Object.entries(planted).flatMap(([what, list]) =>
  list.map((text, i) => ({ url: `https://example.org/${what}/${i}`, body: html(text) })),
);
const recipe = parseRecipe({
  languages: ["en"],
  rules: { sets: ["paper", "garbled"], limits: { "paper.shortLines": 1 } },
});
const files = (out: string) =>
  (readdirSync(out, { recursive: true }) as string[])
    .filter((name) => statSync(join(out, name)).isFile())
    .sort()
    .map((name) => [name, readFileSync(join(out, name), "utf8")]);

describe("a small WARC", () => {
  let ledger: LedgerLine[];
  beforeAll(async () => {
    writeFileSync(at("a.warc.gz"), Buffer.concat([makeWarc(pages, "records"), Buffer.from("damage")]));
    await curate({ inputs: [at("a.warc.gz")], out: at("one"), recipe, threads: 1 });
    ledger = readFileSync(at("one/ledger.jsonl"), "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
  });
  const of = (what: string) => ledger.filter(({ url }) => url?.includes(`/${what}/`));

  test("every page and the damaged place are in the ledger once, and the stages add up", () => {
    expect(ledger.length).toBe(pages.length + 1);
    expect(ledger.at(-1)).toMatchObject({ outcome: "quarantined", reason: "not the start of a gzip member" });
    const { total } = countStages(ledger, STAGES);
    expect(total.in).toBe(total.kept + ledger.filter(({ outcome }) => outcome !== "kept").length);
  });

  test("planted pages are dropped where they should be", () => {
    const [copied, original] = [of("copy")[0], of("good")[2]];
    expect(copied).toMatchObject({
      outcome: "dropped",
      stage: "minHash",
      duplicateOf: { id: original.id, similarity: 1 },
    });
    expect(of("nearCopy")[0]).toMatchObject({
      outcome: "dropped",
      stage: "minHash",
      duplicateOf: { id: of("good")[3].id },
    });
    expect(of("empty")[0].outcome).toBe("dropped");
    expect(of("short")[0]).toMatchObject({ outcome: "dropped", stage: "paper" });
    expect(of("otherLanguage")[0]).toMatchObject({ stage: "language", reason: "language.wanted", language: "nl" });
    expect(["garbled", "language"]).toContain(of("garbled")[0].stage);
  });

  test("a dropped document has the measures of all its rules, not only of the first that it failed", () => {
    const stages = new Set(of("short")[0].measures.map(({ stage }) => stage));
    expect(stages).toEqual(new Set(["url", "language", ...recipe.rules.sets]));
  });

  test("what is kept is in documents/en.jsonl, without the navigation", () => {
    const kept = readFileSync(at("one/documents/en.jsonl"), "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(kept.map(({ id }) => id)).toEqual(ledger.filter(({ outcome }) => outcome === "kept").map(({ id }) => id));
    for (const { text } of kept) expect(text).not.toContain("Home About");
  });

  test("row 42: the report escapes hostile text and allows only its own script", () => {
    const page = readFileSync(at("one/report.html"), "utf8");
    expect(page).toContain("default-src 'none'");
    const json = /<script type="application\/json" id="data">(.*?)<\/script>/s.exec(page)![1];
    expect(json).not.toContain("<");
    expect(JSON.parse(json).documents.length).toBe(ledger.length);
  });

  test("two threads write the same bytes", async () => {
    await curate({ inputs: [at("a.warc.gz")], out: at("two"), recipe, threads: 2 });
    expect(files(at("two"))).toEqual(files(at("one")));
  }, 60_000);

  test("another recipe or other inputs are refused in the same folder", async () => {
    const other = curate({
      inputs: [at("a.warc.gz")],
      out: at("one"),
      recipe: { ...recipe, explain: "first" },
      threads: 1,
    });
    await expect(other).rejects.toThrow(/holds a run of another recipe or other inputs/);
  });
});

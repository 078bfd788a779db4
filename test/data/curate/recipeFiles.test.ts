/** @file What a recipe names in files: lists, language models, kinds of output; and limits from a run's own distribution. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { loadCorpus } from "../../../src/data/corpus.ts";
import type { LedgerLine } from "../../../src/data/curate/ledger.ts";
import { deriveRecipeLimits } from "../../../src/data/curate/limits.ts";
import { parseRecipe } from "../../../src/data/curate/recipe.ts";
import { curate } from "../../../src/data/curate/run.ts";
import { readRows } from "../../../src/data/files/readRows.ts";
import { makeRowWriter } from "../../../src/data/files/writeRows.ts";
import { trainArpa } from "../../../src/data/lm/train.ts";
import { quantile } from "../../../src/util/quantile.ts";

const folder = mkdtempSync(join(tmpdir(), "marco-recipe-"));
afterAll(() => rmSync(folder, { recursive: true }));
const at = (name: string) => join(folder, name);

const english = loadCorpus()
  .filter(({ kind, text }) => kind === "document" && (text.en?.length ?? 0) > 1000)
  .map(({ text }) => text.en!);
const documents = english
  .slice(0, 30)
  .map((text, i) => ({ id: `d${i}`, text, url: `https://site${i % 3}.example/${i}` }));
const write = (name: string, rows: object[]) => {
  const writer = makeRowWriter(at(name));
  for (const row of rows) writer.write(row as Record<string, unknown>);
  writer.close();
  return at(name);
};
const ledgerOf = (out: string): LedgerLine[] =>
  readFileSync(at(`${out}/ledger.jsonl`), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
const rules = { sets: [] };

test("Parquet in; JSON Lines, gzip and Parquet out hold the same documents", async () => {
  const input = write("documents.parquet", documents);
  const found: unknown[] = [];
  for (const output of ["jsonl", "jsonl.gz", "parquet"]) {
    const recipe = parseRecipe({ languages: ["en"], rules, output });
    await curate({ inputs: [input], out: at(output), recipe, threads: 1 });
    const rows: unknown[] = [];
    for await (const item of readRows(at(`${output}/documents/en.${output}`)))
      rows.push("row" in item ? item.row : item);
    found.push(rows);
  }
  expect((found[0] as unknown[]).length).toBeGreaterThan(20);
  expect(found[1]).toEqual(found[0]);
  expect(found[2]).toEqual(found[0]);
});

test("lists of domains and of words in files, with comments; a list that is not there is named", async () => {
  writeFileSync(at("domains.txt"), "# bad ones\nsite1.example\n\n");
  writeFileSync(at("words.txt"), "# nobody should say\nrenderer process\n");
  const input = write("lists.jsonl", documents);
  const none = { "blocklist.words": 0 };
  const settings = { languages: ["en"], rules: { sets: ["blocklist"], limits: none }, substring: false };
  const files = { url: { files: { domains: at("domains.txt") } }, blocklist: { files: { en: at("words.txt") } } };
  await curate({ inputs: [input], out: at("lists"), recipe: parseRecipe({ ...settings, ...files }), threads: 1 });
  for (const { url, reason } of ledgerOf("lists")) expect(reason === "url.domain").toBe(url!.includes("site1.example"));
  const worded = documents.filter(({ text, url }) => /\brenderer process\b/i.test(text) && !url.includes("site1"));
  expect(worded.length).toBeGreaterThan(3);
  const blocked = ledgerOf("lists").filter(({ reason }) => reason === "blocklist.words");
  expect(blocked.map(({ id }) => id)).toEqual(expect.arrayContaining(worded.map(({ id }) => id)));
  const missing = parseRecipe({ ...settings, url: { files: { domains: at("none.txt") } } });
  await expect(curate({ inputs: [input], out: at("missing"), recipe: missing, threads: 1 })).rejects.toThrow(
    /none\.txt/,
  );
});

test("a perplexity limit of the run's own: mean and standard deviations of the logarithm, in the ledger and the summary", async () => {
  const model = at("en.arpa");
  const training = write("training.jsonl", [
    ...english.slice(30, 90).map((text) => ({ text, language: "en" })),
    { text: "nicht dabei", language: "de" },
  ]);
  const trained = await trainArpa({ inputs: [training], out: model, order: 3, language: "en" });
  expect(trained).toMatchObject({ documents: 60, quarantined: 0 });
  expect(readFileSync(model, "utf8")).not.toContain("nicht");

  const input = write("surprise.jsonl", documents);
  const recipe = (limit: unknown) =>
    parseRecipe({
      languages: ["en"],
      rules,
      perplexity: { models: { en: model }, limit },
      minHash: false,
      substring: false,
    });
  const summary = await curate({ inputs: [input], out: at("sd"), recipe: recipe({ sd: 1 }), threads: 1 });
  const measures = ledgerOf("sd").flatMap((line) =>
    line.measures.filter(({ rule }) => rule === "lm.perplexity").map(({ value, limit }) => ({ value, limit, line })),
  );
  const logs = measures.map(({ value }) => Math.log(value));
  const mean = logs.reduce((a, b) => a + b) / logs.length;
  const sd = Math.sqrt(logs.reduce((sum, x) => sum + (x - mean) ** 2, 0) / logs.length);
  const limit = Math.exp(mean + sd);
  expect(summary.perplexity!.en.limit).toBeCloseTo(limit, 6);
  let dropped = 0;
  for (const { value, limit: written, line } of measures) {
    expect(written).toBe(summary.perplexity!.en.limit);
    expect(line.reason).toBe(value > limit ? "lm.perplexity" : null);
    if (value > limit) dropped++;
  }
  expect(dropped).toBeGreaterThan(0);
  expect(summary.stages.perplexity.dropped).toBe(dropped);

  // The same limit, given as a number for the language, decides the same.
  await curate({
    inputs: [input],
    out: at("number"),
    recipe: recipe({ en: summary.perplexity!.en.limit }),
    threads: 1,
  });
  expect(ledgerOf("number")).toEqual(ledgerOf("sd"));
});

test("row 22: of too little text the discounts are the fallback's, and it is said; of none there is no model", async () => {
  writeFileSync(at("little.txt"), "a b c\n\na b d\n");
  const trained = await trainArpa({ inputs: [at("little.txt")], out: at("little.arpa"), order: 2, language: "en" });
  expect(trained).toMatchObject({ sentences: 2, tokens: 6, fallback: [1, 2] });
  writeFileSync(at("nothing.txt"), "\n \n");
  await expect(
    trainArpa({ inputs: [at("nothing.txt")], out: at("nothing.arpa"), order: 2, language: "en" }),
  ).rejects.toThrow(/no text in en/);
  expect(existsSync(at("nothing.arpa"))).toBe(false);
});

test("Chinese, Japanese and Thai models are of characters", async () => {
  writeFileSync(at("zh.txt"), "你好 世界\n");
  expect(await trainArpa({ inputs: [at("zh.txt")], out: at("zh.arpa"), order: 1, language: "zh" })).toMatchObject({
    tokens: 4,
  });
});

test("limits from a ledger: percentiles by language, the perplexity's by its mean, of a sample in bounded memory", async () => {
  async function* lines() {
    for (let i = 0; i < 200; i++) {
      const measure = (rule: string, value: number, limit: number, keep: "atLeast" | "atMost") => ({
        ...{ stage: "roots", rule, value, limit, keep },
      });
      yield {
        language: "en",
        measures: [
          measure("roots.a", i, 100, "atMost"),
          measure("empty", 9, 1, "atLeast"),
          measure("lm.perplexity", Math.exp(i % 2), 1e300, "atMost"),
        ],
      } as unknown as LedgerLine;
    }
  }
  const all = await deriveRecipeLimits(lines());
  const values = Array.from({ length: 200 }, (_, i) => i);
  expect(all.rules.limitsByLanguage.en).toEqual({ "roots.a": Number(quantile(values, 0.9).toPrecision(4)) });
  expect(all.perplexity!.limit.en).toBeCloseTo(Math.exp(0.5 + 2 * 0.5), 3);
  const some = await deriveRecipeLimits(lines(), 50);
  expect(Math.abs(some.rules.limitsByLanguage.en["roots.a"] - quantile(values, 0.9))).toBeLessThan(30);
});

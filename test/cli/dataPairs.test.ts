/** @file `marco data pairs` and `marco data export` as commands: what they print, and what they refuse. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { afterAll, afterEach, expect, test, vi } from "vitest";
import { parse } from "yaml";
import { addDataCommand } from "../../src/cli/data.ts";
import { parseAsync } from "../../src/cli/options.ts";
import { parsePairsRecipe } from "../../src/data/pairs/recipe.ts";

const folder = mkdtempSync(join(tmpdir(), "marco-cli-pairs-"));
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => vi.restoreAllMocks());
const at = (name: string) => join(folder, name);

async function data(...args: string[]): Promise<string> {
  const program = new Command("marco");
  addDataCommand(program);
  vi.spyOn(process.stderr, "write").mockImplementation(() => true);
  const log = vi.spyOn(console, "log").mockImplementation(() => {});
  await parseAsync(program, ["node", "marco", "data", ...args]);
  return log.mock.calls.join("\n");
}

test("prints the recipe that it would run with", async () => {
  expect(parsePairsRecipe(parse(await data("pairs", "--print-recipe")))).toEqual(parsePairsRecipe({}));
});

test("without files, languages or --out it says what is missing", async () => {
  await expect(data("pairs")).rejects.toThrow(/no files; expected \.tmx, \.tsv/);
  await expect(data("pairs", "a.tsv", "--source", "en")).rejects.toThrow(/--source, --target and --out are needed/);
  await expect(data("pairs", "a.tsv", "--sorce", "en")).rejects.toThrow(/unknown option/);
});

test("more unreadable rows than the recipe allows are an error at the end, with the results written", async () => {
  writeFileSync(at("a.tsv"), "One sentence of five words\tEin Satz aus fünf Wörtern\nno tab\n");
  writeFileSync(at("r.yaml"), "similarity: false\nidentify: false\n");
  const run = data(
    "pairs",
    at("a.tsv"),
    ..."--source en --target de --out".split(" "),
    at("out"),
    "--recipe",
    at("r.yaml"),
  );
  await expect(run).rejects.toThrow(/1 of 2 pairs could not be read, more than the recipe's quarantined 0\.01/);
  expect(JSON.parse(readFileSync(at("out/summary.json"), "utf8"))).toMatchObject({ in: 2, kept: 1, quarantined: 1 });
});

test("export writes the pipeline and tells what stays out", async () => {
  writeFileSync(at("web.yaml"), "languages: [de]\n");
  const error = vi.spyOn(console, "error").mockImplementation(() => {});
  expect(await data("export", at("web.yaml"), "--out", at("datatrove"))).toContain("pipeline.py");
  expect(error.mock.calls.join("\n")).toMatch(/note: the set garbled has no counterpart/);
  expect(readFileSync(at("datatrove/README.md"), "utf8")).toContain("This recipe: the set garbled");
  expect(readFileSync(at("datatrove/requirements.txt"), "utf8")).toContain("datatrove==0.10.1");
});

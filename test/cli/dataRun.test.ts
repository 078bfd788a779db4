/** @file `marco data run`: the whole pipeline from one file. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { Command } from "commander";
import { afterAll, afterEach, expect, test, vi } from "vitest";
import { addDataCommand } from "../../src/cli/data.ts";
import { readSteps } from "../../src/cli/dataRun.ts";
import { parseAsync } from "../../src/cli/options.ts";
import { loadCorpus } from "../../src/data/corpus.ts";
import { UserError } from "../../src/util/assert.ts";

const folder = mkdtempSync(join(tmpdir(), "run-"));
const home = process.cwd();
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => {
  process.chdir(home);
  vi.restoreAllMocks();
});

function marco() {
  const program = new Command("marco");
  addDataCommand(program);
  return program;
}

test("web pages and a plan of sequences, in one command, and again without anything to do", async () => {
  const documents = loadCorpus().filter(({ source, text }) => source === "udhr" && text.de && text.it);
  for (const language of ["de", "it"] as const) {
    const text = documents.map(({ text }) => text[language]).join("\n");
    mkdirSync(join(folder, "crawl"), { recursive: true });
    writeFileSync(join(folder, "crawl", `${language}.jsonl`), JSON.stringify({ id: language, text }));
  }
  const steps = [
    { web: { files: ["crawl/*.jsonl"], out: "web", threads: 1 } },
    { mixture: { files: ["mixture.json"], tokenizer: resolve("test/fixtures/tokenizer/small"), out: "mixture" } },
  ];
  const mixture = {
    sequenceLength: 64,
    sources: { otherHR: { de: ["web/documents/de.jsonl"] }, LR: { it: ["web/documents/it.jsonl"] } },
    stages: [{ name: "stage1", tokens: 640, shares: { otherHR: 60, LR: 40 } }],
  };
  writeFileSync(join(folder, "all.json"), JSON.stringify(steps));
  writeFileSync(join(folder, "mixture.json"), JSON.stringify(mixture));
  vi.spyOn(console, "error").mockImplementation(() => {});
  const log = vi.spyOn(console, "log").mockImplementation(() => {});
  for (const _ of ["first", "again"]) {
    await parseAsync(marco(), ["node", "marco", "data", "run", join(folder, "all.json")]);
    process.chdir(home);
  }
  const plan = JSON.parse(readFileSync(join(folder, "mixture", "plan.json"), "utf8"));
  expect(plan.stages).toEqual([{ name: "stage1", sequences: { de: 6, it: 4 } }]);
  expect(log.mock.calls.join("\n")).toMatch(/it: 1 documents/);
}, 60_000);

test.each<[string, unknown, RegExp]>([
  ["no list", { web: {} }, /expected array/],
  ["an unknown command", [{ wob: {} }], /step 1: no command is called wob; there are web, report/],
  ["itself", [{ run: {} }], /no command is called run/],
  ["two commands in a step", [{ web: {}, pairs: {} }], /step 1: holds web and pairs/],
  [
    "an unknown option",
    [{ web: { out: "x", thread: 2 } }],
    /step 1: web has no option thread; see marco data web --help/,
  ],
  ["a missing option", [{ web: { out: "x" } }, { web: {} }], /step 2: web: out is missing/],
  ["a flag with a value", [{ web: { out: "x", force: "yes" } }], /web: force is yes, expected true or false/],
  ["an option without one", [{ web: { out: true } }], /web: out is true, expected a value/],
])("refuses %s in one line, before anything is run", (_, steps, message) => {
  const data = marco().commands.find((command) => command.name() === "data")!;
  expect(() => readSteps(steps, "all.yaml", data)).toThrow(message);
  expect(() => readSteps(steps, "all.yaml", data)).toThrow(UserError);
});

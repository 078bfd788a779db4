/** @file `marco data preferences` with a tiny model of our own that writes and judges: what it makes, and that it goes on. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { parse } from "yaml";
import { addDataCommand } from "../../src/cli/data.ts";
import { parseAsync } from "../../src/cli/options.ts";
import { synthesizeSchema, translateSchema } from "../../src/data/generated/recipe.ts";
import { preferencesSchema } from "../../src/data/preferencePairs/recipe.ts";
import { saveTinyModel } from "./tinyModel.ts";

const folder = mkdtempSync(join(tmpdir(), "marco-preferences-cli-"));
const at = (...parts: string[]) => join(folder, ...parts);
afterAll(() => rmSync(folder, { recursive: true }));
beforeAll(() => saveTinyModel(at("tiny"), 4096));

async function run(recipe: object, out: string, ...more: string[]): Promise<string> {
  writeFileSync(at("recipe.json"), JSON.stringify(recipe));
  const program = new Command("marco");
  addDataCommand(program);
  const log = vi.spyOn(console, "log").mockImplementation(() => {});
  try {
    const args = ["preferences", at("prompts.jsonl"), "--recipe", at("recipe.json"), "--out", at(out), ...more];
    await parseAsync(program, ["node", "marco", "data", ...args]);
    return log.mock.calls.flat().join("\n");
  } finally {
    log.mockRestore();
  }
}
const ledger = (out: string) =>
  readFileSync(at(out, "ledger.jsonl"), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));

test("row 38: an own model's answers, judged by rules and by itself: a model that says nothing is never understood", async () => {
  const prompts = ["one two three two one", "three two one two three"].map((text) => ({
    prompt: `What comes after ${text}?`,
  }));
  writeFileSync(at("prompts.jsonl"), prompts.map((row) => JSON.stringify(row)).join("\n"));
  const own = { folder: at("tiny"), engine: "onnx" };
  const sample = { models: [own], maxTokens: 8 };

  const text = await run({ sample, judge: { model: own, maxTokens: 4 } }, "own");
  const lines = ledger("own");
  expect(lines.map(({ outcome, reason }) => [outcome, reason])).toEqual([
    ["dropped", "unparsable"],
    ["dropped", "unparsable"],
  ]);
  for (const { answers, comparisons, judge } of lines) {
    expect(answers.length).toBe(2);
    expect(answers[0].provenance).toMatchObject({
      model: judge,
      host: "own model",
      temperature: 0.7,
      topP: 0.9,
      maxTokens: 8,
    });
    expect(answers[1].provenance).toMatchObject({ temperature: 1, topP: 0.95 });
    expect(answers[0].provenance.seed).not.toBe(answers[1].provenance.seed);
    expect(comparisons[0].orders.map(({ verdict }: { verdict: null }) => verdict)).toEqual([null, null]);
  }
  expect(text).toMatch(/^2 in, 0 kept, 2 dropped, 0 quarantined\n +2 {2}unparsable\n/);
  expect(text).toMatch(/judge tiny@[0-9a-f]{12}, all: 2 comparisons$/m);

  // The rules see the same answers, which are not written again: both were cut at eight tokens.
  const before = readFileSync(at("own", "answers.jsonl"), "utf8");
  await expect(run({ sample, judge: "rules" }, "own")).rejects.toThrow("holds a run of another recipe or other inputs");
  const summary = JSON.parse(await run({ sample, judge: "rules" }, "own", "--json", "--force"));
  expect(readFileSync(at("own", "answers.jsonl"), "utf8")).toBe(before);
  expect(summary).toMatchObject({ in: 2, judge: "rules", judgements: { all: { comparisons: 2, unparsable: 0 } } });
  expect(ledger("own")[0].answers).toEqual(lines[0].answers);
  expect(ledger("own")[0].comparisons[0].orders[0].transcript).toMatch(/^faults of A: .*; of B: .*; \[\[[ABC]\]\]$/);
});

test.each(["synthesize", "translate", "preferences"])("the recipe that `%s --help` shows is one", (name) => {
  const data = new Command("marco");
  addDataCommand(data);
  const command = data.commands[0].commands.find((one) => one.name() === name)!;
  let text = "";
  command.configureOutput({
    writeOut: (part) => {
      text += part;
    },
  });
  command.outputHelp();
  const shown = text.split("an own model):\n")[1].replace(/^ {2}/gm, "");
  const schema = { synthesize: synthesizeSchema, translate: translateSchema, preferences: preferencesSchema }[name]!;
  expect(schema.parse(parse(shown))).toEqual(parse(shown)); // every key with its default
});

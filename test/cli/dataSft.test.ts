/** @file `marco data sft` and `marco data knowledge` as commands, with a tiny real model that judges and measures difficulty. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { openModel } from "../../src/cli/answers.ts";
import { addDataCommand } from "../../src/cli/data.ts";
import { parseAsync } from "../../src/cli/options.ts";
import { deitaScore, qualityRequest } from "../../src/data/chats/quality.ts";
import type { SelectionLine } from "../../src/data/selection/candidates.ts";
import { renderChat } from "../../src/tokenizer/chatTemplate.ts";
import { saveTinyModel } from "./tinyModel.ts";

const folder = mkdtempSync(join(tmpdir(), "marco-data-sft-"));
const at = (...parts: string[]) => join(folder, ...parts);
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => void vi.restoreAllMocks());
beforeAll(() => saveTinyModel(at("model"), 1024));

async function marco(...args: string[]): Promise<string> {
  const lines: string[] = [];
  vi.spyOn(console, "log").mockImplementation((line) => void lines.push(String(line)));
  vi.spyOn(process.stderr, "write").mockImplementation(() => true);
  const program = new Command();
  addDataCommand(program);
  await parseAsync(program, ["node", "marco", "data", ...args]);
  return lines.join("\n");
}
const ledgerOf = (out: string): SelectionLine[] =>
  readFileSync(at(out, "ledger.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

test("an own model judges by its digits' logits and measures difficulty by its losses", async () => {
  const chats = [
    ["Say one two three.", "one two three"],
    ["Say it twice.", "one two three one two three"],
    ["Count in another way.", "three two one"],
    ["Too long to measure?", "one ".repeat(1200)],
  ];
  const rows = chats.map(([instruction, output]) => JSON.stringify({ instruction, output, language: "en" }));
  writeFileSync(at("chats.jsonl"), rows.join("\n"));
  const quality = { model: { folder: at("model"), engine: "onnx" }, atLeast: 1 };
  writeFileSync(
    at("r.yaml"),
    JSON.stringify({ quality, ifd: { lowestShare: 0, atMost: 100 }, exact: false, minHash: false, simHash: false }),
  );
  const args = [
    "sft",
    at("chats.jsonl"),
    "--recipe",
    at("r.yaml"),
    "--model",
    at("model"),
    "--engine",
    "onnx",
    "--json",
  ];
  const summary = JSON.parse(await marco(...args, "--out", at("out")));
  expect(summary.stages.total).toEqual({ in: 4, kept: 4, dropped: 0, quarantined: 0 });
  expect(summary.skipped).toEqual({
    similarity: "no --embedder: nothing else tells meanings apart",
    semantic: "no --embedder: nothing else tells meanings apart",
  });
  expect(summary.facts).toMatchObject({ "quality.measured": 4, "quality.neutral": 1, "ifd.unmeasured": 1 });

  const ledger = ledgerOf("out");
  const { tokenizer, nextLogprobs } = await openModel(at("model"), "onnx");
  const logprobsAfter = async (ids: number[]) => nextLogprobs(ids);
  const { messages } = qualityRequest({ host: "own model" }, chats[0][0], chats[0][1], false);
  const prompt = renderChat(tokenizer, messages, { defaultSystem: null, addGenerationPrompt: true }).inputIds;
  const logits = await logprobsAfter(prompt);
  const digits = ["1", "2", "3", "4", "5", "6"].map((digit) => logits[tokenizer.encode(digit)[0]]);
  const value = (line: SelectionLine, rule: string) => line.measures.find((measure) => measure.rule === rule)?.value;
  expect(value(ledger[0], "quality.deita")).toBeCloseTo(deitaScore(digits), 5);

  // IFD of the first chat, a token at a time.
  const answer = tokenizer.encode(chats[0][1]);
  const loss = async (context: number[]) => {
    let nats = 0;
    for (const [i, id] of answer.entries()) nats -= (await logprobsAfter([...context, ...answer.slice(0, i)]))[id];
    return nats / answer.length;
  };
  const asked = [{ role: "user" as const, content: chats[0][0] }];
  const conditioned = await loss(
    renderChat(tokenizer, asked, { defaultSystem: null, addGenerationPrompt: true }).inputIds,
  );
  const direct = await loss([tokenizer.special.imStart, ...tokenizer.encode("assistant\n")]);
  expect(ledger[0].values!["ifd.conditioned"]).toBeCloseTo(conditioned, 4);
  expect(ledger[0].values!["ifd.direct"]).toBeCloseTo(direct, 4);
  expect(value(ledger[0], "ifd.ratio")).toBeCloseTo(conditioned / direct, 4);

  // Row 32, and a judge without room: told, and not dropped for it.
  expect(ledger[3].notes).toEqual({
    quality: expect.stringMatching(/^neutral score of 3: no answer: \d+ tokens do not fit the context of 1024$/),
    ifd: expect.stringMatching(/^answer 1 needs \d+ tokens, more than the context of 1024$/),
  });
  const before = readFileSync(at("out", "sft.jsonl"), "utf8");
  await marco(...args, "--out", at("out"));
  expect(readFileSync(at("out", "sft.jsonl"), "utf8")).toBe(before);
});

test("too many unreadable rows are exit code 2, after all is written", async () => {
  writeFileSync(at("bad.jsonl"), '{"text": "A whole sentence about rivers."}\nno row\n');
  writeFileSync(at("off.yaml"), "decontaminate: false\n");
  await expect(marco("knowledge", at("bad.jsonl"), "--recipe", at("off.yaml"), "--out", at("k"))).rejects.toThrow(
    /^1 of 2 rows could not be read, more than the recipe's quarantined 0.01; ledger.jsonl says why$/,
  );
  expect(ledgerOf("k").map(({ outcome }) => outcome)).toEqual(["kept", "quarantined"]);
  await expect(marco("sft", "--out", at("z"))).rejects.toThrow(/^no files; expected/);
  await expect(marco("sft", at("bad.jsonl"), "--outt", at("z"))).rejects.toThrow(/unknown option '--outt'/);
});

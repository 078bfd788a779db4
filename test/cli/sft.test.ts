/** @file `marco sft` with a tiny model: what it trains on, writes and says; that it goes on after a stop or a kill. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { addSftTrainingCommand } from "../../src/cli/sft.ts";
import { loadModel } from "../../src/model/checkpoint.ts";
import { defaultSystemOf } from "../../src/tokenizer/chatTemplate.ts";
import { loadTokenizer } from "../../src/tokenizer/tokenizerFiles.ts";
import { saveTinyModel } from "./tinyModel.ts";
import { makeTuningRun } from "./tuningRun.ts";

const folder = mkdtempSync(join(tmpdir(), "marco-sft-"));
afterAll(() => rmSync(folder, { recursive: true }));
const { at, checkpoints, run, stopped, lines, summary, expectSame } = makeTuningRun({
  folder,
  add: addSftTrainingCommand,
  data: "chats.jsonl",
  recipe: {
    ...{ learningRate: 0.01, maxLength: 128, numTrainEpochs: 5, gradientAccumulationSteps: 2, evalFraction: 0.3 },
    ...{ evalSteps: 4, saveSteps: 3, loggingSteps: 2, seed: 3 },
  },
});

const chats = Array.from({ length: 24 }, (_, i) => ({
  language: ["en", "de", "ne"][i % 3],
  messages: [
    { role: "user", content: `${["one", "two", "three"][i % 3]} ${i}` },
    { role: "assistant", content: ["two", "three", "one"][i % 3] },
  ],
}));
beforeAll(async () => {
  await saveTinyModel(at("tiny"), 128, { numHiddenLayers: 1 });
  writeFileSync(at("chats.jsonl"), chats.map((chat) => JSON.stringify(chat)).join("\n"));
});

test("trains on answers, evaluates by language from step 0 on, and writes a model that marco chat loads", async () => {
  const { printed, said } = await run("whole", { flags: ["--json"] });
  const whole = JSON.parse(printed);
  const { train, evaluation, best, steps } = whole;
  expect(train.examples + evaluation.examples).toBe(24);
  expect(Object.keys(train.byLanguage)).toEqual(["de", "en", "ne"]);
  expect(train.packedRows).toBeGreaterThan(2);
  const tokens = Object.values(train.byLanguage as Record<string, { tokens: number }>).reduce(
    (n, x) => n + x.tokens,
    0,
  );
  expect(train.utilisation).toBeCloseTo(tokens / (128 * train.packedRows), 12);
  const log = lines("whole");
  const evaluations = log.filter((line) => "eval_loss" in line);
  expect(evaluations.map(({ step }) => step)).toEqual([0, 1, 2, 4, 8, steps]);
  expect(log.filter((line) => "loss" in line).map(({ step }) => step)).toEqual(
    Array.from({ length: Math.ceil(steps / 2) }, (_, i) => Math.min(steps, 2 * i + 2)),
  );
  expect(evaluations.at(-1)!.eval_loss).toBeLessThan(evaluations[0].eval_loss as number);
  const least = Math.min(...evaluations.slice(1).map((line) => line.eval_loss as number));
  expect(best).toMatchObject({ metric: "eval_loss", value: least });
  for (const name of ["eval_de_loss", "eval_english_mean_token_accuracy", "eval_LR_loss", "eval_otherHR_loss"])
    expect(evaluations[0][name]).toBeTypeOf("number");
  expect(said).toContain("step 0: eval_loss");

  for (const name of ["model", "best"]) {
    expect(loadTokenizer(at("whole", name)).special.imEnd).toBeGreaterThan(0);
    expect(defaultSystemOf(at("whole", name))).toBeNull();
    const { parameters } = loadModel(at("whole", name));
    for (const tensor of Object.values(parameters)) tensor.dispose();
  }
  expect(readdirSync(at("whole", "runs")).join()).toContain("tfevents");
  const page = readFileSync(at("whole", "report.html"), "utf8");
  for (const words of ["Early-progress curve", "Paper (Figure 7, MMMLU)", "Gradient norm", "By language", "Nepali"])
    expect(page).toContain(words);
});

test("stopped by Ctrl-C it saves, says how it goes on, and exits with 130; then killed; it ends with the same bytes", async () => {
  const { said } = await stopped("stopped", 4);
  expect(said).toContain("add --resume to the same command");
  expect(checkpoints("stopped")).toEqual(["checkpoint-3", "checkpoint-4"]);
  expect(readdirSync(at("stopped"))).not.toContain("model");
  const again = "holds a run; add --resume to go on with it, --force to throw it away";
  await expect(run("stopped")).rejects.toThrow(again);

  await stopped("stopped", 8, ["--resume"]);
  rmSync(at("stopped", "checkpoints", "checkpoint-8"), { recursive: true }); // as if it had been killed
  expect(checkpoints("stopped")).toEqual(["checkpoint-6"]);
  expect(lines("stopped").at(-1)!.step).toBe(8); // the log is ahead of the checkpoint, and so may best/ be
  await run("stopped", { flags: ["--resume"] });
  expectSame("stopped", "whole");
});

test("goes on with other settings only in what does not matter; the refusal names the difference", async () => {
  await expect(run("whole", { recipe: { learningRate: 0.02 }, flags: ["--resume"] })).rejects.toThrow(
    /maxLearningRate is 0.01 there and 0.02 here/,
  );
});

test("packed rows, one at a time, and single rows, all at once, see the same examples", async () => {
  const shared = { maxSteps: 1, evalFraction: 0, gradientAccumulationSteps: 24, loggingSteps: 1 };
  await run("packed", { recipe: shared });
  const together = { packing: false, perDeviceTrainBatchSize: 24, gradientAccumulationSteps: 1 };
  await run("single", { recipe: { ...shared, ...together } });
  const [packed, single] = ["packed", "single"].map((out) => lines(out)[0]);
  for (const name of ["loss", "grad_norm", "mean_token_accuracy"])
    expect(single[name]).toBeCloseTo(packed[name] as number, 4);
  expect(single.tokens).toBe(packed.tokens);
});

test("what cannot be is one line that says what to do", async () => {
  writeFileSync(at("bad.jsonl"), ["{}", ...chats.slice(0, 9).map((chat) => JSON.stringify(chat))].join("\n"));
  const cases: [object, string[], string][] = [
    [{}, ["--data", at("bad.jsonl")], "1 of 10 rows could not be used, e.g. bad.jsonl row 1: no messages"],
    [{ maxLength: 256 }, [], "maxLength 256: the context of"],
    [{ maxLength: 5 }, [], '{"tooLong":'],
    [{ evalFraction: 1 }, [], "no chat to train on is left"],
    [{}, ["--eval-data", at("chats.jsonl")], "evalFraction 0.3: say one of the two"],
    [{}, ["--resume", at("nowhere")], "is not there; expected a checkpoint"],
  ];
  for (const [recipe, flags, message] of cases) await expect(run("bad", { recipe, flags })).rejects.toThrow(message);
});

test("few bad rows are set aside; loadBestModelAtEnd makes model/ the best, bit for bit", async () => {
  // what is held out has other answers than what is learnt: the longer, the worse
  const others = chats.map(({ messages }) => ({ messages: [messages[0], { role: "assistant", content: "öäü 水" }] }));
  writeFileSync(at("others.jsonl"), others.map((chat) => JSON.stringify(chat)).join("\n"));
  const recipe = { quarantined: 0.5, loadBestModelAtEnd: true, learningRate: 0.1, maxSteps: 4, evalFraction: 0 };
  await run("some", { recipe, flags: ["--data", at("bad.jsonl"), "--eval-data", at("others.jsonl")] });
  const weights = (name: string) => readFileSync(at("some", name, "model.safetensors"));
  expect(weights("model").equals(weights("best"))).toBe(true);
  expect(summary("some").modelIsBest).toBe(true);
  expect(summary("some").best.step).toBeLessThan(4);
  expect(readFileSync(at("some", "quarantine.jsonl"), "utf8")).toContain('"file":"bad.jsonl","row":1');
});

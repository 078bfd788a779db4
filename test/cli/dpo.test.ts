/** @file `marco dpo` with a tiny model: rewards and their reference, the best model, the alarm, going on, both layouts. */
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { addDpoTrainingCommand } from "../../src/cli/dpo.ts";
import { trlRow } from "../../src/data/preferencePairs/pipeline.ts";
import { saveTinyModel } from "./tinyModel.ts";
import { makeTuningRun } from "./tuningRun.ts";

const folder = mkdtempSync(join(tmpdir(), "marco-dpo-"));
afterAll(() => rmSync(folder, { recursive: true }));
const { at, run, stopped, lines, summary, expectSame } = makeTuningRun({
  folder,
  add: addDpoTrainingCommand,
  data: "pairs.jsonl",
  recipe: {
    ...{ learningRate: 0.005, maxLength: 64, maxSteps: 9, gradientAccumulationSteps: 2, evalFraction: 0.3 },
    ...{ perDeviceTrainBatchSize: 2, evalSteps: 4, saveSteps: 6, seed: 3, padToMultipleOf: 64 },
  },
});

/** As `marco data preferences` writes them. */
const pairs = Array.from({ length: 20 }, (_, i) => {
  const prompt = [{ role: "user" as const, content: `${["one", "two", "three"][i % 3]} ${i}` }];
  const rest = { chosenModel: "a", rejectedModel: "b", judge: "c", margin: null };
  const pair = { prompt, chosen: ["two", "three", "one"][i % 3], rejected: ["three", "one one", "2"][i % 3], ...rest };
  return trlRow(pair, ["en", "de", "ne"][i % 3], `row-${i}`, 1);
});
beforeAll(async () => {
  await saveTinyModel(at("tiny"), 64, { numHiddenLayers: 1 });
  writeFileSync(at("pairs.jsonl"), pairs.map((pair) => JSON.stringify(pair)).join("\n"));
});

test("begins at ln 2 with no reward, learns to prefer, and keeps the best by held-out accuracy", async () => {
  const { said, printed } = await run("whole", { flags: ["--json"] });
  const { train, evaluation, best, reference, model, steps } = JSON.parse(printed);
  expect([train.examples + evaluation.examples, reference]).toEqual([20, model]);
  const evaluations = lines("whole").filter((line) => "eval_loss" in line);
  expect(evaluations[0]).toMatchObject({
    ...{ step: 0, eval_loss: Math.LN2, "eval_rewards/margins": 0, "eval_rewards/accuracies": 0 },
    ...{ "eval_de_rewards/margins": 0, eval_LR_loss: Math.LN2, eval_chosen_logp_shift: 0 },
  });
  expect(evaluations.at(-1)!.step).toBe(steps);
  const trained = lines("whole").filter((line) => "rewards/margins" in line);
  expect(trained.at(-1)!["rewards/margins"]).toBeGreaterThan(0.1);
  const [accuracy, loss] = ["eval_rewards/accuracies", "eval_loss"].map((name) =>
    evaluations.slice(1).map((line) => line[name] as number),
  );
  const most = Math.max(...accuracy);
  const least = Math.min(...loss.filter((_, i) => accuracy[i] === most)); // of equals the lower loss
  expect(best).toMatchObject({
    metric: "eval_rewards/accuracies",
    value: most,
    step: evaluations[1 + loss.indexOf(least)].step,
  });
  const [first] = lines("whole").filter((line) => "loss" in line);
  expect(first.loss).toBeCloseTo(Math.LN2, 5);
  for (const name of ["rewards/chosen", "rewards/margins", "logps/rejected", "grad_norm", "chosen_logp_shift"])
    expect(first[name]).toBeTypeOf("number");
  expect(said).toContain("eval_rewards/accuracies");
  for (const words of ["Rewards", "Chosen answers", "By language", "margin before"])
    expect(readFileSync(at("whole", "report.html"), "utf8")).toContain(words);
});

test("killed, it goes on with the reference's scores that it has, and ends with the same bytes", async () => {
  await stopped("killed", 8);
  rmSync(at("killed", "checkpoints", "checkpoint-8"), { recursive: true }); // as if Ctrl-C had not saved it
  const scores = at("killed", "reference", "training.jsonl");
  const [head, part] = readFileSync(scores, "utf8").split("\n");
  appendFileSync(scores, '{"chosen":[1,'); // a line that a kill cut
  const { said } = await run("killed", { flags: ["--resume"] });
  expect(said).toContain("reference of training");
  expect(readFileSync(scores, "utf8")).toBe(`${head}\n${part}\n`);
  expectSame("killed", "whole");
});

test("the reference asked before training and at every step gives the same numbers", async () => {
  await run("online", { recipe: { precomputeRefLogProbs: false } });
  expect(readdirSync(at("online", "reference"))).toEqual(["evaluation.jsonl"]);
  const [online, before] = [lines("online"), lines("whole")];
  expect(online.map(({ step }) => step)).toEqual(before.map(({ step }) => step));
  for (const [i, line] of online.entries())
    for (const name of ["loss", "rewards/chosen", "rewards/margins", "grad_norm", "eval_loss", "chosen_logp_shift"])
      if (typeof line[name] === "number") expect(line[name]).toBeCloseTo(before[i][name] as number, 3);
});

test("says once that the chosen answers lose likelihood, in progress, metrics, summary and report", async () => {
  // what training makes likelier is what these reject
  const swapped = pairs.map(({ chosen, rejected, ...row }) => ({ ...row, chosen: rejected, rejected: chosen }));
  writeFileSync(at("swapped.jsonl"), swapped.map((pair) => JSON.stringify(pair)).join("\n"));
  const recipe = { learningRate: 0.02, maxSteps: 2, chosenLogpAlarm: 0.01, evalFraction: 0 };
  const { said } = await run("alarm", { recipe, flags: ["--eval-data", at("swapped.jsonl")] });
  const alarmed = lines("alarm").filter(({ alarm }) => alarm !== undefined);
  expect(alarmed.length).toBe(1);
  expect(alarmed[0].eval_chosen_logp_shift).toBeLessThan(-0.01);
  const text = /step \d+: the chosen answers have lost [\d.]+ nats per token .* set rpoAlpha/;
  for (const place of [
    said,
    alarmed[0].alarm,
    summary("alarm").alarm,
    readFileSync(at("alarm", "report.html"), "utf8"),
  ])
    expect(place).toMatch(text);
});

test("a loss without a reference asks none", async () => {
  await run("simpo", { recipe: { maxSteps: 1, evalFraction: 0, lossType: "simpo", beta: 2 } });
  expect(summary("simpo").reference).toBeNull();
  expect(readdirSync(at("simpo"))).not.toContain("reference");
  expect(lines("simpo")[0].chosen_logp_shift).toBeUndefined();
});

test("what cannot be is one line that says what to do", async () => {
  const cases: [{ recipe?: object; flags?: string[] }, string][] = [
    [{ recipe: { betta: 1 } }, "did you mean beta?"],
    [{ recipe: { lossType: "robust", labelSmoothing: 0.5 } }, "less than 0.5"],
    [{ recipe: { lossType: "orpo" }, flags: ["--reference", at("tiny")] }, "lossType orpo has no reference"],
    [{ flags: ["--reference", at("nowhere")] }, "has no config.json"],
    [{ recipe: { maxLength: 8 } }, "no pair to train on is left of 20 rows"],
  ];
  for (const [how, message] of cases) await expect(run("bad", how)).rejects.toThrow(message);
});

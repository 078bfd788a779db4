/**
 * @file What `marco sft` and `marco dpo` share: flags, the model and the folder, and the run from prepared examples to the
 * saved model, its summary and its report.
 *
 * `--out` holds model/ and best/ (Hugging Face directories), checkpoints/, metrics.jsonl, summary.json, report.html,
 * recipe.json, manifest.json, quarantine.jsonl, and runs/ for TensorBoard. All but manifest.json and runs/, which have the
 * times, is the same for equal data, recipes and engines, stopped or not.
 */
import { createHash } from "node:crypto";
import { cpSync, existsSync, readdirSync, rmSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import type { Command } from "commander";
import type { Quarantined } from "../data/tuning/rows.ts";
import { ENGINES, type TensorMap } from "../engine/engine.ts";
import { saveModel } from "../model/checkpoint.ts";
import { countParameters } from "../model/init.ts";
import { writeTrainingReport } from "../report/trainingReport.ts";
import { defaultSystemOf } from "../tokenizer/chatTemplate.ts";
import { newestCheckpoint } from "../train/checkpoints.ts";
import type { LossFunction, StepMetrics } from "../train/loop.ts";
import { planSteps, type StepPlan } from "../train/plan.ts";
import { isEvaluation, type Tuned, type TuneOptions, tune } from "../train/tune.ts";
import { optimizerOf, type SharedRecipe, scheduleOfRecipe } from "../train/tuningRecipe.ts";
import { Stopped, UserError } from "../util/assert.ts";
import { hashFile } from "../util/hashFile.ts";
import type { MetricsLine } from "../util/results.ts";
import { writeWhole } from "../util/runDir.ts";
import { removeUnfinished, writeSealed } from "../util/sealedFolder.ts";
import { openEventFile, tensorboardTags } from "../util/tensorboard.ts";
import type { DataSummary, TrainingSummary } from "../util/trainingSummary.ts";
import { openFolder } from "./answers.ts";
import { untilInterrupted } from "./interrupt.ts";
import { describeRun } from "./manifest.ts";
import { hashOf } from "./ownModel.ts";
import { type Progress, startProgress } from "./progress.ts";
import { copyModelFiles } from "./tuningModel.ts";
import { describe, summarise } from "./tuningSummary.ts";

export interface TuningFlags {
  model?: string;
  data?: string[];
  evalData?: string[];
  out?: string;
  recipe?: string;
  printRecipe?: boolean;
  resume?: string | true;
  force?: boolean;
  engine: string;
  json?: boolean;
}

export const withTuningFlags = (command: Command): Command =>
  command
    .option("--model <folder>", "Hugging Face model directory to begin from")
    .option("--data <files...>", "rows to train on: .jsonl, .json, .csv or .parquet")
    .option("--eval-data <files...>", "rows held out for evaluation; else the recipe's evalFraction of --data")
    .option(
      "--out <folder>",
      "model/, best/, checkpoints/, metrics.jsonl, runs/ (TensorBoard), summary.json, report.html",
    )
    .option("--recipe <file>", "YAML or JSON; see --print-recipe")
    .option("--print-recipe", "print the recipe with all defaults")
    .option("--resume [checkpoint]", "go on from the newest checkpoint in --out, or from this one")
    .option("--force", "throw away what --out has of another run")
    .option("--engine <name>", `where tensors are computed: auto, ${ENGINES.join(", ")}`, "auto")
    .option("--json", "the summary as JSON");

type Model = Awaited<ReturnType<typeof openFolder>>;

/** What a method is given to prepare its examples. */
export interface Tuning extends Model {
  flags: TuningFlags & { model: string; data: string[]; out: string };
  /** Name and hash of the model. */
  modelName: string;
  defaultSystem: string | null;
  maxLength: number;
  stop: AbortSignal;
  /** Begins a part of the work, for progress. */
  part: (title: string) => Progress;
}

/** What a method trains on, and how. */
export interface Prepared {
  rows: number;
  quarantined: readonly Quarantined[];
  notes: Record<string, number>;
  train: DataSummary;
  evaluation?: DataSummary;
  reference?: string | null;
  /** Examples, or packed rows, that steps are made of; and the tokens of each, without padding. */
  count: number;
  tokensOf: (index: number) => number;
  batchOf: (indices: readonly number[]) => TensorMap[];
  lossFunction: LossFunction;
  evaluate?: (progress: (done: number, total: number) => void) => Promise<StepMetrics>;
  /** The evaluation's metric by which the best model is chosen, and which of two is better. */
  best: { metric: string; isBetter: TuneOptions["isBetter"] };
  observe?: TuneOptions["observe"];
  watch?: TuneOptions["watch"];
}

/** Not the reference's scores: those are of a hash of data and model. */
const OURS = [
  ...["model", "best", "checkpoints", "metrics.jsonl", "summary.json", "report.html", "recipe.json"],
  ...["quarantine.jsonl", "runs", "manifest.json"],
];

/** Runs a method: `prepare` reads the data; all else is the same for both. */
export async function runTuning(
  method: "sft" | "dpo",
  flags: TuningFlags,
  recipe: SharedRecipe & { learningRate: number },
  prepare: (tuning: Tuning) => Promise<Prepared>,
) {
  const { model, data, out, evalData } = flags;
  if (!model) throw new UserError("--model is missing; expected a Hugging Face model directory");
  if (!data) throw new UserError("--data is missing; expected .jsonl, .json, .csv or .parquet files");
  if (!out) throw new UserError("--out is missing; expected a folder for the results");
  if (evalData && recipe.evalFraction > 0)
    throw new UserError(`--eval-data and the recipe's evalFraction ${recipe.evalFraction}: say one of the two`);
  const from = claim(out, flags);
  if (flags.resume && from === undefined)
    console.error(`--resume: no checkpoint in ${join(out, "checkpoints")}; beginning`);

  const opened = await openFolder(model, flags.engine);
  const { config, engine, parameters, tokenizer } = opened;
  const maxLength = recipe.maxLength ?? Math.min(SFT_CONTEXT, config.maxPositionEmbeddings);
  if (maxLength > config.maxPositionEmbeddings)
    throw new UserError(
      `recipe: maxLength ${maxLength}: the context of ${model} has ${config.maxPositionEmbeddings} tokens; expected at most as many`,
    );
  const modelName = `${basename(resolve(model))}@${await hashOf(model)}`;
  console.error(`engine ${engine.name}: ${engine.reason} · ${countParameters(config)} parameters · writing to ${out}`);

  let progress: Progress | undefined;
  const part = (title: string) => {
    progress = startProgress(title);
    return progress;
  };
  const current = { note: (text: string) => progress?.note(text), end: (text?: string) => progress?.end(text) ?? 0 };
  const work = async (stop: AbortSignal): Promise<TrainingSummary> => {
    const tuning = { ...opened, flags: { ...flags, model, data, out }, modelName, maxLength, stop, part };
    const prepared = await prepare({ ...tuning, defaultSystem: defaultSystemOf(model) });
    setAside(out, prepared, recipe.quarantined);
    const perStep = recipe.perDeviceTrainBatchSize * recipe.gradientAccumulationSteps;
    const plan = planSteps({ ...recipe, count: prepared.count, perStep });

    const { saveSteps, saveTotalLimit, quarantined: _, ...decides } = recipe; // those may change before it goes on
    const hash = (path: string) => hashFile(createHash("sha256"), path).digest("hex");
    const files = [...data, ...(evalData ?? [])].map((path) => ({ path: basename(path), sha256: hash(path) }));
    const settings = { method, model: modelName, reference: prepared.reference, data: files, recipe: decides };
    const manifest = describeRun({ ...settings, engine: engine.name }, { files });
    if (from === undefined) for (const name of OURS) rmSync(join(out, name), { recursive: true, force: true });
    json(out, "manifest.json", manifest);
    json(out, "recipe.json", recipe);
    writeWhole(join(out, "quarantine.jsonl"), prepared.quarantined.map((row) => `${JSON.stringify(row)}\n`).join(""));

    const save = async (folder: string) => {
      await saveModel(folder, parameters, config, tokenizer.special.imEnd);
      copyModelFiles(model, folder, tokenizer.special.imEnd);
    };
    const started = performance.now();
    const tuned = await train(method, {
      ...{ plan, prepared, recipe, parameters, part, stop },
      out,
      from,
      settings,
      save,
    });
    if (tuned.steps < plan.steps) throw new Stopped();
    const { best } = tuned;
    const modelIsBest = best !== undefined && recipe.loadBestModelAtEnd;
    await writeSealed(join(out, "model"), async (folder) => {
      if (modelIsBest)
        cpSync(join(out, "best"), folder, { recursive: true, filter: (path) => !path.endsWith("SHA256SUMS") });
      else await save(folder);
    });
    const summary = summarise(method, { modelName, prepared, plan, tuned, modelIsBest });
    const whole = { ...summary, engine: engine.name, parameters: countParameters(config) };
    json(out, "summary.json", whole);
    writeTrainingReport(out);
    json(out, "manifest.json", { ...manifest, seconds: (performance.now() - started) / 1000 });
    return whole;
  };
  const goOn = `add --resume to the same command to go on from the newest checkpoint in ${join(out, "checkpoints")}`;
  const summary = await untilInterrupted(current, work, "stopping after this step; Ctrl-C again leaves at once", goOn);
  if (summary)
    console.log(
      flags.json
        ? JSON.stringify(summary)
        : `${describe(summary)}\nmodel: ${join(out, "model")}\nreport: ${join(out, "report.html")}`,
    );
}

/** Tokens of context in the paper's fine-tuning (section 4.1). */
const SFT_CONTEXT = 16384;

const json = (out: string, name: string, value: unknown) =>
  writeWhole(join(out, name), `${JSON.stringify(value, null, 1)}\n`);

/** The checkpoint to go on from. @throws UserError when the folder holds what must not be written over */
function claim(out: string, { resume, force }: TuningFlags): string | undefined {
  const there = existsSync(out) ? readdirSync(out) : [];
  const foreign = there.length > 0 && !there.includes("manifest.json") && OURS.some((name) => there.includes(name));
  if (foreign)
    throw new UserError(`--out ${out}: holds files that are no run of ours (no manifest.json); choose another folder`);
  if (typeof resume === "string" && !existsSync(resume))
    throw new UserError(
      `--resume ${resume}: is not there; expected a checkpoint, e.g. ${join(out, "checkpoints", "checkpoint-100")}`,
    );
  if (resume !== undefined) {
    const checkpoints = join(out, "checkpoints");
    if (existsSync(checkpoints)) removeUnfinished(checkpoints);
    return resume === true ? newestCheckpoint(checkpoints) : resume;
  }
  if (there.includes("manifest.json") && !force)
    throw new UserError(
      `--out ${out}: holds a run; add --resume to go on with it, --force to throw it away, or choose another folder`,
    );
  return undefined;
}

/** Says what was set aside. @throws UserError when it is too much */
function setAside(out: string, { rows, quarantined }: Prepared, limit: number) {
  if (quarantined.length === 0) return;
  const [{ file, row, reason }] = quarantined;
  const what = `${quarantined.length} of ${rows} rows could not be used, e.g. ${file} row ${row}: ${reason}`;
  if (quarantined.length > limit * rows)
    throw new UserError(`${what}; that is more than the recipe's quarantined ${limit}: mend them, or raise it`);
  console.error(`${what}; see ${join(out, "quarantine.jsonl")}`);
}

interface Training {
  plan: StepPlan;
  prepared: Prepared;
  recipe: SharedRecipe & { learningRate: number };
  parameters: Model["parameters"];
  part: Tuning["part"];
  stop: AbortSignal;
  out: string;
  from: string | undefined;
  settings: Record<string, unknown>;
  save: (folder: string) => Promise<void>;
}

function train(method: "sft" | "dpo", training: Training): Promise<Tuned> {
  const { plan, prepared, recipe, parameters, part, stop, out, from, settings, save } = training;
  const progress = part(method.toUpperCase());
  const events = openEventFile(join(out, "runs"));
  const began = performance.now();
  let before: number | undefined;
  const { evaluate, watch } = prepared;
  return tune(parameters, {
    ...{ stage: method, plan, signal: stop, log: join(out, "metrics.jsonl"), onNonFinite: recipe.onNonFinite },
    ...{ batchOf: prepared.batchOf, tokensOf: prepared.tokensOf, lossFunction: prepared.lossFunction },
    schedule: scheduleOfRecipe(recipe, plan.steps),
    optimizer: optimizerOf(recipe),
    loggingSteps: recipe.loggingSteps,
    evalSteps: recipe.evalSteps ?? Math.ceil(plan.steps / 20),
    evaluate: evaluate && (() => evaluate((done, total) => progress.update(done, total, "evaluating"))),
    observe: prepared.observe,
    watch,
    isBetter: prepared.best.isBetter,
    saveBest: () => writeSealed(join(out, "best"), save),
    checkpoints: {
      ...{ folder: join(out, "checkpoints"), resume: from, settings, saveModel: save },
      ...{ everySteps: recipe.saveSteps ?? Math.ceil(plan.steps / 10), keep: recipe.saveTotalLimit },
    },
    onLine(line) {
      const { step, tokens: _, ...logged } = line;
      const numbers = Object.entries(logged).filter((entry): entry is [string, number] => typeof entry[1] === "number");
      events.scalars(step, tensorboardTags(Object.fromEntries(numbers)));
      if (typeof line.alarm === "string") progress.note(line.alarm);
      if (isEvaluation(line)) progress.note(`step ${line.step}: ${shown(line, prepared.best.metric)}`);
      if (typeof line.skipped === "string") progress.note(`skipped ${line.skipped}`);
    },
    onStep(done, first, tokens, metrics) {
      before ??= tokens;
      const rate = ((tokens - before) / ((performance.now() - began) / 1000)).toFixed(0);
      progress.update(done, plan.steps, `loss ${metrics.loss.toFixed(3)} · ${rate} tokens/s`, first);
      if (done === plan.steps) progress.end(`${done} steps, ${tokens} tokens, ${rate} tokens/s`);
    },
  });
}

/** "eval_loss 2.13, eval_mean_token_accuracy 0.61". */
function shown(line: MetricsLine, metric: string): string {
  const names = [...new Set(["eval_loss", metric, "eval_mean_token_accuracy", "eval_rewards/margins"])];
  return names
    .flatMap((name) => (typeof line[name] === "number" ? [`${name} ${line[name].toPrecision(4)}`] : []))
    .join(", ");
}

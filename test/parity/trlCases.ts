/**
 * @file Our trainer beside TRL's `DPOTrainer` and `SFTTrainer` on the same weights and data: how far off what each step
 * logs is. Cases and what TRL logged: test/fixtures/trl (make.py says what is in the files).
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { answerRow } from "../../src/data/chatRows.ts";
import { type PackedRow, packExamples } from "../../src/data/pack.ts";
import { compile, type TensorMap } from "../../src/engine/engine.ts";
import { fromHuggingFace, type Qwen2Config } from "../../src/model/config.ts";
import type { Parameters } from "../../src/model/qwen2.ts";
import type { ChatMessage } from "../../src/tokenizer/chatTemplate.ts";
import { batchOf, microBatches, targetsOf, tokensOf } from "../../src/train/batch.ts";
import {
  type DpoOptions,
  dpoLoss,
  onlineReference,
  type PreferenceRows,
  preferenceBatch,
  referenceLogps,
} from "../../src/train/dpo.ts";
import { type LossFunction, type StepMetrics, train } from "../../src/train/loop.ts";
import { sftLoss } from "../../src/train/sft.ts";
import { hashes, noiseParameters } from "./noise.ts";
import { read } from "./read.ts";

const TRL = "test/fixtures/trl";
const PAD = 0;
const EOS = 2;
const FIRST = 3;
const EASY = 12;
const EXAMPLES = 80;
const FULL = { metrics: "full" } as const;
/** The longest prompt with the longest answer, and its end. */
const T = 9 + 12 + 1;
/** How far the policy starts from its reference. */
export const AWAY = 0.2;

/** Options by TRL's names. */
export interface TrlCase {
  name: string;
  trainer: "dpo" | "sft";
  steps: number;
  examples?: number;
  beta?: number;
  loss_type?: string[];
  loss_weights?: number[];
  label_smoothing?: number;
  ld_alpha?: number;
  discopop_tau?: number;
  f_divergence_type?: string;
  f_alpha_divergence_coef?: number;
  precompute_ref_log_probs?: boolean;
  max_length?: number;
  packing?: boolean;
  per_device_train_batch_size: number;
  gradient_accumulation_steps: number;
  /** Not TRL's: how micro-batches are averaged; as TRL does unless given. */
  averaged?: "as we do";
  learning_rate: number;
  adam_beta1: number;
  adam_beta2: number;
  adam_epsilon: number;
  weight_decay: number;
  max_grad_norm: number;
}

/** What TRL logged at each step, by its names; of a packed case also the rows that it made. */
type Golden = Record<string, number[]> & { input_ids?: number[][] };

export interface TrlSuite {
  seed: number;
  config: Qwen2Config;
  cases: TrlCase[];
  golden: Record<string, Golden>;
  /** Conversations as TRL's SFTTrainer makes them, with Qwen2.5's template and a byte as a token. */
  chats: { messages: ChatMessage[]; input_ids: number[]; labels: number[] }[];
  /** A pair as TRL's DPOTrainer makes it, likewise. */
  pair: Record<"prompt" | "chosen" | "rejected", ChatMessage[]> & Record<string, number[]>;
}

/** The committed goldens, or those in another file. */
export function readTrl(goldens = join(TRL, "golden.json")): TrlSuite {
  const json = (path: string) => JSON.parse(readFileSync(path, "utf8"));
  const { config, defaults, cases } = json(join(TRL, "cases.json"));
  const { seed, cases: golden, chats, pair } = json(goldens);
  const complete = cases.map((one: object) => ({ ...defaults, ...one }));
  return { seed, config: fromHuggingFace(config), cases: complete, golden, chats, pair };
}

/** Runs TRL now, with other weights and data. */
export function liveTrl(python: string, seed: number): TrlSuite {
  const directory = mkdtempSync(join(tmpdir(), "marco-trl-"));
  try {
    const path = join(directory, "golden.json");
    const run = [join(TRL, "make.py"), "--seed", String(seed), "--out", path];
    execFileSync(python, run, { stdio: ["ignore", "ignore", "pipe"], encoding: "utf8" });
    return readTrl(path);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** Prompt of 2 to 9 tokens, answers of 1 to 12 and their end; chosen answers use few words, which can be learnt. */
function makePair(seed: number, index: number, vocabSize: number) {
  const [p, c, r, ...words] = hashes(seed, 2000 + index, 64);
  const ids = (start: number, count: number, choices: number) =>
    words.slice(start, start + count).map((x) => FIRST + (x % choices));
  return {
    prompt: ids(0, 2 + (p % 8), vocabSize - FIRST),
    chosen: [...ids(10, 1 + (c % 12), EASY), EOS],
    rejected: [...ids(24, 1 + (r % 12), vocabSize - FIRST), EOS],
  };
}

/** As TRL cuts at the end (`keep_start`) and leaves out prompts that leave nothing of the answer. */
function makePairs({ examples = EXAMPLES, max_length = T }: TrlCase, seed: number, vocabSize: number) {
  return Array.from({ length: examples }, (_, i) => makePair(seed, i, vocabSize))
    .filter(({ prompt }) => prompt.length < max_length)
    .map(({ prompt, chosen, rejected }) => {
      const rest = max_length - prompt.length;
      return { prompt, chosen: chosen.slice(0, rest), rejected: rejected.slice(0, rest) };
    });
}

/** TRL's list of losses, as we name them. TRL does not use label_smoothing with sigmoid, where ours is cDPO. */
function dpoOptions(one: TrlCase): DpoOptions {
  const [lossType = "sigmoid", sft] = one.loss_type ?? [];
  return {
    lossType: lossType as DpoOptions["lossType"],
    beta: one.beta ?? 0.1,
    labelSmoothing: lossType === "sigmoid" ? undefined : one.label_smoothing,
    rpoAlpha: sft && one.loss_weights![1],
    ldAlpha: one.ld_alpha,
    discopopTau: one.discopop_tau,
    fDivergenceType: one.f_divergence_type as DpoOptions["fDivergenceType"],
    fAlphaDivergenceCoef: one.f_alpha_divergence_coef,
  } as DpoOptions;
}

/** TRL averages micro-batches without weights, whatever is in them; so these sums are divided that we average otherwise. */
function averagedAsTrl(parts: TensorMap[]): TensorMap[] {
  if (parts.length === 1) return parts;
  return parts.map((part) => {
    const scaled = (name: string, count: tf.Tensor) => {
      part[name]?.dispose();
      return { [name]: tf.tidy(() => tf.mul(count, parts.length)) };
    };
    const B = part.referenceChosen.shape[0];
    const tokens = tf.tidy(() => tf.sum(tf.cast(tf.greaterEqual(tf.slice(part.labels, [0, 1]), 0), "float32"), 1));
    const [chosen, rejected] = [
      tf.tidy(() => tf.sum(tf.slice(tokens, 0, B))),
      tf.tidy(() => tf.sum(tf.slice(tokens, B))),
    ];
    const pairs = tf.scalar(B);
    const made = {
      ...part,
      ...scaled("numItemsInBatch", pairs),
      ...scaled("chosenTokensInBatch", chosen),
      ...scaled("rejectedTokensInBatch", rejected),
    };
    tf.dispose([tokens, chosen, rejected, pairs]);
    return made;
  });
}

interface Run {
  lossFunction: LossFunction;
  batchAt: (step: number) => TensorMap[];
  /** That are not padding. */
  tokensAt: (step: number) => number;
}

async function dpoRun(one: TrlCase, { seed, config }: TrlSuite, reference: Parameters): Promise<Run> {
  const options = dpoOptions(one);
  const rows: PreferenceRows[] = makePairs(one, seed, config.vocabSize).map(({ prompt, chosen, rejected }) => ({
    chosen: answerRow(prompt, chosen, T, PAD),
    rejected: answerRow(prompt, rejected, T, PAD),
    ...{ referenceChosen: 0, referenceRejected: 0 },
  }));
  if (one.precompute_ref_log_probs) {
    const program = compile((batch) => ({ ...referenceLogps(config, reference, batch, options) }));
    const batch = preferenceBatch(rows);
    const { referenceChosen, referenceRejected } = await read(program(batch));
    for (const [i, row] of rows.entries())
      Object.assign(row, { referenceChosen: referenceChosen[i], referenceRejected: referenceRejected[i] });
    program.dispose();
    tf.dispose(batch);
  }
  const { at, size } = stepsOf(one, rows);
  return {
    lossFunction: one.precompute_ref_log_probs
      ? dpoLoss(config, options, FULL)
      : onlineReference(config, reference, options, FULL),
    batchAt: (step) => {
      const parts = microBatches(at(step), size, preferenceBatch, () => 1);
      return one.averaged === "as we do" ? parts : averagedAsTrl(parts);
    },
    tokensAt: (step) => at(step).reduce((n, { chosen, rejected }) => n + tokensOf(chosen) + tokensOf(rejected), 0),
  };
}

export function sftRun(one: TrlCase, { seed, config, golden }: TrlSuite): Run {
  const pairs = makePairs(one.packing ? { ...one, max_length: T } : one, seed, config.vocabSize);
  const rows = one.packing
    ? packedAsTrl(pairs, one.max_length!, golden[one.name].input_ids!)
    : pairs.map(({ prompt, chosen }) => answerRow(prompt, chosen, T, PAD));
  const { at, size } = stepsOf(one, rows);
  return {
    lossFunction: sftLoss(config, FULL),
    batchAt: (step) => microBatches(at(step), size, batchOf, targetsOf),
    tokensAt: (step) => at(step).reduce((n, row) => n + tokensOf(row), 0),
  };
}

/** Our packing, in TRL's order of rows. @throws where a row of TRL's is none of ours */
function packedAsTrl(pairs: ReturnType<typeof makePairs>, length: number, order: number[][]): PackedRow[] {
  const examples = pairs.map(({ prompt, chosen }) => ({
    inputIds: [...prompt, ...chosen],
    lossMask: [...prompt.map(() => 0), ...chosen.map(() => 1)],
  }));
  const { rows } = packExamples(examples, length, PAD);
  const ids = (row: PackedRow) => row.inputIds.slice(0, tokensOf(row)).join();
  const byIds = new Map(rows.map((row) => [ids(row), row]));
  return order.map((row) => {
    const found = byIds.get(row.join());
    if (!found) throw new Error(`TRL's row ${row.join()} is none of ours`);
    return found;
  });
}

/** The examples of a step, in order, and how many are computed at a time. */
function stepsOf<Item>(one: TrlCase, items: Item[]) {
  const size = one.per_device_train_batch_size;
  const perStep = size * one.gradient_accumulation_steps;
  return { size, at: (step: number) => items.slice(step * perStep, (step + 1) * perStep) };
}

/** What our trainer logs at each of the first `steps` steps, by TRL's names, on the engine that has been started. */
export async function runCase(one: TrlCase, suite: TrlSuite, steps = one.steps): Promise<StepMetrics[]> {
  const parameters = noiseParameters(suite.config, suite.seed, AWAY);
  const reference = noiseParameters(suite.config, suite.seed);
  const run = one.trainer === "dpo" ? await dpoRun(one, suite, reference) : sftRun(one, suite);
  const log: StepMetrics[] = [];
  let tokens = 0;
  await train(parameters, {
    ...{ lossFunction: run.lossFunction, steps, tokensPerStep: 1, batchAt: run.batchAt },
    schedule: { maxLearningRate: one.learning_rate, minRatio: 1, warmupTokens: 0, totalTokens: 1e9 },
    optimizer: {
      ...{ beta1: one.adam_beta1, beta2: one.adam_beta2, epsilon: one.adam_epsilon },
      ...{ weightDecay: one.weight_decay, maxGradNorm: one.max_grad_norm },
    },
    onStep: (step, _, metrics) => {
      tokens += run.tokensAt(step);
      log.push({ ...metrics, num_tokens: tokens });
    },
  });
  tf.dispose([parameters, reference]);
  return log;
}

/** The columns of the table, and which of TRL's names are in each. */
export const QUANTITIES: Record<string, RegExp> = {
  loss: /^loss$/,
  "grad norm": /^grad_norm$/,
  logps: /^logps/,
  rewards: /^rewards.(chosen|rejected|margins)$/,
  accuracies: /^rewards.accuracies$|^mean_token_accuracy$/,
  logits: /^logits/,
  entropy: /^entropy$/,
  tokens: /^num_tokens$|^learning_rate$/,
};
/** Relative to the largest value of the quantity in the case. */
export const ALLOWED = 1e-4;

/** Metrics that TRL averages over micro-batches, and we over tokens: another number, see docs/trl.md. */
const otherwise = ({ trainer, gradient_accumulation_steps }: TrlCase, name: string) =>
  trainer === "sft" && gradient_accumulation_steps > 1 && ["entropy", "mean_token_accuracy"].includes(name);

/** The largest difference of each quantity over the first `steps` steps; null where the case does not have it. */
export async function compareCase(one: TrlCase, suite: TrlSuite, steps = one.steps) {
  const log = await runCase(one, suite, steps);
  const golden = suite.golden[one.name];
  return Object.fromEntries(
    Object.entries(QUANTITIES).map(([quantity, pattern]) => {
      const names = Object.keys(golden).filter((name) => pattern.test(name) && !otherwise(one, name));
      return [quantity, names.length ? Math.max(...names.map((name) => difference(log, golden[name], name))) : null];
    }),
  );
}

function difference(log: StepMetrics[], golden: number[], name: string): number {
  const expected = golden.slice(0, log.length);
  const scale = Math.max(...expected.map(Math.abs));
  const largest = Math.max(...log.map((step, i) => Math.abs((step[name] ?? Number.NaN) - expected[i])));
  return Number.isNaN(largest) ? Number.POSITIVE_INFINITY : largest === 0 ? 0 : largest / scale;
}

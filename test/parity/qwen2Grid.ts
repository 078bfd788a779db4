/**
 * @file The grid of small Qwen2 configurations that is compared with Hugging Face transformers: how far off each kind of
 * number is. Cases and what transformers made of them: test/fixtures/qwen2/grid (make.py says what is in the files).
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { type Array32, readSafetensors } from "../../src/model/checkpoint.ts";
import { fromHuggingFace, type Qwen2Config } from "../../src/model/config.ts";
import { makeGenerator } from "../../src/model/generate.ts";
import { decoder, logits, type Parameters } from "../../src/model/qwen2.ts";
import { causalMask } from "../../src/ops/attention.ts";
import { train } from "../../src/train/loop.ts";
import { PAPER_ADAMW } from "../../src/train/optimizer.ts";
import { pretrainLoss } from "../../src/train/pretrain.ts";
import { makeRandom } from "../../src/util/random.ts";
import { largest } from "../ops/finiteDifferences.ts";
import { cachedLogits } from "./cachedLogits.ts";
import { measure, tensorsOf } from "./measure.ts";
import { hashes, noiseParameters } from "./noise.ts";
import { read } from "./read.ts";
import type { Batch } from "./referenceModel.ts";

export const GRID = "test/fixtures/qwen2/grid";
const NEW_TOKENS = 10;
const BEAMS = 3;
const RATE = 3e-3;

export interface GridCase {
  name: string;
  seed: number;
  config: object;
  lengths: number[];
}

interface Golden {
  loss: number;
  right_loss: number;
  left_loss: number;
  training: { losses: number[]; norms: number[] };
  greedy: number[][];
  beams: number[][];
  stable: { greedy: boolean; beams: boolean };
  own: { training: number };
}

/** What transformers made of the cases: numbers, and tensors by the names that make.py gives. */
export interface Grid {
  cases: GridCase[];
  golden: Record<string, Golden>;
  tensors: Record<string, Array32>;
}

/** The committed grid, or the one in another folder. */
export function readGrid(directory = GRID): Grid {
  const json = (name: string) => JSON.parse(readFileSync(join(directory, name), "utf8"));
  const tensors = readSafetensors(join(directory, "golden.safetensors"));
  return { cases: json("cases.json"), golden: json("golden.json"), tensors };
}

/** Runs make.py with another interpreter on other cases. */
export function liveGrid(python: string, cases: GridCase[]): Grid {
  const directory = mkdtempSync(join(tmpdir(), "marco-grid-"));
  try {
    const path = join(directory, "cases.json");
    writeFileSync(path, JSON.stringify(cases));
    const run = [join(GRID, "make.py"), "--cases", path, "--out", directory];
    execFileSync(python, run, { stdio: ["ignore", "ignore", "pipe"], encoding: "utf8" });
    return readGrid(directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** Rows of full length, with a fifth of the labels ignored. */
function fullRows({ seed, lengths }: GridCase, vocabSize: number): Batch {
  const [B, T] = [lengths.length, Math.max(...lengths)];
  const inputIds = Array.from(hashes(seed, 1000, B * T), (x) => x % vocabSize);
  const ignored = hashes(seed, 1001, B * T);
  return {
    ...{ B, T, inputIds, labels: inputIds.map((id, i) => (ignored[i] % 5 === 0 ? -100 : id)) },
    ...{ positionIds: inputIds.map((_, i) => i % T), documentIds: inputIds.map(() => 0) },
  };
}

/** The rows cut to their lengths and padded with token 0, which is a document of its own and has no labels; nor have first tokens. */
function padded({ lengths }: GridCase, { B, T, inputIds }: Batch, side: "left" | "right"): Batch {
  const empty = (fill: number) => new Array<number>(B * T).fill(fill);
  const batch = { B, T, inputIds: empty(0), labels: empty(-100), positionIds: empty(0), documentIds: empty(0) };
  lengths.forEach((n, b) => {
    const from = b * T + (side === "left" ? T - n : 0);
    for (let i = 0; i < n; i++) {
      batch.inputIds[from + i] = inputIds[b * T + i];
      if (i > 0) batch.labels[from + i] = inputIds[b * T + i];
      batch.positionIds[from + i] = i;
      batch.documentIds[from + i] = 1;
    }
  });
  return batch;
}

/**
 * The largest difference of each kind; null: rounding decides, so there is nothing to compare: transformers in float64
 * takes other tokens, or trains otherwise by more than {@link OWN}.
 */
export type Differences = Record<(typeof KINDS)[number], number | null>;
export const KINDS = [
  ...(["logits", "padded left", "padded right", "cached", "loss", "gradient", "10 losses", "10 norms"] as const),
  ...(["greedy", "beams"] as const),
];

const OWN = 2e-5;

/** What is allowed: logits as they are, gradients relative to each tensor's largest, losses and norms relative, tokens that differ. */
export const ALLOWED: Record<(typeof KINDS)[number], number> = {
  ...{ logits: 1e-4, "padded left": 1e-4, "padded right": 1e-4, cached: 1e-4, loss: 1e-4, gradient: 1e-4 },
  ...{ "10 losses": 1e-4, "10 norms": 1e-4, greedy: 0, beams: 0 },
};

const distance = (a: ArrayLike<number>, b: ArrayLike<number>) => {
  if (a.length !== b.length) throw new Error(`${a.length} numbers, expected ${b.length}`);
  return largest(Float64Array.from(a, (x, i) => (Number.isNaN(x) ? Infinity : x - b[i])));
};
const relative = (a: number[], b: number[]) => Math.max(...a.map((x, i) => Math.abs(x - b[i]) / Math.abs(b[i])));
const otherTokens = (a: number[][], b: number[][]) =>
  a.reduce((n, row, i) => n + row.filter((id, t) => id !== b[i][t]).length + Math.abs(row.length - b[i].length), 0);

/** One case on the engine that has been started. */
export async function compareCase(one: GridCase, { golden, tensors }: Grid): Promise<Differences> {
  const config = fromHuggingFace(one.config);
  const expected = golden[one.name];
  const expectedLogits = tensors[`${one.name}/logits`].data;
  const parameters = noiseParameters(config, one.seed);
  const rows = fullRows(one, config.vocabSize);
  const V = config.vocabSize;

  const logitsOf = async (batch: Batch) => {
    const y = tf.tidy(() => {
      const { inputIds, positionIds, documentIds } = tensorsOf(batch);
      const input = { inputIds, positionIds, mask: causalMask(documentIds) };
      return logits(parameters, config, decoder(parameters, config, input).hidden);
    });
    return (await read({ y })).y;
  };
  /** Of the tokens that are not padding. */
  const paddedDistance = async (side: "left" | "right") => {
    const y = await logitsOf(padded(one, rows, side));
    const distances = one.lengths.map((n, b) => {
      const from = b * rows.T + (side === "left" ? rows.T - n : 0);
      const real = expectedLogits.subarray(b * rows.T * V, (b * rows.T + n) * V);
      return distance(y.subarray(from * V, (from + n) * V), real);
    });
    return Math.max(...distances);
  };
  const lossOf = async (batch: Batch) =>
    (await measure(pretrainLoss(config), parameters, tensorsOf(batch))).metrics.loss;

  const { gradients, metrics } = await measure(pretrainLoss(config), parameters, tensorsOf(rows));
  const gradientDistances = Object.entries(gradients).map(([name, gradient]) => {
    const { data } = tensors[`${one.name}/gradient/${name}`];
    return distance(gradient, data) / largest(data);
  });
  const losses = [metrics.loss, await lossOf(padded(one, rows, "right")), await lossOf(padded(one, rows, "left"))];

  const generate = makeGenerator(config, Math.max(...one.lengths) + NEW_TOKENS, 0);
  const prompts = one.lengths.map((n, b) => {
    const length = Math.max(1, Math.floor(n / 2));
    return rows.inputIds.slice(b * rows.T, b * rows.T + length);
  });
  const tokens = async (kind: "greedy" | "beams") => {
    if (!expected.stable[kind]) return null;
    const options = { maxNewTokens: NEW_TOKENS, ...(kind === "beams" ? { numBeams: BEAMS } : {}) };
    const answers = await generate(parameters, prompts, options);
    return otherTokens(
      answers.map(({ ids }) => ids),
      expected[kind],
    );
  };
  const differences: Differences = {
    ...{ "10 losses": null, "10 norms": null },
    logits: distance(await logitsOf(rows), expectedLogits),
    "padded left": await paddedDistance("left"),
    "padded right": await paddedDistance("right"),
    cached: distance(await cachedLogits(parameters, config, rows, pieces(rows.T)), expectedLogits),
    loss: relative(losses, [expected.loss, expected.right_loss, expected.left_loss]),
    gradient: Math.max(...gradientDistances),
    greedy: await tokens("greedy"),
    beams: await tokens("beams"),
    ...(expected.own.training > OWN ? {} : await training(config, parameters, rows, expected.training)),
  };
  tf.dispose(parameters);
  return differences;
}

/** Five tokens, then three, then one by one. */
const pieces = (T: number) => [5, 3, ...new Array<number>(T - 8).fill(1)];

/** Ten AdamW steps; changes the parameters. */
async function training(config: Qwen2Config, parameters: Parameters, rows: Batch, golden: Golden["training"]) {
  const [losses, norms]: number[][] = [[], []];
  await train(parameters, {
    ...{ lossFunction: pretrainLoss(config), steps: golden.losses.length, tokensPerStep: 1, optimizer: PAPER_ADAMW },
    batchAt: () => tensorsOf(rows),
    schedule: { maxLearningRate: RATE, minRatio: 1, warmupTokens: 0, totalTokens: 1e9 },
    onStep: (_, __, { loss, grad_norm }) => {
      losses.push(loss);
      norms.push(grad_norm);
    },
  });
  return { "10 losses": relative(losses, golden.losses), "10 norms": relative(norms, golden.norms) };
}

/** A random small configuration, as old or new transformers would write it. */
export function randomCase(seed: number): GridCase {
  const random = makeRandom(seed, "grid");
  const flip = () => random.int(2) === 0;
  const [groups, perGroup] = [1 + random.int(3), 1 + random.int(4)];
  const layers = 1 + random.int(3);
  const headDim = 2 * (1 + random.int(4));
  const hiddenSize = groups * perGroup * (flip() ? headDim : 2);
  const theta = random.pick([1e4, 5e5, 1e6]);
  const window = flip() ? 1 + random.int(7) : undefined;
  const trained = 4 + random.int(20);
  const yarn = { factor: 1 + 7 * random.next(), original_max_position_embeddings: trained, truncate: flip() };
  const rope = flip() ? { rope_type: "yarn", ...yarn } : { rope_type: "default" };
  const newStyle = flip();
  const config = {
    ...{
      model_type: "qwen2",
      hidden_act: "silu",
      hidden_size: hiddenSize,
      head_dim: headDim,
      num_hidden_layers: layers,
    },
    ...{ num_attention_heads: groups * perGroup, num_key_value_heads: groups, intermediate_size: 1 + random.int(20) },
    ...{ vocab_size: 5 + random.int(40), max_position_embeddings: 64, tie_word_embeddings: flip() },
    ...{ rms_norm_eps: random.pick([1e-5, 1e-6]), use_sliding_window: window !== undefined },
    ...{ sliding_window: window ?? null, max_window_layers: random.int(layers + 1) },
    ...(newStyle ? { rope_parameters: { rope_theta: theta, ...rope } } : { rope_theta: theta }),
    ...(newStyle || rope.rope_type === "default" ? {} : { rope_scaling: rope }),
  };
  const lengths = [12 + random.int(8), 2 + random.int(10), 2 + random.int(10)];
  return { name: `random ${seed}`, seed, lengths, config };
}

/**
 * @file How fast is each GPU.js kernel, in each mode?
 *
 *     npm run bench:gpujs -- --modes webasm,webgpu
 *
 * Every fused op of a training step is made into its launches, at the sizes of one of the bench's configurations, and
 * each launch is timed by itself on the device, again and again until its time is long enough to be believed. Products
 * are rated by their floating-point operations (attention's by those of the pairs that see each other), all others by
 * the bytes of what they read and write.
 */
import { type Device, webasmDevice, webgpuDevice } from "../src/engine/gpujs/device.ts";
import "../src/engine/gpujs/kernels.ts";
import { Command } from "commander";
import { main, parse } from "../src/cli/options.ts";
import * as attention from "../src/engine/gpujs/kernels/attention.ts";
import * as attentionInFours from "../src/engine/gpujs/kernels/attentionInFours.ts";
import * as products from "../src/engine/gpujs/kernels/matMul.ts";
import { type Launch, launchRules, type Matrix, matrixSize, Program } from "../src/engine/gpujs/launch.ts";
import type { Attributes, Value } from "../src/engine/lazy/graph.ts";
import { adapterName } from "../src/engine/webgpu.ts";
import { headDim } from "../src/model/config.ts";
import { causalMask } from "../src/ops/reference.ts";
import { type BenchConfig, CONFIGS, describeConfig, hashed, makeTokens } from "./configs.ts";
import { namesOf, numberOf } from "./options.ts";
import { describeMachine, printTable, save } from "./output.ts";
import { median } from "./statistics.ts";

const MODES = ["webasm", "webgpu"] as const;
type Mode = (typeof MODES)[number];

interface Options {
  config: string;
  modes: Mode[];
  sequences: number;
  milliseconds: number;
  save?: boolean;
}

interface Row {
  op: string;
  kernel: string;
  result: [rows: number, columns: number];
  /** Of one launch, the median of several measurements. */
  seconds: Partial<Record<Mode, number>>;
  /** Floating-point operations of a product; null for the others. */
  flops: number | null;
  bytes: number;
}

interface Given {
  shape: number[];
  values?: ArrayLike<number>;
}

/** Attention's kernels of one number a thread, to compare with. */
function plainAttention(p: Program, { B, T, H, K, D }: Record<"B" | "T" | "H" | "K" | "D", number>) {
  const last = p.launches.filter(({ origin }) => origin.startsWith("Attention"));
  const inputsOf = (kernel: unknown) => last.find((launch) => launch.kernel === kernel)!.inputs;
  const c = { T, S: T, H, D, G: H / K, scale: 1 / Math.sqrt(D) };
  const [q, k, mask] = inputsOf(attentionInFours.scoresOfFours);
  const [probabilities, v] = inputsOf(attentionInFours.mixOfFours);
  const [, dy, , delta] = inputsOf(attentionInFours.scoresGradientOfFours);
  const keys = last.find((launch) => launch.kernel === attention.visibleKeys)!.output;
  const queries = last.find((launch) => launch.kernel === attention.visibleQueries)!.output;
  p.origin = "not in fours: attention";
  p.launch(attention.attentionScores, [q, k, mask, keys], [B * H * T, T], c);
  p.launch(attention.attentionMix, [probabilities, v, keys], [B * T, H * D], c);
  p.launch(attention.attentionScoresGradient, [probabilities, dy, v, delta, keys], [B * H * T, T], c);
  p.launch(attention.attentionMixGradient, [probabilities, dy, queries], [B * T, K * D], c);
}

/** All launches of a step's ops, each named after its op, and the numbers that they start from. */
function launchesOfStep({ model, batchSize: B, sequenceLength: T }: BenchConfig) {
  const { vocabSize: V, hiddenSize: C, intermediateSize: F, numAttentionHeads: H, numKeyValueHeads: K } = model;
  const D = headDim(model);
  const N = B * T;
  const p = new Program();
  const given = new Map<number, Float32Array>();
  const named = new Map<string, Matrix>(); // a gradient reads what its forward pass read
  const array = (name: string, { shape, values }: Given): Matrix => {
    const matrix = named.get(name) ?? p.array(matrixSize(shape));
    if (named.has(name)) return matrix;
    named.set(name, matrix);
    const size = matrix.rows * matrix.columns;
    given.set(matrix.array, Float32Array.from(values ?? hashed(name, size).map((u) => u - 0.5)));
    return matrix;
  };
  const op = (kernel: string, inputs: Record<string, Given>, attributes: Attributes = {}, results: number[][] = []) => {
    const value = (shape: number[]): Value => ({ shape, dtype: "float32", producer: null, data: null, device: null });
    const matrices = Object.entries(inputs).map(([name, input]) =>
      array(`${kernel.replace("Grad", "")}.${name}`, input),
    );
    const operands = Object.values(inputs).map(({ shape }) => ({ value: value(shape), shape }));
    p.origin = kernel;
    launchRules.get(kernel)!(p, matrices, { kernel, inputs: operands, attributes, outputs: results.map(value) });
  };
  const ids = { shape: [N], values: makeTokens("ids", N, V) };
  const labels = { shape: [N], values: makeTokens("labels", N, V) };
  const [hidden, wide] = [{ shape: [N, C] }, { shape: [N, F] }];
  const norm = { x: hidden, weight: { shape: [C] } };
  const epsilon = model.rmsNormEps;
  op("Embedding", { table: { shape: [V, C] }, ids });
  op("EmbeddingGrad", { ids, dy: hidden }, { rows: V });
  op("RmsNorm", norm, { epsilon });
  op("RmsNormGrad", { ...norm, dy: hidden }, { epsilon });
  const [x, weight, dy] = [hidden, { shape: [F, C] }, wide].map((input, i) => array(`linear.${i}`, input));
  op("Linear", { x: hidden, weight: { shape: [F, C] }, addend: { shape: [F] } });
  p.origin = "its dx";
  products.product(p, "plain", dy, weight);
  p.origin = "its dW";
  products.product(p, "transposedA", dy, x);
  p.origin = "not in fours: y, dx, dW";
  p.launch(products.matMulTransposedB, [x, weight], [N, F], { K: C });
  p.launch(products.matMul, [dy, weight], [N, C], { K: F });
  p.launch(products.matMulTransposedA, [dy, x], [F, C], { K: N });
  const angles = { shape: [B, T, D / 2] };
  op("Rope", { x: { shape: [B, T, C] }, cos: angles, sin: angles }, { heads: H });
  const document = Float64Array.from({ length: N }, () => 0);
  const heads = {
    q: { shape: [B, T, C] },
    k: { shape: [B, T, K * D] },
    v: { shape: [B, T, K * D] },
    mask: { shape: [B, T, T], values: causalMask(document, T) },
  };
  op("Attention", heads, { heads: H, kvHeads: K });
  op("AttentionGrad", { ...heads, dy: { shape: [B, T, C] } }, { heads: H, kvHeads: K });
  plainAttention(p, { B, T, H, K, D });
  op("Swiglu", { gate: wide, up: wide });
  op("SwigluGrad", { gate: wide, up: wide, dy: wide });
  const head = { h: hidden, weight: { shape: [V, C] }, labels };
  op("TokenLogprobs", head);
  op("TokenLogprobsGrad", { ...head, dy: { shape: [N] } });
  const table = { shape: [V, C] };
  op("GlobalNorm", { g: table });
  const optimizer = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, maxGradNorm: 1 };
  const squares = { ...table, values: hashed("v", V * C) };
  const scalars = { norm: { shape: [], values: [2] }, step: { shape: [3], values: [1e-3, 0.1, 0.2] } };
  op("AdamW", { p: table, g: table, m: table, v: squares, ...scalars }, optimizer, [table.shape]);
  return { p, given };
}

const PRODUCTS = new Map<unknown, (launch: Launch, config: BenchConfig) => number>();
for (const kernel of Object.values(products))
  if (/^(blockedM|m)atMul/.test(kernel.name))
    PRODUCTS.set(kernel, ({ output, constants }) => 2 * output.rows * output.columns * constants.K);
const ATTENTION = [
  ...[attention.attentionScores, attention.attentionMix, attention.attentionScoresGradient],
  ...[attention.attentionMixGradient, attentionInFours.scoresOfFours, attentionInFours.mixOfFours],
  ...[attentionInFours.scoresGradientOfFours, attentionInFours.mixGradientOfFours],
];
for (const kernel of ATTENTION)
  PRODUCTS.set(kernel, (_, { model, batchSize, sequenceLength: T }) => {
    const pairs = (T * (T + 1)) / 2; // that causal attention has
    return 2 * batchSize * model.numAttentionHeads * headDim(model) * pairs;
  });

const size = ({ rows, columns }: Matrix) => rows * columns;

/** Seconds of each launch on a device. */
async function time<A>(device: Device<A>, { p, given }: ReturnType<typeof launchesOfStep>, milliseconds: number) {
  const arrays = new Map<number, A>();
  for (const [array, values] of [...given, ...p.known]) arrays.set(array, device.upload(values));
  const one = device.upload(new Float32Array(1));
  const finish = async () => void (await device.download(one, 1)); // the device works in order
  const times: number[] = [];
  for (const launch of p.launches) {
    const runnable = await device.compile(launch);
    const inputs = launch.inputs.map(({ array }) => arrays.get(array)!);
    arrays.set(launch.output.array, runnable.run(inputs));
    await finish();
    const runs = async (count: number) => {
      const start = performance.now();
      for (let i = 0; i < count; i++) device.free(runnable.run(inputs), size(launch.output));
      await finish();
      return (performance.now() - start) / count;
    };
    const count = Math.ceil(milliseconds / 3 / (await runs(1)));
    const measured = count > 1 ? [await runs(count), await runs(count), await runs(count)] : [await runs(1)];
    times.push(median(measured) / 1000);
    runnable.dispose();
  }
  return times;
}

function print(rows: Row[], modes: Mode[]) {
  const cells = (row: Row) =>
    modes.flatMap((mode) => {
      const seconds = row.seconds[mode];
      if (seconds === undefined) return ["-", "-"];
      const rate = row.flops === null ? `${(row.bytes / seconds / 1e9).toFixed(2)} GB/s` : "";
      return [(seconds * 1000).toFixed(3), rate || `${(row.flops! / seconds / 1e9).toFixed(2)} GFLOP/s`];
    });
  const head = ["kernel", "of", "result", ...modes.flatMap((mode) => [`${mode} ms`, "rate"])];
  printTable([head, ...rows.map((row) => [row.kernel, row.op, row.result.join(" x "), ...cells(row)])]);
}

await main(async () => {
  const command = new Command("bench:gpujs")
    .description("Times each GPU.js kernel of a training step's ops, in each mode.")
    .option(
      "--config <letter>",
      `sizes: one of ${Object.keys(CONFIGS).join(",")}`,
      (text) => {
        return namesOf("--config", Object.keys(CONFIGS))(text)[0];
      },
      "A",
    )
    .option("--modes <names>", `which of ${MODES.join(",")}`, namesOf("--modes", MODES), [...MODES])
    .option("--sequences <number>", "of the step, instead of the configuration's", numberOf("--sequences", 1), 2)
    .option("--milliseconds <number>", "to time each launch for, once at least", numberOf("--milliseconds", 1), 300)
    .option("--save", "write bench/results/<date>-<cpu>-gpujs.json");
  const options = parse<Options>(command, process.argv);
  const config = { ...CONFIGS[options.config], batchSize: options.sequences };
  const machine = describeMachine();
  console.log(`${options.config}: ${describeConfig(config)}\n`);
  const step = launchesOfStep(config);
  const rows: Row[] = step.p.launches.map((launch) => ({
    op: launch.origin,
    kernel: typeof launch.kernel === "string" ? "(elementwise)" : launch.kernel.name,
    result: [launch.output.rows, launch.output.columns],
    seconds: {},
    flops: PRODUCTS.get(launch.kernel)?.(launch, config) ?? null,
    bytes: 4 * [...launch.inputs, launch.output].reduce((sum, matrix) => sum + size(matrix), 0),
  }));
  const devices: Partial<Record<Mode, string>> = {};
  for (const mode of options.modes) {
    let measured: Promise<number[]>;
    if (mode === "webasm") {
      devices.webasm = "the CPU, one thread";
      measured = time(webasmDevice(), step, options.milliseconds);
    } else {
      const adapter = await adapterName().catch((error: Error) => error.message);
      if (typeof adapter === "string") {
        console.log(`webgpu: NOT MEASURED: ${adapter}`);
        continue;
      }
      devices.webgpu = adapter.name;
      measured = time(await webgpuDevice(), step, options.milliseconds);
    }
    (await measured).forEach((seconds, i) => {
      rows[i].seconds[mode] = seconds;
    });
  }
  for (const [mode, device] of Object.entries(devices)) console.log(`${mode}: ${device}`);
  print(rows, options.modes);
  if (options.save) save("-gpujs", machine, { config: options.config, ...config, devices, rows });
  process.exit(process.exitCode ?? 0); // Dawn's threads would keep it
});

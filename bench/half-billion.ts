/**
 * @file One training step of the real Qwen2-0.5B shape (forward, backward, clipping, AdamW) on the onnx engine, without
 * and with gradient checkpointing: seconds per step and peak memory, each variant in a process of its own.
 *
 *     npm run bench:0.5b                     both; needs up to 20 GB of free memory
 *     npm run bench:0.5b -- --steps 5 --tokens 256 --variants checkpointing
 *
 * Weights are random (seeded), tokens too. The first step compiles the program and is reported by itself.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, freemem, loadavg, totalmem } from "node:os";
import { performance } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { main, parse, wholeNumber } from "../src/cli/options.ts";
import { pretrainingRow } from "../src/data/pack.ts";
import { startEngine } from "../src/engine/engine.ts";
import type { Qwen2Config } from "../src/model/config.ts";
import { countParameters, initParameters } from "../src/model/init.ts";
import { QWEN2_SIZES } from "../src/model/sizes.ts";
import { batchOf } from "../src/train/batch.ts";
import { train } from "../src/train/loop.ts";
import { PAPER_ADAMW } from "../src/train/optimizer.ts";
import { pretrainLoss } from "../src/train/pretrain.ts";
import { UserError } from "../src/util/assert.ts";
import { makeRandom } from "../src/util/random.ts";

/** Where activations dominate: little vocabulary, many tokens. */
const ACTIVATIONS: Qwen2Config = {
  ...QWEN2_SIZES["0.5b"],
  vocabSize: 2048,
  hiddenSize: 512,
  intermediateSize: 1408,
  numHiddenLayers: 12,
  numAttentionHeads: 8,
};
const SHAPES = { "0.5b": QWEN2_SIZES["0.5b"], activations: ACTIVATIONS } as const;

const VARIANTS = ["plain", "checkpointing"] as const;
type Variant = (typeof VARIANTS)[number];

interface Measured {
  variant: Variant;
  parameters: number;
  secondsToInitialise: number;
  /** Of the first step, which compiles. */
  secondsFirstStep: number;
  secondsPerStep: number[];
  losses: number[];
  gradNorms: number[];
  /** Resident memory in bytes: with the parameters only; the highest while training; both of the whole process. */
  bytesBefore: number;
  peakBytes: number;
}

/**
 * ONNX Runtime's memory pattern lays out all activations in one block from the second run on, beside the arena of the
 * first run: about twice the memory. Here memory is what counts.
 */
const ONNX_SESSION = { enableMemPattern: false };

/** A line of Linux' /proc/self/status in bytes. */
function resident(field: "VmRSS" | "VmHWM"): number {
  const status = readFileSync("/proc/self/status", "utf8");
  return Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(status)![1]) * 1024;
}

/** Runs one variant in this process. */
async function measure(config: Qwen2Config, variant: Variant, rows: number, T: number, steps: number) {
  await startEngine("onnx", { onnxSession: ONNX_SESSION });
  const begun = performance.now();
  const parameters = initParameters(config, 1);
  const secondsToInitialise = (performance.now() - begun) / 1000;
  process.stderr.write(`${variant}: initialised in ${secondsToInitialise.toFixed(1)} s\n`);
  const bytesBefore = resident("VmRSS");
  const random = makeRandom(1, "tokens");
  const tokens = Int32Array.from({ length: rows * T * steps }, () => random.int(config.vocabSize));
  const seconds: number[] = [];
  const losses: number[] = [];
  const gradNorms: number[] = [];
  let start = 0;
  await train(parameters, {
    lossFunction: pretrainLoss(config, { gradientCheckpointing: variant === "checkpointing" }),
    steps,
    tokensPerStep: rows * T,
    schedule: { maxLearningRate: 1e-5, minRatio: 1, warmupTokens: 0, totalTokens: 1 },
    optimizer: PAPER_ADAMW,
    batchAt: (step) => {
      start = performance.now();
      return batchOf(Array.from({ length: rows }, (_, b) => pretrainingRow(tokens, (step * rows + b) * T, T)));
    },
    onStep: (step, _, metrics) => {
      seconds.push((performance.now() - start) / 1000);
      losses.push(metrics.loss);
      gradNorms.push(metrics.grad_norm);
      const peak = (resident("VmHWM") / 2 ** 30).toFixed(2);
      process.stderr.write(
        `${variant}: step ${step}: ${seconds.at(-1)!.toFixed(1)} s, loss ${metrics.loss.toFixed(4)}, peak ${peak} GiB\n`,
      );
    },
  });
  const result: Measured = {
    variant,
    parameters: countParameters(config),
    secondsToInitialise,
    secondsFirstStep: seconds[0],
    secondsPerStep: seconds.slice(1),
    losses,
    gradNorms,
    bytesBefore,
    peakBytes: resident("VmHWM"),
  };
  console.log(JSON.stringify(result));
}

await main(async () => {
  const command = new Command("bench:0.5b")
    .description("Seconds and peak memory of a training step of Qwen2-0.5B's shape, without and with checkpointing.")
    .option("--shape <name>", `which of ${Object.keys(SHAPES).join(", ")}`, "0.5b")
    .option("--rows <number>", "rows of a step", wholeNumber("--rows", 1), 1)
    .option("--tokens <number>", "tokens of a row", wholeNumber("--tokens", 2), 512)
    .option("--steps <number>", "steps, of which the first compiles", wholeNumber("--steps", 1), 4)
    .option("--variants <names>", `some of ${VARIANTS.join(",")}`, VARIANTS.join(","))
    .option("--in-process", "one variant, in this process; prints JSON")
    .option("--save", "write bench/results/<date>-<shape>-<cpu>.json");
  const options = parse<{
    shape: keyof typeof SHAPES;
    rows: number;
    tokens: number;
    steps: number;
    variants: string;
    inProcess?: boolean;
    save?: boolean;
  }>(command, process.argv);
  const { shape, rows, tokens, steps } = options;
  if (!Object.hasOwn(SHAPES, shape))
    throw new UserError(`--shape ${shape}: expected one of ${Object.keys(SHAPES).join(", ")}`);
  const variants = options.variants.split(",") as Variant[];
  const wrong = variants.find((variant) => !VARIANTS.includes(variant));
  if (wrong !== undefined) throw new UserError(`--variants: no '${wrong}'; expected some of ${VARIANTS.join(",")}`);
  if (options.inProcess) return measure(SHAPES[shape], variants[0], rows, tokens, steps);

  const machine = {
    cpu: cpus()[0]?.model ?? "unknown",
    threads: availableParallelism(),
    memoryBytes: totalmem(),
    freeBytesBefore: freemem(),
    platform: `${process.platform} ${process.arch}`,
    node: process.versions.node,
    loadBefore: loadavg()[0],
  };
  const results = variants.map((variant): Measured => {
    const own = ["--in-process", "--variants", variant, "--shape", shape];
    const sizes = ["--rows", `${rows}`, "--tokens", `${tokens}`, "--steps", `${steps}`];
    const script = fileURLToPath(import.meta.url);
    const child = spawnSync(process.execPath, ["--import", "tsx", script, ...own, ...sizes], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "inherit"],
    });
    if (child.status !== 0) throw new Error(`${variant}: ended with ${child.signal ?? `exit code ${child.status}`}`);
    return JSON.parse(child.stdout);
  });

  console.log(`${shape}: ${(results[0].parameters / 1e6).toFixed(1)} M parameters, ${rows} x ${tokens} tokens, onnx`);
  for (const { variant, secondsFirstStep, secondsPerStep, peakBytes, losses } of results) {
    const sorted = [...secondsPerStep].sort((a, b) => a - b);
    const median = sorted.length ? `${sorted[sorted.length >> 1].toFixed(1)} s` : "-";
    console.log(
      `${variant.padEnd(14)} first step ${secondsFirstStep.toFixed(1)} s, then ${median} a step (median), ` +
        `peak ${(peakBytes / 2 ** 30).toFixed(2)} GiB, losses ${losses.map((x) => x.toFixed(4)).join(" ")}`,
    );
  }
  if (results.some(({ losses }) => losses.join() !== results[0].losses.join())) {
    console.log("the losses differ: checkpointing must not change them");
    process.exitCode = 1;
  }
  if (options.save) {
    const date = new Date().toISOString().slice(0, 10);
    const slug = machine.cpu
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, "-")
      .replace(/^-|-$/g, "");
    const file = new URL(`results/${date}-${shape}-${slug}.json`, import.meta.url);
    mkdirSync(new URL(".", file), { recursive: true });
    const record = {
      date,
      machine: { ...machine, loadAfter: loadavg()[0] },
      onnxRuntime: ONNX_SESSION,
      shape,
      rows,
      tokens,
      steps,
      results,
    };
    writeFileSync(file, `${JSON.stringify(record, null, 1)}\n`);
    console.log(`written: bench/results/${date}-${shape}-${slug}.json`);
  }
});

/**
 * @file Does anything grow? Trains a tiny model for many steps with batches of changing shape and micro-batches, and
 * prints live tensors, compiled sessions, threads and resident memory. Exit code 1 when one grows after the warm-up.
 *
 *     npm run soak                       10,000 steps
 *     npm run soak -- --steps 1000 --engine wasm
 */
import { readFileSync } from "node:fs";
import * as tf from "@tensorflow/tfjs-core";
import { Command } from "commander";
import { main, parse, wholeNumber } from "../src/cli/options.ts";
import { pretrainingRow } from "../src/data/pack.ts";
import { startEngine } from "../src/engine/engine.ts";
import { initParameters } from "../src/model/init.ts";
import { batchOf, microBatches, targetsOf } from "../src/train/batch.ts";
import { train } from "../src/train/loop.ts";
import { PAPER_ADAMW } from "../src/train/optimizer.ts";
import { pretrainLoss } from "../src/train/pretrain.ts";
import { makeRandom } from "../src/util/random.ts";

const CONFIG = {
  vocabSize: 64,
  hiddenSize: 32,
  intermediateSize: 48,
  numHiddenLayers: 2,
  numAttentionHeads: 4,
  numKeyValueHeads: 2,
  maxPositionEmbeddings: 64,
  rmsNormEps: 1e-6,
  ropeTheta: 1e4,
  tieWordEmbeddings: true,
  initializerRange: 0.1,
};
const ROWS = [1, 2, 3, 4];
const LENGTHS = [8, 16, 24];

/** Resident memory may move by this much: the garbage collector works when it likes. */
const SLACK_MIB = 24;

interface Sample {
  step: number;
  tensors: number;
  buffers: number;
  sessions: number;
  threads: number;
  mebibytes: number;
}

/** What is there after a step; garbage is collected first when Node lets us. */
function sample(step: number): Sample {
  (globalThis as { gc?: () => void }).gc?.();
  const { numTensors, numDataBuffers, numSessions = 0 } = tf.memory() as tf.MemoryInfo & { numSessions?: number };
  const status = readFileSync("/proc/self/status", "utf8");
  const number = (field: string) => Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)![1]);
  return {
    step,
    tensors: numTensors,
    buffers: numDataBuffers,
    sessions: numSessions,
    threads: number("Threads"),
    mebibytes: number("VmRSS") / 1024,
  };
}

await main(async () => {
  const command = new Command("soak")
    .description("Trains for many steps and fails when tensors, sessions, threads or memory grow after the warm-up.")
    .option("--steps <number>", "steps of training", wholeNumber("--steps", 100), 10_000)
    .option("--engine <name>", "where tensors are computed", "onnx");
  const options = parse<{ steps: number; engine: string }>(command, process.argv);
  await startEngine(options.engine);
  const parameters = initParameters(CONFIG, 1);
  const random = makeRandom(1, "soak");
  const stream = Int32Array.from({ length: 4001 }, () => random.int(CONFIG.vocabSize));
  const samples: Sample[] = [];
  const interval = Math.ceil(options.steps / 20);
  console.log("    step  tensors  buffers  sessions  threads  resident MiB");
  await train(parameters, {
    lossFunction: pretrainLoss(CONFIG),
    steps: options.steps,
    tokensPerStep: 1,
    schedule: { maxLearningRate: 1e-4, minRatio: 1, warmupTokens: 0, totalTokens: 1 },
    optimizer: PAPER_ADAMW,
    batchAt: (step) => {
      const [B, T] = [random.pick(ROWS), random.pick(LENGTHS)];
      const rows = Array.from({ length: B }, (_, b) => pretrainingRow(stream, step * 31 + b * T, T));
      return microBatches(rows, 1 + random.int(2) * 3, batchOf, targetsOf); // row by row, or whole
    },
    onStep: (step) => {
      if ((step + 1) % interval !== 0) return;
      const now = sample(step + 1);
      samples.push(now);
      const cells = [now.step, now.tensors, now.buffers, now.sessions, now.threads, now.mebibytes.toFixed(1)];
      const widths = [8, 9, 9, 10, 9, 14];
      console.log(cells.map((cell, i) => `${cell}`.padStart(widths[i])).join(""));
    },
  });
  tf.dispose(parameters);
  const after = sample(options.steps);
  console.log(`after training: ${after.tensors} tensors, ${after.sessions} sessions, ${after.threads} threads`);

  const [warm, last] = [samples[Math.floor(samples.length / 4)], samples.at(-1)!];
  const grown = (["tensors", "buffers", "sessions", "threads"] as const)
    .filter((what) => last[what] > warm[what])
    .map((what) => `${what} ${warm[what]} -> ${last[what]}`);
  if (last.mebibytes > warm.mebibytes + SLACK_MIB)
    grown.push(`resident memory ${warm.mebibytes.toFixed(1)} -> ${last.mebibytes.toFixed(1)} MiB`);
  if (after.tensors > 0) grown.push(`${after.tensors} tensors are left`);
  if (grown.length > 0) {
    console.log(`GROWN between steps ${warm.step} and ${last.step}: ${grown.join("; ")}`);
    process.exitCode = 1;
  } else console.log(`nothing grew between steps ${warm.step} and ${last.step}`);
});

/**
 * @file One of our engines as a contender of bench/step.ts: the twin of bench/pytorch.py. The training loop of src/train
 * makes the steps, from the same weights and tokens by the same formula, so the losses must be the same.
 *
 *     npx tsx bench/contender.ts onnx A 5      5 warm-up steps, a line {"ready": true, ...}, then it serves stdin:
 *     run 20      -> {"steps": 20, "seconds": [one per step], "losses": [...], "grad_norms": [...]}
 *     quit
 *
 * A step is timed from its batch, ready as tensors, to the changed parameters, with loss and gradient norm read.
 */
import { readSync, writeSync } from "node:fs";
import * as tf from "@tensorflow/tfjs-core";
import { startEngine } from "../src/engine/engine.ts";
import type { Qwen2Config } from "../src/model/config.ts";
import { countParameters, parameterShapes } from "../src/model/init.ts";
import { batchOf } from "../src/train/batch.ts";
import { type StepMetrics, train } from "../src/train/loop.ts";
import { PAPER_ADAMW } from "../src/train/optimizer.ts";
import { pretrainLoss } from "../src/train/pretrain.ts";

/** As in pytorch.py, by the letters of engine.md's table. */
const CONFIGS: Record<
  string,
  { V: number; C: number; L: number; H: number; K: number; F: number; B: number; T: number }
> = {
  A: { V: 4096, C: 256, L: 4, H: 8, K: 2, F: 704, B: 8, T: 128 },
  B: { V: 2048, C: 128, L: 4, H: 4, K: 2, F: 352, B: 8, T: 128 },
  C: { V: 8192, C: 512, L: 6, H: 8, K: 2, F: 1408, B: 4, T: 256 },
};
const LEARNING_RATE = 1e-3;

const [engine, letter, warmup] = process.argv.slice(2);
const { V, C, L, H, K, F, B, T } = CONFIGS[letter];
const config: Qwen2Config = {
  vocabSize: V,
  hiddenSize: C,
  intermediateSize: F,
  numHiddenLayers: L,
  numAttentionHeads: H,
  numKeyValueHeads: K,
  maxPositionEmbeddings: T,
  rmsNormEps: 1e-6,
  ropeTheta: 1e6,
  tieWordEmbeddings: true,
  initializerRange: 0.02,
};

/** Numbers in [0, 1): lowbias32(fnv1a32(name) + i) / 2^32. */
function hashed(name: string, count: number): Float64Array {
  let seed = 0x811c9dc5;
  for (const byte of Buffer.from(name)) seed = Math.imul(seed ^ byte, 0x01000193);
  return Float64Array.from({ length: count }, (_, i) => {
    let x = (seed + i) | 0;
    x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
    x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
    return ((x ^ (x >>> 16)) >>> 0) / 2 ** 32;
  });
}

function makeParameter(name: string, shape: number[]): tf.Tensor {
  const around = name.includes("norm") ? 1 : 0;
  const u = hashed(
    name,
    shape.reduce((a, b) => a * b, 1),
  );
  return tf.tensor(
    Float32Array.from(u, (x) => around + 0.04 * (x - 0.5)),
    shape,
  );
}

/** A skewed distribution with something to learn. */
function makeBatch(step: number) {
  const ids = Int32Array.from(hashed(`tokens.${step}`, B * T), (u) => Math.floor(V * (u * u * u)));
  const positionIds = Int32Array.from({ length: T }, (_, t) => t);
  const rows = Array.from({ length: B }, (_, b) => {
    const inputIds = ids.subarray(b * T, (b + 1) * T);
    return { inputIds, labels: inputIds, documentIds: new Int32Array(T), positionIds };
  });
  return batchOf(rows);
}

const answer = (value: object) => writeSync(1, `${JSON.stringify(value)}\n`);

/** The next command of stdin: how many steps to make; leaves at `quit` or at the end. Blocks: nothing else is to do. */
function nextCommand(): number {
  const byte = Buffer.alloc(1);
  for (;;) {
    let line = "";
    while (readSync(0, byte) === 1 && byte[0] !== 10) line += byte.toString("latin1");
    const steps = /^run (\d+)$/.exec(line)?.[1];
    if (steps) return Number(steps);
    if (line === "quit" || line === "") process.exit(0);
    answer({ error: `unknown command '${line}'; expected 'run N' or 'quit'` });
  }
}

await startEngine(engine);
const parameters = Object.fromEntries(
  Object.entries(parameterShapes(config)).map(([name, shape]) => [name, makeParameter(name, shape)]),
);
const about = { contender: engine, config: letter, parameters: countParameters(config), tokens_per_step: B * T };

let ready = false;
let left = Number(warmup);
let start = 0;
let seconds: number[] = [];
let log: StepMetrics[] = [];
const result = () => ({
  steps: seconds.length,
  seconds,
  losses: log.map(({ loss }) => loss),
  grad_norms: log.map(({ grad_norm }) => grad_norm),
});

await train(parameters, {
  lossFunction: pretrainLoss(config),
  steps: Number.POSITIVE_INFINITY,
  tokensPerStep: B * T,
  schedule: { maxLearningRate: LEARNING_RATE, minRatio: 1, warmupTokens: 0, totalTokens: 1 },
  optimizer: PAPER_ADAMW,
  batchAt: (step) => {
    while (left === 0) {
      answer(ready ? result() : { ready: true, ...about, warmup: result() });
      ready = true;
      seconds = [];
      log = [];
      left = nextCommand();
    }
    left--;
    const batch = makeBatch(step);
    start = performance.now();
    return batch;
  },
  onStep: (_, __, metrics) => {
    seconds.push((performance.now() - start) / 1000);
    log.push(metrics);
  },
});

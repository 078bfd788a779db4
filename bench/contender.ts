/**
 * @file One of our engines as a contender of bench/step.ts: the twin of bench/pytorch.py. The training loop of src/train
 * makes the steps, from the same weights and tokens by the same formula, so the losses must be the same.
 *
 *     npx tsx bench/contender.ts onnx A 5      5 warm-up steps, a line {"ready": true, ...}, then it serves stdin:
 *     run 20      -> {"steps": 20, "seconds": [one per step], "losses": [...], "grad_norms": [...]}
 *     quit
 *
 * A fourth argument limits the warm-up to so many seconds, but one step. A step is timed from its batch, ready as
 * tensors, to the changed parameters, with loss and gradient norm read.
 */
import { startEngine } from "../src/engine/engine.ts";
import { countParameters } from "../src/model/init.ts";
import { batchOf } from "../src/train/batch.ts";
import { type StepMetrics, train } from "../src/train/loop.ts";
import { PAPER_ADAMW } from "../src/train/optimizer.ts";
import { pretrainLoss } from "../src/train/pretrain.ts";
import { CONFIGS, makeParameters, makeTokens } from "./configs.ts";
import { answer, nextCommand } from "./serve.ts";

const LEARNING_RATE = 1e-3; // as bench/pytorch.py

const [engine, letter, warmup, warmupSeconds = "Infinity"] = process.argv.slice(2);
const { model, batchSize, sequenceLength } = CONFIGS[letter];
const tokensPerStep = batchSize * sequenceLength;

function makeBatch(step: number) {
  const ids = makeTokens(`tokens.${step}`, tokensPerStep, model.vocabSize);
  const positionIds = Int32Array.from({ length: sequenceLength }, (_, t) => t);
  const rows = Array.from({ length: batchSize }, (_, b) => {
    const inputIds = ids.subarray(b * sequenceLength, (b + 1) * sequenceLength);
    return { inputIds, labels: inputIds, documentIds: new Int32Array(sequenceLength), positionIds };
  });
  return batchOf(rows);
}

await startEngine(engine);
const about = { contender: engine, parameters: countParameters(model), tokens_per_step: tokensPerStep };
const startOfWarmup = performance.now();
const warmupIsOver = () => performance.now() - startOfWarmup > Number(warmupSeconds) * 1000;

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

await train(makeParameters(model), {
  lossFunction: pretrainLoss(model),
  steps: Number.POSITIVE_INFINITY,
  tokensPerStep,
  schedule: { maxLearningRate: LEARNING_RATE, minRatio: 1, warmupTokens: 0, totalTokens: 1 },
  optimizer: PAPER_ADAMW,
  batchAt: (step) => {
    if (!ready && step > 0 && warmupIsOver()) left = 0;
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

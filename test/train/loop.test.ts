/**
 * @file The training loop: repeatable, leak-free, stoppable, and not to be poisoned by one bad step.
 */
import { readFileSync } from "node:fs";
import * as tf from "@tensorflow/tfjs-core";
import { beforeEach, describe, expect, test } from "vitest";
import { answerRow } from "../../src/data/chatRows.ts";
import { startEngine, type TensorMap } from "../../src/engine/engine.ts";
import { initParameters } from "../../src/model/init.ts";
import type { Parameters } from "../../src/model/qwen2.ts";
import { batchOf, microBatches, targetsOf } from "../../src/train/batch.ts";
import { type StepMetrics, type TrainOptions, train } from "../../src/train/loop.ts";
import { PAPER_ADAMW } from "../../src/train/optimizer.ts";
import { pretrainLoss } from "../../src/train/pretrain.ts";
import { UserError } from "../../src/util/assert.ts";
import { ENGINES } from "../engines.ts";
import { constant, pretrainingBatch, randomIds, snapshot, TINY } from "./tiny.ts";

const TOKENS = 2 * 16; // per step
const recipe: Omit<TrainOptions, "steps"> = {
  lossFunction: pretrainLoss(TINY),
  tokensPerStep: TOKENS,
  batchAt: (step) => pretrainingBatch(step),
  schedule: { maxLearningRate: 3e-3, minRatio: 0.1, warmupTokens: 4 * TOKENS, totalTokens: 20 * TOKENS },
  optimizer: PAPER_ADAMW,
};

/** Trains fresh parameters of a seed; what was logged, and the parameters' values at the end. */
async function run(steps: number, options: Partial<TrainOptions> = {}, seed = 1) {
  const parameters = initParameters(TINY, seed);
  const log: StepMetrics[] = [];
  const done = await train(parameters, { ...recipe, steps, onStep: (_, __, metrics) => log.push(metrics), ...options });
  const values = snapshot(parameters);
  tf.dispose(parameters);
  return { done, log, values, losses: log.map(({ loss }) => loss) };
}

/** The pretraining loss times the batch's `scale`, which may be NaN. */
const scaled: TrainOptions["lossFunction"] = (parameters, { scale, ...batch }) => ({
  loss: tf.mul(pretrainLoss(TINY)(parameters, batch).loss, scale) as tf.Scalar,
});
const scaledBatch = (step: number, scale: number): TensorMap => ({
  ...pretrainingBatch(step),
  scale: tf.scalar(scale),
});

describe("on the onnx engine", () => {
  beforeEach(async () => {
    await startEngine("onnx");
  });

  test("the same seed gives the same losses, norms and parameters, bit for bit", async () => {
    const [a, b] = [await run(20), await run(20)];
    expect(a.log).toHaveLength(20);
    expect(b.log).toEqual(a.log);
    expect(b.values).toEqual(a.values);
    expect(a.losses[19]).toBeLessThan(a.losses[0]);
    expect((await run(1, {}, 2)).losses[0]).not.toBe(a.losses[0]);
  });

  test("logs the learning rate after the tokens of the step, whatever the batch size", async () => {
    const whole = await run(4);
    expect(whole.log.map(({ learning_rate }) => learning_rate)).toBeAllClose([0.75e-3, 1.5e-3, 2.25e-3, 3e-3], {
      rtol: 1e-12,
    });
    const seen: number[] = [];
    const half = await run(8, {
      tokensPerStep: TOKENS / 2,
      batchAt: (step) => pretrainingBatch(step, 1),
      onStep: (_, tokens, metrics) => seen.push(tokens, metrics.learning_rate),
    });
    expect(half.done).toBe(8);
    const rateAfter = (tokens: number) => seen[seen.indexOf(tokens) + 1];
    expect(rateAfter(2 * TOKENS)).toBe(whole.log[1].learning_rate);
    expect(rateAfter(4 * TOKENS)).toBe(whole.log[3].learning_rate);
  });

  test("200 steps leave no tensor behind", async () => {
    const parameters = initParameters(TINY, 1);
    const before = tf.memory();
    const during: number[] = [];
    await train(parameters, { ...recipe, steps: 200, onStep: () => during.push(tf.memory().numTensors) });
    expect(new Set(during).size).toBe(1);
    expect(tf.memory().numTensors).toBe(before.numTensors);
    expect(tf.memory().numDataBuffers).toBe(before.numDataBuffers);
    tf.dispose(parameters);
  });
});

test("200 steps of changing shapes: tensors, sessions and threads stop growing (npm run soak makes 10,000)", async () => {
  await startEngine("onnx");
  const parameters = initParameters(TINY, 1);
  const shapes = [
    [1, 8],
    [2, 16],
    [3, 12],
  ];
  const threads = () =>
    process.platform === "linux" ? Number(/Threads:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))![1]) : 0;
  const count = () => {
    const { numTensors, numSessions } = tf.memory() as tf.MemoryInfo & { numSessions: number };
    return { numTensors, numSessions };
  };
  const before = count();
  const seen: (ReturnType<typeof count> & { threads: number })[] = [];
  await train(parameters, {
    ...recipe,
    steps: 200,
    batchAt: (step) => {
      const [B, T] = shapes[step % 3];
      return step % 2 ? pretrainingBatch(step, B, T) : [pretrainingBatch(step, B, T), pretrainingBatch(step, 1, T)];
    },
    onStep: () => seen.push({ ...count(), threads: threads() }),
  });
  const [warm, last] = [seen[20], seen[199]];
  expect(warm.numSessions).toBeGreaterThan(before.numSessions + 5);
  expect([last.numTensors, last.numSessions]).toEqual([warm.numTensors, warm.numSessions]);
  expect(last.threads).toBeLessThanOrEqual(warm.threads + 4); // Node's own pool of four starts when it likes
  expect(count()).toEqual(before);
  tf.dispose(parameters);
});

describe.each(ENGINES)("engine %s", (engine) => {
  beforeEach(async () => {
    await startEngine(engine);
  });

  test("an abort lets the step in progress finish and stops; the parameters stay usable", async () => {
    const controller = new AbortController();
    const { log, ...whole } = await run(4);
    const stopped = await run(9, { signal: controller.signal, onStep: (step) => step === 3 && controller.abort() });
    expect([whole.done, stopped.done]).toEqual([4, 4]);
    expect(stopped.values).toEqual(whole.values);
    expect((await run(9, { signal: controller.signal })).done).toBe(0);
  });

  test("a step with a NaN gradient is skipped and counted, and leaves parameters and moments as they were", async () => {
    const options = { lossFunction: scaled, schedule: constant(1e-3) };
    const clean = await run(4, { ...options, batchAt: (step) => scaledBatch(step, 1) });
    const order = [0, 1, -1, 2, 3]; // -1: the bad one
    const batchAt = (step: number) => scaledBatch(Math.max(0, order[step]), order[step] < 0 ? Number.NaN : 1);
    const between: Record<string, Float32Array>[] = [];
    const parameters: Parameters = initParameters(TINY, 1);
    const log: StepMetrics[] = [];
    const said: (string | undefined)[] = [];
    await train(parameters, {
      ...recipe,
      ...options,
      steps: 5,
      batchAt,
      onStep: (_, __, metrics, skipped) => {
        log.push(metrics);
        said.push(skipped);
        between.push(snapshot(parameters));
      },
    });
    expect(log.map(({ skipped_steps }) => skipped_steps)).toEqual([undefined, undefined, 1, undefined, undefined]);
    const why = "step 2: the gradient of model.embed_tokens.weight holds NaN";
    expect(said).toEqual([undefined, undefined, why, undefined, undefined]);
    expect([log[2].loss, log[2].grad_norm]).toEqual([Number.NaN, Number.NaN]);
    expect(between[2]).toEqual(between[1]);
    expect(snapshot(parameters)).toEqual(clean.values); // as if it had not been there
    tf.dispose(parameters);
  });

  test("a batch without a single label is such a step too, in parts as well", async () => {
    const nothing = answerRow(randomIds(5, "prompt"), [], 16, 0);
    const steps: [StepMetrics, string | undefined][] = [];
    const { values } = await run(2, {
      batchAt: (step) => microBatches([nothing, nothing], 2 - step, batchOf, targetsOf),
      onStep: (_, __, metrics, skipped) => steps.push([metrics, skipped]),
    });
    expect(steps.map(([, why]) => why)).toEqual([0, 1].map((i) => `step ${i}: every label of its batch is ignored`));
    expect(steps.map(([{ loss, grad_norm, skipped_steps }]) => [Math.abs(loss), grad_norm, skipped_steps])).toEqual([
      [0, 0, 1],
      [0, 0, 2],
    ]);
    const fresh = initParameters(TINY, 1);
    expect(values).toEqual(snapshot(fresh));
    tf.dispose(fresh);
  });

  test("names the first parameter whose gradient is not finite", async () => {
    const name = "model.layers.1.self_attn.q_proj.bias";
    const said: (string | undefined)[] = [];
    await run(1, {
      lossFunction: (parameters, batch) => {
        const { loss } = pretrainLoss(TINY)(parameters, batch);
        return { loss: tf.add(loss, tf.mul(tf.sum(parameters[name]), Number.POSITIVE_INFINITY)) as tf.Scalar };
      },
      onStep: (_, __, ___, skipped) => said.push(skipped),
    });
    expect(said).toEqual([`step 0: the gradient of ${name} holds Infinity`]);
  });

  test("stops at the first such step when asked to, with the parameters of the step before", async () => {
    const options = { lossFunction: scaled, schedule: constant(1e-3) };
    const clean = await run(2, { ...options, batchAt: (step) => scaledBatch(step, 1) });
    const parameters = initParameters(TINY, 1);
    const before = tf.memory().numTensors;
    const error = await train(parameters, {
      ...recipe,
      ...options,
      steps: 5,
      onNonFinite: "stop",
      batchAt: (step) => scaledBatch(step, step === 2 ? Number.POSITIVE_INFINITY : 1),
    }).catch((e) => e);
    expect(error).toBeInstanceOf(UserError);
    expect(error.message).toMatch(/^step 2: the gradient of model.embed_tokens.weight holds \S+; training stopped/);
    expect(tf.memory().numTensors).toBe(before);
    expect(snapshot(parameters)).toEqual(clean.values);
    tf.dispose(parameters);
  });

  test("a step that fails in the engine leaves nothing behind, and training goes on from there", async () => {
    const parameters = initParameters(TINY, 1);
    const before = tf.memory().numTensors;
    const lossFunction: TrainOptions["lossFunction"] = (weights, { broken, ...batch }) => {
      if (broken) tf.matMul(weights["model.embed_tokens.weight"], tf.zeros([3, 3])); // [V, C] · [3, 3]
      return pretrainLoss(TINY)(weights, batch);
    };
    const batchAt = (step: number): TensorMap =>
      step === 2 ? { ...pretrainingBatch(step), broken: tf.scalar(1) } : pretrainingBatch(step);
    await expect(train(parameters, { ...recipe, lossFunction, steps: 5, batchAt })).rejects.toThrow(/matmul/i);
    expect(tf.memory().numTensors).toBe(before);
    const clean = await run(2);
    expect(snapshot(parameters)).toEqual(clean.values);
    expect(await train(parameters, { ...recipe, lossFunction, steps: 2 })).toBe(2);
    expect(tf.memory().numTensors).toBe(before);
    tf.dispose(parameters);
  });

  test("more than ten such steps stop with what to do, and leave nothing behind", async () => {
    const parameters = initParameters(TINY, 1);
    const before = tf.memory().numTensors;
    const steps: number[] = [];
    const training = train(parameters, {
      ...recipe,
      lossFunction: scaled,
      steps: 50,
      batchAt: (step) => scaledBatch(step, Number.NaN),
      onStep: (step) => steps.push(step),
    });
    const error = await training.catch((e) => e);
    expect(error).toBeInstanceOf(UserError); // one line and exit code 2
    expect(error.message).toBe(
      "training diverged: 11 steps skipped; step 10: the gradient of model.embed_tokens.weight holds NaN; lower the learning rate",
    );
    expect(steps).toHaveLength(10);
    expect(tf.memory().numTensors).toBe(before);
    tf.dispose(parameters);
  });
});

test("the engines agree on five losses and gradient norms within 1e-4", async () => {
  const results: Record<string, StepMetrics[]> = {};
  for (const engine of ["cpu", ...ENGINES.filter((name) => name !== "cpu")]) {
    await startEngine(engine);
    const before = tf.memory().numTensors;
    results[engine] = (await run(5)).log;
    expect(tf.memory().numTensors, engine).toBe(before);
  }
  const column = (engine: string, key: string) => results[engine].map((metrics) => metrics[key]);
  for (const engine of ENGINES)
    for (const key of ["loss", "grad_norm", "learning_rate"])
      expect(column(engine, key), `${engine} ${key}`).toBeAllClose(column("cpu", key), { atol: 1e-4 });
});

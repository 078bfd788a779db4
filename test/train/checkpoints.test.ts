/**
 * @file Checkpoints inside a run: whoever stops it, it goes on as if nothing had happened, bit for bit; and nothing that
 * is damaged, foreign or of other settings is ever loaded.
 */
import { appendFileSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { startEngine } from "../../src/engine/engine.ts";
import { saveModel } from "../../src/model/checkpoint.ts";
import { initParameters } from "../../src/model/init.ts";
import { makeCheckpoints, newestCheckpoint } from "../../src/train/checkpoints.ts";
import { type TrainOptions, train } from "../../src/train/loop.ts";
import { PAPER_ADAMW } from "../../src/train/optimizer.ts";
import { pretrainLoss } from "../../src/train/pretrain.ts";
import { makeRandom } from "../../src/util/random.ts";
import { ENGINES } from "../engines.ts";
import { contents, quickFolder } from "./contents.ts";
import { pretrainingBatch, TINY } from "./tiny.ts";

const config = { ...TINY, numHiddenLayers: 1 };
const root = quickFolder("marco-checkpoints-");
afterAll(() => rmSync(root, { recursive: true }));
let folders = 0;
const newFolder = () => join(root, String(folders++));

describe.each(ENGINES)("engine %s", (engine) => {
  beforeEach(async () => {
    await startEngine(engine);
  });

  /** Trains to `steps` in a run folder; batches are drawn from a random stream, and that of step 2 is not finite. */
  async function run(folder: string, steps: number, { stopAfter }: { stopAfter?: number } = {}) {
    mkdirSync(folder, { recursive: true });
    const parameters = initParameters(config, 1);
    const random = makeRandom(5, "batches");
    const log = join(folder, "metrics.jsonl");
    const controller = new AbortController();
    const checkpoints = makeCheckpoints({
      folder,
      everySteps: 2,
      keep: 2,
      resume: newestCheckpoint(folder),
      settings: { seed: 1 },
      saveModel: (path) => saveModel(path, parameters, config, 0),
      stateful: { random },
      logs: [log],
    });
    const options: TrainOptions = {
      lossFunction: (weights, { scale, ...batch }) => ({
        loss: tf.mul(pretrainLoss(config)(weights, batch).loss, scale) as tf.Scalar,
      }),
      steps,
      tokensPerStep: 8,
      batchAt: (step) => ({ ...pretrainingBatch(random.int(50), 1, 8), scale: tf.scalar(step === 2 ? Number.NaN : 1) }),
      schedule: { maxLearningRate: 3e-3, minRatio: 0.1, warmupTokens: 16, totalTokens: 64 },
      optimizer: PAPER_ADAMW,
      signal: controller.signal,
      checkpoints,
      onStep: (step, tokens, metrics) => {
        appendFileSync(log, `${JSON.stringify({ step, tokens, ...metrics })}\n`);
        if (step + 1 === stopAfter) controller.abort();
      },
    };
    const before = tf.memory().numTensors;
    const done = await train(parameters, options);
    expect(tf.memory().numTensors).toBe(before);
    tf.dispose(parameters);
    return done;
  }

  test("train(2n) is train(n), save, load and train(n): weights, moments, log and random stream, bit for bit", async () => {
    const [whole, stopped] = [newFolder(), newFolder()];
    expect(await run(whole, 6)).toBe(6);
    expect(await run(stopped, 3)).toBe(3); // after the skipped step
    appendFileSync(join(stopped, "metrics.jsonl"), '{"step":3}\n{"step"'); // written after the checkpoint, and torn
    expect(await run(stopped, 6)).toBe(6);
    const want = contents(whole);
    const files = ["SHA256SUMS", "config.json", "generation_config.json", "model.safetensors"];
    const all = ["4", "6"].flatMap((step) =>
      [...files, "optimizer.safetensors", "trainer_state.json"].map((name) => `/checkpoint-${step}/${name}`),
    );
    expect(Object.keys(want)).toEqual([...all, "/logs.json", "/metrics.jsonl"]);
    expect(want["/metrics.jsonl"].split("\n")).toHaveLength(7);
    const got = contents(stopped);
    expect(Object.keys(got)).toEqual(Object.keys(want));
    for (const [name, bytes] of Object.entries(want)) expect(got[name] === bytes, name).toBe(true);
  });
});

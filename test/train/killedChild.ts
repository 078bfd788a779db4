/**
 * @file The program that killed.test.ts stops and kills: trains a tiny model in a run folder with a checkpoint after
 * each step, goes on where it was, and says where it is.
 *
 *     node killedChild.js FOLDER STEPS KEEP
 */
import { appendFileSync, mkdirSync, writeSync } from "node:fs";
import { join } from "node:path";
import { main } from "../../src/cli/options.ts";
import { startEngine } from "../../src/engine/engine.ts";
import { saveModel } from "../../src/model/checkpoint.ts";
import { initParameters } from "../../src/model/init.ts";
import { makeCheckpoints, newestCheckpoint } from "../../src/train/checkpoints.ts";
import { train } from "../../src/train/loop.ts";
import { PAPER_ADAMW } from "../../src/train/optimizer.ts";
import { pretrainLoss } from "../../src/train/pretrain.ts";
import { makeRandom } from "../../src/util/random.ts";
import { pretrainingBatch, TINY } from "./tiny.ts";

const [folder, steps, keep] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const config = { ...TINY, numHiddenLayers: 1 };
const say = (text: string) => writeSync(1, `${text}\n`);

await main(async () => {
  await startEngine("cpu");
  mkdirSync(folder, { recursive: true });
  const interrupt = new AbortController();
  process.once("SIGINT", () => interrupt.abort());
  const parameters = initParameters(config, 1);
  const random = makeRandom(5, "batches");
  const log = join(folder, "metrics.jsonl");
  say("start");
  const done = await train(parameters, {
    lossFunction: pretrainLoss(config),
    steps,
    tokensPerStep: 8,
    batchAt: () => pretrainingBatch(random.int(50), 1, 8),
    schedule: { maxLearningRate: 3e-3, minRatio: 0.1, warmupTokens: 16, totalTokens: 8 * steps },
    optimizer: PAPER_ADAMW,
    signal: interrupt.signal,
    onStep: (step, tokens, metrics) => appendFileSync(log, `${JSON.stringify({ step, tokens, ...metrics })}\n`),
    checkpoints: makeCheckpoints({
      folder,
      everySteps: 1,
      keep,
      resume: newestCheckpoint(folder),
      settings: { seed: 1 },
      saveModel: async (path) => {
        say("save");
        await saveModel(path, parameters, config, 0);
      },
      stateful: { random },
      logs: [log],
    }),
  });
  if (done < steps) process.exit(130);
  await saveModel(join(folder, "final"), parameters, config, 0);
});

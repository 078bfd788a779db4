/**
 * @file What the page trains: a small Qwen2 on the bytes of a short text, the same everywhere for a seed. `npm run
 * check:browser` compares a browser's losses with Node's.
 */
import * as tf from "@tensorflow/tfjs-core";
import { pretrainingRow } from "../../src/data/pack.ts";
import type { Qwen2Config } from "../../src/model/config.ts";
import { initParameters } from "../../src/model/init.ts";
import { batchOf } from "../../src/train/batch.ts";
import { type TrainOptions, train } from "../../src/train/loop.ts";
import { PAPER_ADAMW } from "../../src/train/optimizer.ts";
import { pretrainLoss } from "../../src/train/pretrain.ts";
import { makeRandom } from "../../src/util/random.ts";

export const CONFIG: Qwen2Config = {
  vocabSize: 256, // bytes
  hiddenSize: 64,
  intermediateSize: 176,
  numHiddenLayers: 2,
  numAttentionHeads: 4,
  numKeyValueHeads: 2,
  maxPositionEmbeddings: 64,
  rmsNormEps: 1e-6,
  ropeTheta: 1e4,
  tieWordEmbeddings: true,
  initializerRange: 0.02,
};

/** Article 1 of the Universal Declaration of Human Rights. */
export const TEXT = `\
All human beings are born free and equal in dignity and rights. They are endowed with reason and conscience and should act towards one another in a spirit of brotherhood.
Tous les êtres humains naissent libres et égaux en dignité et en droits. Ils sont doués de raison et de conscience et doivent agir les uns envers les autres dans un esprit de fraternité.
Todos los seres humanos nacen libres e iguales en dignidad y derechos y, dotados como están de razón y conciencia, deben comportarse fraternalmente los unos con los otros.
人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心，并应以兄弟关系的精神相对待。
`;

export const ROWS = 4;
export const ROW_TOKENS = 64;

/** Trains a fresh model from `seed`; `onStep` gets the loss in nats per byte. */
export async function run(seed: number, steps: number, onStep: (step: number, loss: number) => void): Promise<void> {
  const stream = Int32Array.from(new TextEncoder().encode(TEXT));
  const random = makeRandom(seed, "rows");
  const tokensPerStep = ROWS * ROW_TOKENS;
  const row = () => pretrainingRow(stream, random.int(stream.length), ROW_TOKENS);
  const options: TrainOptions = {
    lossFunction: pretrainLoss(CONFIG),
    steps,
    tokensPerStep,
    batchAt: () => batchOf(Array.from({ length: ROWS }, row)),
    schedule: {
      maxLearningRate: 1e-2,
      minRatio: 1,
      warmupTokens: 5 * tokensPerStep,
      totalTokens: steps * tokensPerStep,
    },
    optimizer: PAPER_ADAMW,
    onStep: (step, _, metrics) => onStep(step, metrics.loss),
  };
  const parameters = initParameters(CONFIG, seed);
  try {
    await train(parameters, options);
  } finally {
    tf.dispose(parameters);
  }
}

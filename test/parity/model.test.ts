/**
 * @file Whole training steps on every engine against the float64 oracle: random shapes, several documents in a row,
 * padding, rows without a target; loss, every gradient, clipping norm, every parameter after AdamW.
 */
import * as tf from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Qwen2Config } from "../../src/model/config.ts";
import { makeInference } from "../../src/model/inference.ts";
import { parameterShapes } from "../../src/model/init.ts";
import { dpoLoss } from "../../src/train/dpo.ts";
import { train } from "../../src/train/loop.ts";
import { PAPER_ADAMW } from "../../src/train/optimizer.ts";
import { pretrainLoss } from "../../src/train/pretrain.ts";
import { sftLoss } from "../../src/train/sft.ts";
import { makeRandom } from "../../src/util/random.ts";
import { cachedLogits } from "./cachedLogits.ts";
import { forAll, size } from "./check.ts";
import { onEveryEngine } from "./engines.ts";
import { measure, tensorsOf } from "./measure.ts";
import { read } from "./read.ts";
import {
  type Arrays64,
  type Batch,
  crossEntropy,
  dpo,
  type LossOf,
  lossAndGradients,
  train64,
} from "./referenceModel.ts";
import { expectClose, TOLERANCE } from "./tolerances.ts";

const { float32 } = TOLERANCE;

const SMALL: Qwen2Config = {
  ...{ vocabSize: 29, hiddenSize: 12, intermediateSize: 17, numHiddenLayers: 2 },
  ...{ numAttentionHeads: 6, numKeyValueHeads: 2, maxPositionEmbeddings: 64 },
  ...{ rmsNormEps: 1e-6, ropeTheta: 1e4, tieWordEmbeddings: true, initializerRange: 0.02 },
};

/** Documents of 4 and 8 tokens, and one of 12. */
const TWO_ROWS = {
  positionIds: [...[0, 1, 2, 3, 0, 1, 2, 3, 4, 5, 6, 7], ...[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]],
  documentIds: Array.from({ length: 24 }, (_, i) => (i < 4 ? 1 : i < 12 ? 2 : 3)),
};

const OPTIONS: Record<string, Qwen2Config> = {
  "untied head, heads wider than the model": { ...SMALL, tieWordEmbeddings: false, headDim: 4 },
  YaRN: {
    ...SMALL,
    headDim: 8,
    ropeScaling: { factor: 4, originalMaxPositionEmbeddings: 16, betaFast: 2, betaSlow: 0.5, truncate: true },
  },
  "sliding window": { ...SMALL, slidingWindow: 3, layerTypes: ["full_attention", "sliding_attention"] },
  "dual chunks": { ...SMALL, dualChunkAttention: { chunkSize: 5, localSize: 2 } },
};

/** Every tensor random, also biases and norms: what is 0 or 1 hides mistakes. Float32 values. */
function randomParameters(config: Qwen2Config, seed: number): Arrays64 {
  const make = (name: string, shape: number[]) => {
    const random = makeRandom(seed, name);
    const scale = shape.length === 2 ? 1 / Math.sqrt(shape[1]) : 0.2;
    const length = tf.util.sizeFromShape(shape);
    const offset = name.endsWith("norm.weight") ? 1 : 0;
    return Float64Array.from({ length }, () => Math.fround(offset + scale * random.normal()));
  };
  return Object.fromEntries(Object.entries(parameterShapes(config)).map(([name, shape]) => [name, make(name, shape)]));
}

const tensors = (parameters: Arrays64, config: Qwen2Config) =>
  Object.fromEntries(
    Object.entries(parameterShapes(config)).map(([name, shape]) => [
      name,
      tf.tensor(Float32Array.from(parameters[name]), shape),
    ]),
  );

/**
 * Rows as `packExamples` makes them: documents 1, 2, ... of random lengths side by side, positions from 0 in each, then
 * padding, which is document 0 and has no labels. A third of the other labels is masked; row 0 has no target at all
 * when there is another one.
 */
function randomBatch(B: number, T: number, config: Qwen2Config, seed: number): Batch {
  const random = makeRandom(seed, "batch");
  const batch: Batch = { B, T, inputIds: [], labels: [], positionIds: [], documentIds: [] };
  for (let b = 0; b < B; b++) {
    const used = T - random.int(Math.ceil(T / 3));
    let [document, position] = [1, 0];
    for (let t = 0; t < T; t++) {
      if (t === used || (t < used && position > 0 && random.int(4) === 0)) {
        document++;
        position = 0;
      }
      const id = random.int(config.vocabSize);
      const masked = t >= used || random.int(3) === 0 || (b === 0 && B > 1);
      batch.inputIds.push(id);
      batch.labels.push(masked && !(b === B - 1 && t === 1) ? -100 : id); // one label is always there
      batch.positionIds.push(position++);
      batch.documentIds.push(t < used ? document : 0);
    }
  }
  return batch;
}

onEveryEngine(() => {
  test("random shapes: the loss and every gradient", () =>
    forAll(
      {
        ...{ B: size(3), T: size(9, 2), K: size(2), G: size(3), half: size(3) },
        ...{ F: size(9), V: size(37, 2), layers: size(2), tied: fc.boolean() },
      },
      async ({ B, T, K, G, half, F, V, layers, tied }, seed) => {
        const config: Qwen2Config = {
          ...{ ...SMALL, vocabSize: V, hiddenSize: K * G * half * 2, intermediateSize: F, numHiddenLayers: layers },
          ...{ numAttentionHeads: K * G, numKeyValueHeads: K, tieWordEmbeddings: tied },
        };
        const parameters = randomParameters(config, seed);
        const batch = randomBatch(B, T, config, seed);
        const expected = lossAndGradients(parameters, config, batch, crossEntropy);
        const before = tf.memory().numTensors;
        const inputs = tensors(parameters, config);
        const { metrics, gradients } = await measure(pretrainLoss(config), inputs, tensorsOf(batch));
        tf.dispose(inputs);
        expect(tf.memory().numTensors, "tensors left").toBe(before);
        expectClose([metrics.loss], [expected.loss], float32.model, "loss");
        for (const [name, gradient] of Object.entries(expected.gradients))
          expectClose(gradients[name], gradient, float32.training, name);
      },
      8,
    ));

  describe.each(Object.entries(OPTIONS))("%s", (_, config) => {
    const parameters = randomParameters(config, 5);
    const batch = { ...randomBatch(2, 12, config, 5), ...TWO_ROWS };
    const expected = lossAndGradients(parameters, config, batch, crossEntropy);

    test.each([false, true])("the loss and every gradient, checkpointing: %s", async (gradientCheckpointing) => {
      const inputs = tensors(parameters, config);
      const loss = pretrainLoss(config, { gradientCheckpointing });
      const { metrics, gradients } = await measure(loss, inputs, tensorsOf(batch));
      tf.dispose(inputs);
      expectClose([metrics.loss], [expected.loss], float32.model, "loss");
      for (const [name, gradient] of Object.entries(expected.gradients))
        expectClose(gradients[name], gradient, float32.training, name);
    });

    test("token by token with the cache, or several at once: the logits of the whole", async () => {
      const inputIds = batch.inputIds;
      const whole = { ...batch, positionIds: inputIds.map((_, i) => i % 12), documentIds: inputIds.map(() => 0) };
      const { logits } = lossAndGradients(parameters, config, whole, crossEntropy);
      const inputs = tensors(parameters, config);
      const cached = await cachedLogits(inputs, config, { B: 2, T: 12, inputIds }, [5, 3, 1, 1, 2]);
      tf.dispose(inputs);
      expectClose(cached, logits, float32.model, "logits");
    });
  });

  const BETA = 0.3;
  const [chosen, rejected] = [
    [-20, -31],
    [-25, -28],
  ];
  const references = () => ({ referenceChosen: tf.tensor1d(chosen), referenceRejected: tf.tensor1d(rejected) });
  test.each([
    { what: "pretraining", lossFunction: pretrainLoss(SMALL), lossOf: crossEntropy, more: () => ({}), clip: 1 },
    { what: "pretraining, nothing clipped", lossFunction: pretrainLoss(SMALL), lossOf: crossEntropy, clip: 1e3 },
    { what: "SFT", lossFunction: sftLoss(SMALL), lossOf: crossEntropy, clip: 0.5 },
    {
      what: "DPO",
      lossFunction: dpoLoss(SMALL, { lossType: "sigmoid", beta: BETA }),
      lossOf: dpo(chosen, rejected, BETA),
      more: references,
      clip: 0.2,
    },
  ])("$what: three steps of the compiled loop: losses, norms and every parameter", async (one) => {
    const { lossFunction, lossOf, more, clip, what } = one;
    const initial = randomParameters(SMALL, 1);
    const batchAt = (step: number) => {
      const batch = randomBatch(4, 11, SMALL, step);
      // DPO's rows are one document each; pretraining's have every label
      if (what !== "SFT") batch.documentIds.fill(0);
      return what.startsWith("pretraining") ? { ...batch, labels: batch.inputIds } : batch;
    };
    // with the usual 1e-8 Adam makes a full-size step of a gradient that is nothing but rounding
    const optimizer = { ...PAPER_ADAMW, epsilon: 1e-3, weightDecay: 0.5, maxGradNorm: clip };
    const learningRate = 0.02;
    const steps = [0, 1, 2].map((step) => ({ batch: batchAt(step), lossOf: lossOf as LossOf, learningRate }));
    const shapes = parameterShapes(SMALL);
    const expected = train64(initial, SMALL, (name) => shapes[name].length === 2, steps, optimizer);
    for (const norm of expected.norms) expect(norm > clip, `norm ${norm}`).toBe(clip < 1e3);

    const before = tf.memory().numTensors;
    const parameters = tensors(initial, SMALL);
    const got: { loss: number; norm: number }[] = [];
    await train(parameters, {
      ...{ lossFunction, steps: 3, tokensPerStep: 1, optimizer },
      batchAt: (step) => ({ ...tensorsOf(batchAt(step)), ...more?.() }),
      schedule: { maxLearningRate: learningRate, minRatio: 1, warmupTokens: 0, totalTokens: 1e9 },
      onStep: (_, __, { loss, grad_norm }) => got.push({ loss, norm: grad_norm }),
    });
    const values = await read(parameters);
    expect(tf.memory().numTensors, "tensors left").toBe(before);
    expectClose(
      got.map(({ loss }) => loss),
      expected.losses,
      float32.model,
      "losses",
    );
    expectClose(
      got.map(({ norm }) => norm),
      expected.norms,
      float32.training,
      "norms",
    );
    for (const [name, p] of Object.entries(expected.parameters)) expectClose(values[name], p, float32.training, name);
  });

  test("greedy generation takes the oracle's best token each time, prompts of different lengths side by side", async () => {
    const parameters = randomParameters(SMALL, 3);
    const inputs = tensors(parameters, SMALL);
    const prompts = [[5], [1, 2, 3, 4, 5, 6, 7], [28, 0, 28]];
    const answers = await makeInference(SMALL, 16, 0).generate(inputs, prompts, { maxNewTokens: 9, stopIds: [] });
    tf.dispose(inputs);
    prompts.forEach((prompt, i) => {
      const ids = [...prompt, ...answers[i]];
      const T = ids.length;
      const positionIds = ids.map((_, t) => t);
      const batch = { B: 1, T, inputIds: ids, labels: ids, positionIds, documentIds: ids.map(() => 0) };
      const { logits } = lossAndGradients(parameters, SMALL, batch, crossEntropy);
      const V = SMALL.vocabSize;
      const best = answers[i].map((_, n) => {
        const row = logits.subarray((prompt.length + n - 1) * V, (prompt.length + n) * V);
        return row.indexOf(Math.max(...row));
      });
      expect(answers[i]).toEqual(best);
      expect(answers[i]).toHaveLength(9);
    });
  });
});

test.each(Object.entries(OPTIONS).slice(1))("%s is another function than without it", (_, config) => {
  const { ropeScaling, slidingWindow, layerTypes, dualChunkAttention, ...plain } = config;
  const parameters = randomParameters(config, 5);
  const batch = { ...randomBatch(2, 12, config, 5), ...TWO_ROWS };
  const [one, other] = [config, plain].map((c) => lossAndGradients(parameters, c, batch, crossEntropy).loss);
  expect(Math.abs(one - other)).toBeGreaterThan(1e-3);
});

test("dual chunks are ordinary attention while one chunk is enough", () => {
  const parameters = randomParameters(SMALL, 6);
  const batch = { ...randomBatch(2, 12, SMALL, 6), ...TWO_ROWS };
  const dual = { ...SMALL, dualChunkAttention: { chunkSize: 16, localSize: 4 } }; // chunks of 12
  const [one, other] = [SMALL, dual].map((c) => lossAndGradients(parameters, c, batch, crossEntropy));
  expectClose(other.logits, one.logits, 1e-14, "logits");
});

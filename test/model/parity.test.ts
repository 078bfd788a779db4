/**
 * @file Parity with Hugging Face's Qwen2ForCausalLM on two tiny random models, on every engine. The golden numbers are
 * from test/fixtures/qwen2/make.py (versions in its header).
 */
import { readFileSync } from "node:fs";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { ENGINES, startEngine } from "../../src/engine/engine.ts";
import { loadModel, readSafetensors } from "../../src/model/checkpoint.ts";
import { makeInference } from "../../src/model/generate.ts";
import { parameterShapes } from "../../src/model/init.ts";
import { decoder, labelLogprobs, logits, type Parameters } from "../../src/model/qwen2.ts";
import { causalMask } from "../../src/ops/attention.ts";
import { dpoLoss } from "../../src/train/dpo.ts";
import type { LossFunction } from "../../src/train/loop.ts";
import { train } from "../../src/train/loop.ts";
import { PAPER_ADAMW } from "../../src/train/optimizer.ts";
import { pretrainLoss } from "../../src/train/pretrain.ts";
import { sftLoss } from "../../src/train/sft.ts";

const int32 = (values: number[][]) => tf.tensor2d(values, undefined, "int32");

/** Largest gradient difference as a fraction of that tensor's largest gradient, over all parameters. */
function worstGradient(lossFunction: LossFunction, parameters: Parameters, batch: tf.NamedTensorMap, file: string) {
  const names = Object.keys(parameters);
  const { value, grads } = tf.valueAndGrads(
    (...values: tf.Tensor[]) => lossFunction(Object.fromEntries(names.map((name, i) => [name, values[i]])), batch).loss,
  )(Object.values(parameters));
  const golden = readSafetensors(file);
  expect(Object.keys(golden).sort()).toEqual([...names].sort());
  const worst = names.map((name, i) => {
    const expected = golden[name].data;
    const scale = expected.reduce((max, x) => Math.max(max, Math.abs(x)), 0);
    const actual = grads[i].dataSync();
    return expected.reduce((max, x, j) => Math.max(max, Math.abs(actual[j] - x)), 0) / scale;
  });
  return { loss: value.dataSync()[0], worst: Math.max(...worst) };
}

describe.each(ENGINES)("engine %s", (engine) => {
  describe.each(["tied", "untied"])("%s model", (name) => {
    const directory = `test/fixtures/qwen2/${name}`;
    const golden = JSON.parse(readFileSync(`${directory}/golden.json`, "utf8"));
    let model: ReturnType<typeof loadModel>;
    const batch = (part: {
      input_ids: number[][];
      labels?: number[][];
      position_ids?: number[][];
      document_ids?: number[][];
    }) => {
      const [B, T] = [part.input_ids.length, part.input_ids[0].length];
      const rows = (make: (t: number) => number) =>
        Array.from({ length: B }, () => Array.from({ length: T }, (_, t) => make(t)));
      return {
        inputIds: int32(part.input_ids),
        labels: int32(part.labels ?? part.input_ids),
        positionIds: int32(part.position_ids ?? rows((t) => t)),
        documentIds: int32(part.document_ids ?? rows(() => 0)),
      };
    };
    const logitsOf = ({ inputIds, positionIds, documentIds }: ReturnType<typeof batch>) => {
      const input = { inputIds, positionIds, mask: causalMask(documentIds) };
      return logits(model.parameters, model.config, decoder(model.parameters, model.config, input).hidden).dataSync();
    };

    beforeAll(async () => {
      await startEngine(engine);
      model = loadModel(directory);
    });

    test("logits are within 1e-4", () => {
      expect(logitsOf(batch(golden.batch))).toBeAllClose(golden.batch.logits.flat(2), { atol: 1e-4 });
    });

    test("log-probabilities of the labels are within 1e-4", () => {
      const { documentIds, labels, ...input } = batch(golden.batch);
      const { logprobs } = labelLogprobs(
        model.parameters,
        model.config,
        { ...input, mask: causalMask(documentIds) },
        labels,
      );
      expect(tf.sum(logprobs, 1).dataSync()).toBeAllClose(golden.batch.row_logprobs, { atol: 1e-4 });
    });

    test("every gradient is within 1e-4 of its tensor's largest", () => {
      const lossFunction = pretrainLoss(model.config);
      const result = worstGradient(
        lossFunction,
        model.parameters,
        batch(golden.batch),
        `${directory}/gradients.safetensors`,
      );
      expect(result.loss).toBeCloseTo(golden.batch.loss, 4);
      expect(result.worst).toBeLessThan(1e-4);
    });

    test("documents packed in one row do not see each other", () => {
      const packed = logitsOf(batch(golden.packed));
      expect(packed).toBeAllClose(golden.packed.logits.flat(2), { atol: 1e-4 });
      expect(packed).toBeAllClose(golden.packed.separate_logits.flat(2), { atol: 1e-4 });
      const leaky = logitsOf({ ...batch(golden.packed), documentIds: tf.zerosLike(int32(golden.packed.document_ids)) });
      const difference = [...leaky].reduce((max, x, i) => Math.max(max, Math.abs(x - packed[i])), 0);
      expect(difference).toBeGreaterThan(0.1); // the test can fail: without the mask they do
    });

    test("ten AdamW losses and gradient norms are within 1e-4", async () => {
      const { parameters } = loadModel(directory);
      const { learning_rates, losses, grad_norms, final_parameters } = golden.training;
      const got: { loss: number; norm: number; rate: number }[] = [];
      await train(parameters, {
        lossFunction: pretrainLoss(model.config),
        steps: losses.length,
        tokensPerStep: 1,
        batchAt: () => batch(golden.batch),
        schedule: scheduleOf(golden),
        optimizer: PAPER_ADAMW,
        onStep: (_, __, { loss, grad_norm, learning_rate }) => got.push({ loss, norm: grad_norm, rate: learning_rate }),
      });
      expect(got.map(({ rate }) => rate)).toBeAllClose(learning_rates, { rtol: 1e-9 });
      expect(got.map(({ loss }) => loss)).toBeAllClose(losses, { atol: 1e-4 });
      expect(got.map(({ norm }) => norm)).toBeAllClose(grad_norms, { rtol: 1e-4 });
      for (const [parameter, [, absolute]] of Object.entries<number[]>(final_parameters)) {
        const values = await parameters[parameter].data();
        // Adam makes full-size steps of gradients that are nothing but rounding (k_proj.bias), hence 1e-3
        expect([[...values].reduce((n, x) => n + Math.abs(x), 0)], parameter).toBeAllClose([absolute], { rtol: 1e-3 });
      }
    });

    test("greedy generation with the cache gives the same tokens", async () => {
      const inference = makeInference(model.config, 32, 0);
      const { prompts, new_tokens } = golden.generation;
      const answers = await inference.generate(model.parameters, prompts, { maxNewTokens: 12, stopIds: [] });
      expect(answers).toEqual(new_tokens);
    });

    if (name === "tied")
      test("SFT: loss and gradients with prompts and padding masked", () => {
        const file = `${directory}/sft_gradients.safetensors`;
        const result = worstGradient(sftLoss(model.config), model.parameters, batch(golden.sft), file);
        expect(result.loss).toBeCloseTo(golden.sft.loss, 4);
        expect(result.worst).toBeLessThan(1e-4);
      });

    if (name === "tied")
      test("DPO: loss, rewards and gradients against the reference", async () => {
        const { dpo } = golden;
        const inputs = {
          ...batch(dpo),
          referenceChosen: tf.tensor1d(dpo.reference_chosen_logps),
          referenceRejected: tf.tensor1d(dpo.reference_rejected_logps),
        };
        const lossFunction = dpoLoss(model.config, dpo.beta);
        const { metrics } = lossFunction(model.parameters, inputs);
        const mean = (xs: number[]) => xs.reduce((a, b) => a + b, 0) / xs.length;
        const metric = (key: string) => metrics![key].dataSync()[0];
        expect(metric("logps/chosen")).toBeCloseTo(mean(dpo.policy_chosen_logps), 4);
        expect(metric("logps/rejected")).toBeCloseTo(mean(dpo.policy_rejected_logps), 4);
        expect(metric("rewards/chosen")).toBeCloseTo(mean(dpo.rewards_chosen), 4);
        expect(metric("rewards/margins")).toBeCloseTo(mean(dpo.rewards_margins), 4);
        expect(metric("rewards/accuracies")).toBeCloseTo(dpo.rewards_accuracy, 6);
        const result = worstGradient(lossFunction, model.parameters, inputs, `${directory}/dpo_gradients.safetensors`);
        expect(result.loss).toBeCloseTo(dpo.loss, 4);
        expect(result.worst).toBeLessThan(1e-4);
      });

    test("the checkpoint has exactly the parameters that the configuration says", () => {
      const shapes = Object.fromEntries(Object.entries(model.parameters).map(([key, x]) => [key, x.shape]));
      expect(shapes).toEqual(parameterShapes(model.config));
    });
  });
});

/** The golden run's schedule: linear to the maximum at step W, then cosine to a tenth at the last step. */
function scheduleOf({ training: { learning_rates: rates } }: { training: { learning_rates: number[] } }) {
  const maxLearningRate = Math.max(...rates);
  return {
    maxLearningRate,
    minRatio: rates[rates.length - 1] / maxLearningRate,
    warmupTokens: rates.indexOf(maxLearningRate) + 1,
    totalTokens: rates.length,
  };
}

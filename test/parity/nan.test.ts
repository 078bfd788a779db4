/**
 * @file A parameter that is NaN must be seen in the gradients on every engine: WGSL may overlook NaN in exp, log and max,
 * and a training that goes on with garbage is worse than one that stops.
 */
import * as tf from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import { initParameters } from "../../src/model/init.ts";
import { train } from "../../src/train/loop.ts";
import { PAPER_ADAMW } from "../../src/train/optimizer.ts";
import { pretrainLoss } from "../../src/train/pretrain.ts";
import { constant, pretrainingBatch, TINY } from "../train/tiny.ts";
import { onEveryEngine } from "./engines.ts";

onEveryEngine(() => {
  test.each([
    "model.embed_tokens.weight",
    "model.layers.0.input_layernorm.weight",
    "model.layers.0.self_attn.q_proj.weight",
    "model.layers.0.self_attn.k_proj.bias",
    "model.layers.0.mlp.gate_proj.weight",
    "model.norm.weight",
  ])("NaN in %s is seen in the gradients", async (name) => {
    const parameters = initParameters(TINY, 1);
    const values = await parameters[name].data();
    const broken = tf.tensor(Float32Array.from(values).fill(Number.NaN, 0, 1), parameters[name].shape);
    parameters[name].dispose();
    parameters[name] = broken;
    const skips: (string | undefined)[] = [];
    await train(parameters, {
      lossFunction: pretrainLoss(TINY),
      steps: 1,
      tokensPerStep: 32,
      batchAt: pretrainingBatch,
      schedule: constant(1e-2),
      optimizer: PAPER_ADAMW,
      onStep: (_, __, ___, skipped) => skips.push(skipped),
    });
    tf.dispose(parameters);
    expect(skips).toEqual([expect.stringMatching(/^step 0: the gradient of .* holds NaN$/)]);
  });
});

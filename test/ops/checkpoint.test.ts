/**
 * @file Activation checkpointing: the same loss and gradients as without, less kept until the backward pass.
 */
import * as tf from "@tensorflow/tfjs-core";
import { beforeEach, describe, expect, test } from "vitest";
import { compile, startEngine, type TensorMap } from "../../src/engine/engine.ts";
import { LazyBackend } from "../../src/engine/lazy/backend.ts";
import { OnnxExecutor, toOnnx } from "../../src/engine/onnx/executor.ts";
import { initParameters } from "../../src/model/init.ts";
import { checkpoint } from "../../src/ops/checkpoint.ts";
import type { LossFunction } from "../../src/train/loop.ts";
import { pretrainLoss } from "../../src/train/pretrain.ts";
import { ENGINES } from "../engines.ts";
import { largest, measure, pretrainingBatch, TINY } from "../train/tiny.ts";

const plainLoss = pretrainLoss(TINY);
const spareLoss = pretrainLoss(TINY, { gradientCheckpointing: true });

describe.each(ENGINES)("engine %s", (engine) => {
  beforeEach(async () => {
    await startEngine(engine);
  });

  test("a model's loss and gradients are the same bits, and nothing is left behind", () => {
    const parameters = initParameters(TINY, 1);
    const before = tf.memory().numTensors;
    const plain = measure(plainLoss, parameters, pretrainingBatch(0));
    const spared = measure(spareLoss, parameters, pretrainingBatch(0));
    expect(tf.memory().numTensors).toBe(before);
    expect(largest(plain.gradients)).toBeGreaterThan(0.01);
    expect(spared).toEqual(plain);
    tf.dispose(parameters);
  });

  test("twice w c x³, with c a constant: by hand", () => {
    const cube = ({ x, w }: TensorMap, { c }: TensorMap) => tf.mul(tf.mul(tf.square(x), x), tf.mul(w, c));
    const [x, w, c] = [tf.tensor1d([1, 2]), tf.tensor1d([3, 5]), tf.tensor1d([10, 100])];
    const twice = (x: tf.Tensor, w: tf.Tensor) => {
      const once = checkpoint(cube, { x, w }, { c }); // w c x³
      return tf.sum(checkpoint(cube, { x: once, w }, { c })); // w c (w c x³)³ = w⁴ c⁴ x⁹
    };
    const { value, grads } = tf.valueAndGrads(twice)([x, w]);
    const term = [3 ** 4 * 1e4, 5 ** 4 * 1e8 * 2 ** 9];
    expect(value.dataSync()).toBeAllClose([term[0] + term[1]], { rtol: 1e-6 });
    expect(grads[0].dataSync()).toBeAllClose([9 * term[0], (9 * term[1]) / 2], { rtol: 1e-6 });
    expect(grads[1].dataSync()).toBeAllClose([(4 * term[0]) / 3, (4 * term[1]) / 5], { rtol: 1e-6 });
  });
});

test.each(["wasm", "cpu"])("%s: the forward pass leaves less than half of the bytes alive", async (engine) => {
  await startEngine(engine);
  const parameters = initParameters(TINY, 1);
  const kept = (lossFunction: LossFunction) => {
    let bytes = 0;
    const before = tf.memory().numBytes;
    const counting: LossFunction = (weights, batch) => {
      const result = lossFunction(weights, batch);
      bytes = tf.memory().numBytes - before;
      return result;
    };
    measure(counting, parameters, pretrainingBatch(0, 8));
    return bytes;
  };
  expect(kept(spareLoss)).toBeLessThan(0.5 * kept(plainLoss));
  tf.dispose(parameters);
});

test("onnx: the program computes every layer twice, once behind a barrier; bench/half-billion.ts measures", () => {
  const seen: Record<string, number>[] = [];
  const onnx = new OnnxExecutor();
  const watching = new LazyBackend({
    inHostMemory: true,
    compile(graph) {
      const count = (op: string) => toOnnx(graph).nodes.filter((node) => node.op === op).length;
      seen.push({ softmax: count("Softmax"), barriers: graph.nodes.filter((n) => n.kernel === "Barrier").length });
      return onnx.compile(graph);
    },
  });
  tf.removeBackend("onnx");
  tf.registerBackend("onnx", () => watching);
  tf.setBackend("onnx");
  const parameters = initParameters(TINY, 1);
  const batch = pretrainingBatch(0);
  for (const lossFunction of [plainLoss, spareLoss]) {
    const f = (weights: TensorMap) => {
      const names = Object.keys(weights);
      const { grads } = tf.valueAndGrads((...values: tf.Tensor[]) => {
        return lossFunction(Object.fromEntries(names.map((name, i) => [name, values[i]])), batch).loss;
      })(Object.values(weights));
      return Object.fromEntries(names.map((name, i) => [name, grads[i]]));
    };
    compile(f)(parameters);
  }
  const layers = TINY.numHiddenLayers;
  const head = 1; // its softmax
  expect(seen).toEqual([
    { softmax: layers + head, barriers: 0 },
    { softmax: 2 * layers + head, barriers: 2 * layers },
  ]);
});

/** @file A loss, its metrics and every gradient, through a compiled function as the training loop has them. */
import * as tf from "@tensorflow/tfjs-core";
import { compile, type TensorMap } from "../../src/engine/engine.ts";
import type { Parameters } from "../../src/model/qwen2.ts";
import type { LossFunction } from "../../src/train/loop.ts";
import { read } from "./read.ts";
import type { Batch } from "./referenceModel.ts";

/** Disposes the batch. */
export async function measure(lossFunction: LossFunction, parameters: Parameters, batch: TensorMap) {
  const names = Object.keys(parameters);
  const program = compile((inputs) => {
    let metrics: TensorMap = {};
    const { value, grads } = tf.valueAndGrads((...values: tf.Tensor[]) => {
      const result = lossFunction(Object.fromEntries(names.map((name, i) => [name, values[i]])), inputs);
      metrics = result.metrics ?? {};
      for (const metric of Object.values(metrics)) tf.keep(metric);
      return result.loss;
    })(names.map((name) => inputs[name]));
    return { ...Object.fromEntries(names.map((name, i) => [name, grads[i]])), loss: value, ...metrics };
  });
  try {
    const outputs = await read(program({ ...batch, ...parameters }));
    const isParameter = ([name]: [string, unknown]) => name in parameters;
    const scalars = Object.entries(outputs).filter((entry) => !isParameter(entry));
    return {
      gradients: Object.fromEntries(Object.entries(outputs).filter(isParameter)) as Record<string, Float32Array>,
      metrics: Object.fromEntries(scalars.map(([name, values]) => [name, values[0]])),
    };
  } finally {
    program.dispose();
    tf.dispose(batch);
  }
}

/** The tensors that a loss function reads. */
export const tensorsOf = ({ B, T, ...rows }: Batch): TensorMap =>
  Object.fromEntries(Object.entries(rows).map(([name, values]) => [name, tf.tensor2d(values, [B, T], "int32")]));

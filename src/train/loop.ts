/**
 * @file The training loop: batch → loss and gradients → clip → update → log. It does not know what it trains: a
 * method (`pretrain.ts`, `sft.ts`, `dpo.ts`) is a function from parameters and a batch to a loss and its metrics.
 */
import * as tf from "@tensorflow/tfjs-core";
import { compile, type TensorMap } from "../engine/engine.ts";
import type { Parameters } from "../model/qwen2.ts";
import { type AdamWOptions, makeAdamW } from "./optimizer.ts";
import { type CosineSchedule, cosineLearningRate } from "./schedule.ts";

/** The scalar to minimise and scalars to log, by TRL's names. */
export type LossFunction = (parameters: Parameters, batch: TensorMap) => { loss: tf.Scalar; metrics?: TensorMap };

/** One logged step: `loss`, `learning_rate`, `grad_norm` and the method's metrics. */
export type StepMetrics = Record<string, number>;

export interface TrainOptions {
  lossFunction: LossFunction;
  steps: number;
  tokensPerStep: number;
  /** The batch of a step (0-based); the loop disposes it. */
  batchAt: (step: number) => TensorMap;
  schedule: CosineSchedule;
  optimizer: AdamWOptions;
  /** Called after each step with the tokens seen so far. */
  onStep?: (step: number, tokens: number, metrics: StepMetrics) => void;
  /** Stops after the step in progress; the parameters stay usable. */
  signal?: AbortSignal;
}

/** Trains `parameters` in place, with fresh optimiser moments. Returns the number of steps done. */
export async function train(parameters: Parameters, options: TrainOptions): Promise<number> {
  const { lossFunction, steps, tokensPerStep, batchAt, schedule, onStep, signal } = options;
  const names = Object.keys(parameters);
  const optimizer = makeAdamW(parameters, options.optimizer);
  const lossAndGradients = compile((inputs) => {
    const batch = Object.fromEntries(Object.entries(inputs).filter(([name]) => !(name in parameters)));
    let metrics: TensorMap = {};
    const { value, grads } = tf.valueAndGrads((...values: tf.Tensor[]) => {
      const result = lossFunction(Object.fromEntries(names.map((name, i) => [name, values[i]])), batch);
      metrics = result.metrics ?? {};
      for (const metric of Object.values(metrics)) tf.keep(metric);
      return result.loss;
    })(names.map((name) => inputs[name]));
    return { ...Object.fromEntries(names.map((name, i) => [name, grads[i]])), loss: value, ...metrics };
  }, optimizer.gradientArrays);

  let skipped = 0;
  let step = 0;
  try {
    for (; step < steps && !signal?.aborted; step++) {
      const batch = batchAt(step);
      const outputs = lossAndGradients({ ...batch, ...parameters });
      const gradients = Object.fromEntries(names.map((name) => [name, outputs[name]]));
      const learningRate = cosineLearningRate((step + 1) * tokensPerStep, schedule);
      const metrics: StepMetrics = {};
      for (const name of Object.keys(outputs))
        if (!(name in gradients)) metrics[name] = (await outputs[name].data())[0];
      metrics.learning_rate = learningRate;
      metrics.grad_norm = await optimizer.step(gradients, learningRate);
      tf.dispose([batch, outputs]);
      if (!Number.isFinite(metrics.grad_norm)) {
        skipped++;
        metrics.skipped_steps = skipped;
        if (skipped > MAX_SKIPPED)
          throw new Error(
            `training diverged: ${skipped} steps with a non-finite gradient (step ${step}); lower the learning rate`,
          );
      }
      onStep?.(step, (step + 1) * tokensPerStep, metrics);
      await new Promise(setImmediate); // lets signals and timers in: a step itself is synchronous on the lazy engines
    }
  } finally {
    lossAndGradients.dispose();
    optimizer.dispose();
  }
  return step;
}

/** Steps that may be skipped for a non-finite gradient before training stops. */
const MAX_SKIPPED = 10;

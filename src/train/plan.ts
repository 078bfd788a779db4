/**
 * @file Which examples a step trains on, and at which steps is evaluated: pure functions of the step, so that a run that was
 * stopped goes on with the very next examples.
 */
import { makeRandom } from "../util/random.ts";

export interface StepPlan {
  steps: number;
  /** Indices of the examples of a step (from 0); the last step of an epoch has what is left. */
  at(step: number): number[];
  /** Epochs that are done after `steps` steps; 1.5: once and a half. */
  epochAt(steps: number): number;
}

export interface PlanOptions {
  /** Examples that there are. */
  count: number;
  /** Examples of a step: perDeviceTrainBatchSize x gradientAccumulationSteps. */
  perStep: number;
  numTrainEpochs: number;
  /** Decides instead of the epochs if it is positive. */
  maxSteps: number;
  seed: number;
}

/** As transformers' Trainer: every epoch in an order of its own, its last step with what is left. */
export function planSteps({ count, perStep, numTrainEpochs, maxSteps, seed }: PlanOptions): StepPlan {
  const perEpoch = Math.ceil(count / perStep);
  const steps = maxSteps > 0 ? maxSteps : Math.ceil(numTrainEpochs * perEpoch);
  const examples = Array.from({ length: count }, (_, i) => i);
  let shuffled = { epoch: -1, order: examples };
  return {
    steps,
    at(step) {
      const epoch = Math.floor(step / perEpoch);
      if (shuffled.epoch !== epoch)
        shuffled = { epoch, order: makeRandom(seed, "epoch", `${epoch}`).shuffle(examples) };
      const from = (step % perEpoch) * perStep;
      return shuffled.order.slice(from, from + perStep);
    },
    epochAt: (done) => done / perEpoch,
  };
}

/**
 * Whether is evaluated after `step` steps: before the first, after 1, 2, 4, 8 ... (most of the paper's gain comes in the
 * first fifth of the steps, Figure 7), every `evalSteps`, and after the last. CHOSEN: the powers of two.
 */
export const isEvaluated = (step: number, steps: number, evalSteps: number): boolean =>
  step === 0 || step === steps || step % evalSteps === 0 || Number.isInteger(Math.log2(step));

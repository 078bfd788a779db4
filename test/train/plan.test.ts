/** @file Which examples a step has, when is evaluated, and recipes. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isEvaluated, planSteps } from "../../src/train/plan.ts";
import { cosineLearningRate } from "../../src/train/schedule.ts";
import { parseSftRecipe } from "../../src/train/sftRecipe.ts";
import { bestOf } from "../../src/train/tune.ts";
import { scheduleOfRecipe } from "../../src/train/tuningRecipe.ts";

const plan = fc.record({
  count: fc.integer({ min: 1, max: 40 }),
  perStep: fc.integer({ min: 1, max: 9 }),
  numTrainEpochs: fc.integer({ min: 1, max: 4 }),
  maxSteps: fc.constant(-1),
  seed: fc.nat(1000),
});

describe("a plan of steps", () => {
  test("property: every epoch has every example once, the last step what is left", () => {
    fc.assert(
      fc.property(plan, (options) => {
        const { steps, at } = planSteps(options);
        const perEpoch = Math.ceil(options.count / options.perStep);
        expect(steps).toBe(perEpoch * options.numTrainEpochs);
        for (let epoch = 0; epoch < options.numTrainEpochs; epoch++) {
          const seen = Array.from({ length: perEpoch }, (_, s) => at(epoch * perEpoch + s)).flat();
          expect([...seen].sort((a, b) => a - b)).toEqual(Array.from({ length: options.count }, (_, i) => i));
        }
      }),
    );
  });

  test("property: a step's examples depend on the step alone, so a run goes on with the next ones", () => {
    fc.assert(
      fc.property(plan, fc.nat(200), (options, step) => {
        const fresh = planSteps(options).at(step);
        const used = planSteps(options);
        for (let s = 0; s <= step; s++) used.at(s);
        expect(used.at(step)).toEqual(fresh);
      }),
    );
  });

  test("maxSteps decides instead of the epochs, and goes round; half an epoch is half its steps", () => {
    const options = { count: 10, perStep: 4, numTrainEpochs: 1, maxSteps: 7, seed: 1 };
    expect(planSteps(options)).toMatchObject({ steps: 7 });
    expect(planSteps(options).at(5).length).toBe(2); // the second epoch's last
    expect(planSteps({ ...options, maxSteps: -1, numTrainEpochs: 0.5 }).steps).toBe(2);
    expect(planSteps(options).epochAt(6)).toBe(2);
  });

  test("is evaluated at 0, 1, 2, 4, 8 ..., every evalSteps, and at the end", () => {
    const steps = Array.from({ length: 31 }, (_, step) => step).filter((step) => isEvaluated(step, 30, 10));
    expect(steps).toEqual([0, 1, 2, 4, 8, 10, 16, 20, 30]);
  });

  test("the best evaluation is the earliest of equals, and never that before the first step", () => {
    const lines = [0, 1, 2, 3].map(
      (step) => ({ stage: "sft", step, tokens: 0, eval_loss: step === 0 ? 0 : 1 }) as const,
    );
    expect(bestOf(lines, (one, other) => one.eval_loss < other.eval_loss)?.step).toBe(1);
    expect(bestOf(lines.slice(0, 1), () => true)).toBeUndefined();
  });
});

describe("a recipe", () => {
  test("without keys has the paper's rate and schedule: 6e-6 to 6e-7", () => {
    const recipe = parseSftRecipe({});
    const schedule = scheduleOfRecipe(recipe, 100);
    expect(cosineLearningRate(5, schedule)).toBe(6e-6);
    expect(cosineLearningRate(100, schedule)).toBeCloseTo(6e-7, 15);
    expect([recipe.adamBeta1, recipe.adamBeta2, recipe.weightDecay, recipe.packing]).toEqual([0.9, 0.95, 0.1, true]);
  });

  test("with an unknown key is refused with the nearest name, Python's spelling included", () => {
    const refusal = (recipe: object) => () => parseSftRecipe(recipe, "r.yaml");
    expect(refusal({ learningrate: 1 })).toThrow(
      'r.yaml: recipe: Unrecognized key: "learningrate"; did you mean learningRate?; see marco sft --print-recipe',
    );
    expect(refusal({ per_device_train_batch_size: 1 })).toThrow("did you mean perDeviceTrainBatchSize?");
    expect(refusal({ lrSchedulerKwargs: { min_lr_rate: 0 } })).toThrow("did you mean minLrRate?");
    expect(refusal({ zzz: 1 })).toThrow('Unrecognized key: "zzz"; see');
    expect(refusal({ maxGradNorm: "big" })).toThrow("maxGradNorm");
  });

  test("constant_with_warmup stays at its rate, cosine falls to 0", () => {
    const last = (lrSchedulerType: string) =>
      cosineLearningRate(
        10,
        scheduleOfRecipe(parseSftRecipe({ lrSchedulerType, learningRate: 1, warmupSteps: 2 }), 10),
      );
    expect([last("constant_with_warmup"), last("cosine"), last("cosine_with_min_lr")]).toEqual([1, 0, 0.1]);
  });
});

/**
 * @file Clipping and AdamW by their properties, in place (onnx) and composed (cpu): what each part of the update does
 * alone. That all of it together is PyTorch's is in test/engine/simd.test.ts and test/parity.
 */
import * as tf from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { startEngine } from "../../src/engine/engine.ts";
import { type AdamWOptions, makeAdamW } from "../../src/train/optimizer.ts";

const SHAPES: Record<string, number[]> = { weight: [2, 3], bias: [3], norm: [2] };
const NAMES = Object.keys(SHAPES);
type Values = Record<string, number[]>;
const ADAMW: AdamWOptions = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.5, maxGradNorm: 1e9 };

/** Whole eighths, which float32 holds exactly. */
const number = fc.integer({ min: -32, max: 32 }).map((n) => n / 8);
const values: fc.Arbitrary<Values> = fc.record(
  Object.fromEntries(
    Object.entries(SHAPES).map(([name, shape]) => {
      const length = tf.util.sizeFromShape(shape);
      return [name, fc.array(number, { minLength: length, maxLength: length })];
    }),
  ),
);
const steps = fc.array(values, { minLength: 1, maxLength: 3 });
const rate = fc.constantFrom(0.5, 0.125, 0.01);

/** The parameters after these gradients, and the norms that were told. */
async function train(initial: Values, gradients: Values[], learningRate: number, options: Partial<AdamWOptions> = {}) {
  const tensors = (of: Values) =>
    Object.fromEntries(Object.entries(of).map(([name, x]) => [name, tf.tensor(x, SHAPES[name], "float32")]));
  const parameters = tensors(initial);
  const optimizer = makeAdamW(parameters, { ...ADAMW, ...options });
  const norms: number[] = [];
  for (const gradient of gradients) {
    const given = tensors(gradient);
    norms.push(await optimizer.step(given, learningRate));
    tf.dispose(given);
  }
  const after = Object.fromEntries(NAMES.map((name) => [name, [...parameters[name].dataSync()]])) as Values;
  optimizer.dispose();
  tf.dispose(parameters);
  return { after, norms };
}
const flat = (of: Values) => NAMES.flatMap((name) => of[name]);
const scaled = (of: Values, by: number): Values =>
  Object.fromEntries(Object.entries(of).map(([name, x]) => [name, x.map((value) => value * by)]));
const norm = (of: Values) => Math.sqrt(flat(of).reduce((sum, x) => sum + x * x, 0));
/** In another order of names. */
const reordered = (of: Values): Values => Object.fromEntries(Object.entries(of).reverse());

describe.each(["cpu", "onnx"])("engine %s", (engine) => {
  beforeAll(async () => {
    await startEngine(engine);
  });
  const forAll = <Ts extends [unknown, ...unknown[]]>(
    arbitraries: { [K in keyof Ts]: fc.Arbitrary<Ts[K]> },
    claim: (...drawn: Ts) => Promise<void>,
  ) => fc.assert(fc.asyncProperty<Ts>(...arbitraries, claim), { numRuns: 8, seed: 1 });

  test("clipping does nothing to a gradient below the threshold, to the bit", () =>
    forAll([values, steps, rate], async (initial, gradients, lr) => {
      const most = Math.max(...gradients.map(norm)) + 0.01;
      const clipped = await train(initial, gradients, lr, { maxGradNorm: most });
      expect(clipped.after).toEqual((await train(initial, gradients, lr)).after);
    }));

  test("clipping above it scales all gradients by one number, so that their common norm is the threshold", () =>
    forAll([values, values, fc.constantFrom(0.125, 0.5, 1)], async (initial, gradient, most) => {
      fc.pre(norm(gradient) > 1.01 * most);
      const options = { epsilon: 1 }; // Adam's own normalisation would hide the scale
      const clipped = await train(initial, [gradient], 0.5, { ...options, maxGradNorm: most });
      const { after } = await train(initial, [scaled(gradient, most / (norm(gradient) + 1e-6))], 0.5, options);
      expect(flat(clipped.after)).toBeAllClose(flat(after), { atol: 1e-6, rtol: 1e-6 });
    }));

  test("the norm that is told is that of all parameters together, before clipping", () =>
    forAll([values, steps], async (initial, gradients) => {
      const { norms } = await train(initial, gradients, 0.1, { maxGradNorm: 0.5 });
      expect(norms).toBeAllClose(gradients.map(norm), { rtol: 1e-6 });
    }));

  test("decay is decoupled: a step's difference to no decay is -η λ θ, whatever the gradient", () =>
    forAll([values, values, rate], async (initial, gradient, lr) => {
      const decayed = await train(initial, [gradient], lr, { weightDecay: 0.5 });
      const plain = await train(initial, [gradient], lr, { weightDecay: 0 });
      const difference = decayed.after.weight.map((x, i) => x - plain.after.weight[i]);
      expect(difference).toBeAllClose(
        initial.weight.map((x) => -lr * 0.5 * x),
        { atol: 2e-6 },
      );
    }));

  test("at λ = 0 it is Adam: -η m̂ / (√v̂ + ε), step by step", () =>
    forAll([values, steps, rate], async (initial, gradients, lr) => {
      const { after } = await train(initial, gradients, lr, { weightDecay: 0 });
      const expected = flat(initial).map((theta, i) => {
        let [p, m, v] = [theta, 0, 0];
        gradients.forEach((gradient, t) => {
          const g = flat(gradient)[i];
          m = 0.9 * m + 0.1 * g;
          v = 0.95 * v + 0.05 * g * g;
          p -= (lr * (m / (1 - 0.9 ** (t + 1)))) / (Math.sqrt(v / (1 - 0.95 ** (t + 1))) + 1e-8);
        });
        return p;
      });
      expect(flat(after)).toBeAllClose(expected, { atol: 2e-6, rtol: 2e-6 });
    }));

  test("the first step is η in the direction of each gradient, however large or small that is", () =>
    forAll([values, values, rate], async (initial, gradient, lr) => {
      const { after } = await train(initial, [gradient], lr, { weightDecay: 0 });
      const expected = flat(initial).map((theta, i) => theta - lr * Math.sign(flat(gradient)[i]));
      expect(flat(after)).toBeAllClose(expected, { atol: 2e-6 });
    }));

  test("biases and norms do not decay, to the bit", () =>
    forAll([values, steps, rate], async (initial, gradients, lr) => {
      const decayed = await train(initial, gradients, lr, { weightDecay: 0.5 });
      const plain = await train(initial, gradients, lr, { weightDecay: 0 });
      for (const name of ["bias", "norm"]) expect(decayed.after[name], name).toEqual(plain.after[name]);
    }));

  test("without gradients the matrices shrink by 1 - η λ a step, and nothing else moves", () =>
    forAll([values, rate], async (initial, lr) => {
      const { after } = await train(initial, [scaled(initial, 0), scaled(initial, 0)], lr);
      expect([...after.bias, ...after.norm]).toEqual([...initial.bias, ...initial.norm]);
      expect(after.weight).toBeAllClose(
        initial.weight.map((x) => x * (1 - lr * 0.5) ** 2),
        { rtol: 1e-6 },
      );
    }));

  test("a learning rate of 0 changes nothing, to the bit, decay included", () =>
    forAll([values, steps], async (initial, gradients) => {
      expect((await train(initial, gradients, 0)).after).toEqual(initial);
    }));

  test("state is kept by name: parameters in another order, and gradients in any, give the same", () =>
    forAll([values, steps, rate], async (initial, gradients, lr) => {
      const { after } = await train(initial, gradients, lr);
      const other = await train(
        reordered(initial),
        gradients.map((g, i) => (i % 2 ? g : reordered(g))),
        lr,
      );
      expect(other.after).toEqual(after);
    }));

  test("parameters do not see each other's gradients while nothing is clipped", () =>
    forAll([values, steps, rate], async (initial, gradients, lr) => {
      const { after } = await train(initial, gradients, lr);
      const others = gradients.map((gradient) => ({ ...scaled(gradient, -0.5), bias: gradient.bias }));
      expect((await train(initial, others, lr)).after.bias).toEqual(after.bias);
    }));
});

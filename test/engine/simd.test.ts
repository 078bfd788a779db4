/** @file The optimiser's WebAssembly kernels against float64 loops, and its two versions against each other. */
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { startEngine } from "../../src/engine/engine.ts";
import { makeSimdMemory } from "../../src/engine/simd.ts";
import { adamW, globalNorm } from "../../src/ops/reference.ts";
import { type AdamWOptions, makeAdamW, PAPER_ADAMW } from "../../src/train/optimizer.ts";
import { normals } from "../ops/finiteDifferences.ts";

/** Multiples of 4, as the optimiser pads them; 0 must touch nothing. */
describe.each([0, 4, 20, 1000])("%i numbers", (size) => {
  const block = size * 4; // bytes
  /** The kernels over arrays that follow each other, with a guard behind them. */
  function setUp(...arrays: Float64Array[]) {
    const { memory, kernels } = makeSimdMemory(block * arrays.length + 16);
    const views = arrays.map((array, i) => {
      const view = new Float32Array(memory.buffer, i * block, size);
      view.set(array);
      return view;
    });
    const guard = new Float32Array(memory.buffer, block * arrays.length, 4).fill(7);
    return { kernels, views, guard };
  }

  test("sumSquares", () => {
    const x = normals(size, 1);
    const { kernels } = setUp(x);
    const expected = globalNorm([x]) ** 2;
    expect([kernels.sumSquares(0, block)]).toBeAllClose([expected], { rtol: 1e-12 }); // it adds in float64
  });

  test("sumSquares starts where it is told to", () => {
    const { kernels } = setUp(normals(size, 1), normals(size, 2).fill(2));
    expect(kernels.sumSquares(block, block)).toBe(4 * size);
  });

  test("adamw, three steps", () => {
    const expected = ["p", "g", "m", "v"].map((name) => normals(size, 1, name));
    const [p, g, m, v] = expected;
    v.forEach((x, i) => {
      v[i] = x * x;
    });
    const { kernels, views, guard } = setUp(...expected);
    const [beta1, beta2, clip, rate, decay, epsilon] = [0.9, 0.95, 0.5, 1e-2, 0.1, 1e-8];
    for (let t = 1; t <= 3; t++) {
      const scalars = [beta1, 1 - beta1, beta2, 1 - beta2, clip, 1 - rate * decay];
      const root = Math.sqrt(1 - beta2 ** t);
      const correction = [(rate * root) / (1 - beta1 ** t), epsilon * root];
      kernels.adamw(0, block, 2 * block, 3 * block, block, ...scalars, ...correction);
      const options = { learningRate: rate, beta1, beta2, epsilon, weightDecay: decay };
      adamW(
        p,
        g.map((x) => x * clip),
        m,
        v,
        t,
        options,
      );
    }
    // a handful of float32 operations, three times
    [p, g, m, v].forEach((array, i) => {
      expect(views[i]).toBeAllClose(array, { atol: 1e-6, rtol: 1e-6 });
    });
    expect([...guard]).toEqual([7, 7, 7, 7]);
  });
});

describe("makeAdamW", () => {
  const SHAPES = { matrix: [3, 5], odd: [7], single: [1, 1], wide: [2, 33], bias: [2] }; // none is a multiple of 4
  const names = Object.keys(SHAPES) as (keyof typeof SHAPES)[];
  const make = (values: (name: string) => Float64Array) =>
    Object.fromEntries(names.map((name) => [name, tf.tensor(Float32Array.from(values(name)), SHAPES[name])]));
  const initial = (name: string) => normals(tf.util.sizeFromShape(SHAPES[name as "bias"]), 1, name);
  /** Steps 0 to 2 have small gradients, which are not clipped, 3 and 4 large ones. */
  const gradient = (name: string, step: number) =>
    normals(tf.util.sizeFromShape(SHAPES[name as "bias"]), 2 + step, name).map((x) => x * (step < 3 ? 0.01 : 10));
  const rate = (step: number) => 0.02 / (step + 1);

  async function run(engine: string, options: AdamWOptions, largestMemory?: number) {
    await startEngine(engine);
    const parameters = make(initial);
    const optimizer = makeAdamW(parameters, options, largestMemory);
    if (largestMemory)
      expect(new Set(Object.values(optimizer.gradientArrays).map(({ buffer }) => buffer)).size).toBeGreaterThan(1);
    const norms: number[] = [];
    for (let step = 0; step < 5; step++) {
      const gradients = make((name) => gradient(name, step));
      norms.push(await optimizer.step(gradients, rate(step)));
      tf.dispose(gradients);
    }
    const bad = make((name) => initial(name).fill(Number.NaN));
    const norm = await optimizer.step(bad, 1); // must change nothing
    tf.dispose(bad);
    optimizer.dispose();
    const values = Object.fromEntries(names.map((name) => [name, [...parameters[name].dataSync()]]));
    tf.dispose(parameters);
    return { norms, norm, values };
  }

  /** The same five steps with the reference. */
  function expected({ maxGradNorm, weightDecay, ...options }: AdamWOptions) {
    const state = names.map((name) => {
      const p = initial(name);
      return { name, p, m: p.map(() => 0), v: p.map(() => 0) };
    });
    const norms: number[] = [];
    for (let step = 0; step < 5; step++) {
      const norm = globalNorm(names.map((name) => gradient(name, step)));
      norms.push(norm);
      const clip = Math.min(1, maxGradNorm / (norm + 1e-6));
      for (const { name, p, m, v } of state) {
        const decay = SHAPES[name].length === 2 ? weightDecay : 0; // biases and norms do not decay
        const g = gradient(name, step).map((x) => x * clip);
        adamW(p, g, m, v, step + 1, { ...options, learningRate: rate(step), weightDecay: decay });
      }
    }
    return { norms, values: Object.fromEntries(state.map(({ name, p }) => [name, p])) };
  }

  test("in place (onnx) and composed (cpu, wasm) are the reference over five steps, and equal each other", async () => {
    const options = { ...PAPER_ADAMW, weightDecay: 0.5 };
    const want = expected(options);
    const results = [await run("onnx", options), await run("cpu", options), await run("wasm", options)];
    for (const { norms, norm, values } of results) {
      expect(norms).toBeAllClose(want.norms, { rtol: 1e-6 });
      expect(norm).toBeNaN();
      for (const name of names) {
        expect(values[name], name).toBeAllClose(want.values[name], { atol: 2e-6 });
        expect(values[name], name).toBeAllClose(results[0].values[name], { atol: 2e-6 });
      }
    }
  });

  test("the in-place version reads gradients that were written to its arrays", async () => {
    await startEngine("onnx");
    const parameters = make(initial);
    const optimizer = makeAdamW(parameters, PAPER_ADAMW);
    expect(Object.keys(optimizer.gradientArrays).sort()).toEqual([...names].sort());
    for (const name of names) optimizer.gradientArrays[name].set(gradient(name, 3));
    const gradients = Object.fromEntries(
      names.map((name) => [name, tf.tensor(optimizer.gradientArrays[name], SHAPES[name])]),
    );
    const norm = await optimizer.step(gradients, 0.1);
    expect([norm]).toBeAllClose([globalNorm(names.map((name) => gradient(name, 3)))], { rtol: 1e-6 });
    tf.dispose([gradients, parameters]);
  });

  test("parameters that do not fit one memory are split over several, with the same results", async () => {
    const whole = await run("onnx", PAPER_ADAMW);
    const split = await run("onnx", PAPER_ADAMW, 4 * 4 * 68); // the largest parameter has 66 numbers, 68 when padded
    expect(split.norms).toBeAllClose(whole.norms, { rtol: 1e-14 }); // another order of the same sum in float64
    expect(split.values).toEqual(whole.values);
  });

  test("a parameter that is larger than any memory is the user's error", async () => {
    await startEngine("onnx");
    const parameters = make(initial);
    expect(() => makeAdamW(parameters, PAPER_ADAMW, 1024)).toThrow(
      "wide: 66 numbers are too many for one WebAssembly memory (64 at most)",
    );
    tf.dispose(parameters);
  });
});

/** @file The lazy engine: what is computed when, what is compiled how often, and that nothing leaks. */
import * as tf from "@tensorflow/tfjs-core";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { compile, lazyBackend, startEngine, type TensorMap } from "../../src/engine/engine.ts";
import { ENGINES } from "../engines.ts";
import { type Counts, countingEngine } from "./executor.ts";

let counts: Counts;
beforeAll(() => {
  counts = countingEngine();
});

let before: { compiled: number; runs: number; disposed: number };
const since = () => ({
  compiled: counts.compiled - before.compiled,
  runs: counts.runs - before.runs,
  disposed: counts.disposed - before.disposed,
});
const vector = (...values: number[]) => tf.tensor1d(values);

describe("eager", () => {
  beforeEach(async () => {
    await startEngine("onnx");
    tf.engine().startScope();
    before = { ...counts };
  });
  afterEach(() => {
    tf.engine().endScope();
  });

  test("a value is computed only when it is read, with all that wait, once", () => {
    const x = tf.mul(vector(1, 2), 3);
    const y = tf.add(x, 1);
    tf.exp(x).dispose(); // nobody will ever see it
    expect(since()).toEqual({ compiled: 0, runs: 0, disposed: 0 });
    counts.kernels.clear();
    expect(y.dataSync()).toBeAllClose([4, 7]);
    expect(x.dataSync()).toBeAllClose([3, 6]);
    expect(since()).toEqual({ compiled: 1, runs: 1, disposed: 0 });
    expect([...counts.kernels].sort()).toEqual(["Add", "Multiply"]);
  });

  test("equal programs share one compilation, whatever the data and the scalars", () => {
    const program = (a: tf.Tensor, rate: number) => tf.add(tf.mul(tf.tanh(a), rate), tf.sigmoid(a)).dataSync();
    const outcome = (x: number, rate: number) => Math.tanh(x) * rate + 1 / (1 + Math.exp(-x));
    for (const [x, rate] of [
      [0.5, 0.1],
      [-2, 0.2],
      [3, -7],
    ])
      expect(program(vector(x), rate)).toBeAllClose([outcome(x, rate)], { atol: 1e-6 });
    expect(since()).toMatchObject({ compiled: 1, runs: 3 });
    program(vector(1, 2), 1); // another shape is another program
    expect(since()).toMatchObject({ compiled: 2, runs: 4 });
  });

  test("programs that differ only in what they make are not mixed up", () => {
    expect(tf.fill([2], 1).dataSync()).toBeAllClose([1, 1]);
    expect(tf.fill([3], 1).dataSync()).toBeAllClose([1, 1, 1]);
    expect(tf.fill([1], Number.POSITIVE_INFINITY).dataSync()).toBeAllClose([Number.POSITIVE_INFINITY]);
    expect(tf.fill([1], Number.NEGATIVE_INFINITY).dataSync()).toBeAllClose([Number.NEGATIVE_INFINITY]);
    const x = tf.tensor2d([
      [1.5, 2],
      [0, 4],
    ]);
    expect(tf.cast(x, "int32").dataSync()).toEqual(Int32Array.of(1, 2, 0, 4));
    expect(tf.cast(x, "bool").dataSync()).toEqual(Uint8Array.of(1, 1, 0, 1));
    expect(tf.slice(x, [0, 0], [1, 2]).dataSync()).toBeAllClose([1.5, 2]);
    expect(tf.slice(x, [0, 0], [2, 1]).dataSync()).toBeAllClose([1.5, 0]);
    expect(tf.sum(x, 1, true).shape).toEqual([2, 1]);
  });

  test("reading one value twice, and through a reshape and a clone, runs nothing again", () => {
    const x = tf.add(vector(1, 2, 3, 4), 1);
    const wide = tf.reshape(x, [2, 2]);
    expect(wide.dataSync()).toBeAllClose([2, 3, 4, 5]);
    expect(tf.clone(x).dataSync()).toBeAllClose([2, 3, 4, 5]);
    x.dispose();
    expect(tf.transpose(wide).dataSync()).toBeAllClose([2, 4, 3, 5]); // the data outlives the tensor that made it
    expect(since().runs).toBe(2);
  });

  test("a failing program does not poison the next one, nor what waited beside it", () => {
    const good = tf.mul(vector(1, 2), 2);
    const bad = tf.neg(tf.tensor1d([1], "bool")); // ONNX has no negative truth
    expect(() => bad.dataSync()).toThrow(/Neg/);
    expect(tf.add(vector(1), 1).dataSync()).toBeAllClose([2]);
    expect(good.dataSync()).toBeAllClose([2, 4]);
    expect(() => bad.dataSync()).toThrow(/Neg/); // and the bad one says so again instead of giving nothing
    expect(() => tf.add(bad, 1).dataSync()).toThrow(/Neg/);
  });

  test("an op without a kernel is an error that names it, not a silent change of backend", () => {
    expect(() => tf.engine().runKernel("Cumquat", {})).toThrow("Kernel 'Cumquat' not registered for backend 'onnx'");
    expect(tf.getBackend()).toBe("onnx");
  });

  test("a shape error is thrown where the op is written", () => {
    expect(() => tf.add(vector(1, 2), vector(1, 2, 3))).toThrow(/could not be broadcast/);
    expect(() => tf.matMul(tf.ones([2, 3]), tf.ones([2, 3]))).toThrow(/matMul/);
    expect(since().compiled).toBe(0);
  });

  test("old programs leave the cache and are disposed", () => {
    for (let n = 1; n <= 70; n++) tf.neg(tf.zeros([n])).dataSync();
    expect(since().compiled).toBe(70);
    expect(since().disposed).toBeGreaterThanOrEqual(70 - 64);
    tf.neg(tf.zeros([70])).dataSync(); // the newest are there
    expect(since().compiled).toBe(70);
  });
});

/** One step of a small regression: loss and gradients. */
const step = ({ w, x, rate }: TensorMap): TensorMap => {
  const { value, grads } = tf.valueAndGrads((w: tf.Tensor) => tf.mean(tf.square(tf.tanh(tf.matMul(x, w)))))([w]);
  return { loss: value, gradient: grads[0], next: tf.sub(w, tf.mul(grads[0], rate)) };
};
const stepInputs = (n: number) => ({
  w: tf.tensor2d([0.1 * n, -0.2, 0.3, 0.4 + n, 0.5, 0.6], [3, 2]),
  x: tf.tensor2d([1, -1, n, 0.5, 2, 1], [2, 3]),
  rate: tf.scalar(0.1 / n),
});
const read = (tensors: TensorMap) =>
  Object.fromEntries(Object.entries(tensors).map(([name, x]) => [name, [...x.dataSync()]]));

describe.each(ENGINES)("compile on %s", (engine) => {
  beforeEach(async () => {
    await startEngine(engine);
  });

  test("gives what the function gives, with inputs that change", () => {
    const compiled = compile(step);
    const start = tf.memory().numTensors;
    for (const n of [1, 2, 3]) {
      const inputs = stepInputs(n);
      const outputs = compiled(inputs);
      const eager = tf.tidy(() => step(inputs));
      const expected = read(eager);
      for (const [name, values] of Object.entries(read(outputs))) {
        expect(values, name).toBeAllClose(expected[name], { atol: 1e-6 });
        expect(outputs[name].shape).toEqual(eager[name].shape);
        expect(outputs[name].dtype).toBe(eager[name].dtype);
      }
      tf.dispose([inputs, outputs, eager]);
    }
    expect(tf.memory().numTensors).toBe(start); // the caller owns the results and nothing else was left
    compiled.dispose();
  });

  test("one tensor under two names, then two", () => {
    const compiled = compile(({ a, b }) => ({ y: tf.add(a, tf.mul(b, 10)) }));
    const [one, two] = [vector(1, 2), vector(3, 4)];
    expect(read(compiled({ a: one, b: one }))).toEqual({ y: [11, 22] });
    expect(read(compiled({ a: one, b: two }))).toEqual({ y: [31, 42] });
    expect(read(compiled({ a: two, b: one }))).toEqual({ y: [13, 24] });
    compiled.dispose();
  });

  test("inputs that were reshaped, not computed yet, or are results of another call", () => {
    const compiled = compile(({ x }) => ({ y: tf.matMul(x, x) }));
    const square = tf.reshape(tf.mul(vector(1, 2, 3, 4), 2), [2, 2]);
    const first = compiled({ x: square });
    expect(read(first)).toEqual({ y: [28, 40, 60, 88] });
    expect(read(compiled({ x: first.y }))).toEqual({ y: [3184, 4640, 6960, 10144] });
    compiled.dispose();
  });

  test("integers and booleans, several names for one result", () => {
    const compiled = compile(({ ids }) => {
      const flags = tf.greater(ids, tf.scalar(1, "int32"));
      return { flags, again: flags, twice: tf.mul(ids, tf.scalar(2, "int32")) };
    });
    const outputs = compiled({ ids: tf.tensor1d([0, 5], "int32") });
    expect(read(outputs)).toEqual({ flags: [0, 1], again: [0, 1], twice: [0, 10] });
    expect([outputs.flags.dtype, outputs.twice.dtype]).toEqual(["bool", "int32"]);
  });
});

describe("compile on the lazy engine", () => {
  beforeEach(async () => {
    await startEngine("onnx");
    before = { ...counts };
  });

  test("traces once per shape and replays, also when scalars change", () => {
    let traces = 0;
    const compiled = compile(({ x, rate }) => {
      traces++;
      return { y: tf.mul(tf.add(x, 1), rate) };
    });
    for (let n = 1; n <= 5; n++)
      expect(read(compiled({ x: vector(n, 1), rate: tf.scalar(n) }))).toEqual({ y: [(n + 1) * n, 2 * n] });
    expect(traces).toBe(1);
    expect(since()).toMatchObject({ compiled: 1, runs: 5 });
    compiled({ x: vector(1, 2, 3), rate: tf.scalar(1) });
    compiled({ x: vector(1, 2), rate: tf.scalar(1) });
    expect(traces).toBe(2);
    expect(since()).toMatchObject({ compiled: 2, runs: 7 });
  });

  test("a tensor closed over is frozen at its value, an input is not", () => {
    let outside = vector(10);
    const compiled = compile(({ x }) => ({ y: tf.add(x, outside) }));
    expect(read(compiled({ x: vector(1) }))).toEqual({ y: [11] });
    outside.dispose();
    outside = vector(20);
    expect(read(compiled({ x: vector(2) }))).toEqual({ y: [12] });
  });

  test("an output of an input's name is written over it when asked", () => {
    const compiled = compile(({ cache, row }) => ({ cache: tf.add(cache, row) }), { overwrite: true });
    const cache = tf.tensor1d([1, 2]);
    const array = lazyBackend()!.buffer(cache);
    const first = compiled({ cache, row: tf.tensor1d([10, 20]) });
    expect(lazyBackend()!.buffer(first.cache)).toBe(array);
    expect([...array]).toEqual([11, 22]);
    compiled.dispose();
  });

  test("`into` receives the output of that name, each time", () => {
    const array = new Float32Array(2);
    const compiled = compile(({ x }) => ({ y: tf.mul(x, 2), z: tf.neg(x) }), { into: { y: array } });
    for (const x of [1, 5]) {
      const { y, z } = compiled({ x: vector(x, 3) });
      expect([...array]).toEqual([2 * x, 6]);
      expect(lazyBackend()!.buffer(y)).toBe(array); // not a copy
      expect([...z.dataSync()]).toEqual([-x, -3]);
    }
  });

  test("says what is wrong with a function that cannot be compiled, and leaves nothing behind", () => {
    const x = vector(1);
    const start = tf.memory();
    expect(() => compile(({ x }) => ({ x }))({ x })).toThrow("output x was not computed inside the function");
    expect(() => compile(({ x }) => ({ y: tf.keep(tf.neg(x)) && tf.abs(x) }))({ x })).toThrow("left 1 tensors behind");
    expect(() =>
      compile(() => {
        throw new Error("mine");
      })({ x }),
    ).toThrow("mine");
    expect(() => compile(({ x }) => ({ y: tf.neg(tf.cast(x, "bool")) }))({ x })).toThrow(/Neg/);
    expect(() => compile(({ x }) => ({ y: tf.unique(x).values }))({ x })).toThrow("Unique runs on the host");
    expect(tf.memory().numTensors).toBe(start.numTensors + 1); // the one that was kept
    expect(read(compile(({ x }) => ({ y: tf.abs(x) }))({ x }))).toEqual({ y: [1] });
  });

  test("dispose frees the sessions; a later call compiles anew", () => {
    const compiled = compile(({ x }) => ({ y: tf.neg(x) }));
    compiled({ x: vector(1) });
    compiled({ x: vector(1, 2) });
    compiled.dispose();
    expect(since()).toEqual({ compiled: 2, runs: 2, disposed: 2 });
    expect(read(compiled({ x: vector(4) }))).toEqual({ y: [-4] });
    expect(since().compiled).toBe(3);
  });

  test("200 steps leave no tensor and no buffer behind, and memory does not grow", () => {
    const compiled = compile(step);
    let { w, x, rate } = stepInputs(1) as TensorMap;
    const big = tf.zeros([256, 1024]); // 1 MiB that each step copies: a leak would be 200 MiB
    const copy = compile(({ big, w }) => ({ copy: tf.add(big, tf.sum(w)) }));
    const run = () => {
      const { next, ...rest } = compiled({ w, x, rate });
      const made = copy({ big, w: next });
      tf.dispose([w, rest, made]);
      w = next;
    };
    for (let n = 0; n < 20; n++) run();
    const { numTensors, numDataBuffers, numBytes } = tf.memory();
    const dataIds = lazyBackend()!.numDataIds();
    const rss = process.memoryUsage().rss;
    for (let n = 0; n < 200; n++) run();
    expect(tf.memory()).toMatchObject({ numTensors, numDataBuffers, numBytes });
    expect(lazyBackend()!.numDataIds()).toBe(dataIds);
    expect((process.memoryUsage().rss - rss) / 2 ** 20).toBeLessThan(100); // MiB; garbage may wait for its collection
    expect([...w.dataSync()].every(Number.isFinite)).toBe(true);
  });
});

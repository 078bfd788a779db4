/**
 * @file The kernels of the lazy engine that training programs are written with against TensorFlow.js' own cpu backend:
 * values, shape and dtype, closer than `npm run conformance` compares them. And every gradient of src/engine/gradients.ts, on every engine, against finite differences on cpu.
 */
import { readFileSync } from "node:fs";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { startEngine } from "../../src/engine/engine.ts";
import { ENGINES } from "../engines.ts";
import { finiteDifferences, largest, normals } from "../ops/finiteDifferences.ts";
import { type Counts, countingEngine } from "./executor.ts";

type Result = tf.Tensor | tf.Tensor[];

const float = (label: string, ...shape: number[]) =>
  tf.tensor(Float32Array.from(normals(tf.util.sizeFromShape(shape), 1, label)), shape);
/** Away from 0: in ±[0.5, 2.5]. */
const away = (label: string, ...shape: number[]) =>
  tf.tidy(() => {
    const x = float(label, ...shape);
    return tf.mul(tf.add(tf.minimum(tf.abs(x), 2), 0.5), tf.sub(tf.mul(tf.cast(tf.greater(x, 0), "float32"), 2), 1));
  });
const positive = (label: string, ...shape: number[]) => tf.abs(away(label, ...shape));
const int = (values: number[], ...shape: number[]) => tf.tensor(values, shape, "int32");
const bool = (values: number[], ...shape: number[]) => tf.tensor(values, shape, "bool");

const a = () => float("a", 2, 3);
const b = () => float("b", 2, 3);
const row = () => float("row", 3);
const column = () => float("column", 2, 1);
const cube = () => float("cube", 2, 3, 4);
const i = () => int([3, -1, 4, 1, -5, 9], 2, 3);
const j = () => int([3, 2, -4, 1, 0, 9], 2, 3);
const flags = () => bool([1, 0, 0, 1, 1, 0], 2, 3);
const others = () => bool([1, 1, 0, 0, 1, 0], 2, 3);
const special = () => tf.tensor1d([0, -0.5, 0.5, 1.5, 2.5, -2.5, 1e-6, 88]);

/** Named by kernel; after a comma, what is special about the case. */
const CASES: Record<string, () => Result> = {
  Abs: () => tf.abs(a()),
  "Abs, int32": () => tf.abs(i()),
  Acos: () => tf.acos(tf.tanh(a())),
  Asin: () => tf.asin(tf.tanh(a())),
  Atan: () => tf.atan(a()),
  Ceil: () => tf.ceil(special()),
  Cos: () => tf.cos(a()),
  Cosh: () => tf.cosh(a()),
  Erf: () => tf.erf(a()),
  Exp: () => tf.exp(a()),
  "Exp, far": () => tf.exp(tf.tensor1d([-104, -80, 0, 80, 88])),
  Expm1: () => tf.expm1(a()),
  Floor: () => tf.floor(special()),
  Log: () => tf.log(positive("p", 2, 3)),
  "Log, of zero": () => tf.log(tf.tensor1d([0, 1])),
  Log1p: () => tf.log1p(positive("p", 2, 3)),
  Neg: () => tf.neg(a()),
  "Neg, int32": () => tf.neg(i()),
  Reciprocal: () => tf.reciprocal(away("x", 2, 3)),
  Relu: () => tf.relu(a()),
  "Relu, int32": () => tf.relu(i()),
  Round: () => tf.round(special()), // halves to even
  Rsqrt: () => tf.rsqrt(positive("p", 2, 3)),
  Sigmoid: () => tf.sigmoid(tf.tensor1d([-80, -2, 0, 2, 80])),
  Sign: () => tf.sign(special()),
  Sin: () => tf.sin(a()),
  Sinh: () => tf.sinh(a()),
  Softplus: () => tf.softplus(tf.tensor1d([-80, -2, 0, 2, 80])),
  Sqrt: () => tf.sqrt(positive("p", 2, 3)),
  Square: () => tf.square(a()),
  "Square, int32": () => tf.square(i()),
  Tan: () => tf.tan(tf.tanh(a())),
  Tanh: () => tf.tanh(a()),
  LogicalNot: () => tf.logicalNot(flags()),
  IsNan: () => tf.isNaN(tf.tensor1d([0, Number.NaN, Number.POSITIVE_INFINITY])),
  ClipByValue: () => tf.clipByValue(a(), -0.3, 0.4),
  "ClipByValue, int32": () => tf.clipByValue(i(), -2, 3),
  "ClipByValue, open above": () => tf.clipByValue(a(), 0, Number.POSITIVE_INFINITY),

  Add: () => tf.add(a(), b()),
  "Add, a row": () => tf.add(a(), row()),
  "Add, a column to a cube": () => tf.add(cube(), float("c", 3, 1)),
  "Add, int32 and float32": () => tf.add(i(), a()),
  Sub: () => tf.sub(column(), row()),
  "Sub, int32": () => tf.sub(i(), j()),
  Multiply: () => tf.mul(a(), column()),
  "Multiply, int32": () => tf.mul(i(), tf.scalar(2, "int32")),
  RealDiv: () => tf.div(a(), away("d", 2, 3)),
  Maximum: () => tf.maximum(a(), row()),
  "Maximum, int32": () => tf.maximum(i(), j()),
  Minimum: () => tf.minimum(a(), b()),
  "Minimum, bool": () => tf.minimum(flags(), others()),
  Pow: () => tf.pow(positive("p", 2, 3), b()),
  SquaredDifference: () => tf.squaredDifference(a(), row()),
  Equal: () => tf.equal(i(), j()),
  "Equal, bool": () => tf.equal(flags(), others()),
  "Equal, a scalar": () => tf.equal(i(), tf.scalar(4, "int32")),
  NotEqual: () => tf.notEqual(i(), j()),
  Greater: () => tf.greater(a(), row()),
  "Greater, int32": () => tf.greater(i(), j()),
  GreaterEqual: () => tf.greaterEqual(i(), j()),
  Less: () => tf.less(a(), b()),
  LessEqual: () => tf.lessEqual(i(), j()),
  LogicalAnd: () => tf.logicalAnd(flags(), others()),
  "LogicalAnd, a row": () => tf.logicalAnd(flags(), bool([1, 0, 1], 3)),
  LogicalOr: () => tf.logicalOr(flags(), others()),
  AddN: () => tf.addN([a(), b(), a()]),
  "AddN, int32": () => tf.addN([i(), j()]),
  Select: () => tf.where(flags(), a(), b()),
  "Select, a row of conditions": () => tf.where(bool([1, 0, 1], 3), a(), b()),
  "Select, a column of conditions": () => tf.where(bool([1, 0], 2, 1), a(), b()),
  "Select, int32": () => tf.where(flags(), i(), j()),
  "Select, bool": () => tf.where(flags(), others(), tf.logicalNot(others())),

  ZerosLike: () => [tf.zerosLike(a()), tf.zerosLike(i()), tf.zerosLike(flags())],
  OnesLike: () => [tf.onesLike(a()), tf.onesLike(i()), tf.onesLike(flags())],
  Fill: () => [tf.fill([2, 3], 1.5), tf.fill([2], 7, "int32"), tf.fill([], -1)],
  "Fill, infinite": () => [tf.fill([1], Number.POSITIVE_INFINITY), tf.fill([1], Number.NEGATIVE_INFINITY)],
  Range: () => [tf.range(0, 5, 1, "int32"), tf.range(5, 0, -2), tf.range(0, 1, 0.3), tf.range(2, 2)],

  Identity: () => tf.clone(a()),
  Reshape: () => [tf.reshape(a(), [3, -1]), tf.reshape(flags(), [6])],
  ExpandDims: () => [tf.expandDims(a(), 0), tf.expandDims(a(), -1), tf.expandDims(i(), 1)],
  Cast: () => [tf.cast(tf.tensor1d([-1.7, 0, 2.9]), "int32"), tf.cast(i(), "float32"), tf.cast(flags(), "int32")],
  "Cast, to bool": () => [tf.cast(tf.tensor1d([-1.7, 0, 0.2]), "bool"), tf.cast(int([0, 2], 2), "bool")],
  "Cast, from bool": () => tf.cast(flags(), "float32"),
  Transpose: () => [tf.transpose(a()), tf.transpose(cube(), [2, 0, 1]), tf.transpose(flags()), tf.transpose(i())],
  Concat: () => [tf.concat([a(), b()], 0), tf.concat([a(), column()], 1), tf.concat([a(), b()], -1)],
  "Concat, int32 and bool": () => [tf.concat([i(), j()], 1), tf.concat([flags(), others()], 0)],
  "Concat, an empty part": () => tf.concat([a(), tf.zeros([0, 3]), b()], 0),
  Pack: () => [tf.stack([a(), b()]), tf.stack([a(), b()], 1), tf.stack([i(), j()], 2)],
  Slice: () => [tf.slice(a(), [0, 1], [2, 2]), tf.slice(cube(), [1, 0, 2], [-1, 2, -1]), tf.slice(row(), 1, 1)],
  "Slice, int32 and bool": () => [tf.slice(i(), [1, 0], [1, -1]), tf.slice(flags(), [0, 2], [-1, -1])],
  SplitV: () => [...tf.split(cube(), 2, -1), ...tf.split(a(), [1, 2], 1), ...tf.split(i(), 2)],
  Tile: () => [tf.tile(a(), [2, 3]), tf.tile(column(), [1, 4]), tf.tile(flags(), [1, 2]), tf.tile(i(), [2, 1])],
  "Tile, broadcastTo": () => [tf.broadcastTo(column(), [2, 3]), tf.broadcastTo(row(), [4, 2, 3])],
  PadV2: () => [
    tf.pad(a(), [
      [1, 0],
      [0, 2],
    ]),
    tf.pad(
      a(),
      [
        [0, 0],
        [1, 1],
      ],
      -7,
    ),
  ],
  "PadV2, int32": () => tf.pad(int([1, 2], 2), [[2, 1]], 5),
  GatherV2: () => [
    tf.gather(a(), int([1, 0, 1], 3)),
    tf.gather(cube(), int([3, 0], 2), 2),
    tf.gather(cube(), int([2, 2, 0, 1], 2, 2), -2),
    tf.gather(i(), tf.scalar(1, "int32")),
  ],
  OneHot: () => [tf.oneHot(int([2, 0, 1], 3), 3), tf.oneHot(int([1, 9, -1], 3), 2)], // outside: no class
  "OneHot, other values": () => tf.oneHot(int([0, 1, 1, 0], 2, 2), 2, 0.9, -0.1, "float32"),
  "OneHot, bool": () => tf.oneHot(int([1, 0], 2), 3, 1, 0, "bool"),

  Sum: () => [tf.sum(a()), tf.sum(a(), 1), tf.sum(cube(), [0, -1]), tf.sum(cube(), -2, true), tf.sum(a(), [])],
  "Sum, int32 and bool": () => [tf.sum(i(), 0), tf.sum(flags(), -1), tf.sum(flags())],
  Mean: () => [tf.mean(a()), tf.mean(cube(), [1, 2]), tf.mean(a(), -1, true)],
  "Mean, int32 is float32": () => tf.mean(i(), 1),
  Max: () => [tf.max(a()), tf.max(a(), 1), tf.max(cube(), -2, true), tf.max(i(), 0)],
  Min: () => [tf.min(a()), tf.min(a(), 0), tf.min(cube(), [0, 2], true), tf.min(i(), -1)],
  Prod: () => [tf.prod(a()), tf.prod(cube(), -1), tf.prod(i(), 1, true), tf.prod(flags(), 1)],
  All: () => [tf.all(flags()), tf.all(flags(), 0), tf.all(others(), -1, true)],
  Any: () => [tf.any(flags()), tf.any(flags(), 0), tf.any(others(), -1, true)],
  ArgMax: () => [tf.argMax(a(), 1), tf.argMax(cube(), -2), tf.argMax(i(), 0), tf.argMax(tf.tensor1d([1, 3, 3]))],
  ArgMin: () => [tf.argMin(a()), tf.argMin(cube(), -1), tf.argMin(tf.tensor1d([2, 1, 1]), 0)],
  Softmax: () => [tf.softmax(a()), tf.softmax(cube()), tf.softmax(tf.tensor1d([-3e38, 0, 80])), tf.softmax(column())],

  BatchMatMul: () => [tf.matMul(a(), float("m", 3, 4)), tf.matMul(a(), b(), false, true), tf.matMul(a(), b(), true)],
  "BatchMatMul, batches": () => [
    tf.matMul(cube(), float("m", 2, 4, 2)),
    tf.matMul(cube(), cube(), true, false),
    tf.matMul(cube(), cube(), false, true),
    tf.matMul(cube(), float("m", 1, 2, 4), false, true), // the second is repeated
    tf.matMul(float("x", 2, 3, 2, 4), float("y", 2, 3, 4, 2)),
    tf.matMul(float("one", 1, 1), float("line", 1, 5)),
  ],
};

const kernelOf = (name: string) => name.split(",")[0];
const read = (made: Result) =>
  [made].flat().map((x) => ({ shape: x.shape, dtype: x.dtype, values: [...x.dataSync()] as number[] }));

describe("kernels of the lazy engine", () => {
  let counts: Counts;
  const expected = new Map<string, ReturnType<typeof read>>();
  beforeAll(async () => {
    counts = countingEngine();
    await startEngine("cpu");
    for (const [name, make] of Object.entries(CASES)) tf.tidy(() => void expected.set(name, read(make())));
    await startEngine("onnx");
  });

  test.each(Object.keys(CASES))("%s", (name) => {
    tf.tidy(() => {
      const made = CASES[name]();
      read(made).forEach(({ shape, dtype, values }, n) => {
        const want = expected.get(name)![n];
        expect({ shape, dtype }, `result ${n}`).toEqual({ shape: want.shape, dtype: want.dtype });
        expect(values, `result ${n}`).toBeAllClose(want.values, { atol: 1e-6, rtol: 2e-6 }); // other summation orders
      });
    });
  });

  test("the cases run the kernels that they name", () => {
    const direct = ["Identity", "Reshape", "ExpandDims", "Range"]; // views and data: never part of a program
    const named = new Set(Object.keys(CASES).map(kernelOf));
    expect([...named].filter((name) => !counts.kernels.has(name)).sort()).toEqual(direct.sort());
  });
});

/** By kernel: a differentiable function and where. Kinks are kept away from: finite differences are no use there. */
const GRADIENTS: Record<string, [(...x: tf.Tensor[]) => Result, () => tf.Tensor[]]> = {
  Add: [tf.add, () => [a(), column()]],
  Sub: [tf.sub, () => [row(), a()]],
  Multiply: [tf.mul, () => [cube(), float("c", 3, 1)]],
  RealDiv: [tf.div, () => [a(), away("d", 3)]],
  Maximum: [tf.maximum, () => [tf.tensor2d([[1, 2, 3]]), tf.tensor1d([2, 1, 3.5])]],
  Minimum: [tf.minimum, () => [tf.tensor2d([[1, 2, 3]]), tf.tensor1d([2, 1, 3.5])]],
  SquaredDifference: [tf.squaredDifference, () => [a(), row()]],
  Neg: [tf.neg, () => [a()]],
  Abs: [tf.abs, () => [away("x", 5)]],
  Exp: [tf.exp, () => [a()]],
  Log: [tf.log, () => [positive("x", 5)]],
  Log1p: [tf.log1p, () => [positive("x", 5)]],
  Sqrt: [tf.sqrt, () => [positive("x", 5)]],
  Rsqrt: [tf.rsqrt, () => [positive("x", 5)]],
  Reciprocal: [tf.reciprocal, () => [away("x", 5)]],
  Square: [tf.square, () => [a()]],
  Sigmoid: [tf.sigmoid, () => [a()]],
  Softplus: [tf.softplus, () => [a()]],
  Tanh: [tf.tanh, () => [a()]],
  Relu: [tf.relu, () => [away("x", 5)]],
  ClipByValue: [(x) => tf.clipByValue(x, -1, 1), () => [tf.tensor1d([-2, -0.5, 0, 0.5, 2])]],
  Select: [(x, y) => tf.where(flags(), x, y), () => [a(), b()]],
  "Select, a row of conditions": [(x, y) => tf.where(bool([1, 0, 1], 3), x, y), () => [a(), b()]],
  Cast: [(x) => tf.cast(x, "float32"), () => [a()]],
  Identity: [tf.clone, () => [a()]],
  ZerosLike: [(x) => tf.add(tf.zerosLike(x), x), () => [a()]],
  Reshape: [(x) => tf.reshape(x, [3, 2]), () => [a()]],
  ExpandDims: [(x) => tf.expandDims(x, 1), () => [a()]],
  Transpose: [(x) => tf.transpose(x, [2, 0, 1]), () => [cube()]],
  Tile: [(x) => tf.tile(x, [2, 1, 3]), () => [cube()]],
  "Tile, broadcastTo": [(x) => tf.broadcastTo(x, [4, 2, 3]), () => [column()]],
  "Tile, once": [(x) => tf.tile(x, [1, 1]), () => [a()]],
  Slice: [(x) => tf.slice(x, [1, 0, 2], [-1, 2, 1]), () => [cube()]],
  Concat: [(x, y) => tf.concat([x, y], -1), () => [a(), column()]],
  Pack: [(x, y) => tf.stack([x, y], 1), () => [a(), b()]],
  SplitV: [(x) => tf.split(x, [1, 2], 1), () => [a()]],
  GatherV2: [(x) => tf.gather(x, int([1, 0, 1, 1], 2, 2)), () => [a()]],
  "GatherV2, another axis": [(x) => tf.gather(x, int([3, 0, 3], 3), 2), () => [cube()]],
  Sum: [(x) => tf.sum(x, [0, -1]), () => [cube()]],
  "Sum, keepDims": [(x) => tf.sum(x, 1, true), () => [cube()]],
  "Sum, all": [(x) => tf.sum(x), () => [a()]],
  Mean: [(x) => tf.mean(x, [0, 2]), () => [cube()]],
  "Mean, keepDims": [(x) => tf.mean(x, -1, true), () => [a()]],
  Max: [
    (x) => tf.max(x, 1),
    () => [
      tf.tensor2d([
        [1, 3, 2],
        [5, 4, 3],
      ]),
    ],
  ],
  "Max, keepDims": [
    (x) => tf.max(x, 0, true),
    () => [
      tf.tensor2d([
        [1, 3, 2],
        [5, 4, 3],
      ]),
    ],
  ],
  Softmax: [(x) => tf.softmax(x), () => [cube()]],
  BatchMatMul: [(x, y) => tf.matMul(x, y), () => [a(), float("m", 3, 4)]],
  "BatchMatMul, first transposed": [(x, y) => tf.matMul(x, y, true, false), () => [a(), float("m", 2, 4)]],
  "BatchMatMul, second transposed": [(x, y) => tf.matMul(x, y, false, true), () => [a(), float("m", 4, 3)]],
  "BatchMatMul, both transposed": [(x, y) => tf.matMul(x, y, true, true), () => [cube(), float("m", 2, 5, 3)]],
  "BatchMatMul, the second repeated": [(x, y) => tf.matMul(x, y), () => [cube(), float("m", 1, 4, 2)]],
};

describe("gradients", () => {
  interface Expected {
    dy: Float64Array;
    gradients: Float64Array[];
  }
  const expected = new Map<string, Expected>();
  /** All results behind each other. */
  const flat = (made: Result) => tf.concat([made].flat().map((x) => tf.reshape(x, [-1])));

  beforeAll(async () => {
    await startEngine("cpu");
    for (const [name, [f, make]] of Object.entries(GRADIENTS))
      tf.tidy(() => {
        const inputs = make();
        const dy = normals(flat(f(...inputs)).size, 1, name);
        const gradients = inputs.map((input, n) => {
          const at = (x: Float64Array) =>
            tf.tidy(() => {
              const moved = [...inputs];
              moved[n] = tf.tensor(Float32Array.from(x), input.shape);
              return flat(f(...moved)).dataSync();
            });
          // the values are float32, hence wide steps; two of them cancel the h² of the error (Richardson)
          const [near, far] = [0.05, 0.1].map((step) => finiteDifferences(at, input.dataSync(), dy, step));
          return near.map((slope, k) => (4 * slope - far[k]) / 3);
        });
        expected.set(name, { dy, gradients });
      });
  });

  test.each(Object.keys(GRADIENTS).flatMap((name) => ENGINES.map((engine) => [name, engine])))(
    "%s on %s",
    async (name, engine) => {
      await startEngine(engine);
      const [f, make] = GRADIENTS[name];
      const { dy, gradients } = expected.get(name)!;
      tf.tidy(() => {
        const inputs = make();
        const actual = tf.grads((...x: tf.Tensor[]) => flat(f(...x)))(inputs, tf.tensor1d(Float32Array.from(dy)));
        actual.forEach((gradient, n) => {
          expect(gradient.shape).toEqual(inputs[n].shape);
          expect(gradient.dataSync(), `input ${n}`).toBeAllClose(gradients[n], {
            atol: 1e-4 * Math.max(1, largest(gradients[n])), // what the differences of float32 values are good for
          });
        });
      });
    },
  );

  test("every gradient of src/engine/gradients.ts has a case", () => {
    const source = readFileSync(new URL("../../src/engine/gradients.ts", import.meta.url), "utf8");
    const registered = [...source.matchAll(/(?:^register\(|kernelName: )"(\w+)"/gm)].map(([, kernel]) => kernel);
    expect([...new Set(Object.keys(GRADIENTS).map(kernelOf))].sort()).toEqual(registered.sort());
  });
});

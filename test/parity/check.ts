/**
 * @file What a case of a fused op is, and how it is checked: result and every gradient against float64 loops.
 *
 * That the suite can fail was tried with ten mutations, each found: a gradient of attention off by 1e-4, a mask that
 * hides the token itself or forgets documents, terms dropped from the gradients of RMSNorm and softmax, RoPE's gradient
 * turned the wrong way, repeated tokens overwriting each other, epsilon times ten, AdamW's bias correction one step
 * late, DPO's sign.
 */
import * as tf from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { expect } from "vitest";
import { makeRandom } from "../../src/util/random.ts";
import { normals } from "../ops/finiteDifferences.ts";
import { read } from "./read.ts";
import { expectClose } from "./tolerances.ts";

export type Arrays = Record<string, ArrayLike<number>>;

interface Input {
  shape: number[];
  /** Standard normal when left out. */
  values?: ArrayLike<number>;
  /** Integers are data, not differentiated. */
  dtype?: "int32";
  constant?: boolean;
}

export interface Case {
  tolerance: number;
  inputs: Record<string, Input>;
  run: (x: Record<string, tf.Tensor>) => tf.Tensor;
  /** Float64. */
  forward: (x: Arrays) => Float64Array;
  /** Float64: the gradient of each differentiated input for the cotangent dy; left out for what is not trained. */
  backward?: (dy: Float64Array, x: Arrays) => Record<string, Float64Array>;
  /**
   * For arrays too big for slow loops: by input (and `y`), the flat indices that forward and backward get instead of
   * the whole. The cotangent is 0 outside `y`, so every gradient must be 0 outside its part.
   */
  part?: Record<string, ArrayLike<number>>;
}

/** Result and every gradient, with a random cotangent; nothing may leak. */
export async function check({ tolerance, inputs, run, forward, backward, part = {} }: Case, seed: number) {
  const values: Arrays = {};
  for (const [name, { shape, values: given }] of Object.entries(inputs))
    values[name] = given ?? normals(tf.util.sizeFromShape(shape), seed, name);
  const parts = Object.fromEntries(Object.entries(values).map(([name, x]) => [name, pick(x, part[name])]));
  const y = forward(parts);
  const names = Object.keys(inputs).filter((name) => backward && !inputs[name].dtype && !inputs[name].constant);
  const dy = normals(y.length, seed, "dy");

  const before = tf.memory().numTensors;
  const result = tf.tidy(() => {
    const tensors = Object.fromEntries(
      Object.entries(inputs).map(([name, { shape, dtype }]) => [
        name,
        tf.tensor(dtype ? Int32Array.from(values[name]) : Float32Array.from(values[name]), shape, dtype ?? "float32"),
      ]),
    );
    if (!backward) return { y: run(tensors) };
    const flat = (...xs: tf.Tensor[]) =>
      tf.reshape(run({ ...tensors, ...Object.fromEntries(names.map((name, i) => [name, xs[i]])) }), [-1]);
    const size = part.y ? run(tensors).size : y.length;
    const { value, grads } = tf.valueAndGrads(flat)(
      names.map((name) => tensors[name]),
      tf.tensor1d(put(dy, part.y, size)),
    );
    names.forEach((name, i) => {
      expect(grads[i].shape, `d${name}`).toEqual(inputs[name].shape);
    });
    return { y: value, ...Object.fromEntries(names.map((name, i) => [`d${name}`, grads[i]])) } as Record<
      string,
      tf.Tensor
    >;
  });
  const actual = await read(result);
  expect(tf.memory().numTensors, "tensors left").toBe(before);

  expectClose(pick(actual.y, part.y), y, tolerance, "y");
  const gradients = backward?.(dy, parts) ?? {};
  expect(Object.keys(gradients).sort()).toEqual([...names].sort());
  for (const name of names) {
    const got = actual[`d${name}`];
    expectClose(pick(got, part[name]), gradients[name], tolerance, `d${name}`);
    if (part[name]) expect(nonzeroOutside(got, part[name]), `d${name}: first nonzero that should be 0`).toBe(-1);
  }
}

const pick = (x: ArrayLike<number>, indices?: ArrayLike<number>): ArrayLike<number> =>
  indices ? Float64Array.from(indices, (i) => x[i]) : x;

function put(x: ArrayLike<number>, indices: ArrayLike<number> | undefined, size: number): Float32Array {
  if (!indices) return Float32Array.from(x);
  const whole = new Float32Array(size);
  for (let i = 0; i < indices.length; i++) whole[indices[i]] = x[i];
  return whole;
}

function nonzeroOutside(x: ArrayLike<number>, indices: ArrayLike<number>): number {
  const inside = new Set(Array.from(indices));
  for (let i = 0; i < x.length; i++) if (x[i] !== 0 && !inside.has(i)) return i;
  return -1;
}

export function integers(count: number, below: number, seed: number): Int32Array {
  const random = makeRandom(seed, "integers");
  return Int32Array.from({ length: count }, () => random.int(below));
}

export const size = (max: number, min = 1) => fc.integer({ min, max });

/** PARITY_SEED tries other shapes and values; a failure prints the seed and the smallest case that fails. */
const SEED = Number(process.env.PARITY_SEED ?? 20250130);

/** Runs `make` over random sizes. */
export function forAll<T>(
  sizes: { [key in keyof T]: fc.Arbitrary<T[key]> },
  make: (sizes: T, seed: number) => Promise<void>,
  numRuns = 12,
) {
  const property = fc.asyncProperty(fc.record(sizes) as fc.Arbitrary<T>, fc.nat({ max: 1e6 }), make);
  return fc.assert(property, { numRuns, seed: SEED });
}

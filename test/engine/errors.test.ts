/** @file What the onnx engine says when something fails: the kernel, its shapes, and what needs less memory. */
import * as tf from "@tensorflow/tfjs-core";
import { afterEach, beforeEach, expect, test } from "vitest";
import { compile, startEngine } from "../../src/engine/engine.ts";
import { makeSimdMemory } from "../../src/engine/simd.ts";
import { embedding } from "../../src/ops/embedding.ts";
import { linear } from "../../src/ops/linear.ts";
import { UserError } from "../../src/util/assert.ts";

beforeEach(async () => {
  await startEngine("onnx");
  tf.engine().startScope();
});
afterEach(() => tf.engine().endScope());

function failure(run: () => unknown): Error {
  try {
    run();
  } catch (error) {
    return error as Error;
  }
  throw new Error("did not fail");
}

const ADVICE = "a smaller --micro-batch, --gradient-checkpointing or shorter rows need less";
const N = 2 ** 20; // [N, N] floats are 4 TiB

test("no memory inside a program: the kernel, the shapes, how much, and what helps; the next program runs", () => {
  const huge = compile(({ x }) => ({ y: tf.sum(linear(tf.tile(x, [N, 1]), tf.tile(x, [N, 1]))) }));
  const error = failure(() => huge({ x: tf.ones([1, 2]) }));
  expect(error).toBeInstanceOf(UserError);
  expect(error.message).toBe(
    `out of memory: Linear([${N},2] [${N},2]) -> [${N},${N}] asked for another 4096.00 GiB and there is no more; ${ADVICE}`,
  );
  huge.dispose();
  expect([...tf.add(tf.scalar(1), 1).dataSync()]).toEqual([2]);
});

test("no memory for a result: the same", () => {
  const error = failure(() => tf.mul(tf.fill([N, N], 1), 2).dataSync());
  expect(error).toBeInstanceOf(UserError);
  expect(error.message).toMatch(/^out of memory: Fill\(\) -> \[1048576,1048576\] asked for another 4096.00 GiB/);
});

test("no memory for the optimiser", () => {
  const error = failure(() => makeSimdMemory(2 ** 33)); // more than a WebAssembly memory can have
  expect(error).toBeInstanceOf(UserError);
  expect(error.message).toMatch(/^out of memory: 8.00 GiB for parameters, gradients and moments/);
});

test("an operator that fails, or that ONNX Runtime does not have for a type: the kernel and the shapes", () => {
  const outside = failure(() => embedding(tf.tensor2d([[1], [2]]), tf.tensor1d([0, 7, 1], "int32")).dataSync());
  expect(outside.message).toMatch(/^engine onnx: Embedding\(\[2,1\] \[3\]\) -> \[3,1\] failed: .*idx=7/);
  expect(outside).not.toBeInstanceOf(UserError);
  const untyped = failure(() => tf.neg(tf.tensor2d([[1, 0]], [1, 2], "bool")).dataSync());
  expect(untyped.message).toMatch(/^engine onnx: Neg\(\[1,2\]\) -> \[1,2\] failed: .*bool/);
});

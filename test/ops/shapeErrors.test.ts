/**
 * @file A fused op refuses shapes that do not fit and says which, before any engine sees them.
 */
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, test } from "vitest";
import { startEngine } from "../../src/engine/engine.ts";
import { attention } from "../../src/ops/attention.ts";
import { cacheWrite } from "../../src/ops/cacheWrite.ts";
import { embedding } from "../../src/ops/embedding.ts";
import { linear } from "../../src/ops/linear.ts";
import { rmsNorm } from "../../src/ops/rmsNorm.ts";
import { rope } from "../../src/ops/rope.ts";
import { swiglu } from "../../src/ops/swiglu.ts";
import { tokenLogprobs } from "../../src/ops/tokenLogprobs.ts";

beforeAll(async () => {
  await startEngine("onnx");
});

const of = (...shape: number[]) => tf.ones(shape);
const ints = (...shape: number[]) => tf.zeros(shape, "int32");
test.each<[string, () => tf.Tensor]>([
  ["embedding ids: got shape [2,2], expected [-1]", () => embedding(of(3, 2), ints(2, 2))],
  ["linear weight: got shape [5,4], expected [-1,3]", () => linear(of(2, 3), of(5, 4))],
  ["linear addend: got shape [4], expected [5]", () => linear(of(2, 3), of(5, 3), of(4))],
  ["linear addend: got shape [2,1], expected [2,5]", () => linear(of(2, 3), of(5, 3), of(2, 1))],
  ["rmsNorm weight: got shape [1], expected [3]", () => rmsNorm(of(2, 3), of(1), 1e-6)],
  ["rope cos: got shape [1,2,3], expected [1,2,2]", () => rope(of(1, 2, 8), of(1, 2, 3), of(1, 2, 2), 2)],
  ["attention k: got shape [1,2,4], expected [1,-1,2]", () => attend(of(1, 2, 4), of(1, 2, 4), of(1, 2, 2))],
  ["attention v: got shape [1,3,2], expected [1,2,2]", () => attend(of(1, 2, 4), of(1, 2, 2), of(1, 3, 2))],
  ["attention mask: got shape [1,2,2]", () => attend(of(1, 2, 4), of(1, 3, 2), of(1, 3, 2))],
  ["attention: 3 query heads are no multiple of 2 kvHeads", () => attend(of(1, 2, 6), of(1, 2, 4), of(1, 2, 4), 3, 2)],
  ["swiglu up: got shape [1,3], expected [2,3]", () => swiglu(of(2, 3), of(1, 3))],
  ["cacheWrite rows: got shape [2,1,3], expected [2,1,2]", () => cacheWrite(of(2, 3, 2), of(2, 1, 3), ints(2))],
  ["tokenLogprobs labels: got shape [3], expected [2]", () => tokenLogprobs(of(2, 3), of(5, 3), ints(3))],
])("%s", (message, call) => {
  tf.tidy(() => {
    expect(call).toThrow(message);
  });
});

const attend = (q: tf.Tensor, k: tf.Tensor, v: tf.Tensor, heads = 2, kvHeads = 1) =>
  attention(q, k, v, tf.zeros([1, 2, 2]), { heads, kvHeads });

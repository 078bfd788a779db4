/**
 * @file The engine webgpu on whatever adapter is here, scripts/software-vulkan.sh's included; without one, a visible
 * skip. `npm run parity` compares every op on it.
 */
import * as tf from "@tensorflow/tfjs-core";
import { beforeEach, expect, test } from "vitest";
import { startEngine } from "../../src/engine/engine.ts";
import { initParameters } from "../../src/model/init.ts";
import { type StepMetrics, train } from "../../src/train/loop.ts";
import { PAPER_ADAMW } from "../../src/train/optimizer.ts";
import { pretrainLoss } from "../../src/train/pretrain.ts";
import { constant, pretrainingBatch, TINY } from "../train/tiny.ts";

const missing = await startEngine("webgpu").then(
  () => null,
  (error: Error) => error.message,
);

if (missing !== null) {
  test.skip(`not here: ${missing}`, () => {});
  test("where it cannot start, the message says what is missing", () => {
    expect(missing).toMatch(/^--engine webgpu: cannot start here \((no WebGPU adapter: .*driver|the package webgpu)/);
  });
} else {
  beforeEach(async () => {
    await startEngine("webgpu");
  });

  test("names its adapter", async () => {
    expect((await startEngine("webgpu")).reason).toMatch(/^asked for with --engine, on \S/);
  });

  test("a run of three steps has the losses and gradient norms of cpu, and leaves no tensor", async () => {
    const run = async (engine: string) => {
      await startEngine(engine);
      const metrics: StepMetrics[] = [];
      const before = tf.memory().numTensors;
      const parameters = initParameters(TINY, 1);
      await train(parameters, {
        lossFunction: pretrainLoss(TINY),
        steps: 3,
        tokensPerStep: 32,
        batchAt: pretrainingBatch,
        schedule: constant(1e-2),
        optimizer: PAPER_ADAMW,
        onStep: (_, __, m) => metrics.push(m),
      });
      tf.dispose(parameters);
      expect(tf.memory().numTensors).toBe(before);
      return { losses: metrics.map((m) => m.loss), norms: metrics.map((m) => m.grad_norm) };
    };
    const [cpu, webgpu] = [await run("cpu"), await run("webgpu")];
    expect(cpu.losses[2]).not.toBeCloseTo(cpu.losses[0], 2);
    expect(webgpu.losses).toBeAllClose(cpu.losses, { rtol: 2e-5 });
    expect(webgpu.norms).toBeAllClose(cpu.norms, { rtol: 1e-4 });
  });

  test("sine and cosine are right to a rounding, where WGSL's own may be wrong by 5e-4", async () => {
    const x = Float32Array.from({ length: 4001 }, (_, i) => (i - 2000) * 0.731);
    const [sin, cos] = tf.tidy(() => [tf.sin(tf.tensor1d(x)), tf.cos(tf.tensor1d(x))]);
    expect(await sin.data()).toBeAllClose(Float64Array.from(x, Math.sin), { atol: 1.2e-7 });
    expect(await cos.data()).toBeAllClose(Float64Array.from(x, Math.cos), { atol: 1.2e-7 });
    tf.dispose([sin, cos]);
  });

  test("cumulative sums and products from the end, of several lengths", async () => {
    for (const n of [3, 5, 4]) {
      const x = Array.from({ length: n }, (_, i) => i + 2);
      const [sum, product] = tf.tidy(() => [
        tf.cumsum(tf.neg(tf.tensor1d(x)), 0, false, true),
        tf.cumprod(tf.tensor2d([x, x]), 1, true, true),
      ]);
      expect([...(await sum.data())]).toEqual(x.map((_, i) => -x.slice(i).reduce((a, b) => a + b)));
      const after = x.map((_, i) => x.slice(i + 1).reduce((a, b) => a * b, 1));
      expect([...(await product.data())]).toEqual([...after, ...after]);
      tf.dispose([sum, product]);
    }
  });

  test("a tensor that is disposed while it is read", async () => {
    const before = tf.memory();
    const x = tf.tidy(() => tf.matMul(tf.ones([40, 50]), tf.ones([50, 60])));
    const reading = x.data();
    x.dispose();
    expect((await reading)[2399]).toBe(50);
    expect(tf.memory()).toMatchObject({ numTensors: before.numTensors, numDataBuffers: before.numDataBuffers });
  });

  test("a synchronous read says what to do instead", () => {
    tf.tidy(() => {
      const y = tf.matMul(tf.ones([40, 50]), tf.ones([50, 60]));
      expect(() => y.dataSync()).toThrow("use await tensor.data()");
    });
  });

  // last: from here on every read fails
  test("what the device refuses is an error at the next read, not zeros", async () => {
    const side: [number, number] = [1, 1];
    const x = tf.tidy(() => tf.pad(tf.mul(tf.ones([5, 5, 5, 5, 5]), 2), [side, side, side, side, side])); // tfjs' kernel has no rank 5
    await expect(x.data()).rejects.toThrow(/^webgpu: .*WGSL/);
    x.dispose();
  });
}

/**
 * @file The GPU.js engine's executor in each mode that starts here: what is sent to the device how often, what stays
 * there, what is given back, what is compiled once, and what its errors say.
 */
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compile, startEngine } from "../../../src/engine/engine.ts";
import { type Device, webasmDevice, webgpuDevice } from "../../../src/engine/gpujs/device.ts";
import { GpujsExecutor } from "../../../src/engine/gpujs/executor.ts";
import { registerLaunches } from "../../../src/engine/gpujs/launch.ts";
import { LazyBackend } from "../../../src/engine/lazy/backend.ts";
import { registerLazyKernel } from "../../../src/engine/lazy/register.ts";
import { adapterName } from "../../../src/engine/webgpu.ts";
import { initParameters } from "../../../src/model/init.ts";
import { train } from "../../../src/train/loop.ts";
import { PAPER_ADAMW } from "../../../src/train/optimizer.ts";
import { pretrainLoss } from "../../../src/train/pretrain.ts";
import { pretrainingBatch, TINY } from "../../train/tiny.ts";

interface Counts {
  uploads: number;
  /** Arrays that are on the device. */
  live: number;
  compiled: number;
  disposed: number;
}

function counting<A>(device: Device<A>, counts: Counts): Device<A> {
  return {
    ...device,
    upload(values) {
      counts.uploads++;
      counts.live++;
      return device.upload(values);
    },
    free(array, size) {
      counts.live--;
      device.free(array, size);
    },
    compile(launch) {
      counts.compiled++;
      const counted = (runnable: Awaited<ReturnType<Device<A>["compile"]>>) => ({
        run(inputs: A[]) {
          counts.live++;
          return runnable.run(inputs);
        },
        dispose() {
          counts.disposed++;
          runnable.dispose();
        },
      });
      const runnable = device.compile(launch);
      return runnable instanceof Promise ? runnable.then(counted) : counted(runnable);
    },
  };
}

const unary = (name: string) => registerLazyKernel(name, ({ x }) => ({ inputs: [x], outputs: [x] }));
const call = (name: string, x: tf.Tensor) => tf.engine().runKernel(name, { x } as never, {}) as tf.Tensor;
for (const name of ["TestNoLaunches", "TestRefused", "TestTwice"]) unary(name);
registerLaunches("TestRefused", (p, [x]) => p.launch("function(x) { return x.nonsense(); }", [x], [x.rows, x.columns]));
registerLaunches("TestTwice", (p, [x]) => {
  const twice = "function(x) { return 2 * x[this.thread.y][this.thread.x]; }";
  return p.launch(twice, [x], [x.rows, x.columns]);
});

const withoutGpu = await adapterName().then(
  () => null,
  (error: Error) => error.message,
);

describe.each(["webasm", "webgpu"] as const)("%s", (mode) => {
  const missing = mode === "webgpu" ? withoutGpu : null;
  if (missing !== null) {
    test.skip(`not here: ${missing}`, () => {});
    return;
  }
  const counts: Counts = { uploads: 0, live: 0, compiled: 0, disposed: 0 };
  beforeAll(async () => {
    const executor =
      mode === "webasm"
        ? new GpujsExecutor(counting(webasmDevice(), counts))
        : new GpujsExecutor(counting(await webgpuDevice(), counts));
    tf.registerBackend(`gpujs-${mode}`, () => new LazyBackend(executor));
    await startEngine(`gpujs-${mode}`);
  });
  afterAll(async () => {
    await startEngine("onnx");
    tf.removeBackend(`gpujs-${mode}`);
  });
  /** Everything that was asked of the device has happened. */
  const idle = async () => {
    const x = tf.scalar(1);
    const y = tf.neg(x);
    await y.data();
    tf.dispose([x, y]);
    await new Promise((resolve) => setTimeout(resolve, 10));
  };

  test("a tensor is sent once, results stay there, and all of it is given back", async () => {
    await idle();
    const before = { ...counts };
    const weight = tf.tensor2d([
      [1, 2],
      [3, 4],
    ]);
    let x: tf.Tensor = tf.tensor2d([[1, 1]]);
    for (let step = 0; step < 5; step++) {
      const next: tf.Tensor = tf.tidy(() => tf.div(tf.matMul(x, weight), 4));
      if (step === 3) await next.data(); // in the middle, too
      x.dispose();
      x = next;
    }
    let [a, b] = [1, 1];
    for (let step = 0; step < 5; step++) [a, b] = [(a + 3 * b) / 4, (2 * a + 4 * b) / 4];
    expect(await x.data()).toBeAllClose([a, b], { rtol: 1e-6 });
    await idle();
    expect(counts.uploads - before.uploads).toBe(2 + 5 + 1); // weight and x, the number 4 five times, idle's
    tf.dispose([x, weight]);
    await idle();
    expect(counts.live).toBe(before.live);
  });

  test("a compiled function sends only what is new, and keeps what it closed over", async () => {
    const closed = tf.tensor1d([1, 2]);
    const scale = tf.mul(closed, 10);
    const f = compile(({ x }) => ({ y: tf.add(tf.mul(x, scale), tf.tensor1d([0.5, 0.25])) }));
    const x = tf.tensor1d([3, 4]);
    const first = f({ x }).y;
    tf.dispose([closed, scale]);
    expect(await first.data()).toBeAllClose([30.5, 80.25]);
    await idle();
    const { uploads } = counts;
    const second = f({ x: first }).y;
    expect(await second.data()).toBeAllClose([305.5, 1605.25]);
    await idle();
    expect(counts.uploads - uploads).toBe(1); // idle's own
    tf.dispose([x, first, second]);
    f.dispose();
  });

  test("equal kernels are compiled once, and given back with the last program that uses them", async () => {
    const before = { ...counts };
    const f = compile(({ x }) => ({ y: call("TestTwice", x) }));
    const g = compile(({ x }) => ({ y: tf.mul(call("TestTwice", x), x) }));
    const x = tf.tensor2d([[1, 2, 3]]);
    const made = [f({ x }).y, g({ x }).y];
    expect(await made[0].data()).toBeAllClose([2, 4, 6]);
    expect(await made[1].data()).toBeAllClose([2, 8, 18]);
    expect(counts.compiled - before.compiled).toBe(2); // TestTwice and the product
    f.dispose();
    g.dispose();
    tf.dispose([x, made]);
    await idle();
    expect(counts.disposed - before.disposed).toBe(2);
  });

  test("reading at once works where it can, and says what to do where it cannot", async () => {
    const x = tf.tensor1d([1, -2]);
    const y = tf.neg(x);
    expect([...x.dataSync()]).toEqual([1, -2]); // it never left
    if (mode === "webgpu") expect(() => y.dataSync()).toThrow("use await tensor.data()");
    else expect([...y.dataSync()]).toEqual([-1, 2]);
    expect([...(await y.data())]).toEqual([-1, 2]);
    expect([...y.dataSync()]).toEqual([-1, 2]); // known by now
    tf.dispose([x, y]);
  });

  test("integers and truth values come back as what they are; an integer that is no float32 is refused", async () => {
    const x = tf.tensor1d([3, -4], "int32");
    const sum = tf.add(x, tf.scalar(1, "int32"));
    const positive = tf.greater(sum, tf.scalar(0, "int32"));
    expect(await sum.data()).toEqual(Int32Array.of(4, -3));
    expect(await positive.data()).toEqual(Uint8Array.of(1, 0));
    const large = tf.tensor1d([2 ** 24 + 1], "int32");
    const next = tf.neg(large);
    await expect(next.data()).rejects.toThrow(/int32 16777217 is no float32/);
    tf.dispose([x, sum, positive, large, next]);
  });

  test("an op without kernels and a kernel that GPU.js refuses are errors with their names, and pass", async () => {
    const x = tf.tensor2d([[1, 2]]);
    const unknown = call("TestNoLaunches", x);
    await expect(unknown.data()).rejects.toThrow(
      /engine gpujs: it has no kernel for TestNoLaunches\(\[1,2\]\) -> \[1,2\]/,
    );
    const refused = call("TestRefused", x);
    await expect(refused.data()).rejects.toThrow(/engine gpujs-\w+: .*TestRefused\(\[1,2\]\)/);
    const fine = tf.neg(x);
    expect([...(await fine.data())]).toEqual([-1, -2]);
    tf.dispose([x, unknown, refused, fine]);
  });

  test("training keeps parameters and moments on the device: a step sends its batch and gives all else back", async () => {
    const parameters = initParameters(TINY, 1);
    const sent: number[] = [];
    const live: number[] = [];
    const steps = 4;
    const schedule = { maxLearningRate: 1e-3, minRatio: 0.1, warmupTokens: 0, totalTokens: 1000 };
    await train(parameters, {
      lossFunction: pretrainLoss(TINY),
      steps,
      tokensPerStep: 1,
      batchAt: pretrainingBatch,
      schedule,
      optimizer: PAPER_ADAMW,
      onStep: () => {
        sent.push(counts.uploads);
        live.push(counts.live);
      },
    });
    const perStep = sent.slice(2).map((n, i) => n - sent[i + 1]);
    expect(perStep).toEqual([5, 5]); // four arrays of the batch, and the optimiser's three numbers in one
    expect(live[3]).toBe(live[2]);
    for (const x of Object.values(parameters)) expect((await x.data()).every(Number.isFinite)).toBe(true);
    tf.dispose(parameters);
  });
});

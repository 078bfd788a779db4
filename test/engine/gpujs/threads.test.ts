/** @file Threads of the GPU.js engine's webasm mode: the same numbers as without them, to the bit. */
import { expect, test } from "vitest";
import { type Device, webasmDevice } from "../../../src/engine/gpujs/device.ts";
import { blockedMatMul } from "../../../src/engine/gpujs/kernels/matMul.ts";
import { type Launch, Program } from "../../../src/engine/gpujs/launch.ts";
import { makeThreads, type SharedKernel, type Threads } from "../../../src/engine/gpujs/threads.ts";

/** Threads, and for how many kernels they were asked. */
function counting(count: number): Threads & { kernels: SharedKernel[] } {
  const threads = makeThreads(count);
  const kernels: SharedKernel[] = [];
  return {
    count,
    kernels,
    add(kernel) {
      kernels.push(kernel);
      return threads.add(kernel);
    },
  };
}

const numbers = (size: number) => Float32Array.from({ length: size }, (_, i) => Math.sin(i + 1));
const run = (device: Device<Float32Array>, launch: Launch, inputs: Float32Array[]) => {
  const runnable = device.compile(launch) as Exclude<ReturnType<Device<Float32Array>["compile"]>, Promise<unknown>>;
  const results = [1, 2, 3].map(() => runnable.run(inputs));
  runnable.dispose();
  return results;
};

test.each([
  [64, 64],
  [33, 129], // rows that are no multiple of four
  [1, 8192],
  [5000, 1],
  [2, 2051], // fewer rows than threads
])("every cell of %i × %i is computed once, by three threads", (rows, columns) => {
  const p = new Program();
  const kernel =
    "function(x) { return Math.exp(x[this.thread.y][this.thread.x]) + 3 * this.thread.y + this.thread.x; }";
  p.launch(kernel, [p.array([rows, columns])], [rows, columns]);
  const x = numbers(rows * columns);
  const threads = counting(3);
  const results = run(webasmDevice(threads), p.launches[0], [x]);
  expect(threads.kernels.length).toBe(1); // from the second run on
  const expected = x.map((value, i) => Math.fround(Math.exp(value)) + 3 * Math.floor(i / columns) + (i % columns));
  for (const result of results) expect(result).toBeAllClose(expected, { rtol: 1e-6 });
  expect(results[1]).toEqual(results[0]);
  expect(results[2]).toEqual(results[0]);
});

test("kernels of four numbers, and many kernels in turn", () => {
  const threads = counting(2);
  const device = webasmDevice(threads);
  const [M, K] = [256, 16];
  for (const N of [64, 65, 66]) {
    const p = new Program();
    p.launchFours(blockedMatMul, [p.array([M, K]), p.array([K, N])], [M / 4, N], { K });
    const results = run(device, p.launches[0], [numbers(M * K), numbers(K * N)]);
    expect(results[2]).toEqual(results[0]);
    expect(results[0].length).toBe(M * N);
  }
  expect(threads.kernels.length).toBe(3);
});

test("a kernel too small for threads runs without", () => {
  const p = new Program();
  p.launch("function(x) { return -x[this.thread.y][this.thread.x]; }", [p.array([10, 10])], [10, 10]);
  const threads = counting(2);
  const results = run(webasmDevice(threads), p.launches[0], [numbers(100)]);
  expect(results[2]).toEqual(results[0]);
  expect(threads.kernels).toEqual([]);
});

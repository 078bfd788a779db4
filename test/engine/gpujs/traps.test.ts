/**
 * @file What GPU.js 2.24.1 does without a word, or only in one mode, and that our kernels and launches stay clear of it.
 * A test of GPU.js itself that fails after an update says that a rule of docs/gpujs.md can go.
 */
import { readdirSync } from "node:fs";
import { resolve } from "node:path";
import gpujs from "gpu.js";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { assertMode } from "../../../src/engine/gpujs/device.ts";
import { type Kernel, Program, type Thread } from "../../../src/engine/gpujs/launch.ts";
import { type Mode, runLaunches, start } from "./run.ts";

/** Writes a kernel's text, and is none. */
const isRule = (source: string) => source.includes("p.launch(");

const FOLDER = "src/engine/gpujs/kernels";

describe("every kernel", async () => {
  const kernels: [name: string, source: string][] = [];
  for (const file of readdirSync(FOLDER)) {
    const module = await import(resolve(FOLDER, file));
    for (const [name, value] of Object.entries(module))
      if (typeof value === "function" && /\bthis\.(thread|constants)\b/.test(String(value)) && !isRule(String(value)))
        kernels.push([`${file}: ${name}`, String(value)]);
  }

  test("is found", () => expect(kernels.length).toBeGreaterThan(30));

  test.for(kernels)(
    "%s is a plain function: GPU.js reads the source, which bundlers change otherwise",
    ([, source]) => {
      expect(source).toMatch(/^function \w+\(/);
      expect(source.slice(1)).not.toMatch(/\bfunction\b|=>|__name/);
    },
  );

  test.for(kernels)(
    "%s starts its loops at 0: a start that is a variable does not compile for WebGPU",
    ([, source]) => {
      expect(source.match(/\bfor\s*\(/g)?.length ?? 0).toBe(source.match(/\bfor\s*\(let \w+ = 0;/g)?.length ?? 0);
      expect(source).not.toMatch(/\bwhile\b/);
    },
  );

  test.for(kernels)("%s does not divide whole numbers to the last bit", ([, source]) => {
    for (const [, inside] of source.matchAll(/Math\.floor\(([^;]*?) \/ /g)) expect(inside).toMatch(/\+ 0?\.5\)$/);
  });
});

describe.each<Mode>(["webasm", "webgpu"])("%s", (mode) => {
  let missing: string | null = null;
  beforeAll(async () => {
    missing = await start(mode);
  });

  async function one(
    kernel: Kernel,
    inputs: [ArrayLike<number>, [number, number]][],
    size: [number, number],
    more = {},
  ) {
    const p = new Program();
    const matrices = inputs.map(([, size]) => p.array(size));
    const given = new Map(matrices.map(({ array }, i) => [array, Float32Array.from(inputs[i][0])]));
    const y = p.launch(kernel, matrices, size, more);
    return (await runLaunches(mode, p.launches, given, [y]))[0];
  }

  test("a loop as long as the data say runs to its end, not to GPU.js' 1,000", async ({ skip }) => {
    if (missing) skip(missing);
    function count(this: Thread, n: number[][]) {
      let iterations = 0;
      for (let i = 0; i < n[0][0]; i++) iterations += 1;
      return iterations;
    }
    const p = new Program();
    const n = p.values([1500]);
    const [right, cut] = [p.launch(count, [n], [1, 1], {}, 1500), p.launch(count, [n], [1, 1], {}, 0)];
    const y = await runLaunches(mode, p.launches, p.known, [right, cut]);
    expect([y[0][0], y[1][0]]).toEqual([1500, 1000]);
  });

  test("a constant bounds a loop of more than 1,000 without a setting", async ({ skip }) => {
    if (missing) skip(missing);
    function count(this: Thread, x: number[][]) {
      let sum = 0;
      for (let i = 0; i < this.constants.n; i++) sum += x[0][0];
      return sum;
    }
    expect((await one(count, [[[1], [1, 1]]], [1, 1], { n: 2500 }))[0]).toBe(2500);
  });

  test("whole quotients are right with the half, for all rows that a launch can have", async ({ skip }) => {
    if (missing) skip(missing);
    function quotient(this: Thread, n: number[][]) {
      return Math.floor((this.thread.x + 0.5) / n[this.thread.y][0]);
    }
    const divisors = [1, 2, 3, 7, 14, 49, 127, 1000, 1023, 4097];
    const columns = 2 ** 19 - 8; // 65,535 workgroups of 8
    const y = await one(quotient, [[divisors, [divisors.length, 1]]], [divisors.length, columns]);
    const wrong = y.findIndex((q, i) => q !== Math.floor((i % columns) / divisors[Math.floor(i / columns)]));
    expect(wrong).toBe(-1);
  });

  test("a place past 2^24 is right as row and column, and wrong as one number in a variable", async ({ skip }) => {
    if (missing) skip(missing);
    function byRow(this: Thread, x: number[][]) {
      return x[this.thread.y + 4096][this.thread.x];
    }
    function flat(this: Thread, x: number[][]) {
      const at = (this.thread.y + 4096) * 4096 + this.thread.x;
      return x[0][at];
    }
    const x = new Float32Array(4097 * 4096).map((_, i) => i % 1000);
    const expected = [...x.subarray(4096 * 4096, 4096 * 4096 + 8)];
    expect([...(await one(byRow, [[x, [4097, 4096]]], [1, 8]))]).toEqual(expected);
    expect([...(await one(flat, [[x, [1, 4097 * 4096]]], [1, 8]))]).not.toEqual(expected);
  });
});

test("a kernel of more than 7 arrays is refused: WebGPU's shaders have no more", () => {
  const p = new Program();
  const x = p.values([1]);
  expect(() => p.launch("function f() { return 1; }", Array(8).fill(x), [1, 1])).toThrow(/8 arrays; WebGPU allows 7/);
});

test("GPU.js degrades a kernel to its CPU mode with a warning only; here that is an error that says why", () => {
  const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
  const gpu = new gpujs.GPU({ mode: "webasm" });
  const settings = { output: [2], constants: { c: [1, 2] }, constantTypes: { c: "Array(2)" } };
  const call = gpu.createKernel("function() { return this.constants.c[0]; }", settings as object);
  call();
  expect(warn).toHaveBeenCalledWith(expect.stringContaining("Falling back to CPU"));
  warn.mockRestore();
  const p = new Program();
  p.launch("function f() { return 1; }", [], [1, 2]);
  const { kernel } = call as unknown as { kernel: Parameters<typeof assertMode>[0] };
  expect(() => assertMode(kernel, "webasm", p.launches[0])).toThrow(
    /would run in mode cpu \(constant "c" of type Array\(2\) is not supported on the webasm backend\)/,
  );
});

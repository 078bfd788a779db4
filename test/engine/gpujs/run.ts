/** @file Runs a list of launches with GPU.js alone, without the engine: what the tests of kernels compare. */
import { createRequire } from "node:module";
import type { Launch, Matrix } from "../../../src/engine/gpujs/launch.ts";

const require = createRequire(import.meta.url);
const { GPU, input } = require("gpu.js"); // its types leave out half of its settings
const { WebGPUContext } = require("gpu.js/src/backend/web-gpu/context.js");
const { WebGPUBufferResult } = require("gpu.js/src/backend/web-gpu/buffer-result.js");

export type Mode = "webasm" | "webgpu";

interface Compiled {
  (...inputs: unknown[]): unknown;
  kernel: { _shapeOutput(data: Float32Array): unknown; constructor: { mode: string }; fallbackReason: string | null };
  destroy(): void;
}

const gpus = new Map<Mode, { createKernel(kernel: unknown, settings: object): Compiled }>();

/** Starts GPU.js in that mode, or says why it cannot. */
export async function start(mode: Mode): Promise<string | null> {
  if (mode === "webgpu" && !globalThis.navigator?.gpu) {
    const dawn = await import("webgpu");
    Object.assign(globalThis, dawn.globals);
    if (!globalThis.navigator) Object.defineProperty(globalThis, "navigator", { value: {}, configurable: true });
    Object.defineProperty(globalThis.navigator, "gpu", { value: dawn.create([]), configurable: true });
  }
  if (mode === "webgpu" && !(await navigator.gpu.requestAdapter())) return "no Vulkan, Metal or D3D12 driver";
  if (!gpus.has(mode)) gpus.set(mode, new GPU({ mode }));
  return null;
}

/** The numbers of `outputs`, from those that are given. */
export async function runLaunches(
  mode: Mode,
  launches: Launch[],
  given: Map<number, Float32Array>,
  outputs: Matrix[],
): Promise<Float32Array[]> {
  const context = mode === "webgpu" ? await WebGPUContext.acquire() : null;
  const arrays = new Map<number, Float32Array | GPUBuffer>(given);
  const kernels: Compiled[] = [];
  const operand = ({ array, rows, columns }: Matrix) => {
    let x = arrays.get(array)!;
    if (mode === "webasm") return input(x as Float32Array, [columns, rows]);
    if (x instanceof Float32Array) {
      const buffer: GPUBuffer = context.device.createBuffer({ size: x.byteLength, usage: 0x80 | 4 | 8 });
      context.device.queue.writeBuffer(buffer, 0, x);
      arrays.set(array, buffer);
      x = buffer;
    }
    return new WebGPUBufferResult({ buffer: x, output: [columns, rows], context, kernel: kernels.at(-1)?.kernel });
  };
  for (const { kernel, perThread, inputs, output, constants, maxIterations } of launches) {
    const compiled = gpus.get(mode)!.createKernel(kernel, {
      output: [output.columns / perThread, output.rows],
      constants,
      loopMaxIterations: maxIterations,
      pipeline: mode === "webgpu",
    });
    kernels.push(compiled);
    compiled.kernel._shapeOutput = (data) => data; // flat, as it is
    const y = await compiled(...inputs.map(operand));
    const ran = compiled.kernel.constructor.mode;
    if (ran !== mode) throw new Error(`${mode} fell back to ${ran}: ${compiled.kernel.fallbackReason}`);
    arrays.set(output.array, mode === "webgpu" ? (y as { buffer: GPUBuffer }).buffer : (y as Float32Array));
  }
  const results: Float32Array[] = [];
  for (const output of outputs) {
    const x = operand(output);
    results.push(mode === "webgpu" ? await x.toArray() : (arrays.get(output.array) as Float32Array));
  }
  for (const kernel of kernels) kernel.destroy();
  return results;
}

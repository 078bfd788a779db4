/** @file Starts the GPU.js engine in one of its modes, as a TensorFlow.js backend named after it. */
import * as tf from "@tensorflow/tfjs-core";
import { LazyBackend } from "../lazy/backend.ts";
import { adapterName } from "../webgpu.ts";
import { webasmDevice, webgpuDevice } from "./device.ts";
import { GpujsExecutor, type Profile } from "./executor.ts";

export interface GpujsOptions {
  /** Filled with each kernel's runs and times, for measurements; of the first start only. */
  profile?: Profile;
}

/** Starts the mode and returns what it runs on, for people. */
export async function startGpujs(mode: "webasm" | "webgpu", { profile }: GpujsOptions = {}): Promise<string> {
  const name = `gpujs-${mode}`;
  const adapter = mode === "webgpu" ? await adapterName() : null;
  const count = typeof process === "undefined" ? 1 : (await import("node:os")).availableParallelism();
  if (!tf.findBackend(name)) {
    const threads = count > 1 && !adapter ? (await import("./threads.ts")).makeThreads(count) : null;
    const executor = adapter
      ? new GpujsExecutor(await webgpuDevice(), profile)
      : new GpujsExecutor(webasmDevice(threads), profile);
    tf.registerBackend(name, () => new LazyBackend(executor));
  }
  if (!(await tf.setBackend(name))) throw new Error(`TensorFlow.js could not start its ${name} backend`);
  return adapter ? `webgpu: ${adapter.name}` : `webasm: the CPU, ${count} threads`;
}

/** The mode for this machine: a GPU where there is one. */
export async function startGpujsBest(options: GpujsOptions = {}): Promise<string> {
  const adapter = await adapterName().catch((error: Error) => error);
  const why = adapter instanceof Error ? adapter.message : adapter.software ? `no GPU, only ${adapter.name}` : null;
  if (why === null) return startGpujs("webgpu", options);
  return `${await startGpujs("webasm", options)} (${why})`;
}

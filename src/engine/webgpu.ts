/**
 * @file The stock TensorFlow.js WebGPU backend: on the browser's own WebGPU, or in Node on Dawn (npm `webgpu`), which
 * needs a Vulkan, Metal or D3D12 driver. scripts/software-vulkan.sh fetches one that needs no GPU, for tests.
 *
 * WebGPU reads are asynchronous (`await x.data()`), and it reports what goes wrong on the device beside the program:
 * without the guard below a refused command would read as zeros.
 */

import type { WebGPUBackend } from "@tensorflow/tfjs-backend-webgpu";
import * as tf from "@tensorflow/tfjs-core";

/** What TensorFlow.js asks for; the same adapter must be named here as it will use. */
const ADAPTER: GPURequestAdapterOptions = { powerPreference: "high-performance" };

/**
 * Starts the backend and returns the adapter's name; one that computes on the CPU is named "(software)".
 * `hardwareOnly`: refuses such an adapter, which is far slower than the other engines.
 */
export async function startWebgpu(hardwareOnly: boolean): Promise<string> {
  const { name, software } = await adapterName();
  if (hardwareOnly && software) throw new Error(`no GPU, only ${name}`);
  await import("@tensorflow/tfjs-backend-webgpu"); // registers itself when navigator.gpu is there
  guardEachNew();
  if (!(await tf.setBackend("webgpu"))) throw new Error(`TensorFlow.js could not start its webgpu backend on ${name}`);
  await import("./webgpuKernels.ts");
  return name;
}

/** The adapter that WebGPU has here, for people; `software`: it computes on the CPU. */
export async function adapterName(): Promise<{ name: string; software: boolean }> {
  const gpu = globalThis.navigator?.gpu ?? (await installDawn());
  const adapter = await gpu.requestAdapter(ADAPTER);
  if (!adapter) throw new Error("no WebGPU adapter: no Vulkan, Metal or D3D12 driver was found that WebGPU accepts");
  return describe(adapter.info);
}

/** Puts Dawn's WebGPU where browsers have theirs. The global is also what keeps its instance alive. */
async function installDawn(): Promise<GPU> {
  if (typeof process === "undefined") throw new Error("this browser has no WebGPU (navigator.gpu)");
  let dawn: typeof import("webgpu");
  try {
    dawn = await import("webgpu");
  } catch (error) {
    const why = (error instanceof Error ? error.message : String(error)).split("\n")[0];
    throw new Error(`the package webgpu (Dawn) cannot be loaded: ${why}`);
  }
  Object.assign(globalThis, dawn.globals);
  const gpu = dawn.create([]);
  if (!globalThis.navigator) Object.defineProperty(globalThis, "navigator", { value: {}, configurable: true });
  Object.defineProperty(globalThis.navigator, "gpu", { value: gpu, configurable: true });
  return gpu;
}

function describe(info: GPUAdapterInfo) {
  const parts = [info.vendor, info.architecture, info.description || info.device];
  const software = info.isFallbackAdapter || /swiftshader|llvmpipe|lavapipe|basic render/i.test(parts.join(" "));
  return {
    name: `${parts.filter(Boolean).join(" ") || "an unnamed adapter"}${software ? " (software)" : ""}`,
    software,
  };
}

let guarding = false;

/** Every backend that TensorFlow.js makes from now on is a guarded one: it makes a new one after a reset. */
function guardEachNew() {
  if (guarding) return;
  const make = tf.findBackendFactory("webgpu");
  tf.removeBackend("webgpu");
  tf.registerBackend("webgpu", async () => guard((await make()) as WebGPUBackend));
  guarding = true;
}

/** The first thing that the device of a backend refused. */
const failures = new WeakMap<WebGPUBackend, string>();

/** What the active device refused since it started, or since the last call; for tests, which go on after it. */
export async function takeDeviceFailure(): Promise<string | undefined> {
  if (tf.getBackend() !== "webgpu") return undefined;
  const backend = tf.backend() as WebGPUBackend;
  await backend.device.queue.onSubmittedWorkDone(); // its errors come before
  const failure = failures.get(backend);
  failures.delete(backend);
  return failure;
}

/**
 * Makes every read fail after the device refused a command or was lost; names what cannot be read; lets a tensor be
 * disposed while it is read.
 */
function guard(backend: WebGPUBackend): WebGPUBackend {
  const fail = (message: string) => {
    if (!failures.has(backend)) failures.set(backend, message);
  };
  backend.device.addEventListener("uncapturederror", (event) => fail(event.error.message));
  backend.device.lost.then(({ reason, message }) => {
    if (reason !== "destroyed") fail(`the device was lost: ${message}`);
  });
  const read = backend.read.bind(backend);
  backend.read = async (dataId) => {
    backend.incRef(dataId);
    try {
      const values = await read(dataId);
      const failure = failures.get(backend);
      if (failure) throw new Error(`webgpu: ${failure}`);
      return values;
    } finally {
      if (backend.disposeData(dataId)) tf.engine().removeDataId(dataId, backend);
    }
  };
  if (typeof OffscreenCanvas === "undefined") {
    const readSync = backend.readSync.bind(backend);
    backend.readSync = (dataId) => {
      const { values, dtype } = backend.tensorMap.get(dataId);
      if (values == null && dtype !== "string" && dtype !== "complex64")
        throw new Error("webgpu cannot read synchronously here: use await tensor.data()");
      return readSync(dataId);
    };
  }
  const dispose = backend.dispose.bind(backend);
  backend.dispose = () => {
    dispose();
    backend.device.destroy(); // which the stock backend forgets
  };
  return backend;
}

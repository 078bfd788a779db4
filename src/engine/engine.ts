/**
 * @file Where tensor programs run: chooses an engine, starts it, and says which one and why.
 *
 * `onnx` records TensorFlow.js programs and runs them with ONNX Runtime (the default); `gpujs` records them too and runs
 * them as the GPU.js kernels of `gpujs/kernels/`. The others are stock TensorFlow.js backends, of which `cuda` and
 * `tensorflow` (libtensorflow) are optional. The same program runs on each.
 */
import * as tf from "@tensorflow/tfjs-core";
import { UserError } from "../util/assert.ts";
import "./gradients.ts";
import type { GpujsOptions } from "./gpujs/start.ts";
import { type Compiled, type CompileOptions, LazyBackend, type TensorMap } from "./lazy/backend.ts";
import "./lazy/kernels.ts";

/** In the order in which "auto" tries them. */
const AUTO = ["cuda", "onnx", "webgpu", "tensorflow", "wasm", "cpu"] as const;
/** Those that run when they are asked for, too: `gpujs` on a GPU where there is one, and each of its modes by name. */
export const ENGINES = [...AUTO, "gpujs", "gpujs-webgpu", "gpujs-webasm"] as const;
export type EngineName = (typeof ENGINES)[number];

/** Each engine once, for what goes through all of them: `gpujs` is one of its modes. */
export const EACH_ENGINE = ENGINES.filter((name) => name !== "gpujs");

export interface Engine {
  name: EngineName;
  /** Why this one, for people: printed at the start of every run. */
  reason: string;
}

export interface EngineOptions {
  /** ONNX Runtime's session options beside ours, e.g. `{ enableProfiling: true }`; of the first start only. */
  onnxSession?: object;
  gpujs?: GpujsOptions;
}

/**
 * Starts the engine of that name, or the fastest that works ("auto"), and makes it TensorFlow.js' backend.
 * @throws UserError for an unknown name, or when the named engine cannot start here.
 */
export async function startEngine(name: string = "auto", options: EngineOptions = {}): Promise<Engine> {
  if (name !== "auto") {
    if (!(ENGINES as readonly string[]).includes(name))
      throw new UserError(`--engine ${name}: no such engine; expected auto, ${ENGINES.join(", ")}`);
    try {
      const device = await START[name as EngineName](options, false);
      return { name: name as EngineName, reason: `asked for with --engine${device ? `, on ${device}` : ""}` };
    } catch (error) {
      throw new UserError(
        `--engine ${name}: cannot start here (${reasonOf(error)}); leave --engine out to choose one that can`,
      );
    }
  }
  const failures: string[] = [];
  for (const candidate of AUTO) {
    try {
      const device = await START[candidate](options, true);
      const why = [`the fastest that starts here${device ? `, on ${device}` : ""}`, ...failures].join("; ");
      return { name: candidate, reason: why };
    } catch (error) {
      failures.push(`${candidate}: ${reasonOf(error)}`);
    }
  }
  throw new UserError(`no engine starts on this machine: ${failures.join("; ")}`);
}

const reasonOf = (error: unknown) => String(error instanceof Error ? error.message : error).split("\n")[0];

/** Starts an engine and returns its device's name where there is a choice. `auto`: nobody asked for this one. */
const START: Record<EngineName, (options: EngineOptions, auto: boolean) => Promise<string | undefined>> = {
  cuda: async () => (await import("./tensorflow.ts")).startTensorflow("@tensorflow/tfjs-node-gpu"),
  onnx: async ({ onnxSession }) => {
    if (!tf.findBackend("onnx")) {
      const { OnnxExecutor } = await import("./onnx/executor.ts");
      const executor = new OnnxExecutor(onnxSession);
      executor.check();
      tf.registerBackend("onnx", () => new LazyBackend(executor));
    }
    return use("onnx");
  },
  webgpu: async (_, auto) => (await import("./webgpu.ts")).startWebgpu(auto),
  tensorflow: async () => (await import("./tensorflow.ts")).startTensorflow("@tensorflow/tfjs-node"),
  wasm: async () => {
    await import("@tensorflow/tfjs-backend-wasm");
    return use("wasm");
  },
  cpu: async () => {
    tf.env().set("PROD", true); // silences the advice to install tfjs-node
    await import("@tensorflow/tfjs-backend-cpu");
    return use("cpu");
  },
  gpujs: async ({ gpujs }) => (await import("./gpujs/start.ts")).startGpujsBest(gpujs),
  "gpujs-webgpu": async ({ gpujs }) => (await import("./gpujs/start.ts")).startGpujs("webgpu", gpujs),
  "gpujs-webasm": async ({ gpujs }) => (await import("./gpujs/start.ts")).startGpujs("webasm", gpujs),
};

async function use(backend: string): Promise<undefined> {
  if (!(await tf.setBackend(backend))) throw new Error(`TensorFlow.js could not start its ${backend} backend`);
  await tf.ready();
}

/** The lazy backend when it is the active one; in-place kernels need it. */
export function lazyBackend(): LazyBackend | null {
  const backend = tf.backend();
  return backend instanceof LazyBackend ? backend : null;
}

/**
 * Makes a function of named tensors fast to repeat: the lazy engines trace it once per shape and replay it; the
 * others run it as it is. The caller owns the results. Options: see {@link LazyBackend.compile}.
 */
export function compile(fn: (inputs: TensorMap) => TensorMap, options: CompileOptions = {}): Compiled {
  const lazy = lazyBackend();
  if (lazy) return lazy.compile(fn, options);
  return Object.assign((inputs: TensorMap) => tf.tidy(() => fn(inputs)), { dispose: () => {} });
}

export type { Compiled, TensorMap };

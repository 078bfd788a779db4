/**
 * @file How the lazy backend gets its kernels: recorded ones ({@link registerLazyKernel}), views and data
 * ({@link registerDirect}). Shape and dtype of every result are checked when a kernel is recorded, so an error names
 * the op where it was written. The computing is the executor's (`../onnx/lowering.ts`,
 * `../gpujs/launch.ts`).
 */
import * as tf from "@tensorflow/tfjs-core";
import type { LazyBackend } from "./backend.ts";
import { runOnHost } from "./host.ts";

export type Infos = Record<string, tf.TensorInfo>;
// biome-ignore lint/suspicious/noExplicitAny: kernel attributes are untyped in TensorFlow.js
export type Attrs = Record<string, any>;
export type Output = { shape: number[]; dtype: tf.DataType };
export interface Inferred {
  /** Tensors in the order in which the lowering expects them. */
  inputs: tf.TensorInfo[];
  attributes?: Attrs;
  outputs: Output[];
  /** The kernel returns a list, even of one. */
  list?: boolean;
}

export const GPUJS_BACKENDS = ["gpujs-webasm", "gpujs-webgpu"];
const LAZY_BACKENDS = ["onnx", ...GPUJS_BACKENDS];

/** Registers a kernel that is recorded: `infer` gives its operands, attributes and result shapes. */
export function registerLazyKernel(
  kernelName: string,
  infer: (inputs: Infos, attributes: Attrs, backend: LazyBackend) => Inferred,
  backends = LAZY_BACKENDS,
) {
  const run: Run = (backend, infos, attrs) => {
    if (hasHostType(infos, attrs)) return runOnHost(kernelName, backend, infos, attrs);
    const { inputs, attributes = {}, outputs, list = outputs.length > 1 } = infer(infos, attrs, backend);
    const made = backend.record(kernelName, inputs, attributes, outputs);
    return list ? made : made[0];
  };
  registerDirect(kernelName, run, backends);
}

/** Complex numbers and strings have no place in a recorded program: what works on them works on the host. */
function hasHostType(inputs: Infos, { dtype, value }: Attrs): boolean {
  const types = [dtype, ...Object.values(inputs).map((x) => x?.dtype)];
  return types.includes("complex64") || types.includes("string") || typeof value === "string";
}

type Run = (backend: LazyBackend, inputs: Infos, attributes: Attrs) => tf.TensorInfo | tf.TensorInfo[];

/** Registers a kernel that makes its results itself. */
export function registerDirect(kernelName: string, run: Run, backends = LAZY_BACKENDS) {
  for (const backendName of backends)
    tf.registerKernel({
      kernelName,
      backendName,
      kernelFunc: ({ inputs, backend, attrs }) => run(backend as LazyBackend, inputs as Infos, attrs ?? {}),
    });
}

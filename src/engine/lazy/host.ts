/**
 * @file Kernels that run on the host: TensorFlow.js' own cpu kernels, on tensors that are read from the lazy backend
 * and written back. They are the named ones of `kernels/host.ts`, and every kernel when it is given complex numbers or
 * strings. None of them can be part of a compiled step: there they fail with the op's name.
 */
import { createRequire } from "node:module";
import type { MathBackendCPU } from "@tensorflow/tfjs-backend-cpu/dist/base.js";
import * as tf from "@tensorflow/tfjs-core";
import type { LazyBackend } from "./backend.ts";

let cpu: MathBackendCPU | null = null;
let ran = new Set<string>();

/** The names of the kernels that ran on the host since the last call. */
export function takeHostKernels(): string[] {
  const names = [...ran];
  ran = new Set();
  return names;
}

/** Some kernels take lists of tensors, at the top or under a name, and leave out what is optional. */
type Inputs = tf.TensorInfo | undefined | Inputs[] | { [name: string]: Inputs };

export function runOnHost(kernelName: string, lazy: LazyBackend, inputs: Inputs, attrs: object) {
  ran.add(kernelName);
  cpu ??= load();
  const kernel = tf.getKernel(kernelName, "cpu");
  if (!kernel) throw new Error(`engine: ${kernelName} of complex numbers or strings is not supported`);
  const host = cpu;
  const given: tf.TensorInfo[] = [];
  const send = (x: Inputs): unknown => {
    if (!x) return x;
    if (Array.isArray(x)) return x.map(send);
    if (!isTensor(x)) return Object.fromEntries(Object.entries(x).map(([name, part]) => [name, send(part)]));
    const sent = toHost(host, lazy, x, kernelName);
    given.push(sent);
    return { ...sent, rank: x.shape.length }; // the gradients of dilation ask for it
  };
  const made: tf.TensorInfo[] = [];
  try {
    const sent = send(inputs) as tf.NamedTensorInfoMap;
    const result = kernel.kernelFunc({ inputs: sent, backend: host, attrs: attrs as tf.NamedAttrMap });
    made.push(...[result].flat());
    const results = made.map((x) =>
      fromHost(
        host,
        lazy,
        x,
        given.some(({ dataId }) => dataId === x.dataId),
      ),
    );
    return Array.isArray(result) ? results : results[0];
  } finally {
    for (const { dataId } of [...given, ...made]) host.disposeData(dataId, true);
  }
}

const isTensor = (x: object): x is tf.TensorInfo => "dataId" in x;

function load(): MathBackendCPU {
  const { MathBackendCPU } = createRequire(import.meta.url)("@tensorflow/tfjs-backend-cpu");
  const backend = new MathBackendCPU();
  backend.firstUse = false; // it would advise to install tfjs-node
  return backend;
}

function toHost(host: MathBackendCPU, lazy: LazyBackend, x: tf.TensorInfo, kernelName: string): tf.TensorInfo {
  const parts = lazy.complexParts(x);
  if (!parts) return host.makeTensorInfo(x.shape, x.dtype, lazy.readForHost(x.dataId, kernelName) as never);
  const [real, imag] = parts.map((part) => toHost(host, lazy, { ...part, shape: x.shape }, kernelName));
  const complex = host.makeTensorInfo(x.shape, "complex64");
  host.data.get(complex.dataId).complexTensorInfos = { real, imag };
  return complex;
}

function fromHost(host: MathBackendCPU, lazy: LazyBackend, x: tf.TensorInfo, isInput: boolean): tf.TensorInfo {
  const { values, complexTensorInfos } = host.data.get(x.dataId);
  if (complexTensorInfos) {
    const { real, imag } = complexTensorInfos;
    return lazy.makeComplex(x.shape, fromHost(host, lazy, real, isInput), fromHost(host, lazy, imag, isInput));
  }
  const own = isInput ? (values as Float32Array).slice() : values!; // two tensors may not share one array
  return { dataId: lazy.write(own, x.shape, x.dtype), shape: x.shape, dtype: x.dtype };
}

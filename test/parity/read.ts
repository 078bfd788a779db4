/** @file Reading tensors. */
import * as tf from "@tensorflow/tfjs-core";

/** The values of tensors, which are disposed; asynchronous, because WebGPU has no other way. */
export async function read<T extends Record<string, tf.Tensor>>(tensors: T) {
  const entries: [string, Float32Array | Int32Array | Uint8Array][] = [];
  for (const [name, x] of Object.entries(tensors)) entries.push([name, await x.data()]);
  tf.dispose(tensors);
  return Object.fromEntries(entries) as { [key in keyof T]: Float32Array | Int32Array | Uint8Array };
}

/** @file Runs a list of launches on a device, without the engine: what the tests of kernels compare. */
import { type Device, webasmDevice, webgpuDevice } from "../../../src/engine/gpujs/device.ts";
import type { Launch, Matrix } from "../../../src/engine/gpujs/launch.ts";
import { adapterName } from "../../../src/engine/webgpu.ts";

export type Mode = "webasm" | "webgpu";

const devices = new Map<Mode, Device<unknown>>();

/** Starts a device, or says why there is none: only for want of a driver. */
export async function start(mode: Mode): Promise<string | null> {
  if (devices.has(mode)) return null;
  if (mode === "webgpu") {
    const missing = await adapterName().then(
      () => null,
      (error: Error) => error.message,
    );
    if (missing) return missing;
  }
  devices.set(mode, mode === "webgpu" ? await webgpuDevice() : webasmDevice());
  return null;
}

/** The numbers of `outputs`, from those that are given. */
export async function runLaunches(
  mode: Mode,
  launches: Launch[],
  given: Map<number, Float32Array>,
  outputs: Matrix[],
): Promise<Float32Array[]> {
  const device = devices.get(mode)!;
  const arrays = new Map<number, { array: unknown; size: number }>();
  for (const [name, values] of given) arrays.set(name, { array: device.upload(values), size: values.length });
  for (const launch of launches) {
    const { array, rows, columns } = launch.output;
    const kernel = await device.compile(launch);
    const result = kernel.run(launch.inputs.map((x) => arrays.get(x.array)!.array));
    arrays.set(array, { array: result, size: rows * columns });
    kernel.dispose();
  }
  const results: Float32Array[] = [];
  for (const { array } of outputs) {
    const made = arrays.get(array)!;
    results.push(await device.download(made.array, made.size));
  }
  for (const { array, size } of arrays.values()) device.free(array, size);
  return results;
}

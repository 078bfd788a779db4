/**
 * @file The two devices that GPU.js' kernels run on, behind one interface: `webasm` (WebAssembly SIMD on the CPU, at
 * once) and `webgpu` (Dawn in Node, the browser's own; in order, but not at once).
 *
 * GPU.js runs a kernel on the CPU without a word where its mode cannot; here that is an error. Beyond its public
 * interface a few fields of its kernel objects are used ({@link Built}); its version is pinned, test/engine covers them.
 */
import gpujs, { type IKernelRunShortcut } from "gpu.js";
import { identity, type Launch } from "./launch.ts";
import type { Threads } from "./threads.ts";

/** A compiled launch: takes arrays of its inputs' sizes, returns a new one. */
export interface Runnable<A> {
  run(inputs: A[]): A;
  dispose(): void;
}

/** A is what the device calls an array. */
export interface Device<A> {
  readonly mode: "webasm" | "webgpu";
  /** Runs a job when those before it are done; a `webasm` job at once. Errors are the job's own business. */
  enqueue(job: () => void | Promise<void>): void;
  /** The rest is for jobs. */
  upload(values: Float32Array): A;
  download(array: A, size: number): Float32Array | Promise<Float32Array>;
  free(array: A, size: number): void;
  compile(launch: Launch): Runnable<A> | Promise<Runnable<A>>;
}

/** What is used of GPU.js' kernel objects. */
interface Built {
  constructor: { mode: string };
  fallbackReason: string | null;
  context: { device: GPUDevice };
  /** Where the next run writes its result; made when there is none. */
  outputBuffer: GPUBuffer | null;
  /** The next run has other buffers than the last. */
  bindGroupDirty: boolean;
  build(...inputs: unknown[]): Promise<void>;
  run(...inputs: unknown[]): Promise<unknown>;
  destroy(): void;
  _shapeOutput(numbers: Float32Array): unknown;
  /** Of webasm: numbers that a thread returns, what the last run used, and its module over shared memory. */
  componentCount: number;
  _active: { layout: Layout; cells: number; sizeX: number; mathImports: string[] };
  _assembleModule(
    layout: Layout,
    cells: number,
    shared: boolean,
  ): { bytes: Uint8Array<ArrayBuffer>; initial: number; maximum: number };
}

/** Where in its memory a webasm kernel finds its arguments and puts its result, in bytes. */
interface Layout {
  arrays: Record<string, { index: number; offset: number }>;
  outputOffset: number;
}

type Mode = Device<unknown>["mode"];

function create(gpu: InstanceType<typeof gpujs.GPU>, launch: Launch): { call: IKernelRunShortcut; built: Built } {
  const { kernel, perThread, output, constants, maxIterations, functions } = launch;
  // GPU.js takes every whole number for a 32-bit integer
  const typeOf = (n: number) => (Number.isInteger(n) && Math.abs(n) < 2 ** 31 ? "Integer" : "Float");
  const call = gpu.createKernel(
    kernel as string,
    {
      output: [output.columns / perThread, output.rows],
      constants,
      constantTypes: Object.fromEntries(Object.entries(constants).map(([name, n]) => [name, typeOf(n)])),
      loopMaxIterations: maxIterations,
      functions,
      pipeline: gpu.mode === "webgpu",
    } as object,
  );
  return { call, built: (call as unknown as { kernel: Built }).kernel };
}

/** @throws where GPU.js has put its CPU kernel in the place of the one that was asked for. */
export function assertMode(built: Pick<Built, "constructor" | "fallbackReason">, mode: Mode, launch: Launch) {
  const { mode: chosen } = built.constructor;
  if (chosen !== mode || built.fallbackReason)
    throw new Error(
      `engine gpujs-${mode}: ${nameOf(launch.kernel)} of ${launch.origin} would run in mode ${chosen} (${built.fallbackReason ?? "GPU.js does not say why"})`,
    );
}

const nameOf = (kernel: Launch["kernel"]) => (typeof kernel === "string" ? kernel : kernel.name);

/** Errors of GPU.js' compiler name the kernel and what it is a part of. */
function failed(mode: Mode, launch: Launch, error: unknown): Error {
  const message = error instanceof Error ? error.message : String(error);
  return new Error(`engine gpujs-${mode}: ${nameOf(launch.kernel)} of ${launch.origin}: ${message}`, { cause: error });
}

/** Below it, waking the threads takes longer than the kernel. */
const LEAST_THREADED_CELLS = 2048;

/** The CPU; a kernel that runs a second time is shared by the threads. */
export function webasmDevice(threads: Threads | null = null): Device<Float32Array> {
  const gpu = new gpujs.GPU({ mode: "webasm" });
  return {
    mode: "webasm",
    enqueue: (job) => void job(),
    upload: (values) => values,
    download: (array) => array,
    free: () => {},
    compile(launch) {
      const { call, built } = create(gpu, launch);
      built._shapeOutput = (numbers) => numbers; // and not a list of rows
      const { rows, columns } = launch.output;
      const threaded = threads !== null && rows * columns >= LEAST_THREADED_CELLS * launch.perThread;
      let runs = 0;
      let shared: ReturnType<typeof shareKernel> | undefined;
      return {
        run(inputs) {
          runs++;
          if (runs === 2 && threaded) {
            shared = shareKernel(built, threads);
            built.destroy(); // and its own memory
          }
          if (shared) return shared.run(inputs);
          try {
            const given = inputs.map((array, i) => {
              const { rows, columns } = launch.inputs[i];
              return new gpujs.Input(array as never, [columns, rows]);
            });
            const result = call(...(given as never[]));
            if (runs === 1) assertMode((call as unknown as { kernel: Built }).kernel, "webasm", launch);
            return result as Float32Array;
          } catch (error) {
            throw failed("webasm", launch, error);
          }
        },
        dispose: () => {
          if (shared) shared.dispose();
          else built.destroy();
        },
      };
    },
  };
}

/** A kernel that has run once, over memory that all threads see. */
function shareKernel(built: Built, threads: Threads) {
  const { layout, cells, sizeX, mathImports } = built._active;
  const { componentCount } = built;
  const { bytes, initial, maximum } = built._assembleModule(layout, cells, true);
  const memory = new WebAssembly.Memory({ initial, maximum, shared: true });
  const floats = new Float32Array(memory.buffer);
  const module = new WebAssembly.Module(bytes);
  const kernel = threads.add({ module, memory, math: mathImports, width: sizeX, cells });
  const offsets = Object.values(layout.arrays).sort((a, b) => a.index - b.index);
  const first = layout.outputOffset / 4;
  return {
    run(inputs: Float32Array[]): Float32Array {
      inputs.forEach((array, i) => {
        floats.set(array, offsets[i].offset / 4);
      });
      kernel.run();
      return new Float32Array(floats.subarray(first, first + cells * componentCount)); // memory of its own
    },
    dispose: () => kernel.dispose(),
  };
}

const USAGE = { mapRead: 0x1, copySource: 0x4, copyTarget: 0x8, storage: 0x80 };
const MAP_READ = 1;

/** Bytes of buffers that are kept for the next result of their size. */
const POOL_BYTES = 2 ** 30;

/** The device that GPU.js chooses for all its kernels. */
export async function webgpuDevice(): Promise<Device<GPUBuffer>> {
  const gpu = new gpujs.GPU({ mode: "webgpu" });
  const probe = gpu.createKernel("function() { return 1; }", { output: [1], pipeline: true });
  await probe();
  const built = (probe as unknown as { kernel: Built }).kernel;
  if (built.constructor.mode !== "webgpu") throw new Error(`GPU.js chose mode ${built.constructor.mode}`);
  const { context } = built;
  const { device } = context;

  let failure: string | undefined; // what went wrong on the device, which WebGPU reports beside the program
  device.addEventListener("uncapturederror", (event) => {
    failure ??= event.error.message;
  });
  device.lost.then(({ reason, message }) => {
    if (reason !== "destroyed") failure ??= `the device was lost: ${message}`;
  });

  const pool = new Map<number, GPUBuffer[]>();
  let pooledBytes = 0;
  const bytesOf = (size: number) => Math.max(4, 4 * size);
  const allocate = (bytes: number): GPUBuffer => {
    const kept = pool.get(bytes)?.pop();
    if (kept) {
      pooledBytes -= bytes;
      return kept;
    }
    const limit = Math.min(device.limits.maxStorageBufferBindingSize, device.limits.maxBufferSize);
    if (bytes > limit) throw new Error(`an array of ${bytes} bytes; this device has ${limit} at most`);
    return device.createBuffer({ size: bytes, usage: USAGE.storage | USAGE.copySource | USAGE.copyTarget });
  };

  let last: Promise<void> = Promise.resolve();
  return {
    mode: "webgpu",
    enqueue(job) {
      last = last.then(job);
    },
    upload(values) {
      const buffer = allocate(bytesOf(values.length));
      device.queue.writeBuffer(buffer, 0, values as Float32Array<ArrayBuffer>);
      return buffer;
    },
    async download(buffer, size) {
      if (size === 0) return new Float32Array(0);
      const bytes = bytesOf(size);
      const staging = device.createBuffer({ size: bytes, usage: USAGE.mapRead | USAGE.copyTarget });
      const encoder = device.createCommandEncoder();
      encoder.copyBufferToBuffer(buffer, 0, staging, 0, bytes);
      device.queue.submit([encoder.finish()]);
      await staging.mapAsync(MAP_READ);
      const values = new Float32Array(staging.getMappedRange().slice(0));
      staging.destroy();
      if (failure) throw new Error(`engine gpujs-webgpu: ${failure}`);
      return values;
    },
    free(buffer, size) {
      const bytes = bytesOf(size);
      if (pooledBytes + bytes > POOL_BYTES) return buffer.destroy();
      pooledBytes += bytes;
      const kept = pool.get(bytes);
      if (kept) kept.push(buffer);
      else pool.set(bytes, [buffer]);
    },
    async compile(launch) {
      const { built } = create(gpu, launch);
      const { rows, columns } = launch.output;
      const handles = launch.inputs.map((x) => ({ type: "WebGPUBuffer", output: [x.columns, x.rows], context }));
      const handle = (buffer: GPUBuffer, i: number) => ({ ...handles[i], buffer, componentCount: 1 });
      try {
        await built.build(...handles);
        assertMode(built, "webgpu", launch);
      } catch (error) {
        throw failed("webgpu", launch, error);
      }
      built.outputBuffer?.destroy(); // it makes one for itself; results have their own
      built.outputBuffer = null;
      return {
        run(buffers) {
          const result = allocate(bytesOf(rows * columns));
          built.outputBuffer = result;
          built.bindGroupDirty = true;
          built.run(...buffers.map(handle)); // submitted when this returns; its promise is of the same buffer
          built.outputBuffer = null;
          return result;
        },
        dispose: () => built.destroy(),
      };
    },
  };
}

/** Launches with the same key can share what is compiled. */
export const compilationKey = ({ kernel, inputs, output, constants, maxIterations, functions }: Launch) =>
  [
    identity(kernel),
    ...functions.map(identity),
    [...inputs, output].map(({ rows, columns }) => `${rows}x${columns}`).join(),
    Object.entries(constants).join(),
    maxIterations,
  ].join(" ");

/**
 * @file Runs recorded programs as GPU.js kernels. Results stay on the device, where the next program finds them; what a
 * program only needs on the way is given back as soon as its last reader has run.
 */
import type { DataType } from "@tensorflow/tfjs-core";
import type { DeviceArray, Executable, Executor, Graph, TypedArray, Value } from "../lazy/graph.ts";
import { compilationKey, type Device, type Runnable } from "./device.ts";
import "./kernels.ts";
import { type Launch, toLaunches } from "./launch.ts";

/** An array on the device and how many own it; `array` is there when the jobs before have run, or `error` is. */
interface Shared<A> {
  array?: A;
  error?: unknown;
  size: number;
  owners: number;
}

/** How often each kernel ran, and how long, when somebody asks; on `webgpu` the time of the submission only. */
export type Profile = Map<string, { runs: number; ms: number }>;

export class GpujsExecutor<A> implements Executor {
  readonly inHostMemory = false;
  /** What is compiled, by its key, and how many programs use it. */
  private readonly compiled = new Map<string, { runnable: Runnable<A> | Promise<Runnable<A>>; users: number }>();

  constructor(
    private readonly device: Device<A>,
    private readonly profile?: Profile,
  ) {}

  compile(graph: Graph): Executable {
    const { device } = this;
    const { program, launches, inputs, outputs } = toLaunches(graph);
    const real = launches.filter(({ output }) => output.rows * output.columns > 0);
    const keys = real.map((launch) => this.use(launch));
    const dtypes = graph.outputs.map(({ dtype }) => dtype);

    const known = new Map<number, Shared<A>>(); // the program's own, from its first run to the last
    const lastReader = new Map<number, number>();
    real.forEach((launch, i) => {
      for (const { array } of [launch.output, ...launch.inputs]) lastReader.set(array, i);
    });
    for (const { array } of [...inputs, ...outputs]) lastReader.delete(array);
    for (const array of program.known.keys()) lastReader.delete(array);
    const done: number[][] = real.map(() => []);
    for (const [array, last] of lastReader) done[last].push(array);

    let runnables: Runnable<A>[] | undefined;
    const job = (arrays: Map<number, Shared<A>>): void | Promise<void> => {
      const failure = [...arrays.values()].find(({ error }) => error)?.error;
      if (failure) throw failure;
      if (!runnables) {
        const all = keys.map((key) => this.compiled.get(key)!.runnable);
        if (all.some((one) => one instanceof Promise))
          return Promise.all(all).then((ready) => {
            runnables = ready;
            return job(arrays);
          });
        runnables = all as Runnable<A>[];
      }
      real.forEach((launch, i) => {
        const start = performance.now();
        const made = runnables![i].run(launch.inputs.map((x) => arrays.get(x.array)!.array!));
        this.count(launch, performance.now() - start);
        const { rows, columns, array } = launch.output;
        const result = arrays.get(array);
        if (result) result.array = made;
        else arrays.set(array, { array: made, size: rows * columns, owners: 1 });
        for (const array of done[i]) device.free(arrays.get(array)!.array!, arrays.get(array)!.size);
      });
    };

    return {
      run: (values) => {
        const arrays = new Map<number, Shared<A>>();
        for (const [array, numbers] of program.known) {
          if (!known.has(array)) known.set(array, upload(device, numbers));
          arrays.set(array, known.get(array)!);
        }
        values.forEach((value, i) => {
          value.device ??= new Stored(device, upload(device, toFloats(value)), value.dtype);
          arrays.set(inputs[i].array, (value.device as Stored<A>).shared);
        });
        const results = outputs.map(({ array, rows, columns }, i) => {
          const size = rows * columns;
          const shared = arrays.get(array) ?? { size, owners: 0, array: size === 0 ? device.upload(EMPTY) : undefined };
          shared.owners++; // a program may return what it was given
          arrays.set(array, shared);
          return new Stored(device, shared, dtypes[i]);
        });
        enqueue(device, results, () => job(arrays));
        return results;
      },
      dispose: () => {
        for (const shared of known.values()) new Stored(device, shared, "float32").dispose();
        for (const key of keys) this.release(key);
      },
    };
  }

  private use(launch: Launch): string {
    const key = compilationKey(launch);
    const known = this.compiled.get(key);
    if (known) known.users++;
    else {
      const runnable = this.device.compile(launch);
      if (runnable instanceof Promise) runnable.catch(() => {}); // the job that waits for it fails
      this.compiled.set(key, { runnable, users: 1 });
    }
    return key;
  }

  private release(key: string) {
    const entry = this.compiled.get(key)!;
    if (--entry.users > 0) return;
    this.compiled.delete(key);
    this.device.enqueue(async () => {
      const runnable = await Promise.resolve(entry.runnable).catch(() => null);
      runnable?.dispose();
    });
  }

  private count({ kernel, origin }: Launch, ms: number) {
    if (!this.profile) return;
    const name = typeof kernel === "string" ? `${origin.split("(")[0]}` : kernel.name;
    const entry = this.profile.get(name) ?? { runs: 0, ms: 0 };
    this.profile.set(name, { runs: entry.runs + 1, ms: entry.ms + ms });
  }
}

const EMPTY = new Float32Array(0);

/** Runs a job when its turn comes; what it throws is thrown by whoever reads one of its results. */
function enqueue<A>(device: Device<A>, results: Stored<A>[], job: () => void | Promise<void>) {
  const fail = (error: unknown) => {
    for (const { shared } of results) shared.error ??= error;
  };
  device.enqueue(() => {
    try {
      return job()?.catch(fail);
    } catch (error) {
      fail(error);
    }
  });
}

function upload<A>(device: Device<A>, values: Float32Array): Shared<A> {
  const shared: Shared<A> = { size: values.length, owners: 1 };
  device.enqueue(() => {
    try {
      shared.array = device.upload(values);
    } catch (error) {
      shared.error = error;
    }
  });
  return shared;
}

/** All arrays of the device are float32, which has the whole numbers up to 2^24 and not all above. */
function toFloats({ data, dtype }: Value): Float32Array {
  if (data instanceof Float32Array) return data;
  const floats = Float32Array.from(data!);
  const wrong = floats.findIndex((x, i) => x !== data![i]);
  if (wrong >= 0)
    throw new Error(`engine gpujs: ${dtype} ${data![wrong]} is no float32, and this engine has no other numbers`);
  return floats;
}

function fromFloats(floats: Float32Array, dtype: DataType): TypedArray {
  if (dtype === "int32") return Int32Array.from(floats);
  if (dtype === "bool") return Uint8Array.from(floats, (x) => (x === 0 ? 0 : 1));
  return floats;
}

/** A tensor's numbers on the device. */
class Stored<A> implements DeviceArray {
  constructor(
    private readonly device: Device<A>,
    readonly shared: Shared<A>,
    private readonly dtype: DataType,
  ) {}

  async read(): Promise<TypedArray> {
    const { device, shared, dtype } = this;
    return new Promise((resolve, reject) => {
      device.enqueue(() => {
        // the copy is in the queue when this returns; nobody waits for its arrival but the reader
        (async () => {
          if (shared.error) throw shared.error;
          return fromFloats(await device.download(shared.array!, shared.size), dtype);
        })().then(resolve, reject);
      });
    });
  }

  readSync(): TypedArray {
    const { device, shared, dtype } = this;
    if (shared.error) throw shared.error;
    if (device.mode === "webgpu")
      throw new Error("engine gpujs-webgpu: a GPU cannot be read synchronously: use await tensor.data()");
    return fromFloats(device.download(shared.array!, shared.size) as Float32Array, dtype);
  }

  share(): DeviceArray {
    this.shared.owners++;
    return new Stored(this.device, this.shared, this.dtype);
  }

  dispose() {
    const { device, shared } = this;
    if (--shared.owners === 0)
      device.enqueue(() => {
        if (shared.array !== undefined) device.free(shared.array, shared.size);
      });
  }
}

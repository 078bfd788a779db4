/**
 * @file A TensorFlow.js backend that records instead of computing.
 *
 * Kernels append nodes to the pending program; reading a tensor cuts it: everything pending that is still alive is
 * compiled (or found in the cache by its signature) and run. {@link LazyBackend.compile} traces a function once for
 * each shape signature and replays it with new data, without tracing.
 */
import * as tf from "@tensorflow/tfjs-core";
import {
  collect,
  type Executable,
  type Graph,
  type Operand,
  place,
  signature,
  type TypedArray,
  type Value,
} from "./graph.ts";
import { TensorStorage } from "./storage.ts";

export type TensorMap = Record<string, tf.Tensor>;

/** A function of named tensors that can be run again and again; the caller owns what it returns. */
export interface Compiled {
  (inputs: TensorMap): TensorMap;
  dispose(): void;
}

export interface CompileOptions {
  /** Outputs by name that are written to an array of the right size instead of a new one. */
  into?: Record<string, TypedArray>;
  /**
   * An output takes the array of the input of its name (of one shape), which must not be used again: caches. For host
   * memory; a device has arrays to reuse anyway.
   */
  overwrite?: boolean;
}

interface Replay {
  executable: Executable;
  /** Where each input of the program is from: a name of the function's inputs, or a value captured while tracing. */
  feeds: (string | Value)[];
  outputs: { name: string; shape: number[]; dtype: tf.DataType }[];
}

/** Compiled programs that are kept, of each compiled function and of everything else. */
const SESSION_CACHE = 64;

/** Keeps the newest {@link SESSION_CACHE} of a map that has them last. */
function forgetOldest<T>(cache: Map<string, T>, dispose: (value: T) => void) {
  if (cache.size <= SESSION_CACHE) return;
  const [key, value] = cache.entries().next().value!;
  cache.delete(key);
  dispose(value);
}

export class LazyBackend extends TensorStorage {
  private readonly sessions = new Map<string, Executable>();
  private numSessions = 0;

  override memory() {
    return { unreliable: false, numSessions: this.numSessions }; // what `tf.memory()` shows
  }

  override async time(run: () => void) {
    this.flush(); // TensorFlow.js expects `run` to have run when this returns
    const start = tf.util.now();
    run();
    await this.finish();
    return { kernelMs: tf.util.now() - start };
  }

  override dispose() {
    for (const executable of this.sessions.values()) this.disposeSession(executable);
    this.sessions.clear();
  }

  private compileGraph(graph: Graph): Executable {
    const executable = this.executor.compile(graph);
    this.numSessions++;
    return executable;
  }

  private disposeSession(executable: Executable) {
    executable.dispose();
    this.numSessions--;
  }

  // --- recording ---------------------------------------------------------------------------------------------------

  /** Appends a kernel; its outputs have the given shapes and are computed when somebody looks. */
  record(
    kernel: string,
    inputs: tf.TensorInfo[],
    attributes: Record<string, unknown>,
    outputs: { shape: number[]; dtype: tf.DataType }[],
  ): tf.TensorInfo[] {
    const operands: Operand[] = inputs.map((x) => ({ value: this.entries.get(x.dataId).value, shape: x.shape }));
    const node = { kernel, inputs: operands, attributes, outputs: [] as Value[] };
    return outputs.map(({ shape, dtype }) => {
      const value: Value = { shape, dtype, producer: node, data: null, device: null };
      node.outputs.push(value);
      this.pending.add(value);
      return { dataId: this.store(value), shape, dtype };
    });
  }

  /** The values of a tensor that are already known, for checks while recording; null when they are not. */
  known(x: tf.TensorInfo): TypedArray | null {
    return this.entries.get(x.dataId).value.data;
  }

  /** The same data under another shape, as TensorFlow.js' Reshape and Identity share it. */
  view(x: tf.TensorInfo, shape: number[]): tf.TensorInfo {
    this.incRef(x.dataId);
    return { dataId: x.dataId, shape, dtype: x.dtype };
  }

  /** Runs everything that is pending and alive. */
  flush() {
    const outputs = [...this.pending];
    if (outputs.length === 0) return;
    this.pending.clear(); // a failing program must not poison the next one
    const graph = collect(outputs);
    const key = signature(graph);
    let executable = this.sessions.get(key);
    this.sessions.delete(key);
    executable ??= this.compileGraph(graph);
    this.sessions.set(key, executable); // newest last
    forgetOldest(this.sessions, (session) => this.disposeSession(session));
    const results = executable.run(graph.inputs, []);
    outputs.forEach((value, i) => {
      place(value, results[i]);
      value.producer = null;
    });
    this.freeOrphans();
  }

  /** Runs what is pending and waits for the device. */
  private async finish() {
    const last = [...this.pending].pop();
    this.flush();
    await last?.device?.read();
  }

  /** The array behind a tensor, shared and not copied: in-place kernels (the optimiser) write to it. */
  buffer(x: tf.Tensor): TypedArray {
    return this.readSync(x.dataId);
  }

  /** Moves a tensor's data into `array` (same type and size), e.g. into memory that WebAssembly shares. */
  relocate(x: tf.Tensor, array: TypedArray) {
    array.set(this.readSync(x.dataId));
    this.entries.get(x.dataId).value.data = array;
  }

  // --- compiled functions ------------------------------------------------------------------------------------------

  /**
   * Traces `fn` once per shape signature and replays it afterwards. Inside `fn` nothing may be read; tensors made
   * from data inside it, and tensors that it closes over, are frozen at their value while tracing.
   */
  compile(fn: (inputs: TensorMap) => TensorMap, { into = {}, overwrite = false }: CompileOptions = {}): Compiled {
    const replays = new Map<string, Replay>();
    const compiled = (inputs: TensorMap): TensorMap => {
      const key = Object.entries(inputs)
        .map(([name, x]) => `${name}:${x.dtype}[${x.shape}]`)
        .join(" ");
      const replay = replays.get(key) ?? this.trace(fn, inputs);
      replays.delete(key);
      replays.set(key, replay); // newest last
      forgetOldest(replays, (old) => this.disposeReplay(old));
      const given = (name: string) => this.materialised(inputs[name].dataId);
      const results = replay.executable.run(
        replay.feeds.map((feed) => (typeof feed === "string" ? given(feed) : feed)),
        replay.outputs.map(({ name }) =>
          overwrite && this.inHostMemory && replay.feeds.includes(name) ? given(name).data! : into[name],
        ),
      );
      return Object.fromEntries(
        replay.outputs.map(({ name, shape, dtype }, i) => {
          const value: Value = { shape, dtype, producer: null, data: null, device: null };
          place(value, results[i]);
          return [name, this.tensor(value)];
        }),
      );
    };
    return Object.assign(compiled, {
      dispose: () => {
        for (const replay of replays.values()) this.disposeReplay(replay);
        replays.clear();
      },
    });
  }

  private trace(fn: (inputs: TensorMap) => TensorMap, inputs: TensorMap): Replay {
    this.flush(); // inputs must be materialised, and nothing older may leak into the program
    const names = Object.keys(inputs);
    // each input gets a tensor of its own: one tensor given under two names must stay two inputs
    const placeholders = names.map((name): Value => {
      const { shape, dtype, dataId } = inputs[name];
      return { shape, dtype, producer: null, data: this.materialised(dataId).data, device: null };
    });
    const before = tf.memory().numTensors;
    const standIns = Object.fromEntries(names.map((name, i) => [name, this.tensor(placeholders[i])]));
    let traced: TensorMap = {};
    this.tracing = true;
    try {
      traced = tf.tidy(() => fn(standIns));
      const outputNames = Object.keys(traced);
      const outputs = outputNames.map((name) => ({ name, shape: traced[name].shape, dtype: traced[name].dtype }));
      const values = outputNames.map((name) => this.entries.get(traced[name].dataId).value);
      const missing = values.findIndex((value) => !value.producer);
      if (missing >= 0) throw new Error(`compile: output ${outputNames[missing]} was not computed inside the function`);
      const graph = collect(values, placeholders);
      const executable = this.compileGraph(graph);
      const captured = (value: Value): Value => ({ ...value, device: value.device?.share() ?? null });
      const feeds = graph.inputs.map((value, i) => (i < names.length ? names[i] : captured(value)));
      const leaked = tf.memory().numTensors - before - names.length - new Set(Object.values(traced)).size;
      if (leaked !== 0)
        throw new Error(`compile: the function left ${leaked} tensors behind; do not tf.keep inside it`);
      return { executable, feeds, outputs };
    } finally {
      this.tracing = false;
      tf.dispose([traced, standIns]);
    }
  }

  private disposeReplay({ executable, feeds }: Replay) {
    this.disposeSession(executable);
    for (const feed of feeds) if (typeof feed !== "string") feed.device?.dispose();
  }

  private tensor(value: Value): tf.Tensor {
    const { shape, dtype } = value;
    return tf.engine().makeTensorFromTensorInfo({ dataId: this.store(value), shape, dtype }, this as never);
  }
}

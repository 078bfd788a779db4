/**
 * @file A TensorFlow.js backend that records instead of computing.
 *
 * Kernels append nodes to the pending program; reading a tensor cuts it: everything pending that is still alive is
 * compiled (or found in the cache by its signature) and run. {@link LazyBackend.compile} traces a function once for
 * each shape signature and replays it with new data, without tracing.
 */
import * as tf from "@tensorflow/tfjs-core";
import {
  allocate,
  collect,
  describeNode,
  type Executable,
  type Executor,
  type Graph,
  type Operand,
  signature,
  sizeOf,
  type TypedArray,
  type Value,
} from "./graph.ts";

export type TensorMap = Record<string, tf.Tensor>;

/** A function of named tensors that can be run again and again; the caller owns what it returns. */
export interface Compiled {
  (inputs: TensorMap): TensorMap;
  dispose(): void;
}

export interface CompileOptions {
  /** Outputs by name that are written to an array of the right size instead of a new one. */
  into?: Record<string, TypedArray>;
  /** An output takes the array of the input of its name (of one shape), which must not be used again: caches. */
  overwrite?: boolean;
}

interface Entry {
  value: Value;
  references: number;
  /** Real and imaginary part of a complex64 tensor, whose value has no data. */
  parts?: [tf.TensorInfo, tf.TensorInfo];
}

interface Replay {
  executable: Executable;
  /** Where each input of the program is from: a name of the function's inputs, or data captured while tracing. */
  feeds: (string | TypedArray)[];
  outputs: { name: string; shape: number[]; dtype: tf.DataType }[];
}

/** Compiled programs that are kept, of each compiled function and of everything else. */
const SESSION_CACHE = 64;

export class LazyBackend extends tf.KernelBackend {
  private readonly entries: tf.DataStorage<Entry>;
  private readonly pending = new Set<Value>();
  private readonly sessions = new Map<string, Executable>();
  private tracing = false;
  private numSessions = 0;

  constructor(private readonly executor: Executor) {
    super();
    this.entries = new tf.DataStorage<Entry>(this, tf.engine());
  }

  // --- storage -----------------------------------------------------------------------------------------------------

  override write(values: tf.backend_util.BackendValues, shape: number[], dtype: tf.DataType): tf.DataId {
    const data = toTyped(values, dtype, sizeOf(shape));
    return this.store({ shape, dtype, producer: null, data });
  }

  override move(
    id: tf.DataId,
    values: tf.backend_util.BackendValues,
    shape: number[],
    dtype: tf.DataType,
    references: number,
  ) {
    const data = toTyped(values, dtype, sizeOf(shape));
    this.entries.set(id, { value: { shape, dtype, producer: null, data }, references });
  }

  private store(value: Value): tf.DataId {
    const id = {};
    this.entries.set(id, { value, references: 1 });
    return id;
  }

  /** A tensor of complex numbers; it owns its parts from now on. */
  makeComplex(shape: number[], real: tf.TensorInfo, imag: tf.TensorInfo): tf.TensorInfo {
    const dataId = this.store({ shape, dtype: "complex64", producer: null, data: null });
    this.entries.get(dataId).parts = [real, imag];
    return { dataId, shape, dtype: "complex64" };
  }

  complexParts(x: tf.TensorInfo): [tf.TensorInfo, tf.TensorInfo] | undefined {
    return this.entries.get(x.dataId).parts;
  }

  /** What a kernel that runs on the host reads. */
  readForHost(id: tf.DataId, kernelName: string): TypedArray {
    if (this.tracing)
      throw new Error(`compile: ${kernelName} runs on the host in this engine, so a compiled function cannot use it`);
    return this.readSync(id);
  }

  override readSync(id: tf.DataId): TypedArray {
    const { value, parts } = this.entries.get(id);
    if (parts) {
      const [real, imag] = parts.map(({ dataId }) => this.readSync(dataId) as Float32Array);
      return tf.backend_util.mergeRealAndImagArrays(real, imag);
    }
    if (!value.data) {
      this.pending.add(value); // it is not there any more when it was part of a program that failed
      this.flush();
    }
    return value.data!;
  }

  override async read(id: tf.DataId): Promise<TypedArray> {
    return this.readSync(id);
  }

  override disposeData(id: tf.DataId, force = false): boolean {
    if (!this.entries.has(id)) return true;
    const entry = this.entries.get(id);
    entry.references--;
    if (!force && entry.references > 0) return false;
    this.pending.delete(entry.value);
    for (const part of entry.parts ?? []) this.disposeData(part.dataId, force);
    this.entries.delete(id);
    return true;
  }

  override incRef(id: tf.DataId) {
    this.entries.get(id).references++;
  }

  override refCount(id: tf.DataId): number {
    return this.entries.has(id) ? this.entries.get(id).references : 0;
  }

  override numDataIds() {
    return this.entries.numDataIds();
  }

  override memory() {
    return { unreliable: false, numSessions: this.numSessions }; // what `tf.memory()` shows
  }

  override floatPrecision(): 32 {
    return 32;
  }

  override epsilon() {
    return 1e-7;
  }

  override timerAvailable() {
    return true;
  }

  override async time(run: () => void) {
    this.flush();
    const start = tf.util.now();
    run();
    this.flush();
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
      const value: Value = { shape, dtype, producer: node, data: null };
      node.outputs.push(value);
      this.pending.add(value);
      return { dataId: this.store(value), shape, dtype };
    });
  }

  /** The values of a tensor that has already been computed, for checks while recording; null when it is pending. */
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
    const results = outputs.map(({ dtype, shape, producer }) =>
      allocate(dtype, sizeOf(shape), describeNode(producer!)),
    );
    executable.run(
      graph.inputs.map((value) => value.data!),
      results,
    );
    outputs.forEach((value, i) => {
      value.data = results[i];
      value.producer = null;
    });
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
      forgetOldest(replays, ({ executable }) => this.disposeSession(executable));
      const results = replay.outputs.map(({ name, shape, dtype }) => {
        if (overwrite && replay.feeds.includes(name)) return this.readSync(inputs[name].dataId);
        return into[name] ?? allocate(dtype, sizeOf(shape));
      });
      replay.executable.run(
        replay.feeds.map((feed) => (typeof feed === "string" ? this.readSync(inputs[feed].dataId) : feed)),
        results,
      );
      return Object.fromEntries(
        replay.outputs.map(({ name, shape, dtype }, i) => [
          name,
          this.tensor({ shape, dtype, producer: null, data: results[i] }),
        ]),
      );
    };
    return Object.assign(compiled, {
      dispose: () => {
        for (const { executable } of replays.values()) this.disposeSession(executable);
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
      return { shape, dtype, producer: null, data: this.readSync(dataId) };
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
      const feeds = graph.inputs.map((value, i) => (i < names.length ? names[i] : value.data!));
      const leaked = tf.memory().numTensors - before - names.length - new Set(Object.values(traced)).size;
      if (leaked !== 0)
        throw new Error(`compile: the function left ${leaked} tensors behind; do not tf.keep inside it`);
      return { executable: this.compileGraph(graph), feeds, outputs };
    } finally {
      this.tracing = false;
      tf.dispose([traced, standIns]);
    }
  }

  private tensor(value: Value): tf.Tensor {
    const { shape, dtype } = value;
    return tf.engine().makeTensorFromTensorInfo({ dataId: this.store(value), shape, dtype }, this as never);
  }
}

/** Keeps the newest {@link SESSION_CACHE} of a map that has them last. */
function forgetOldest<T>(cache: Map<string, T>, dispose: (value: T) => void) {
  if (cache.size <= SESSION_CACHE) return;
  const [key, value] = cache.entries().next().value!;
  cache.delete(key);
  dispose(value);
}

function toTyped(values: tf.backend_util.BackendValues, dtype: tf.DataType, size: number): TypedArray {
  if (dtype === "string") return values as unknown as TypedArray; // only the host reads it
  if (values === null) return allocate(dtype, size);
  const wanted = allocate(dtype, 0).constructor as new (values: ArrayLike<number>) => TypedArray;
  return values instanceof wanted ? (values as TypedArray) : new wanted(values as unknown as ArrayLike<number>);
}

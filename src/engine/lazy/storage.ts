/**
 * @file Where the lazy backend keeps its tensors: what TensorFlow.js asks of any backend about its data. A tensor is an
 * array of the host, is on the executor's device, or waits for what makes it; reading one makes it be there.
 */
import * as tf from "@tensorflow/tfjs-core";
import { type Executor, isThere, sizeOf, type TypedArray, toTyped, type Value } from "./graph.ts";

interface Entry {
  value: Value;
  references: number;
  /** Real and imaginary part of a complex64 tensor, whose value has no data. */
  parts?: [tf.TensorInfo, tf.TensorInfo];
}

export abstract class TensorStorage extends tf.KernelBackend {
  protected readonly entries: tf.DataStorage<Entry>;
  /** Values with a tensor that are not there yet. */
  protected readonly pending = new Set<Value>();
  /** Values without a tensor that pending kernels may still read. */
  private orphans: Value[] = [];
  protected tracing = false;

  constructor(protected readonly executor: Executor) {
    super();
    this.entries = new tf.DataStorage<Entry>(this, tf.engine());
  }

  /** Runs everything that is pending. */
  abstract flush(): void;

  /** Whether tensors are arrays of the host, which in-place kernels may change. */
  get inHostMemory() {
    return this.executor.inHostMemory;
  }

  override write(values: tf.backend_util.BackendValues, shape: number[], dtype: tf.DataType): tf.DataId {
    const data = toTyped(values, dtype, sizeOf(shape));
    return this.store({ shape, dtype, producer: null, data, device: null });
  }

  override move(
    id: tf.DataId,
    values: tf.backend_util.BackendValues,
    shape: number[],
    dtype: tf.DataType,
    references: number,
  ) {
    const data = toTyped(values, dtype, sizeOf(shape));
    this.entries.set(id, { value: { shape, dtype, producer: null, data, device: null }, references });
  }

  protected store(value: Value): tf.DataId {
    const id = {};
    this.entries.set(id, { value, references: 1 });
    return id;
  }

  /** A tensor of complex numbers; it owns its parts from now on. */
  makeComplex(shape: number[], real: tf.TensorInfo, imag: tf.TensorInfo): tf.TensorInfo {
    const dataId = this.store({ shape, dtype: "complex64", producer: null, data: null, device: null });
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
    const { parts } = this.entries.get(id);
    if (parts) {
      const [real, imag] = parts.map(({ dataId }) => this.readSync(dataId) as Float32Array);
      return tf.backend_util.mergeRealAndImagArrays(real, imag);
    }
    const value = this.materialised(id);
    value.data ??= value.device!.readSync();
    return value.data;
  }

  override async read(id: tf.DataId): Promise<TypedArray> {
    const { parts } = this.entries.get(id);
    if (parts) {
      const [real, imag] = await Promise.all(parts.map(({ dataId }) => this.read(dataId)));
      return tf.backend_util.mergeRealAndImagArrays(real as Float32Array, imag as Float32Array);
    }
    const value = this.materialised(id);
    value.data ??= await value.device!.read();
    return value.data;
  }

  /** The value of a tensor, computed if it was pending. */
  protected materialised(id: tf.DataId): Value {
    const { value } = this.entries.get(id);
    if (isThere(value)) return value;
    if (!value.producer) throw new Error("compile: nothing can be read inside a compiled function");
    this.pending.add(value); // it is not there any more when it was part of a program that failed
    this.flush();
    return value;
  }

  override disposeData(id: tf.DataId, force = false): boolean {
    if (!this.entries.has(id)) return true;
    const entry = this.entries.get(id);
    entry.references--;
    if (!force && entry.references > 0) return false;
    this.pending.delete(entry.value);
    for (const part of entry.parts ?? []) this.disposeData(part.dataId, force);
    this.entries.delete(id);
    if (!this.executor.inHostMemory) this.orphans.push(entry.value);
    this.freeOrphans();
    return true;
  }

  /** A disposed tensor leaves its device when nothing that is pending can read it any more. */
  protected freeOrphans() {
    if (this.pending.size > 0) return;
    for (const value of this.orphans) {
      value.device?.dispose();
      value.device = null;
    }
    this.orphans = [];
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

  override floatPrecision(): 32 {
    return 32;
  }

  override epsilon() {
    return 1e-7;
  }

  override timerAvailable() {
    return true;
  }
}

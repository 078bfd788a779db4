/**
 * @file safetensors files, read and written tensor by tensor: 8 bytes of little-endian length N, N bytes of JSON
 * {name: {dtype, shape, data_offsets}}, the data. https://github.com/huggingface/safetensors, README.md ("Format") and
 * safetensors/src/tensor.rs. The header is checked whole before any memory is taken, with their rules: it begins with
 * `{`, no key twice, numbers written as whole numbers, tensors side by side from 0 to the end of the file. Two names
 * are refused that they allow, `__proto__` and half a surrogate pair.
 */
import { closeSync, fstatSync, openSync, readSync, renameSync, rmSync, statSync, writeSync } from "node:fs";
import { UserError } from "../util/assert.ts";
import { laxJson } from "../util/json.ts";
import { BYTES, DTYPES, type Dtype, narrow, widen } from "./halfPrecision.ts";

export interface Array32 {
  shape: number[];
  data: Float32Array;
}

/** Where a tensor of a file is; offsets count from the file's first byte. */
export interface TensorEntry {
  dtype: Dtype;
  shape: number[];
  from: number;
  to: number;
}

const MAX_HEADER = 100_000_000;
/** Bytes that are moved at once: one call of Node's moves at most 2^31 - 1, one Uint8Array sees at most 2^32. */
const PIECE = 1 << 22;
const pieceOf = (view: ArrayBufferView, from: number) =>
  new Uint8Array(view.buffer, view.byteOffset + from, Math.min(PIECE, view.byteLength - from));

/** Those of safetensors 0.8 that hold no weights that we can use. */
const OTHER_DTYPES =
  "BOOL F4 F6_E2M3 F6_E3M2 U8 I8 F8_E5M2 F8_E4M3 F8_E8M0 F8_E4M3FNUZ F8_E5M2FNUZ I16 U16 I32 U32 C64 F64 I64 U64";

/** A name or other text of a file, for a message of one line. */
export const show = (text: string) =>
  /^[\w.-]{1,120}$/.test(text) ? text : JSON.stringify(text.length > 120 ? `${text.slice(0, 120)}…` : text);
const showShape = (shape: number[]) => `[${shape.slice(0, 8)}${shape.length > 8 ? ",…" : ""}]`;

const invalid = (path: string, reason: string) =>
  new UserError(`${path}: not a valid safetensors file: ${reason}; copy it again`);

/** An open file: its tensors, by name, and their values when they are asked for. */
export class SafetensorsFile {
  readonly path: string;
  readonly tensors: Map<string, TensorEntry>;
  private readonly file: number;

  /** Reads and checks the header. @throws UserError with the reason for a malformed file. */
  constructor(path: string) {
    this.path = path;
    const open = () => {
      if (!statSync(path).isFile()) throw Object.assign(new Error(), { code: "not a file" });
      return openSync(path, "r");
    };
    this.file = attempt(path, "read", open, "; expected a safetensors file");
    try {
      this.tensors = this.readHeader();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  private readHeader(): Map<string, TensorEntry> {
    const { size } = fstatSync(this.file);
    if (size < 8) throw invalid(this.path, `${size} bytes are too short`);
    const length = Buffer.alloc(8);
    this.fill(length, 0);
    if (length.toString() === "version ") throw invalid(this.path, "it is a Git LFS pointer (git lfs pull fetches it)");
    const headerLength = Number(length.readBigUInt64LE());
    if (headerLength > MAX_HEADER)
      throw invalid(this.path, `header length ${headerLength} is over the format's limit, ${MAX_HEADER}`);
    if (8 + headerLength > size)
      throw invalid(this.path, `header length ${headerLength} is over the file's ${size} bytes (truncated?)`);
    const header = Buffer.alloc(headerLength);
    this.fill(header, 8);
    return parseHeader(header, 8 + headerLength, size, this.path);
  }

  /** A tensor in float32. No more memory is taken than the result's. */
  read(name: string): Float32Array {
    const { dtype, shape, from, to } = this.tensors.get(name)!;
    const size = (to - from) / BYTES[dtype];
    let data: Float32Array;
    try {
      data = new Float32Array(size);
    } catch {
      const bytes = `${((size * 4) / 2 ** 30).toFixed(1)} GiB`;
      throw new UserError(`${this.path}: ${show(name)} ${showShape(shape)} takes ${bytes} in float32: no memory left`);
    }
    if (dtype === "F32") this.fill(data, from);
    else {
      // into the second half of the result, then widened from the front: i is read before anything reaches it
      this.fill(data, from, 2 * size);
      widen(dtype, new Uint16Array(data.buffer, 2 * size, size), new Uint32Array(data.buffer));
    }
    return data;
  }

  /** Whether a tensor's float32 values are these, bit for bit; read in small pieces. */
  equals(name: string, data: Float32Array): boolean {
    const { dtype, from, to } = this.tensors.get(name)!;
    const expected = new Uint32Array(data.buffer, data.byteOffset, data.length);
    const width = BYTES[dtype];
    if ((to - from) / width !== data.length) return false;
    const bits = new Uint32Array(PIECE / 4);
    for (let done = 0; done < data.length; done += bits.length) {
      const count = Math.min(bits.length, data.length - done);
      const raw = new Uint8Array(bits.buffer, (4 - width) * count, width * count);
      this.fill(raw, from + done * width);
      if (dtype !== "F32") widen(dtype, new Uint16Array(bits.buffer, raw.byteOffset, count), bits);
      for (let i = 0; i < count; i++) if (bits[i] !== expected[done + i]) return false;
    }
    return true;
  }

  /** Fills a view's memory, from its byte `skip` on, with the file's from `at` on. */
  private fill(view: ArrayBufferView, at: number, skip = 0) {
    for (let done = 0; done < view.byteLength - skip; ) {
      const piece = pieceOf(view, skip + done);
      const got = attempt(this.path, "read", () => readSync(this.file, piece, 0, piece.length, at + done));
      if (got === 0) throw invalid(this.path, `it ends at ${at + done} while it is read (truncated)`);
      done += got;
    }
  }

  close() {
    closeSync(this.file);
  }
}

/** The entries of a header, in the order of their data. */
function parseHeader(bytes: Uint8Array, start: number, size: number, path: string): Map<string, TensorEntry> {
  const bad = (reason: string) => invalid(path, reason);
  if (bytes[0] !== 0x7b) throw bad("the header does not begin with {"); // as the format says; no BOM, no space
  let text: string;
  let json: unknown;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw bad("the header is not UTF-8");
  }
  try {
    json = JSON.parse(text);
  } catch {
    throw bad("the header is not JSON");
  }
  const lax = laxJson(text, { wholeNumbers: true });
  if (lax !== undefined) throw bad(`header: ${lax}`);

  const { __metadata__: metadata, ...tensors } = json as Record<string, unknown>;
  if (metadata !== undefined && metadata !== null) {
    if (!isObject(metadata)) throw bad("header: __metadata__ is not an object");
    for (const [key, value] of Object.entries(metadata))
      if (typeof value !== "string") throw bad(`header: __metadata__: ${show(key)} is not text`);
  }
  const entries = Object.entries(tensors).map(([name, value]) => {
    return [name, parseEntry(name, value, bad)] as [string, TensorEntry];
  });
  entries.sort(([, a], [, b]) => a.from - b.from || a.to - b.to);
  const available = size - start;
  let end = 0;
  for (const [name, { from, to }] of entries) {
    if (from !== end) throw bad(`${show(name)} begins at ${from}, expected ${end} (${from < end ? "overlap" : "gap"})`);
    if (to > available) throw bad(`${show(name)} ends at ${to}, beyond the ${available} bytes of data (truncated)`);
    end = to;
  }
  if (end !== available) throw bad(`there are ${available - end} bytes after the last tensor`);
  return new Map(entries.map(([name, entry]) => [name, { ...entry, from: start + entry.from, to: start + entry.to }]));
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isSize = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

/** One tensor's line of the header; offsets count from the end of the header. */
function parseEntry(name: string, value: unknown, bad: (reason: string) => UserError): TensorEntry {
  const at = `header: ${show(name)}`;
  if (name === "__proto__" || /\p{Surrogate}/u.test(name)) throw bad(`${at} is no name for a tensor`);
  if (!isObject(value)) throw bad(`${at} is not an object`);
  const { dtype, shape, data_offsets: offsets } = value;
  if (typeof dtype !== "string") throw bad(`${at} has no dtype`);
  if (!DTYPES.includes(dtype as Dtype))
    throw OTHER_DTYPES.split(" ").includes(dtype)
      ? bad(`${at} has dtype ${dtype}, which is not supported; expected ${DTYPES.join(", ")}: convert it`)
      : bad(`${at} has an unknown dtype, ${show(dtype)}; expected ${DTYPES.join(", ")}`);
  if (!Array.isArray(shape)) throw bad(`${at} has no shape`);
  if (!shape.every(isSize)) throw bad(`${at} has a shape with something else than whole numbers below 2^53`);
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isSize))
    throw bad(`${at}: data_offsets are not two whole numbers below 2^53`);
  const [from, to] = offsets;
  if (from > to) throw bad(`${at}: data_offsets ${from}..${to} are reversed`);
  const product = (n: number, size: number) => (Number.isSafeInteger(n * size) ? n * size : Number.NaN);
  const bytes = shape.reduce(product, BYTES[dtype as Dtype]);
  if (Number.isNaN(bytes)) throw bad(`${at}: shape ${showShape(shape)} overflows`);
  if (to - from !== bytes)
    throw bad(`${at}: ${dtype} ${showShape(shape)} takes ${bytes} bytes, data_offsets say ${to - from}`);
  return { dtype: dtype as Dtype, shape, from, to };
}

/** Reads every tensor of a safetensors file. @throws UserError with the reason for a malformed file. */
export function readSafetensors(path: string): Record<string, Array32> {
  const file = new SafetensorsFile(path);
  try {
    return Object.fromEntries([...file.tensors].map(([name, { shape }]) => [name, { shape, data: file.read(name) }]));
  } finally {
    file.close();
  }
}

/**
 * A file that is being written beside its place, `path`.partial; `finish` puts it there, `abandon` removes it. Tensors
 * are written in the order of `names`, which is the alphabet's, as safetensors has it.
 */
export class SafetensorsWriter {
  readonly names: string[];
  private readonly path: string;
  private readonly dtype: Dtype;
  private readonly file: number;
  private open = true;

  constructor(path: string, shapes: Record<string, number[]>, dtype: Dtype) {
    this.path = path;
    this.dtype = dtype;
    this.names = Object.keys(shapes).sort();
    const header: Record<string, unknown> = { __metadata__: { format: "pt" } };
    let end = 0;
    for (const name of this.names) {
      const bytes = shapes[name].reduce((n, size) => n * size, BYTES[dtype]);
      header[name] = { dtype, shape: shapes[name], data_offsets: [end, end + bytes] };
      end += bytes;
    }
    const json = Buffer.from(JSON.stringify(header));
    const padding = Buffer.alloc((8 - (json.length % 8)) % 8, " ");
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(json.length + padding.length));
    this.file = attempt(path, "written", () => openSync(`${path}.partial`, "w"));
    this.put(Buffer.concat([length, json, padding]));
  }

  /** The values of the next tensor. */
  write(data: Float32Array) {
    const { dtype } = this;
    if (dtype === "F32") this.put(data);
    else {
      const bits = new Uint32Array(data.buffer, data.byteOffset, data.length);
      const narrowed = new Uint16Array(Math.min(PIECE / 2, data.length));
      for (let done = 0; done < data.length; done += narrowed.length) {
        const part = bits.subarray(done, done + narrowed.length);
        narrow(dtype, part, narrowed);
        this.put(narrowed.subarray(0, part.length));
      }
    }
  }

  private put(view: ArrayBufferView) {
    for (let done = 0; done < view.byteLength; ) {
      const piece = pieceOf(view, done);
      done += attempt(this.path, "written", () => writeSync(this.file, piece));
    }
  }

  /** Everything is written; the file is still beside its place. */
  close() {
    attempt(this.path, "written", () => closeSync(this.file));
    this.open = false;
  }

  /** Puts the closed file into its place. */
  finish() {
    attempt(this.path, "written", () => renameSync(`${this.path}.partial`, this.path));
  }

  /** After a failure: nothing stays behind. */
  abandon() {
    if (this.open) closeSync(this.file);
    rmSync(`${this.path}.partial`, { force: true });
  }
}

/** Writes a safetensors file beside its place and then renames it, so a half-written one is never seen. */
export function writeSafetensors(path: string, tensors: Record<string, Array32>, dtype: Dtype = "F32") {
  const shapes = Object.fromEntries(Object.entries(tensors).map(([name, { shape }]) => [name, shape]));
  const writer = new SafetensorsWriter(path, shapes, dtype);
  try {
    for (const name of writer.names) writer.write(tensors[name].data);
    writer.close();
  } catch (error) {
    writer.abandon();
    throw error;
  }
  writer.finish();
}

/** Runs what may fail for the system's reasons. @throws UserError that names the file and the reason. */
export function attempt<T>(path: string, done: "read" | "written", run: () => T, remedy = ""): T {
  try {
    return run();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error; // not the system's
    throw new UserError(`${path}: cannot be ${done} (${code})${remedy}`);
  }
}

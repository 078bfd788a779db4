/**
 * @file The weights of a model directory, in one file or in shards, named and divided as Hugging Face transformers
 * does: `model.safetensors`, or `model-00001-of-0000N.safetensors` and `model.safetensors.index.json`, whose weight_map
 * says which shard holds which tensor.
 *
 * Index and shards must agree exactly, each tensor in one place. metadata.total_size is not looked at: transformers does
 * not either, and there are released checkpoints in which it is wrong; the sizes are checked tensor by tensor.
 */
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../util/assert.ts";
import { laxJson } from "../util/json.ts";
import { writeWhole } from "../util/runDir.ts";
import { BYTES, type Dtype } from "./halfPrecision.ts";
import { attempt, SafetensorsFile, SafetensorsWriter, show } from "./safetensors.ts";

const WHOLE = "model.safetensors";
const INDEX = "model.safetensors.index.json";
const SHARD = /^model(-\d{5}-of-\d{5})?\.safetensors(\.partial)?$/;

/** A plain file name: nothing that leads out of the directory (links do, and may: the Hugging Face cache is made of them). */
const FILE_NAME = /^[^/\\:\p{Cc}]+\.safetensors$/u;

/** The tensors of a directory: their shapes, which file has each, and their values when asked for. */
export interface Weights {
  /** The file that says what there is. */
  path: string;
  /** Which file each tensor is in. */
  tensors: Map<string, SafetensorsFile>;
  close(): void;
}

/** Opens the weights and checks every header. @throws UserError when a file is missing, malformed or at odds with the index. */
export function openWeights(directory: string): Weights {
  const whole = join(directory, WHOLE);
  const index = join(directory, INDEX);
  if (!existsSync(index)) {
    if (!existsSync(whole)) {
      const pickled =
        existsSync(directory) && readdirSync(directory).find((name) => /^pytorch_model.*\.bin/.test(name));
      throw new UserError(
        `${whole}: is missing (ENOENT), and so is ${INDEX}; ${
          pickled ? `${pickled} is not read: save the model again as safetensors` : "expected one of them"
        }`,
      );
    }
    const file = new SafetensorsFile(whole);
    const tensors = new Map([...file.tensors.keys()].map((name) => [name, file]));
    return { path: whole, tensors, close: () => file.close() };
  }
  if (existsSync(whole))
    throw new UserError(`${index}: ${WHOLE} is beside it, and which of the two is meant is unknown; remove one`);

  const weightMap = readIndex(index);
  const shards = new Map<string, SafetensorsFile>();
  const close = () => {
    for (const shard of shards.values()) shard.close();
  };
  try {
    for (const [name, file] of weightMap) {
      if (!shards.has(file)) shards.set(file, new SafetensorsFile(join(directory, file)));
      if (!shards.get(file)!.tensors.has(name))
        throw new UserError(`${index}: ${show(name)} is said to be in ${file}, but is not; copy both again`);
    }
    for (const [file, shard] of shards)
      for (const name of shard.tensors.keys())
        if (weightMap.get(name) !== file) {
          const listed = weightMap.has(name) ? `listed in ${weightMap.get(name)}` : "not listed";
          throw new UserError(`${index}: ${show(name)} is in ${file}, but ${listed}; copy both again`);
        }
    return { path: index, tensors: new Map([...weightMap].map(([name, file]) => [name, shards.get(file)!])), close };
  } catch (error) {
    close();
    throw error;
  }
}

/** Tensor -> file name, as the index has it. */
function readIndex(path: string): Map<string, string> {
  const bad = (reason: string) => new UserError(`${path}: not a valid index of safetensors: ${reason}; copy it again`);
  const text = attempt(path, "read", () => readFileSync(path, "utf8"));
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw bad("it is not JSON");
  }
  const lax = laxJson(text);
  if (lax !== undefined) throw bad(lax);
  const map = (json as { weight_map?: unknown } | null)?.weight_map;
  if (typeof map !== "object" || map === null || Array.isArray(map)) throw bad("weight_map is not an object");
  const entries = Object.entries(map);
  if (entries.length === 0) throw bad("weight_map is empty");
  for (const [name, file] of entries)
    if (typeof file !== "string" || !FILE_NAME.test(file))
      throw bad(
        `weight_map: ${show(name)} is in ${show(String(file))}, expected the name of a .safetensors file beside the index`,
      );
  return new Map(entries);
}

/** Names part by part, numbers by their value: layers.2 before layers.10, as transformers 5 orders them. */
function byName(a: string, b: string): number {
  const [x, y] = [a.split("."), b.split(".")];
  const i = x.findIndex((part, i) => part !== y[i]);
  if (i < 0 || y[i] === undefined) return x.length - y.length;
  if (/^\d+$/.test(x[i]) && /^\d+$/.test(y[i])) return Number(x[i]) - Number(y[i]);
  return x[i] < y[i] ? -1 : 1;
}

/**
 * Which tensors go into which file, as huggingface_hub divides them: in their order, a new file where the next tensor
 * would make one larger than `maxShardSize`; a tensor that is larger has a file for itself.
 */
export function divide(bytes: Record<string, number>, maxShardSize: number): string[][] {
  const shards: string[][] = [];
  let current: string[] = [];
  let size = 0;
  for (const [name, count] of Object.entries(bytes)) {
    if (count > maxShardSize) {
      shards.push([name]);
      continue;
    }
    if (size + count > maxShardSize) {
      shards.push(current);
      current = [];
      size = 0;
    }
    current.push(name);
    size += count;
  }
  if (current.length > 0) shards.push(current);
  return shards;
}

/**
 * Writes the weights, one tensor in memory at a time, and removes those of an earlier save. Every file is written beside
 * its place first; a directory in which the change was interrupted is refused by {@link openWeights}, never mixed.
 */
export async function saveWeights(
  directory: string,
  shapes: Record<string, number[]>,
  valuesOf: (name: string) => Float32Array | Promise<Float32Array>,
  dtype: Dtype,
  maxShardSize: number,
) {
  const names = Object.keys(shapes).sort(byName);
  const numbers = names.map((name) => [name, shapes[name].reduce((n, size) => n * size, 1)] as const);
  const shards = divide(Object.fromEntries(numbers.map(([name, n]) => [name, n * BYTES[dtype]])), maxShardSize);
  const digits = (n: number) => String(n).padStart(5, "0");
  const fileOf = (i: number) =>
    shards.length === 1 ? WHOLE : `model-${digits(i + 1)}-of-${digits(shards.length)}.safetensors`;
  const writers: SafetensorsWriter[] = [];
  try {
    for (const [i, names] of shards.entries()) {
      const own = Object.fromEntries(names.map((name) => [name, shapes[name]]));
      const writer = new SafetensorsWriter(join(directory, fileOf(i)), own, dtype);
      writers.push(writer);
      for (const name of writer.names) writer.write(await valuesOf(name));
      writer.close();
    }
  } catch (error) {
    for (const writer of writers) writer.abandon();
    throw error;
  }

  const index = join(directory, INDEX);
  if (shards.length > 1) rmSync(index, { force: true }); // shards of two saves must not be read together
  for (const writer of writers) writer.finish();
  if (shards.length > 1) {
    const weightMap = shards.flatMap((names, i) => names.map((name) => [name, fileOf(i)]));
    const total = numbers.reduce((sum, [, n]) => sum + n, 0);
    const content = {
      metadata: { total_parameters: total, total_size: total * BYTES[dtype] },
      weight_map: Object.fromEntries(weightMap.sort(([a], [b]) => (a < b ? -1 : 1))),
    };
    writeWhole(index, `${JSON.stringify(content, null, 2)}\n`);
  } else rmSync(index, { force: true });
  const kept = new Set(shards.map((_, i) => fileOf(i)));
  for (const name of readdirSync(directory)) if (SHARD.test(name) && !kept.has(name)) rmSync(join(directory, name));
}

/**
 * @file Model directories as Hugging Face has them: `config.json` and `model.safetensors` (F32).
 *
 * safetensors: 8 bytes little-endian length N, N bytes of JSON {name: {dtype, shape, data_offsets}}, the data.
 */
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { z } from "zod";
import { UserError } from "../util/assert.ts";
import { writeWhole } from "../util/runDir.ts";
import { fromHuggingFace, type Qwen2Config, toHuggingFace } from "./config.ts";
import { parameterShapes } from "./init.ts";
import type { Parameters } from "./qwen2.ts";

export interface Array32 {
  shape: number[];
  data: Float32Array;
}

const MAX_HEADER = 100_000_000;

const whole = z.number().int().nonnegative();
const headerSchema = z.record(
  z.string(),
  z.object({ dtype: z.string(), shape: z.array(whole), data_offsets: z.tuple([whole, whole]) }),
);

/** Reads every F32 tensor of a safetensors file. @throws UserError with the reason for a malformed file. */
export function readSafetensors(path: string): Record<string, Array32> {
  const bad = (reason: string) => new UserError(`${path}: not a valid safetensors file: ${reason}; copy it again`);
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw new UserError(`${path}: cannot be read (${(error as NodeJS.ErrnoException).code}); expected safetensors`);
  }
  if (bytes.length < 8) throw bad(`${bytes.length} bytes is too short`);
  const headerLength = Number(bytes.readBigUInt64LE(0));
  if (headerLength > MAX_HEADER || 8 + headerLength > bytes.length) throw bad(`header length ${headerLength}`);
  let json: unknown;
  try {
    const { __metadata__, ...entries } = JSON.parse(bytes.toString("utf8", 8, 8 + headerLength));
    json = entries;
  } catch {
    throw bad("the header is not a JSON object");
  }
  const header = headerSchema.safeParse(json);
  if (!header.success) {
    const { path: at, message } = header.error.issues[0];
    throw bad(`header: ${at.join(".")}: ${message}`);
  }
  const start = 8 + headerLength;
  let end = 0;
  const tensors: Record<string, Array32> = {};
  const entries = Object.entries(header.data).sort(([, a], [, b]) => a.data_offsets[0] - b.data_offsets[0]);
  for (const [name, { dtype, shape, data_offsets }] of entries) {
    const [from, to] = data_offsets;
    const size = shape.reduce((a, b) => a * b, 1);
    if (dtype !== "F32")
      throw new UserError(`${path}: ${name} has dtype ${dtype}, expected F32; convert it to float32`);
    if (from !== end || to - from !== size * 4)
      throw bad(`${name} [${shape}] at ${from}..${to} (gap, overlap or wrong length)`);
    if (start + to > bytes.length) throw bad(`${name} ends beyond the file (truncated)`);
    const data = new Float32Array(size);
    new Uint8Array(data.buffer).set(bytes.subarray(start + from, start + to));
    tensors[name] = { shape, data };
    end = to;
  }
  if (start + end !== bytes.length) throw bad("there are bytes after the last tensor");
  return tensors;
}

/** Writes a safetensors file beside its place and then renames it, so a half-written one is never seen. */
export function writeSafetensors(path: string, tensors: Record<string, Array32>) {
  const header: Record<string, unknown> = { __metadata__: { format: "pt" } };
  let end = 0;
  const names = Object.keys(tensors).sort();
  for (const name of names) {
    const { shape, data } = tensors[name];
    header[name] = { dtype: "F32", shape, data_offsets: [end, end + data.byteLength] };
    end += data.byteLength;
  }
  const json = Buffer.from(JSON.stringify(header));
  const padded = Buffer.concat([json, Buffer.alloc((8 - (json.length % 8)) % 8, " ")]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  const parts = names.map((name) => {
    const { data } = tensors[name];
    return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  });
  writeWhole(path, Buffer.concat([length, padded, ...parts]));
}

/** Writes `config.json`, `generation_config.json` and `model.safetensors` of a model. */
export async function saveModel(directory: string, parameters: Parameters, config: Qwen2Config, eosTokenId: number) {
  mkdirSync(directory, { recursive: true });
  const tensors: Record<string, Array32> = {};
  for (const [name, x] of Object.entries(parameters))
    tensors[name] = { shape: x.shape, data: (await x.data()) as Float32Array };
  writeSafetensors(join(directory, "model.safetensors"), tensors);
  const json = (name: string, value: unknown) => {
    writeWhole(join(directory, name), `${JSON.stringify(value, null, 2)}\n`);
  };
  json("generation_config.json", { eos_token_id: eosTokenId });
  json("config.json", toHuggingFace(config, eosTokenId));
}

/** Reads a model directory. @throws UserError when a tensor is missing, unknown or of another shape. */
export function loadModel(directory: string): { parameters: Parameters; config: Qwen2Config } {
  const path = join(directory, "config.json");
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    const reason = error instanceof SyntaxError ? "it is not JSON" : (error as NodeJS.ErrnoException).code;
    throw new UserError(`${path}: cannot be read (${reason}); expected a Hugging Face model directory`);
  }
  const config = fromHuggingFace(json, path);
  const weights = join(directory, "model.safetensors");
  const tensors = readSafetensors(weights);
  const shapes = parameterShapes(config);
  for (const name of Object.keys(tensors))
    if (!Object.hasOwn(shapes, name))
      throw new UserError(`${weights}: unknown tensor ${name}; expected those of the Qwen2 that ${path} describes`);
  const parameters: Parameters = {};
  for (const [name, shape] of Object.entries(shapes)) {
    const found = tensors[name];
    if (!found) throw new UserError(`${weights}: tensor ${name} [${shape}] is missing; ${path} asks for it`);
    if (found.shape.join() !== shape.join())
      throw new UserError(`${weights}: ${name} has shape [${found.shape}], ${path} asks for [${shape}]`);
    parameters[name] = tf.tensor(found.data, shape);
  }
  return { parameters, config };
}

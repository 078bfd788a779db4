/**
 * @file Checkpoints inside a training run: folders `checkpoint-STEP` (Hugging Face's name) from which the run goes on bit
 * for bit, wherever it was stopped or killed. Each holds the model, the optimiser's moments by name
 * (`optimizer.safetensors`), `trainer_state.json`, and the SHA-256 of every file; it is there whole or not at all.
 */
import { existsSync, readdirSync, readFileSync, rmSync, statSync, truncateSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { z } from "zod";
import type { Parameters } from "../model/qwen2.ts";
import { SafetensorsFile, SafetensorsWriter } from "../model/safetensors.ts";
import { openWeights } from "../model/shards.ts";
import { UserError } from "../util/assert.ts";
import { writeWhole } from "../util/runDir.ts";
import { checkSealed, flushToDisk, removeSealed, removeUnfinished, writeSealed } from "../util/sealedFolder.ts";
import type { Checkpoints, TrainingState } from "./loop.ts";
import { momentShapes } from "./optimizer.ts";

/** Something whose next answers depend on earlier ones: a reader of data, a random stream, the best score so far. */
export interface Stateful {
  /** Plain JSON: no NaN, no infinity. */
  state(): unknown;
  restore(state: unknown): void;
}

export interface CheckpointOptions {
  /** Where the folders `checkpoint-STEP` are; of one run, and there is nothing in it when that begins. */
  folder: string;
  /** Steps from one to the next (`save_steps`); one is also made when training is stopped, and at its end. */
  everySteps: number;
  /** How many are kept (`save_total_limit`); all when it is left out. The last is removed only after the next is whole. */
  keep?: number;
  /** The checkpoint to go on from, see {@link newestCheckpoint}; from the beginning when it is left out. */
  resume?: string;
  /** What the result depends on and the loop does not know, as JSON: the seed, the model, a hash of the data. */
  settings: Record<string, unknown>;
  /** Writes the model as float32 into a folder, see `saveModel`. */
  saveModel: (folder: string) => Promise<void>;
  /** What `batchAt` and `onStep` carry from step to step, by name. */
  stateful?: Record<string, Stateful>;
  /** Files that `onStep` appends to: a resumed run cuts what they got after its checkpoint. */
  logs?: string[];
}

const FORMAT = 1;
const OPTIMIZER = "optimizer.safetensors";
const STATE = "trainer_state.json";
/** Bytes of the logs when the run began: what one cuts them to that was killed before its first checkpoint. */
const BEGINNING = "logs.json";

const count = z.int().min(0);
/** Bytes of each log, by its path from the folder of the checkpoints. */
const logsSchema = z.record(z.string(), count);
const stateSchema = z.strictObject({
  format: z.literal(FORMAT),
  /** Steps done, and tokens seen: Hugging Face's names. */
  global_step: count,
  num_input_tokens_seen: count,
  /** AdamW's t. */
  optimizer_updates: count,
  skipped_steps: count,
  settings: z.record(z.string(), z.unknown()),
  stateful: z.record(z.string(), z.unknown()),
  logs: logsSchema,
});

/** The checkpoints in a folder, oldest first. */
function checkpointsIn(folder: string): { step: number; path: string }[] {
  const names = existsSync(folder) ? readdirSync(folder) : [];
  return names
    .flatMap((name) => /^checkpoint-(\d+)$/.exec(name)?.[1] ?? [])
    .map((step) => ({ step: Number(step), path: join(folder, `checkpoint-${step}`) }))
    .sort((a, b) => a.step - b.step);
}

/** Path of the checkpoint with the most steps; undefined where there is none. */
export const newestCheckpoint = (folder: string): string | undefined => checkpointsIn(folder).at(-1)?.path;

/** Removes what {@link makeCheckpoints} left in a folder: the run is finished, and its model is kept elsewhere. */
export function removeCheckpoints(folder: string) {
  removeUnfinished(folder);
  for (const { path } of checkpointsIn(folder)) removeSealed(path);
  rmSync(join(folder, BEGINNING), { force: true });
}

/**
 * What `train` writes and goes on from.
 * @throws UserError from its functions: when the disk is full, and when a checkpoint is damaged, of another model or of
 * other settings; it names an older checkpoint that is whole
 */
export function makeCheckpoints(options: CheckpointOptions): Checkpoints {
  const { folder, everySteps, keep = Number.POSITIVE_INFINITY, resume, stateful = {}, logs = [] } = options;
  if (!(everySteps >= 1 && keep >= 1)) throw new Error("everySteps and keep are at least 1");
  const logName = (path: string) => relative(folder, path).replaceAll("\\", "/");
  const bytesOf = (path: string) => (existsSync(path) ? statSync(path).size : 0);
  const logBytes = () => Object.fromEntries(logs.map((path) => [logName(path), bytesOf(path)]));
  const all = (settings: object) => JSON.parse(JSON.stringify({ ...settings, ...options.settings }));

  async function save({ step, tokens, skippedSteps, optimizer, settings }: TrainingState) {
    await writeSealed(join(folder, `checkpoint-${step}`), async (partial) => {
      await options.saveModel(partial);
      await writeMoments(join(partial, OPTIMIZER), optimizer);
      const state: z.infer<typeof stateSchema> = {
        format: FORMAT,
        global_step: step,
        num_input_tokens_seen: tokens,
        optimizer_updates: optimizer.updates,
        skipped_steps: skippedSteps,
        settings: all(settings),
        stateful: Object.fromEntries(Object.entries(stateful).map(([name, part]) => [name, part.state()])),
        logs: logBytes(),
      };
      writeWhole(join(partial, STATE), `${JSON.stringify(state, null, 1)}\n`);
      for (const path of logs) if (existsSync(path)) flushToDisk(path);
    });
    // steps beyond this one are of a future that was given up: the run went on from an older checkpoint
    const past = checkpointsIn(folder).filter((other) => other.step <= step);
    const kept = new Set(past.slice(-Math.min(keep, past.length)).map(({ path }) => path));
    for (const { path } of checkpointsIn(folder)) if (!kept.has(path)) removeSealed(path);
  }

  /** Checks that the logs have what they had, and returns what cuts off the rest. */
  function cutLogs(lengths: z.infer<typeof logsSchema>, path: string): () => void {
    const had = logs.map((log) => ({ log, bytes: lengths[logName(log)] ?? 0 }));
    for (const { log, bytes } of had)
      if (bytesOf(log) < bytes)
        throw new UserError(
          `${log}: has ${bytesOf(log)} bytes, and had ${bytes} when ${path} was written; bring it back, or begin anew`,
        );
    return () => {
      for (const { log, bytes } of had) if (existsSync(log)) truncateSync(log, bytes);
    };
  }

  function begin() {
    const found = newestCheckpoint(folder);
    if (found) throw new UserError(`${found}: is of an earlier run; go on from it, or remove it to begin anew`);
    const path = join(folder, BEGINNING);
    if (existsSync(path)) cutLogs(readJson(path, logsSchema), path)();
    else writeWhole(path, `${JSON.stringify(logBytes())}\n`);
    return undefined;
  }

  async function restore(path: string, parameters: Parameters, settings: object): Promise<TrainingState> {
    await orOlder(path, async () => checkSealed(path));
    const state = readJson(join(path, STATE), stateSchema);
    const difference = firstDifference(state.settings, all(settings));
    if (difference)
      throw new UserError(`${path}: was saved with other settings: ${difference}; use those, or begin anew`);
    const names = [Object.keys(state.stateful), Object.keys(stateful)].map((list) => list.sort().join(", "));
    if (names[0] !== names[1])
      throw new UserError(`${path}: holds the state of (${names[0]}), expected (${names[1]}); begin anew`);
    const cut = cutLogs(state.logs, path);
    const moments = readMoments(path, parameters);
    readParameters(path, parameters);
    for (const [name, part] of Object.entries(stateful)) part.restore(state.stateful[name]);
    cut();
    return {
      step: state.global_step,
      tokens: state.num_input_tokens_seen,
      skippedSteps: state.skipped_steps,
      optimizer: { updates: state.optimizer_updates, ...moments },
      settings,
    };
  }

  return {
    everySteps,
    save: (state) => orOlder(join(folder, `checkpoint-${state.step}`), () => save(state)),
    async restore(parameters, settings) {
      removeUnfinished(folder);
      return resume === undefined ? begin() : restore(resume, parameters, settings);
    },
  };
}

/** Runs what may fail for a full disk or a damaged file, and says which checkpoint before this one is whole. */
async function orOlder<T>(path: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (!(error instanceof UserError) && code === undefined) throw error; // our own fault
    const what = error instanceof UserError ? message : `${path}: cannot be written (${code})`;
    const step = Number(/\d+$/.exec(path)?.[0]);
    const older = checkpointsIn(dirname(path)).filter((other) => other.step < step && isWhole(other.path));
    throw new UserError(older.length > 0 ? `${what}; ${older.at(-1)!.path} is whole: go on from it` : what);
  }
}

function isWhole(path: string): boolean {
  try {
    checkSealed(path);
    return true;
  } catch {
    return false;
  }
}

async function writeMoments(path: string, { shapes, read }: TrainingState["optimizer"]) {
  const writer = new SafetensorsWriter(path, shapes, "F32");
  try {
    for (const name of writer.names) writer.write(await read(name));
    writer.close();
  } catch (error) {
    writer.abandon();
    throw error;
  }
  writer.finish();
}

function readJson<S extends z.ZodType>(path: string, schema: S): z.infer<S> {
  const bad = (reason: string) => new UserError(`${path}: is not of a checkpoint of ours: ${reason}`);
  if (!existsSync(path)) throw bad("it is missing (ENOENT)");
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(path, "utf8"));
  } catch {
    throw bad("it is not JSON");
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const { path: key, message } = parsed.error.issues[0];
  throw bad(`${key.join(".") || "it"}: ${message}`);
}

type Shaped = { tensors: Map<string, { dtype: string; shape: number[] }> };

/** Every name and shape, in float32, and nothing else. */
function checkShapes(path: string, { tensors }: Shaped, expected: Record<string, number[]>) {
  for (const name of tensors.keys())
    if (!Object.hasOwn(expected, name)) throw new UserError(`${path}: has ${name}, which this model does not have`);
  for (const [name, shape] of Object.entries(expected)) {
    const found = tensors.get(name);
    if (!found) throw new UserError(`${path}: ${name} [${shape}] is missing`);
    if (found.shape.join() !== shape.join())
      throw new UserError(`${path}: ${name} has shape [${found.shape}], this model's is [${shape}]`);
    if (found.dtype !== "F32")
      throw new UserError(`${path}: ${name} is ${found.dtype}, from which no run goes on bit for bit; expected F32`);
  }
}

/** The moments of a checkpoint, read when they are asked for. */
function readMoments(folder: string, parameters: Parameters) {
  const path = join(folder, OPTIMIZER);
  const shapes = momentShapes(parameters);
  const withFile = <T>(use: (file: SafetensorsFile) => T): T => {
    const file = new SafetensorsFile(path);
    try {
      return use(file);
    } finally {
      file.close();
    }
  };
  withFile((file) => checkShapes(path, file, shapes));
  return { shapes, read: (name: string) => withFile((file) => file.read(name)) };
}

/** Replaces the parameters by the checkpoint's. */
function readParameters(folder: string, parameters: Parameters) {
  const weights = openWeights(folder);
  try {
    const entries = [...weights.tensors].map(([name, file]) => [name, file.tensors.get(name)!] as const);
    const shapes = Object.fromEntries(Object.entries(parameters).map(([name, { shape }]) => [name, shape]));
    checkShapes(weights.path, { tensors: new Map(entries) }, shapes);
    for (const [name, shape] of Object.entries(shapes)) {
      parameters[name].dispose();
      parameters[name] = tf.tensor(weights.tensors.get(name)!.read(name), shape);
    }
  } finally {
    weights.close();
  }
}

/** Where two JSON values differ first: "schedule.minRatio is 0.1 there and 0.2 here". */
export function firstDifference(there: unknown, here: unknown, path = ""): string | undefined {
  if (JSON.stringify(there) === JSON.stringify(here)) return undefined;
  const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;
  if (!isObject(there) || !isObject(here)) {
    const show = (value: unknown) => (value === undefined ? "not set" : JSON.stringify(value).slice(0, 60));
    return `${path || "they"} is ${show(there)} there and ${show(here)} here`;
  }
  for (const key of new Set([...Object.keys(there), ...Object.keys(here)])) {
    const found = firstDifference(there[key], here[key], path ? `${path}.${key}` : key);
    if (found) return found;
  }
  return undefined; // only the order of the keys
}

/**
 * @file The folder of one run: results, metrics, manifest and checkpoints. Files are written beside their place and
 * renamed, so a reader never sees half of one.
 */
import {
  accessSync,
  appendFileSync,
  constants,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { UserError } from "./assert.ts";
import type { MetricsLine, StageName } from "./results.ts";

/** Writes `text` or bytes to `path`, whole or not at all. */
export function writeWhole(path: string, text: string | Uint8Array) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(`${path}.partial`, text);
  renameSync(`${path}.partial`, path);
}

/** In the order in which they are removed: the manifest last, since it tells whose folder this is. */
const RUN_FILES = ["results.json", "metrics.jsonl", "report.html", "checkpoints", "manifest.json"];

export interface RunDirectory {
  path: string;
  /** Path of a file or folder inside. */
  at(...parts: string[]): string;
  writeJson(name: string, value: unknown): void;
  /** Parses a JSON file of the run; undefined when it is not there. */
  readJson<T>(name: string): T | undefined;
  appendMetrics(line: MetricsLine): void;
  /** Removes what an earlier run left here; other files stay. */
  clear(): void;
}

/** Opens a run folder for writing. @throws UserError when it cannot be made or written to, or is somebody else's. */
export function openRun(path: string): RunDirectory {
  const foreign = RUN_FILES.find((name) => existsSync(join(path, name)));
  if (foreign && !existsSync(join(path, "manifest.json")))
    throw new UserError(`--out ${path}: holds ${foreign} but no run of ours (manifest.json); choose another folder`);
  try {
    mkdirSync(path, { recursive: true });
    accessSync(path, constants.W_OK);
  } catch (error) {
    throw new UserError(
      `--out ${path}: cannot be written (${(error as NodeJS.ErrnoException).code}); choose a folder that you may write to`,
    );
  }
  const at = (...parts: string[]) => join(path, ...parts);
  const metrics = at("metrics.jsonl");
  return {
    path,
    at,
    writeJson: (name, value) => written(at(name), () => writeWhole(at(name), `${JSON.stringify(value, null, 1)}\n`)),
    readJson: (name) => readJson(at(name)),
    appendMetrics: (line) => written(metrics, () => appendFileSync(metrics, `${JSON.stringify(line)}\n`)),
    clear: () => {
      for (const name of RUN_FILES) rmSync(at(name), { recursive: true, force: true });
    },
  };
}

/** @throws UserError when the system lets nobody write: a full disk ends a run that can go on */
function written(path: string, write: () => void) {
  try {
    write();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    throw new UserError(
      `${path}: cannot be written (${code}); mend that (is the disk full?), then go on with --resume`,
    );
  }
}

/** Parses a JSON file; undefined when it is not there. @throws UserError when it is not JSON. */
function readJson<T>(path: string): T | undefined {
  if (!existsSync(path)) return undefined;
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    throw new UserError(`${path}: is not JSON; remove it, or choose another --out`);
  }
}

/**
 * The stages of the run in folder `path` that a resumed run need not repeat. Writes nothing.
 * @throws UserError when the folder holds no run, or one whose manifest has another fingerprint.
 */
export function finishedStages(path: string, fingerprint: string): StageName[] {
  const found = readJson<{ fingerprint: string }>(join(path, "manifest.json"));
  if (found?.fingerprint !== fingerprint)
    throw new UserError(
      `--resume: ${path} holds ${found ? "a run with other settings or versions" : "no run"}; leave --resume out to start anew`,
    );
  const stages: StageName[] = ["base", "stage1", "stage2", "sft", "dpo"];
  const open = stages.findIndex((stage) => readJson(join(path, "checkpoints", stage, "evaluation.json")) === undefined);
  return open < 0 ? stages : stages.slice(0, open);
}

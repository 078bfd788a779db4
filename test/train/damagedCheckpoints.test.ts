/**
 * @file Which checkpoints a run goes on from, and which it refuses: damaged, cut, foreign, of other settings or of
 * another model. A refusal is one line, loads nothing, and names an older checkpoint that is whole.
 */
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { startEngine } from "../../src/engine/engine.ts";
import type { Parameters } from "../../src/model/qwen2.ts";
import { readSafetensors, writeSafetensors } from "../../src/model/safetensors.ts";
import { type CheckpointOptions, makeCheckpoints, newestCheckpoint } from "../../src/train/checkpoints.ts";
import { type TrainOptions, train } from "../../src/train/loop.ts";
import { makeAdamW, PAPER_ADAMW } from "../../src/train/optimizer.ts";
import { UserError } from "../../src/util/assert.ts";
import { writeSealed } from "../../src/util/sealedFolder.ts";
import { between } from "../arbitraries.ts";
import { contents, quickFolder } from "./contents.ts";
import { REGRESSION, regressionParameters, saveRegression } from "./regression.ts";
import { snapshot } from "./tiny.ts";

const root = quickFolder("marco-damaged-");
afterAll(() => rmSync(root, { recursive: true }));
let folders = 0;
/** A folder that is not there yet. */
const newFolder = () => join(root, String(folders++));

beforeEach(async () => {
  await startEngine("cpu");
});

interface Run {
  steps?: number;
  stopAfter?: number;
  checkpoints?: Partial<CheckpointOptions>;
  options?: Partial<TrainOptions>;
  parameters?: Parameters;
}

/** Trains in a folder, from its newest checkpoint on; the parameters' values at the end. */
async function run(folder: string, { steps = 5, stopAfter, checkpoints, options, ...rest }: Run = {}) {
  mkdirSync(folder, { recursive: true });
  const parameters = rest.parameters ?? regressionParameters();
  const log = join(folder, "metrics.jsonl");
  const controller = new AbortController();
  try {
    await train(parameters, {
      ...REGRESSION,
      steps,
      signal: controller.signal,
      onStep: (step, _, metrics, skipped) => {
        appendFileSync(log, `${JSON.stringify({ step, ...metrics, skipped })}\n`);
        if (step + 1 === stopAfter) controller.abort();
      },
      checkpoints: makeCheckpoints({
        folder,
        everySteps: 2,
        resume: newestCheckpoint(folder),
        settings: { seed: 1 },
        saveModel: saveRegression(parameters),
        logs: [log],
        ...checkpoints,
      }),
      ...options,
    });
    return snapshot(parameters);
  } finally {
    if (!rest.parameters) tf.dispose(parameters);
  }
}

/** The one line of a refusal; nothing was loaded, cut or written. */
async function refused(folder: string, how: Run = {}): Promise<string> {
  const parameters = how.parameters ?? regressionParameters();
  const [values, files] = [snapshot(parameters), contents(folder)];
  const error = await run(folder, { steps: 9, ...how, parameters }).catch((e) => e);
  expect(snapshot(parameters)).toEqual(values);
  expect(contents(folder)).toEqual(files);
  tf.dispose(parameters);
  expect(error).toBeInstanceOf(UserError);
  expect(error.message).not.toContain("\n");
  return error.message.replaceAll(`${folder}/`, "");
}

const steps = (folder: string) => readdirSync(folder).filter((name) => name.startsWith("checkpoint"));

describe("a damaged checkpoint", () => {
  const whole = newFolder();
  let files: string[];
  beforeAll(async () => {
    await startEngine("cpu");
    await run(whole);
    files = readdirSync(join(whole, "checkpoint-5")).sort();
  });
  /** The run with one file of its newest checkpoint changed. */
  const damaged = (file: string, change: (path: string) => void) => {
    const folder = newFolder();
    cpSync(whole, folder, { recursive: true });
    change(join(folder, "checkpoint-5", file));
    return folder;
  };
  const damage = (name: string, where: number, change: (bytes: Buffer, at: number) => Buffer) =>
    damaged(name, (path) => {
      const bytes = readFileSync(path);
      writeFileSync(path, change(bytes, Math.floor(where * bytes.length)));
    });
  const where = between(0, 1 - 1e-9);
  const anyFile = fc.nat(3).map((i) => files[i]);

  test("has these files", () => {
    expect(files).toEqual(["SHA256SUMS", "model.safetensors", "optimizer.safetensors", "trainer_state.json"]);
    expect(steps(whole)).toEqual(["checkpoint-2", "checkpoint-4", "checkpoint-5"]);
  });

  test("is refused whichever byte of whichever file is another, and the checkpoint before it is named", async () => {
    await fc.assert(
      fc.asyncProperty(anyFile, where, fc.integer({ min: 1, max: 255 }), async (name, where, flip) => {
        const folder = damage(name, where, (bytes, at) => {
          bytes[at] ^= flip;
          return bytes;
        });
        const message = await refused(folder);
        expect(message).toMatch(/^checkpoint-5\S*: (is damaged|is missing|is not in SHA256SUMS)/);
        expect(message).toMatch(/; checkpoint-4 is whole: go on from it$/);
        rmSync(folder, { recursive: true });
      }),
      { numRuns: 30 },
    );
  });

  test("is refused wherever one of its files is cut off, and when it is longer", async () => {
    await fc.assert(
      fc.asyncProperty(anyFile, where, fc.boolean(), async (name, where, longer) => {
        const folder = damage(name, where, (bytes, at) =>
          longer ? Buffer.concat([bytes, bytes.subarray(0, at + 1)]) : bytes.subarray(0, at),
        );
        expect(await refused(folder)).toMatch(/^checkpoint-5.*; checkpoint-4 is whole: go on from it$/);
        rmSync(folder, { recursive: true });
      }),
      { numRuns: 12 },
    );
  });

  test("is refused whichever of its files is missing, and with one that is not its own", async () => {
    for (const name of files)
      expect(await refused(damaged(name, (path) => rmSync(path)))).toMatch(
        name === "SHA256SUMS"
          ? "checkpoint-5: SHA256SUMS is missing, so nothing says that it is whole; copy the whole folder again; checkpoint-4 is"
          : `checkpoint-5/${name}: is missing (ENOENT), and SHA256SUMS has it; copy it again; checkpoint-4 is whole`,
      );
    expect(await refused(damaged("extra.txt", (path) => writeFileSync(path, "")))).toMatch(
      "checkpoint-5/extra.txt: is not in SHA256SUMS: it was not saved with the others; remove it; checkpoint-4 is whole",
    );
  });

  test("does not stop the one before it, by its name: the run ends as the whole one did", async () => {
    const folder = damage("optimizer.safetensors", 0.9, (bytes, at) => bytes.subarray(0, at));
    await run(folder, { checkpoints: { resume: join(folder, "checkpoint-4") } });
    expect(contents(folder)).toEqual(contents(whole)); // the damaged one was written again
  });

  test("when no other is whole, none is named", async () => {
    const folder = damaged("trainer_state.json", (path) => rmSync(path));
    for (const step of [2, 4]) writeFileSync(join(folder, `checkpoint-${step}`, "model.safetensors"), "");
    expect(await refused(folder)).toMatch(/copy it again$/);
  });

  /** The newest checkpoint with a file changed and new sums: nothing is damaged, but it is not what we need. */
  const foreign = async (file: string, change: (path: string) => void) => {
    const folder = newFolder();
    cpSync(whole, folder, { recursive: true });
    const path = join(folder, "checkpoint-5");
    await writeSealed(path, async (partial) => {
      for (const name of files.slice(1)) cpSync(join(path, name), join(partial, name));
      change(join(partial, file));
    });
    return folder;
  };

  test("so is one of a Hugging Face trainer, or of a later version of ours", async () => {
    const state = (change: (state: Record<string, unknown>) => unknown) =>
      foreign("trainer_state.json", (path) =>
        writeFileSync(path, JSON.stringify(change(JSON.parse(readFileSync(path, "utf8"))))),
      );
    const not = "checkpoint-5/trainer_state.json: is not of a checkpoint of ours: ";
    expect(await refused(await state(({ global_step, log_history = [] }) => ({ global_step, log_history })))).toContain(
      not,
    );
    expect(await refused(await state((s) => ({ ...s, format: 2 })))).toContain(`${not}format: `);
    expect(await refused(await state((s) => ({ ...s, global_step: -1 })))).toContain(`${not}global_step: `);
    expect(await refused(await foreign("trainer_state.json", (path) => writeFileSync(path, "{")))).toBe(
      `${not}it is not JSON`,
    );
  });

  test("moments or weights whose names, shapes or type are not the model's are refused, each by its name", async () => {
    const tensors = (file: string, change: (all: ReturnType<typeof readSafetensors>) => typeof all, dtype?: "BF16") =>
      foreign(file, (path) => writeSafetensors(path, change(readSafetensors(path)), dtype));
    const moments = "optimizer.safetensors";
    const rename = (from: string, to: string) => (all: ReturnType<typeof readSafetensors>) =>
      Object.fromEntries(Object.entries(all).map(([name, x]) => [name === from ? to : name, x]));
    const turned = (name: string) => (all: ReturnType<typeof readSafetensors>) => ({
      ...all,
      [name]: { ...all[name], shape: [...all[name].shape].reverse() },
    });
    const at = `checkpoint-5/${moments}: `;
    expect(await refused(await tensors(moments, rename("exp_avg.w", "exp_avg.0")))).toBe(
      `${at}has exp_avg.0, which this model does not have`,
    );
    expect(await refused(await tensors(moments, ({ "exp_avg_sq.b": _, ...rest }) => rest))).toBe(
      `${at}exp_avg_sq.b [3] is missing`,
    );
    expect(await refused(await tensors(moments, turned("exp_avg.w")))).toBe(
      `${at}exp_avg.w has shape [3,2], this model's is [2,3]`,
    );
    expect(await refused(await tensors("model.safetensors", turned("w")))).toBe(
      "checkpoint-5/model.safetensors: w has shape [3,2], this model's is [2,3]",
    );
    expect(await refused(await tensors("model.safetensors", (all) => all, "BF16"))).toBe(
      "checkpoint-5/model.safetensors: w is BF16, from which no run goes on bit for bit; expected F32",
    );
  });

  test("any setting that is another is refused, and named with both values", async () => {
    const { optimizer, schedule } = REGRESSION;
    expect(await refused(whole, { options: { optimizer: { ...optimizer, beta1: 0.8 } } })).toBe(
      "checkpoint-5: was saved with other settings: optimizer.beta1 is 0.9 there and 0.8 here; use those, or begin anew",
    );
    expect(await refused(whole, { options: { schedule: { ...schedule, minRatio: 0.5 } } })).toContain(
      "schedule.minRatio is 1 there and 0.5 here",
    );
    expect(await refused(whole, { options: { tokensPerStep: 4 } })).toContain("tokensPerStep is 2 there and 4 here");
    expect(await refused(whole, { options: { onNonFinite: "stop" } })).toContain(
      'onNonFinite is "skip" there and "stop"',
    );
    expect(await refused(whole, { checkpoints: { settings: { seed: 2 } } })).toContain("seed is 1 there and 2 here");
    expect(await refused(whole, { checkpoints: { settings: { seed: 1, data: "x" } } })).toContain(
      'data is not set there and "x" here',
    );
    expect(await refused(whole, { checkpoints: { stateful: { data: { state: () => 0, restore: () => {} } } } })).toBe(
      "checkpoint-5: holds the state of (), expected (data); begin anew",
    );
    await startEngine("onnx");
    expect(await refused(whole)).toContain('engine is "cpu" there and "onnx" here');
  });

  test("a log that has lost lines is refused, and so is a new run where another left checkpoints", async () => {
    const folder = newFolder();
    cpSync(whole, folder, { recursive: true });
    writeFileSync(join(folder, "metrics.jsonl"), "");
    expect(await refused(folder)).toMatch(
      /^metrics.jsonl: has 0 bytes, and had \d+ when checkpoint-5 was written; bring it back, or begin anew$/,
    );
    expect(await refused(whole, { checkpoints: { resume: undefined } })).toBe(
      "checkpoint-5: is of an earlier run; go on from it, or remove it to begin anew",
    );
    expect(await refused(whole, { checkpoints: { resume: join(whole, "checkpoint-3") } })).toMatch(
      /^checkpoint-3: is missing \(ENOENT\).*; checkpoint-2 is whole: go on from it$/,
    );
  });
});

describe("a run", () => {
  const plan = fc.record({
    total: fc.integer({ min: 1, max: 9 }),
    everySteps: fc.integer({ min: 1, max: 5 }),
    keep: fc.integer({ min: 1, max: 4 }),
    stops: fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 3 }),
    bad: fc.array(fc.nat(8), { maxLength: 3 }),
  });

  test("that is stopped anywhere, and skips any steps, ends with the weights, moments, counts and log of one that was not stopped", async () => {
    await fc.assert(
      fc.asyncProperty(plan, async ({ total, everySteps, keep, stops, bad }) => {
        const options: Partial<TrainOptions> = {
          batchAt: (step) => {
            const { weight, ...batch } = REGRESSION.batchAt(step) as Record<string, tf.Tensor>;
            return { ...batch, weight: bad.includes(step) ? tf.mul(weight, Number.NaN) : weight };
          },
        };
        const checkpoints = { everySteps, keep };
        const [whole, stopped] = [newFolder(), newFolder()];
        await run(whole, { steps: total, checkpoints, options });
        for (const stopAfter of stops) await run(stopped, { steps: total, stopAfter, checkpoints, options });
        await run(stopped, { steps: total, checkpoints, options });
        const last = [`checkpoint-${total}`, "metrics.jsonl"];
        for (const name of last)
          if (name === "metrics.jsonl")
            expect(readFileSync(join(stopped, name), "utf8")).toBe(readFileSync(join(whole, name), "utf8"));
          else expect(contents(join(stopped, name))).toEqual(contents(join(whole, name)));
        const state = JSON.parse(readFileSync(join(whole, last[0], "trainer_state.json"), "utf8"));
        const skipped = new Set(bad.filter((step) => step < total)).size;
        expect([state.global_step, state.optimizer_updates, state.skipped_steps]).toEqual([
          total,
          total - skipped,
          skipped,
        ]);
        for (const folder of [whole, stopped]) rmSync(folder, { recursive: true });
      }),
      { numRuns: 9 },
    );
  });

  test("waits for onStep before it saves: a line that takes its time is in the checkpoint's log", async () => {
    const folder = newFolder();
    const log = join(folder, "metrics.jsonl");
    const onStep = async (step: number) => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      appendFileSync(log, `evaluated ${step}\n`);
    };
    await run(folder, { steps: 2, options: { onStep } });
    const state = JSON.parse(readFileSync(join(folder, "checkpoint-2/trainer_state.json"), "utf8"));
    expect(readFileSync(log, "utf8")).toBe("evaluated 0\nevaluated 1\n");
    expect(state.logs).toEqual({ "metrics.jsonl": 24 });
  });

  test("keeps the newest checkpoints, as many as it was told", async () => {
    await fc.assert(
      fc.asyncProperty(plan, async ({ total, everySteps, keep }) => {
        const folder = newFolder();
        const seen: number[] = [];
        const saveModel: CheckpointOptions["saveModel"] = async () => {
          seen.push(steps(folder).filter((name) => !name.includes(".")).length);
        };
        await run(folder, { steps: total, checkpoints: { everySteps, keep, saveModel } });
        const made = Array.from({ length: total }, (_, i) => i + 1).filter((s) => s % everySteps === 0 || s === total);
        const named = made.slice(-keep).map((step) => `checkpoint-${step}`);
        expect(steps(folder)).toEqual(named);
        expect(seen).toEqual(made.map((_, i) => Math.min(i, keep))); // the last is removed after the next is whole
        rmSync(folder, { recursive: true });
      }),
      { numRuns: 9 },
    );
  });

  test("removes checkpoints of a future that it gave up, once it has one of its own", async () => {
    const folder = newFolder();
    await run(folder, { steps: 8, checkpoints: { everySteps: 2, keep: 9 } });
    await run(folder, { steps: 4, checkpoints: { everySteps: 2, keep: 9, resume: join(folder, "checkpoint-2") } });
    expect(steps(folder)).toEqual(["checkpoint-2", "checkpoint-4"]);
  });

  test("removes what a kill left half written", async () => {
    const folder = newFolder();
    for (const name of ["checkpoint-4.partial", "checkpoint-2.removed"])
      mkdirSync(join(folder, name), { recursive: true });
    await run(folder, { steps: 2 });
    expect(steps(folder)).toEqual(["checkpoint-2"]);
  });

  test("on a full disk says so in one line, and leaves the checkpoint before and nothing else", async () => {
    if (!existsSync("/dev/full")) return;
    const folder = newFolder();
    const saveModel = async (path: string) => {
      if (!path.includes("-4")) return saveRegression(parameters)(path);
      symlinkSync("/dev/full", join(path, "model.safetensors.partial")); // every write to it fails as on a full disk
      await saveRegression(parameters)(path);
    };
    const parameters = regressionParameters();
    const error = await run(folder, { parameters, checkpoints: { saveModel } }).catch((e) => e);
    expect(error).toBeInstanceOf(UserError);
    expect(error.message.replaceAll(`${folder}/`, "")).toBe(
      "checkpoint-4.partial/model.safetensors: cannot be written (ENOSPC); checkpoint-2 is whole: go on from it",
    );
    expect(steps(folder)).toEqual(["checkpoint-2"]);
    tf.dispose(parameters);
    expect(await run(folder)).toEqual(await run(newFolder()));
  });
});

test.each(["cpu", "onnx"])(
  "moments go to the parameter of their name, in whatever order those are listed (%s)",
  async (engine) => {
    await startEngine(engine);
    const first = regressionParameters();
    const optimizer = makeAdamW(first, PAPER_ADAMW);
    const gradients = regressionParameters();
    await optimizer.step(gradients, 0.1);
    const { updates, shapes, read } = optimizer.state();
    const moments = Object.fromEntries(
      await Promise.all(Object.keys(shapes).map(async (name) => [name, [...(await read(name))]])),
    );
    const { w, b } = regressionParameters();
    const other = { b, w };
    const restored = makeAdamW(other, PAPER_ADAMW);
    await restored.restore({ updates, shapes, read: (name) => Float32Array.from(moments[name]) });
    const state = restored.state();
    expect(state.updates).toBe(1);
    for (const [name, values] of Object.entries(moments)) expect([...(await state.read(name))], name).toEqual(values);
    expect(moments["exp_avg.w"]).toBeAllClose(
      (await gradients.w.data()).map((g) => 0.1 * g * Math.min(1, 1 / norm(gradients))),
      {
        rtol: 1e-5,
      },
    );
    for (const one of [optimizer, restored]) one.dispose();
    tf.dispose([first, other, gradients]);
  },
);

const norm = (tensors: Parameters) =>
  Math.hypot(...Object.values(tensors).flatMap((x) => [...(x.dataSync() as Float32Array)]));

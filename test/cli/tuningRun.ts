/** @file Runs `marco sft` and `marco dpo` in this process, and stops them. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { expect, vi } from "vitest";
import { parseAsync } from "../../src/cli/options.ts";
import type { MetricsLine } from "../../src/util/results.ts";

export interface TuningRun {
  folder: string;
  add: (program: Command) => unknown;
  /** File of rows, unless a run says otherwise. */
  data: string;
  recipe: object;
}

export function makeTuningRun({ folder, add, data, recipe }: TuningRun) {
  const at = (...parts: string[]) => join(folder, ...parts);

  /** Runs the command into folder `out`; returns what it printed and said. Ctrl-C when it says `stopAt`. */
  async function run(out: string, more: { recipe?: object; flags?: string[]; stopAt?: string } = {}) {
    writeFileSync(at(`${out}.json`), JSON.stringify({ ...recipe, ...more.recipe }));
    const program = new Command("marco");
    add(program);
    const log = vi.spyOn(console, "log").mockImplementation(() => {});
    const error = vi.spyOn(console, "error").mockImplementation(() => {});
    const stderr = vi.spyOn(process.stderr, "write").mockImplementation((text) => {
      if (more.stopAt && String(text).includes(more.stopAt)) process.emit("SIGINT");
      return true;
    });
    const { flags = [] } = more;
    const all = ["--model", at("tiny"), "--out", at(out), "--recipe", at(`${out}.json`), "--engine", "onnx", ...flags];
    if (!flags.includes("--data")) all.push("--data", at(data));
    try {
      await parseAsync(program, ["node", "marco", program.commands[0].name(), ...all]);
      const said = [...error.mock.calls, ...stderr.mock.calls].flat().join("\n");
      return { printed: log.mock.calls.flat().join("\n"), said };
    } finally {
      for (const spy of [log, error, stderr]) spy.mockRestore();
    }
  }

  /** A run that Ctrl-C stops when it says that it has evaluated after `step`. */
  async function stopped(out: string, step: number, flags?: string[]) {
    try {
      return await run(out, { stopAt: `step ${step}: eval_loss`, flags });
    } finally {
      expect(process.exitCode).toBe(130);
      process.exitCode = 0;
    }
  }

  const lines = (out: string) =>
    readFileSync(at(out, "metrics.jsonl"), "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as MetricsLine);
  const summary = (out: string) => JSON.parse(readFileSync(at(out, "summary.json"), "utf8"));

  /** What must be the same after a stop: all but the times, and checkpoints before the last. */
  const files = (out: string) => {
    const last = `checkpoint-${summary(out).steps}`;
    return readdirSync(at(out), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name !== "manifest.json" && !entry.name.includes("tfevents"))
      .map((entry) => join(entry.parentPath, entry.name))
      .filter((path) => !path.includes("checkpoint-") || path.includes(last))
      .map((path) => [path.slice(at(out).length), readFileSync(path).toString("latin1")] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1));
  };

  /** The files of two runs have the same names and the same bytes. */
  function expectSame(one: string, other: string) {
    const [ours, theirs] = [files(one), files(other)];
    expect(ours.map(([name]) => name)).toEqual(theirs.map(([name]) => name));
    expect(ours.filter(([, bytes], i) => bytes !== theirs[i][1]).map(([name]) => name)).toEqual([]);
  }

  const checkpoints = (out: string) =>
    readdirSync(at(out, "checkpoints")).filter((name) => name.startsWith("checkpoint-"));

  return { at, checkpoints, run, stopped, lines, summary, expectSame };
}

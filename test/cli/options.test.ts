/**
 * @file Options and run folders without starting a process: what is refused, and that nothing of the user's is removed.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { afterAll, beforeEach, describe, expect, test, vi } from "vitest";
import { main, parse, wholeNumber } from "../../src/cli/options.ts";
import { UserError } from "../../src/util/assert.ts";
import { finishedStages, openRun } from "../../src/util/runDir.ts";

/** The message of the error, which must be for the user and in one line. */
function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(UserError);
    expect((error as UserError).message).not.toContain("\n");
    return (error as UserError).message;
  }
  throw new Error("was accepted");
}

describe("options", () => {
  const options = (...args: string[]) => {
    const command = new Command("x")
      .option("--seed <number>", "a seed", wholeNumber("--seed", 0), 1)
      .option("--resume");
    return parse<{ seed: number; resume?: boolean }>(command, ["node", "x", ...args]);
  };

  test("are read, with their defaults", () => {
    expect(options()).toEqual({ seed: 1 });
    expect(options("--seed", "0", "--resume")).toEqual({ seed: 0, resume: true });
    expect(options("--seed=9007199254740991").seed).toBe(Number.MAX_SAFE_INTEGER);
  });

  test.each(["x", "-1", "+1", "1.5", "1e3", "0x10", "", " 1", "9007199254740992"])("refuse the number '%s'", (text) => {
    expect(refusal(() => options(`--seed=${text}`))).toBe(`--seed ${text}: expected a whole number of at least 0`);
  });

  test("refuse a flag without its value, a word too many, and abbreviations", () => {
    expect(refusal(() => options("--seed"))).toBe("option '--seed <number>' argument missing; see --help");
    expect(refusal(() => options("word"))).toBe("too many arguments. Expected 0 arguments but got 1; see --help");
    expect(refusal(() => options("--res"))).toContain("unknown option '--res'");
  });
});

describe("a run folder", () => {
  const folder = mkdtempSync(join(tmpdir(), "marco-run-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  let out: string;
  let count = 0;
  beforeEach(() => {
    out = join(folder, `${count++}`, "below");
  });

  test("is made with those above it, and what an earlier run left is removed, other files not", () => {
    const run = openRun(out);
    run.writeJson("manifest.json", { fingerprint: "f" });
    run.appendMetrics({ stage: "base", step: 0, tokens: 8, loss: 1 });
    run.writeJson("checkpoints/base/evaluation.json", { stage: "base" });
    writeFileSync(run.at("notes.txt"), "mine");
    openRun(out).clear();
    expect(readdirSync(out)).toEqual(["notes.txt"]);
  });

  test("that is a file, or holds results without a manifest, is refused and left as it is", () => {
    mkdirSync(join(out, "checkpoints"), { recursive: true });
    expect(refusal(() => openRun(out))).toBe(
      `--out ${out}: holds checkpoints but no run of ours (manifest.json); choose another folder`,
    );
    expect(existsSync(join(out, "checkpoints"))).toBe(true);
    const file = join(folder, "file");
    writeFileSync(file, "");
    expect(refusal(() => openRun(file))).toContain(`--out ${file}: cannot be written (EEXIST)`);
  });

  test("is resumed from the first stage that was not evaluated", () => {
    const run = openRun(out);
    run.writeJson("manifest.json", { fingerprint: "f" });
    expect(finishedStages(out, "f")).toEqual([]);
    for (const stage of ["base", "stage1", "sft"]) run.writeJson(`checkpoints/${stage}/evaluation.json`, { stage });
    expect(finishedStages(out, "f")).toEqual(["base", "stage1"]); // sft without stage2 does not count
  });

  test.skipIf(!existsSync("/dev/full"))("on a full disk: says which file, and that the run can go on", () => {
    const run = openRun(out);
    symlinkSync("/dev/full", run.at("metrics.jsonl"));
    expect(refusal(() => run.appendMetrics({ stage: "base", step: 0, tokens: 8 }))).toBe(
      `${out}/metrics.jsonl: cannot be written (ENOSPC); mend that (is the disk full?), then go on with --resume`,
    );
  });

  test("is not resumed when it is missing, unreadable or of other settings; and is not made by trying", () => {
    expect(refusal(() => finishedStages(out, "f"))).toBe(
      `--resume: ${out} holds no run; leave --resume out to start anew`,
    );
    expect(existsSync(out)).toBe(false);
    openRun(out).writeJson("manifest.json", { fingerprint: "g" });
    expect(refusal(() => finishedStages(out, "f"))).toContain("holds a run with other settings or versions");
    writeFileSync(join(out, "manifest.json"), "{");
    expect(refusal(() => finishedStages(out, "f"))).toContain(`${join(out, "manifest.json")}: is not JSON`);
  });
});

describe("a program", () => {
  const ended = async (error: unknown) => {
    const log = vi.spyOn(console, "error").mockImplementation(() => {});
    try {
      await main(async () => {
        throw error;
      });
      return { said: log.mock.calls.flat(), code: process.exitCode };
    } finally {
      process.exitCode = undefined;
      log.mockRestore();
    }
  };

  test("row 39: says in one line that the disk is full, and ends with 2", async () => {
    const error = Object.assign(new Error("no space left"), { code: "ENOSPC" });
    expect(await ended(error)).toEqual({
      said: ["error: the disk is full (ENOSPC); make room and run the same command again"],
      code: 2,
    });
  });

  test.skipIf(!existsSync("/dev/full"))("so it does where a disk is really full", async () => {
    const full = await main(async () => writeFileSync("/dev/full", "x")).then(() => process.exitCode);
    process.exitCode = undefined;
    expect(full).toBe(2);
  });

  test("does not hide its own faults", async () => {
    await expect(ended(new TypeError("x is not a function"))).rejects.toThrow(TypeError);
  });
});

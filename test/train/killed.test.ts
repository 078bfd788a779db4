/**
 * @file A training run that is killed (SIGKILL), stopped (Ctrl-C) or runs out of disk, wherever it is, and started again
 * until it is finished, leaves the same bytes as one that was left alone. `npm test` kills twice; MARCO_KILLS=20
 * kills each of twenty runs twice, and fills a disk (a small tmpfs, where `unshare` may mount one).
 */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeRandom } from "../../src/util/random.ts";
import { bundle } from "../bundle.ts";
import { contents, quickFolder } from "./contents.ts";

const STEPS = 6;
const RUNS = Number(process.env.MARCO_KILLS ?? 1);
const root = process.env.MARCO_KILLS ? mkdtempSync(join(tmpdir(), "marco-killed-")) : quickFolder("marco-killed-");
afterAll(() => rmSync(root, { recursive: true }));
let program: string;
const whole = join(root, "whole");
let want: Record<string, string>;

interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stderr: string;
  /** Milliseconds from "start" on. */
  took: number;
}

/** Runs the program; `onLine` may kill it. */
function start(folder: string, onLine: (line: string, kill: (signal: NodeJS.Signals, ms: number) => void) => void) {
  return new Promise<Ended>((resolve, reject) => {
    const child = spawn(process.execPath, [program, folder, String(STEPS), "2"], { timeout: 60_000 });
    let [stderr, began] = ["", 0];
    child.stderr.on("data", (data) => {
      stderr += data;
    });
    child.stdout.on("data", (data) => {
      for (const line of String(data).trim().split("\n")) {
        if (line === "start") began = performance.now();
        onLine(line, (signal, ms) => setTimeout(() => child.kill(signal), ms));
      }
    });
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code, signal, stderr, took: performance.now() - began }));
  });
}

let took = 0;
beforeAll(async () => {
  program = await bundle("test/train/killedChild.ts");
  const ended = await start(whole, () => {});
  expect(ended).toMatchObject({ code: 0, stderr: "" });
  took = ended.took;
  want = contents(whole);
  expect(Object.keys(want).filter((name) => name.endsWith("optimizer.safetensors"))).toHaveLength(2);
});

test(`a run that is killed twice, once while it saves, ends with the same bytes (${RUNS} of ${RUNS})`, async () => {
  let kills = 0;
  let unfinished = 0; // kills that left half a checkpoint
  for (let run = 0; run < RUNS; run++) {
    const random = makeRandom(process.env.MARCO_KILLS ? `${Date.now()}` : 1, "kills", String(run));
    const folder = join(root, `run-${run}`);
    const killed = async (signal: NodeJS.Signals, on: "start" | "save", ms: number) => {
      let first = true;
      const ended = await start(folder, (line, kill) => {
        if (line === on && first) kill(signal, ms);
        if (line === on) first = false;
      });
      if (ended.signal !== null || ended.code === 130) kills++;
      else expect(ended).toMatchObject({ code: 0, stderr: "" }); // it was too late
      if (existsSync(folder) && readdirSync(folder).some((name) => /\.(partial|removed)$/.test(name))) unfinished++;
    };
    await killed(run % 4 === 3 ? "SIGINT" : "SIGKILL", "start", random.next() * took * 0.45);
    await killed("SIGKILL", "save", random.next() * 8);
    expect(await start(folder, () => {})).toMatchObject({ code: 0, stderr: "" });
    const got = contents(folder);
    expect(Object.keys(got)).toEqual(Object.keys(want));
    for (const [name, bytes] of Object.entries(want)) expect(got[name] === bytes, `run ${run}: ${name}`).toBe(true);
    rmSync(folder, { recursive: true });
  }
  if (RUNS > 1) {
    console.log(`${RUNS} of ${RUNS} runs, ${kills} kills, ${unfinished} of them left half a checkpoint`);
    expect(kills).toBeGreaterThan(RUNS);
    expect(unfinished).toBeGreaterThan(0);
  }
}, 600_000);

const canMount =
  process.env.MARCO_KILLS &&
  process.platform === "linux" &&
  spawnSync("unshare", ["-rm", "mount", "-t", "tmpfs", "tmpfs", root]).status === 0;

test.skipIf(!canMount)(
  "a full disk is one line and exit code 2; the checkpoint before is whole, and with room the run goes on",
  () => {
    const disk = join(root, "disk");
    const out = join(root, "copied");
    const script = `
    mkdir ${disk} && mount -t tmpfs -o size=120k tmpfs ${disk}
    node=${process.execPath}
    $node ${program} ${disk}/run ${STEPS} 2 > /dev/null; echo "code $?"
    ls ${disk}/run
    for folder in ${disk}/run/checkpoint-*; do (cd $folder && sha256sum --quiet -c SHA256SUMS && echo whole); done
    mount -o remount,size=8m ${disk}
    $node ${program} ${disk}/run ${STEPS} 2 > /dev/null; echo "code $?"
    cp -r ${disk}/run ${out}`;
    const { stdout, stderr } = spawnSync("unshare", ["-rm", "sh", "-c", script], { encoding: "utf8", timeout: 60_000 });
    expect(stderr).toMatch(
      /^error: \S+\/run\/checkpoint-3(\.partial\S*)?: cannot be written \(ENOSPC\); \S+\/run\/checkpoint-2 is whole: go on from it\n$/,
    );
    expect(stdout.split("\n")).toEqual([
      "code 2",
      "checkpoint-1",
      "checkpoint-2",
      "logs.json",
      "metrics.jsonl",
      "whole",
      "whole",
      "code 0",
      "",
    ]);
    const got = contents(out);
    expect(Object.keys(got)).toEqual(Object.keys(want));
    for (const [name, bytes] of Object.entries(want)) expect(got[name] === bytes, name).toBe(true);
  },
);

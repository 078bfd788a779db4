/**
 * @file The replication's command line: a mistake costs one line, exit code 2, and nothing is written.
 */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeRun } from "../../src/cli/manifest.ts";
import { loadManifest } from "../../src/data/corpus.ts";
import { ENGINES } from "../../src/engine/engine.ts";
import { PRESETS } from "../../src/train/presets.ts";
import { bundle } from "../bundle.ts";

const folder = mkdtempSync(join(tmpdir(), "marco-cli-"));
afterAll(() => rmSync(folder, { recursive: true }));
const out = join(folder, "out");

let program: string;
beforeAll(async () => {
  program = await bundle("examples/two-stage.ts");
});

const start = (node: string[], args: string[], timeout: number) =>
  spawnSync(process.execPath, [...node, "--preset", "smoke", ...args], { encoding: "utf8", timeout });
/** A run that should have been refused is not waited for. */
const twoStage = (...args: string[]) => start([program], ["--out", out, ...args], 30_000);

/** The one line of a refusal: nothing else is said, and no folder is made. */
function refused(...args: string[]): string {
  const { status, stdout, stderr } = twoStage(...args);
  expect(stderr).toMatch(/^error: [^\n]+\n$/);
  expect(stdout).toBe("");
  expect(status).toBe(2);
  expect(existsSync(out)).toBe(false);
  return stderr.slice("error: ".length, -1);
}

test("unknown flag: says which, and which one may be meant", () => {
  expect(refused("--sede", "3")).toBe("unknown option '--sede' (Did you mean --seed?); see --help");
});

test("unknown preset: lists them", () => {
  expect(refused("--preset", "huge")).toBe(
    "option '--preset <name>' argument 'huge' is invalid. Allowed choices are smoke, default, full; see --help",
  );
});

test("unknown engine: lists them", () => {
  expect(refused("--engine", "gpu")).toBe(`--engine gpu: no such engine; expected auto, ${ENGINES.join(", ")}`);
});

test("micro-batch: says what it takes", () => {
  expect(refused("--micro-batch", "0")).toBe("--micro-batch 0: expected a whole number of at least 1");
});

test("--out below a regular file: names the reason", () => {
  const file = join(folder, "file");
  writeFileSync(file, "text");
  const below = join(file, "run");
  expect(refused("--out", below)).toBe(
    `--out ${below}: cannot be written (ENOTDIR); choose a folder that you may write to`,
  );
  expect(readFileSync(file, "utf8")).toBe("text");
});

test("--resume where there is no run", () => {
  expect(refused("--resume")).toBe(`--resume: ${out} holds no run; leave --resume out to start anew`);
});

test("--resume with a checkpoint of another stage", () => {
  const [run, named] = [join(folder, "run"), join(folder, "run/checkpoints/stage2/checkpoint-10")];
  mkdirSync(run);
  const settings = { preset: "smoke", seed: 1, engine: "cpu", microBatch: undefined, ...PRESETS.smoke };
  writeFileSync(join(run, "manifest.json"), JSON.stringify(describeRun(settings, loadManifest())));
  const line = refused("--resume", named, "--out", run, "--engine", "cpu");
  expect(line).toBe(
    `--resume ${named}: the run goes on in ${join(run, "checkpoints/base")}; name a checkpoint there, or none`,
  );
  expect(readdirSync(run)).toEqual(["manifest.json"]);
});

test("a corpus with one bit flipped: names the file, both checksums and the remedy", () => {
  const corpus = join(folder, "corpus");
  cpSync("corpus", corpus, { recursive: true });
  const file = join(corpus, "records.jsonl.br");
  const bytes = readFileSync(file);
  bytes[bytes.length >> 1] ^= 1;
  writeFileSync(file, bytes);
  const line = refused("--corpus", corpus);
  expect(line.replace(/[0-9a-f]{64}/g, "#")).toBe(
    `Corpus: ${file} is corrupted: sha256 #, expected #; restore it (git checkout corpus) or npm run corpus:build`,
  );
});

test("--help says every option and preset, and exits 0", () => {
  const { status, stdout, stderr } = start(["--import", "tsx", "examples/two-stage.ts"], ["--help"], 30_000);
  expect([status, stderr]).toEqual([0, ""]);
  for (const word of [
    "--preset",
    "--seed",
    "--out",
    "--engine",
    "--corpus",
    "--micro-batch",
    "--gradient-checkpointing",
    "--on-non-finite",
    "--save-steps",
    "--resume",
    ...Object.keys(PRESETS),
  ])
    expect(stdout).toContain(word);
  expect(existsSync(out)).toBe(false);
});

/**
 * @file `npm run check:browser`: a headless Chromium trains in the page of examples/browser, on WebGPU (SwiftShader,
 * so no GPU is needed) and, with WebGPU switched off, on what the page falls back to. Each loss must be that of Node's
 * onnx engine with the same seed. Asked for WebGPU where there is none, the page must say so. Without a Chromium it
 * says that nothing was checked.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { Command } from "commander";
import { run } from "../../examples/browser/run.ts";
import type { Report } from "../../examples/browser/train.ts";
import { main, parse, wholeNumber } from "../../src/cli/options.ts";
import { startEngine } from "../../src/engine/engine.ts";
import { UserError } from "../../src/util/assert.ts";
import { servePage } from "./page.ts";

/** The same sums in another order, in float32, over the steps: 4e-7 was seen. */
const TOLERANCE = 1e-4;
const LIMIT_SECONDS = 150;

/** The names of the command. */
const NAMES = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];

interface Options {
  chromium?: string;
  seed: number;
  steps: number;
}

const COMMON = [
  "--headless",
  "--no-first-run",
  "--no-default-browser-check",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-extensions",
  "--disable-sync",
  ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []), // it refuses to run as root otherwise
];

const NO_WEBGPU = ["--disable-features=WebGPU", "--disable-gpu"];
const CASES = [
  { asked: "auto", flags: ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"], finds: "webgpu" },
  { asked: "auto", flags: NO_WEBGPU, finds: "wasm" },
  { asked: "webgpu", flags: NO_WEBGPU, finds: undefined },
];

main(async () => {
  const { seed, steps, ...given } = parse<Options>(
    new Command("check:browser")
      .description("Trains in a headless Chromium and compares every loss with Node's onnx engine.")
      .option("--chromium <path>", "the browser; CHROMIUM in the environment, else what is on PATH")
      .option("--seed <number>", "seed of the run", wholeNumber("--seed", 0), 1)
      .option("--steps <number>", "steps of the run", wholeNumber("--steps", 1), 10),
    process.argv,
  );
  const chromium = given.chromium ?? process.env.CHROMIUM ?? onPath();
  if (chromium === undefined) {
    console.log(`SKIPPED: no browser: none of ${NAMES.join(", ")} is on PATH, and CHROMIUM names none`);
    return;
  }
  let onReport: (report: Report) => void = () => {};
  const { url, close } = await servePage(0, (report) => onReport(report));
  const reports: Report[] = [];
  try {
    for (const { asked, flags, finds } of CASES) {
      const page = `${url}?engine=${asked}&seed=${seed}&steps=${steps}&report`;
      const started = performance.now();
      const report = await inBrowser(chromium, [...COMMON, ...flags, page], (resolve) => {
        onReport = resolve;
      });
      const seconds = Math.round((performance.now() - started) / 1000);
      const { engine, losses, error } = report;
      console.log(
        `browser, asked for ${asked}: ${engine ? `${engine.name} (${engine.reason}), ${losses.length} steps` : error}; ${seconds} s`,
      );
      if (engine?.name !== finds) throw new Error(`the page should have found ${finds ?? "no engine"}`);
      if (!finds && !error?.includes("no WebGPU")) throw new Error("the page should say that there is no WebGPU");
      if (finds && error) throw new Error(`the page failed: ${error}`);
      if (finds) reports.push(report);
    }
  } finally {
    close();
  }

  await startEngine("onnx");
  const expected: number[] = [];
  await run(seed, steps, (_, loss) => expected.push(loss));

  const line = (...cells: string[]) => console.log(cells.map((cell) => cell.padStart(14)).join(""));
  line("step", "onnx in Node", ...reports.flatMap(({ engine }) => [engine!.name, "difference"]));
  let largest = 0;
  for (const [step, loss] of expected.entries()) {
    const cells = reports.flatMap(({ losses }) => {
      const difference = Math.abs(losses[step] - loss) / loss;
      largest = Math.max(largest, Number.isFinite(difference) ? difference : Number.POSITIVE_INFINITY);
      return [losses[step]?.toFixed(6) ?? "none", difference.toExponential(1)];
    });
    line(String(step + 1), loss.toFixed(6), ...cells);
  }
  const same = largest <= TOLERANCE && reports.every(({ losses }) => losses.length === steps);
  console.log(
    `${same ? "the same" : "DIFFERENT"}: largest relative difference ${largest.toExponential(1)}, at most ${TOLERANCE} expected`,
  );
  process.exitCode = same ? 0 : 1;
});

function onPath(): string | undefined {
  const folders = (process.env.PATH ?? "").split(delimiter);
  return NAMES.flatMap((name) => folders.map((folder) => join(folder, name))).find(existsSync);
}

/** Opens a browser with its own profile and waits for the page's report. */
async function inBrowser(chromium: string, args: string[], listen: (resolve: (report: Report) => void) => void) {
  const profile = mkdtempSync(join(tmpdir(), "chromium-"));
  const child = spawn(chromium, [`--user-data-dir=${profile}`, ...args], { stdio: ["ignore", "ignore", "pipe"] });
  const exited = new Promise((resolve) => child.once("close", resolve));
  try {
    return await new Promise<Report>((resolve, reject) => {
      listen(resolve);
      let said = "";
      child.stderr.setEncoding("utf8").on("data", (text) => {
        said += text;
      });
      const last = () => said.trim().split("\n").slice(-3).join(" | ");
      child.once("error", (error) =>
        reject(new UserError(`${chromium}: ${error.message}; name a Chromium with --chromium`)),
      );
      child.once("exit", (code) => reject(new UserError(`${chromium} ended with ${code}: ${last()}`)));
      setTimeout(
        () => reject(new UserError(`${chromium}: no result in ${LIMIT_SECONDS} s: ${last()}`)),
        LIMIT_SECONDS * 1000,
      ).unref();
    });
  } finally {
    await end(child, exited);
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function end(child: ChildProcess, exited: Promise<unknown>) {
  if (child.pid === undefined) return; // it never started
  child.kill();
  await exited;
}

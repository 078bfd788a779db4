/**
 * @file How fast is a training step (forward, backward, clipping, AdamW)? Our engines against PyTorch:
 *
 *     npm run bench -- --python path/to/python      configurations A and B; --configs ABC for all
 *
 * Every contender is a process of its own (bench/contender.ts, bench/pytorch.py) that starts from the same weights, and
 * gets the machine in turn for a few steps, round after round, so that a change of the machine's speed meets all of
 * them. What counts are medians, and the ratio to PyTorch within a round. The losses of all must agree: a fast step
 * that computes something else does not count, and fails.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg, totalmem } from "node:os";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { main, parse, wholeNumber } from "../src/cli/options.ts";
import { ENGINES } from "../src/engine/engine.ts";
import { UserError } from "../src/util/assert.ts";

/** Losses of the same step may differ by this much. */
const TOLERANCE = 1e-3;

const DESCRIPTION: Record<string, string> = {
  A: "vocabulary 4096, width 256, 4 layers, 8 x 128 tokens",
  B: "vocabulary 2048, width 128, 4 layers, 8 x 128 tokens",
  C: "vocabulary 8192, width 512, 6 layers, 4 x 256 tokens",
};

interface Turn {
  seconds: number[];
  losses: number[];
}

interface Contender {
  name: string;
  /** What it says about itself: versions, threads, number of parameters. */
  about: Record<string, unknown>;
  tokensPerStep: number;
  warmup: Turn;
  run(steps: number): Promise<Turn>;
  /** Highest resident memory so far; null where the system does not say. */
  peakBytes(): number | null;
  quit(): void;
}

interface Row {
  contender: string;
  about: Record<string, unknown>;
  steps: number;
  medianSeconds: number;
  tokensPerSecond: number;
  /** PyTorch's median over ours in each round: 2 is twice as fast. */
  ratio: { median: number; lowest: number; highest: number } | null;
  peakBytes: number | null;
  largestLossDifference: number;
  secondsByRound: number[][];
}

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** Starts a process that speaks pytorch.py's protocol. @throws Error with the last thing it said when it does not start. */
async function startContender(name: string, command: string, args: string[]): Promise<Contender> {
  const child: ChildProcess = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"] });
  let said = "";
  child.stderr!.on("data", (data) => {
    said = `${said}${data}`.slice(-4000);
  });
  child.stdin!.on("error", () => {}); // a process that died says why on stderr
  const ended = new Promise<never>((_, reject) => {
    child.on("error", (error) => reject(error));
    child.on("close", (code) => reject(new Error(said.trim().split("\n").at(-1) || `it ended with exit code ${code}`)));
  });
  ended.catch(() => {}); // noticed by whoever waits for an answer
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  const answer = async () => {
    const next = await Promise.race([lines.next(), ended]);
    return next.done ? await ended : JSON.parse(next.value);
  };
  const { warmup, ready: _, tokens_per_step, ...about } = await answer();
  return {
    name,
    about,
    tokensPerStep: tokens_per_step,
    warmup,
    run: (steps) => {
      child.stdin!.write(`run ${steps}\n`);
      return answer();
    },
    peakBytes: () => {
      try {
        const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
        return Number(/VmHWM:\s+(\d+) kB/.exec(status)![1]) * 1024;
      } catch {
        return null;
      }
    },
    quit: () => child.stdin!.end("quit\n"),
  };
}

const median = (values: number[]) => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};

/** `rounds` turns each, the first of a round rotating. A turn has as many steps as fit `turnSeconds`, at most `steps`. */
async function race(contenders: Contender[], rounds: number, steps: number, turnSeconds: number): Promise<Turn[][]> {
  const turns: Turn[][] = contenders.map(() => []);
  const length = contenders.map(({ warmup }) => {
    const fit = Math.floor(turnSeconds / warmup.seconds.at(-1)!);
    return Math.min(steps, Math.max(1, fit));
  });
  for (let round = 0; round < rounds; round++)
    for (let i = 0; i < contenders.length; i++) {
      const c = (i + round) % contenders.length;
      process.stderr.write(`round ${round + 1} of ${rounds}: ${contenders[c].name}, ${length[c]} steps\n`);
      turns[c].push(await contenders[c].run(length[c]));
    }
  return turns;
}

function rowsOf(contenders: Contender[], turns: Turn[][]): Row[] {
  const losses = contenders.map((c, i) => [...c.warmup.losses, ...turns[i].flatMap((turn) => turn.losses)]);
  const pytorch = contenders.findIndex(({ name }) => name === "pytorch");
  const reference = Math.max(0, pytorch);
  return contenders.map(({ name, about, tokensPerStep, peakBytes }, i) => {
    const secondsByRound = turns[i].map(({ seconds }) => seconds);
    const medianSeconds = median(secondsByRound.flat());
    const ratios = turns[i].map(({ seconds }, r) => median(turns[Math.max(0, pytorch)][r].seconds) / median(seconds));
    const common = losses[i].slice(0, losses[reference].length);
    const differences = common.map((loss, step) => Math.abs(loss - losses[reference][step]));
    return {
      contender: name,
      about,
      steps: secondsByRound.flat().length,
      medianSeconds,
      tokensPerSecond: tokensPerStep / medianSeconds,
      ratio: pytorch < 0 ? null : { median: median(ratios), lowest: Math.min(...ratios), highest: Math.max(...ratios) },
      peakBytes: peakBytes(),
      largestLossDifference: differences.some(Number.isNaN) ? Number.NaN : Math.max(...differences),
      secondsByRound,
    };
  });
}

function printTable(letter: string, rows: Row[], missing: Record<string, string>) {
  const millions = (Number(rows[0].about.parameters) / 1e6).toFixed(2);
  console.log(`\n${letter}: ${millions}M parameters: ${DESCRIPTION[letter]}`);
  const cells = rows.map((row) => [
    row.contender,
    `${(row.medianSeconds * 1000).toFixed(1)} ms`,
    `${Math.round(row.tokensPerSecond)}`,
    row.ratio
      ? `${row.ratio.median.toFixed(2)} (${row.ratio.lowest.toFixed(2)} to ${row.ratio.highest.toFixed(2)})`
      : "-",
    row.peakBytes ? `${Math.round(row.peakBytes / 2 ** 20)} MiB` : "-",
    row.largestLossDifference.toExponential(0),
    `${row.steps}`,
  ]);
  const table = [["contender", "step", "tokens/s", "x PyTorch", "peak memory", "loss differs", "steps"], ...cells];
  const widths = table[0].map((_, column) => Math.max(...table.map((row) => row[column].length)));
  for (const row of table)
    console.log(row.map((cell, i) => (i ? cell.padStart(widths[i]) : cell.padEnd(widths[i]))).join("  "));
  for (const [name, reason] of Object.entries(missing)) console.log(`${name}: NOT MEASURED: ${reason}`);
}

await main(async () => {
  const command = new Command("bench")
    .description("Times a full training step of our engines, in turn with PyTorch.")
    .option("--configs <letters>", "which of A, B and C", "AB")
    .option("--engines <names>", `which of ${ENGINES.join(",")}`, "onnx,wasm")
    .option("--rounds <number>", "turns of each contender", wholeNumber("--rounds", 1), 7)
    .option("--steps <number>", "most steps of a turn", wholeNumber("--steps", 1), 20)
    .option(
      "--turn-seconds <number>",
      "longest turn: slow contenders make fewer steps",
      wholeNumber("--turn-seconds", 1),
      5,
    )
    .option("--warmup <number>", "steps before the first round", wholeNumber("--warmup", 1), 5)
    .option("--python <path>", "a Python with torch (default: $MARCO_PYTHON or python3)")
    .option("--eager", "PyTorch without torch.compile")
    .option("--save", "write bench/results/<date>-<cpu>.json");
  const options = parse<{
    configs: string;
    engines: string;
    rounds: number;
    steps: number;
    turnSeconds: number;
    warmup: number;
    python?: string;
    eager?: boolean;
    save?: boolean;
  }>(command, process.argv);
  const letters = [...new Set(options.configs.toUpperCase())];
  const engines = [...new Set(options.engines.split(","))];
  const wrong = letters.find((letter) => !(letter in DESCRIPTION));
  if (wrong !== undefined || letters.length === 0)
    throw new UserError(`--configs ${options.configs}: expected some of the letters A, B and C, e.g. AB`);
  const unknown = engines.find((engine) => !(ENGINES as readonly string[]).includes(engine));
  if (unknown !== undefined)
    throw new UserError(`--engines ${options.engines}: no engine '${unknown}'; expected some of ${ENGINES.join(",")}`);

  const python = options.python ?? process.env.MARCO_PYTHON ?? "python3";
  const cpu = cpus()[0]?.model ?? "unknown";
  const load = loadavg()[0];
  console.log(`${cpu} · ${availableParallelism()} threads · node ${process.versions.node} · load ${load.toFixed(1)}`);
  if (load > 0.5) console.log("the machine is busy: wait for a load below 0.5, or do not believe the numbers");

  const configs: Record<string, { rows: Row[]; missing: Record<string, string> }> = {};
  for (const letter of letters) {
    const contenders: Contender[] = [];
    const missing: Record<string, string> = {};
    const start = async (name: string, program: string, args: string[], remedy: string) => {
      process.stderr.write(`${letter}: ${name} warms up\n`);
      try {
        contenders.push(await startContender(name, program, args));
      } catch (error) {
        const { code, message } = error as NodeJS.ErrnoException;
        missing[name] = `${code ? `cannot be started (${code})` : message}; ${remedy}`;
        process.stderr.write(`${letter}: ${name} NOT MEASURED: ${missing[name]}\n`);
      }
    };
    const script = [here("pytorch.py"), "--config", letter, "--warmup", `${options.warmup}`];
    await start(
      "pytorch",
      python,
      options.eager ? [...script, "--eager"] : script,
      "--python names a Python with bench/requirements.txt; --eager needs no C++ compiler",
    );
    for (const engine of engines) {
      const args = ["--import", "tsx", here("contender.ts"), engine, letter, `${options.warmup}`];
      await start(engine, process.execPath, args, "see marco env");
    }
    if (contenders.length === 0) throw new Error(`${letter}: no contender starts`);
    const turns = await race(contenders, options.rounds, options.steps, options.turnSeconds);
    const rows = rowsOf(contenders, turns);
    for (const contender of contenders) contender.quit();
    printTable(letter, rows, missing);
    for (const row of rows)
      if (!(row.largestLossDifference <= TOLERANCE)) {
        console.log(
          `${letter}: ${row.contender}'s losses differ by ${row.largestLossDifference}, expected at most ${TOLERANCE}`,
        );
        process.exitCode = 1;
      }
    configs[letter] = { rows, missing };
  }

  if (options.save) {
    const slug = cpu
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, "-")
      .replace(/^-|-$/g, "");
    const date = new Date().toISOString().slice(0, 10);
    const file = here(`results/${date}-${slug}.json`);
    const { dependencies } = JSON.parse(readFileSync(here("../package.json"), "utf8"));
    const machine = {
      cpu,
      threads: availableParallelism(),
      memoryBytes: totalmem(),
      platform: `${process.platform} ${process.arch}`,
      node: process.versions.node,
      loadBefore: load,
      loadAfter: loadavg()[0],
    };
    const { rounds, steps, turnSeconds, warmup, eager = false } = options;
    const settings = { rounds, steps, turnSeconds, warmup, eager };
    mkdirSync(here("results"), { recursive: true });
    writeFileSync(file, `${JSON.stringify({ date, machine, dependencies, settings, configs }, null, 1)}\n`);
    console.log(`\nwritten: bench/results/${date}-${slug}.json`);
  }
});

/**
 * @file How fast is a training step (forward, backward, clipping, AdamW)? Our engines against PyTorch:
 *
 *     npm run bench -- --python path/to/python
 *
 * Every contender is a process of its own (bench/contender.ts, bench/pytorch.py) that starts from the same weights; they
 * take turns (bench/contenders.ts). What counts are medians, and the ratio to the best PyTorch contender within a round.
 * The losses of all must agree: a fast step that computes something else does not count, and fails. The share of the
 * peak is the step's matrix products (bench/configs.ts) at the highest speed that any product had here, in float32.
 */
import { main, parse } from "../src/cli/options.ts";
import { EACH_ENGINE, ENGINES } from "../src/engine/engine.ts";
import { quantile } from "../src/util/quantile.ts";
import { CONFIGS, describeConfig, flopsOfStep, productsOfStep, toPython } from "./configs.ts";
import { type Contender, here, ours, type Race, race, startContender, type Turn } from "./contenders.ts";
import { benchCommand, namesOf, numberOf, pythonOf } from "./options.ts";
import { describeMachine, printTable, save, showBytes, showInterval } from "./output.ts";
import { type Interval, median, medianInterval } from "./statistics.ts";

/** Losses of the same step may differ by this much, */
const TOLERANCE = 1e-3;
/** in the first steps; later ones multiply every rounding, e.g. at the spike of step 11 of C (8.4 to 9.5). */
const COMPARED_STEPS = 10;
/** A process that waits may take this share of a core. */
const IDLE = 0.03;
/** An engine must be warm by then; torch.compile may take minutes. */
const START_SECONDS = { engine: 90, pytorch: 600 };
const WARMUP_SECONDS = 20;
/** Square products beside the model's own; larger ones are no faster. */
const LARGE = [1024, 2048, 3072].map((n) => [n, n, n]);
/** What --pytorch tune compares. */
const TUNE = ["eager", "compile", "autotune"].flatMap((mode) =>
  ["", "+tcmalloc", "+system", "+foreach", "+repeated", "+iomp", "+bound"].map((other) => mode + other),
);

interface StepTurn extends Turn {
  losses: number[];
}

interface Row {
  contender: string;
  about: Record<string, unknown>;
  steps: number;
  medianSeconds: number;
  quartiles: [number, number];
  tokensPerSecond: number;
  /** The best PyTorch contender's median over this one's in each round: 2 is twice as fast. */
  ratio: Interval | null;
  /** Matrix products per second over the highest measured; null without a measurement. */
  shareOfPeak: number | null;
  peakBytes: number | null;
  largestLossDifference: number;
  idleLoad: number;
  secondsByRound: number[][];
}

interface Options {
  configs: string[];
  engines?: string[];
  pytorch: string;
  rounds: number;
  steps: number;
  turnSeconds: number;
  warmup: number;
  slowest: number;
  python?: string;
  quick?: boolean;
  save?: boolean;
}

function rowsOf(letter: string, contenders: Contender<StepTurn>[], { turns, idleLoad }: Race<StepTurn>): Row[] {
  const { batchSize, sequenceLength } = CONFIGS[letter];
  const seconds = turns.map((own) => own.flatMap((turn) => turn.seconds));
  const losses = contenders.map((c, i) => [...c.about.warmup.losses, ...turns[i].flatMap((turn) => turn.losses)]);
  const pytorch = contenders.flatMap(({ about }, i) => (about.contender === "pytorch" ? [i] : []));
  const best = pytorch.sort((a, b) => median(seconds[a]) - median(seconds[b])).at(0);
  const reference = losses[best ?? 0];
  return contenders.map(({ name, about, peakBytes }, i) => {
    const { warmup: _, ...rest } = about;
    const compared = Math.min(COMPARED_STEPS, reference.length);
    const differences = losses[i].slice(0, compared).map((loss, step) => Math.abs(loss - reference[step]));
    const ratio = (of: number) =>
      turns[i].map((turn, round) => median(turns[of][round].seconds) / median(turn.seconds));
    return {
      contender: name,
      about: rest,
      steps: seconds[i].length,
      medianSeconds: median(seconds[i]),
      quartiles: [quantile(seconds[i], 0.25), quantile(seconds[i], 0.75)],
      tokensPerSecond: (batchSize * sequenceLength) / median(seconds[i]),
      ratio: best === undefined ? null : medianInterval(ratio(best)),
      shareOfPeak: null,
      peakBytes: peakBytes(),
      largestLossDifference: differences.some(Number.isNaN) ? Number.NaN : Math.max(...differences),
      idleLoad: idleLoad[i],
      secondsByRound: turns[i].map((turn) => turn.seconds),
    };
  });
}

function print(letter: string, rows: Row[], missing: Record<string, string>) {
  const millions = (Number(rows[0].about.parameters) / 1e6).toFixed(2);
  const gflop = (flopsOfStep(CONFIGS[letter]) / 1e9).toFixed(1);
  console.log(`\n${letter}: ${millions}M parameters: ${describeConfig(CONFIGS[letter])}, ${gflop} GFLOP a step`);
  const ms = (seconds: number) => (seconds * 1000).toFixed(1);
  const cells = rows.map((row) => [
    row.contender,
    `${ms(row.medianSeconds)} ms`,
    `${ms(row.quartiles[0])} to ${ms(row.quartiles[1])}`,
    `${Math.round(row.tokensPerSecond)}`,
    row.ratio ? showInterval(row.ratio) : "-",
    row.shareOfPeak === null ? "-" : `${(100 * row.shareOfPeak).toFixed(0)} %`,
    showBytes(row.peakBytes),
    row.largestLossDifference.toExponential(0),
    `${row.steps}`,
  ]);
  const head = [
    "contender",
    "step",
    "quartiles",
    "tokens/s",
    "x best PyTorch",
    "of peak",
    "peak memory",
    "loss differs",
  ];
  printTable([[...head, "steps"], ...cells]);
  for (const [name, reason] of Object.entries(missing)) console.log(`${name}: NOT MEASURED: ${reason}`);
  const fail = (message: string) => {
    console.log(`${letter}: ${message}`);
    process.exitCode = 1;
  };
  for (const { contender, largestLossDifference, idleLoad } of rows) {
    if (!(largestLossDifference <= TOLERANCE))
      fail(`${contender}'s losses differ by ${largestLossDifference}, expected at most ${TOLERANCE}`);
    if (idleLoad > IDLE)
      fail(`${contender} took ${(100 * idleLoad).toFixed(0)} % of a core while others had their turn: no fair times`);
  }
}

/** The contenders of one configuration, timed. `slow`: engines that a smaller configuration has shown to be too slow. */
async function measure(letter: string, options: Options, slow: Map<string, string>) {
  const contenders: Contender<StepTurn>[] = [];
  const missing: Record<string, string> = {};
  const start = async (name: string, program: [string, string[]], limit: number, remedy: string) => {
    process.stderr.write(`${letter}: ${name} warms up\n`);
    try {
      const contender = await startContender<StepTurn>(name, program, limit);
      const seconds = contender.about.warmup.seconds.at(-1)!;
      if (seconds <= options.slowest) return void contenders.push(contender);
      contender.quit();
      missing[name] = `${seconds.toFixed(1)} s a step; --slowest allows ${options.slowest} s`;
      slow.set(name, `${missing[name]}, exceeded at ${letter}`);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      missing[name] = `${code ? `cannot be started (${code})` : message}; ${remedy}`;
      slow.set(name, `${missing[name]} (at ${letter})`);
    }
    process.stderr.write(`${letter}: ${name} NOT MEASURED: ${missing[name]}\n`);
  };
  const variants = options.pytorch === "tune" ? TUNE : options.pytorch.split(",").filter((name) => name !== "none");
  for (const variant of variants) {
    const args = [here("pytorch.py"), "--config", toPython(CONFIGS[letter]), "--variant", variant];
    const python: [string, string[]] = [pythonOf(options.python), [...args, "--warmup", `${options.warmup}`]];
    await start(`pytorch ${variant}`, python, START_SECONDS.pytorch, "see --help for the Python that it needs");
  }
  for (const engine of options.engines ?? EACH_ENGINE) {
    if (slow.has(engine)) missing[engine] = slow.get(engine)!;
    else {
      const program = ours("contender.ts", engine, letter, `${options.warmup}`, `${WARMUP_SECONDS}`);
      await start(engine, program, START_SECONDS.engine, "see marco env");
    }
  }
  if (contenders.length === 0) throw new Error(`${letter}: no contender starts: ${Object.values(missing).join("; ")}`);
  const { rounds, steps: most, turnSeconds } = options;
  const rows = rowsOf(letter, contenders, await race(contenders, { rounds, most, turnSeconds }));
  for (const contender of contenders) contender.quit();
  return { rows, missing };
}

interface Peak {
  flopsPerSecond: number;
  /** The highest FLOP/s of each side and shape [m, n, k]. */
  sides: Record<string, { shape: number[]; flopsPerSecond: number }[]>;
}

/** The highest speed of any matrix product here, large or of the models themselves, on either side. */
async function measurePeak(letters: string[], python: string, rounds: number): Promise<Peak> {
  const own = letters.flatMap((letter) =>
    productsOfStep(CONFIGS[letter])
      .sort((a, b) => b.m * b.n * b.k - a.m * a.n * a.k)
      .slice(0, 3)
      .map(({ m, n, k }) => [m, n, k]),
  );
  const shapes = [...LARGE, ...own];
  const contenders: Contender<Turn & { flops: number[] }>[] = [];
  const list = JSON.stringify(shapes);
  for (const [name, program] of [
    ["pytorch", [python, [here("products.py"), list]]],
    ["onnx", ours("products.ts", list)],
  ] as [string, [string, string[]]][]) {
    try {
      contenders.push(await startContender(name, program, START_SECONDS.engine));
    } catch (error) {
      console.log(`matrix products of ${name}: NOT MEASURED: ${(error as Error).message}`);
    }
  }
  const { turns } = await race(contenders, { rounds, most: 1, turnSeconds: 1 });
  for (const contender of contenders) contender.quit();
  const sides: Peak["sides"] = {};
  contenders.forEach(({ name }, i) => {
    sides[name] = shapes.map((shape, s) => {
      return { shape, flopsPerSecond: Math.max(...turns[i].map(({ flops }) => flops[s])) };
    });
  });
  const all = Object.values(sides).flatMap((side) => side.map(({ flopsPerSecond }) => flopsPerSecond));
  return { flopsPerSecond: Math.max(...all), sides };
}

function printPeak({ sides, flopsPerSecond }: Peak) {
  console.log(`\nmatrix products, float32: ${(flopsPerSecond / 1e9).toFixed(0)} GFLOP/s at most`);
  const names = Object.keys(sides);
  const rows = (sides[names[0]] ?? []).map(({ shape: [m, n, k] }, s) => [
    `[${m}, ${k}] [${k}, ${n}]`,
    ...names.map((name) => (sides[name][s].flopsPerSecond / 1e9).toFixed(0)),
  ]);
  printTable([["GFLOP/s", ...names], ...rows]);
}

await main(async () => {
  const command = benchCommand("bench", "Times a full training step of our engines, in turn with PyTorch.")
    .option("--configs <letters>", "which of A,B,C,D", namesOf("--configs", Object.keys(CONFIGS)), ["A", "B", "C", "D"])
    .option(
      "--engines <names>",
      `which of ${ENGINES.join(",")} (default: all that start)`,
      namesOf("--engines", ENGINES),
    )
    .option("--pytorch <variants>", "see bench/pytorch.py; or 'none', or 'tune' for all settings", "eager,compile")
    .option("--rounds <number>", "turns of each contender", numberOf("--rounds", 1), 7)
    .option("--steps <number>", "most steps of a turn", numberOf("--steps", 1), 20)
    .option("--turn-seconds <number>", "longest turn, of one step at least", numberOf("--turn-seconds", 1), 4)
    .option(
      "--warmup <number>",
      `steps before the first round, ${WARMUP_SECONDS} s at most`,
      numberOf("--warmup", 1),
      5,
    )
    .option("--slowest <seconds>", "leave out an engine whose step takes longer", numberOf("--slowest", 1), 5)
    .option("--quick", "2 rounds of 3 steps: does it run? its numbers mean nothing");
  const options = parse<Options>(command, process.argv);
  if (options.quick) Object.assign(options, { rounds: 2, steps: 3, turnSeconds: 2, warmup: 2 });

  const machine = describeMachine();
  const letters = options.configs.sort((a, b) => flopsOfStep(CONFIGS[a]) - flopsOfStep(CONFIGS[b]));
  const peak = await measurePeak(letters, pythonOf(options.python), options.quick ? 1 : 3);
  printPeak(peak);
  const configs: Record<string, { flops: number; rows: Row[]; missing: Record<string, string> }> = {};
  const slow = new Map<string, string>();
  for (const letter of letters) {
    const { rows, missing } = await measure(letter, options, slow);
    const flops = flopsOfStep(CONFIGS[letter]);
    for (const row of rows) row.shareOfPeak = flops / row.medianSeconds / peak.flopsPerSecond;
    print(letter, rows, missing);
    configs[letter] = { flops, rows, missing };
  }
  const { save: saved, python: _, ...settings } = options;
  if (saved) save("", machine, { settings, peak, configs });
});

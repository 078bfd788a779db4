/**
 * @file Documents/s and MB/s of each stage of the data pipeline on one core, and with --python against the projects that
 * people use for it (datatrove, KenLM, bicleaner-hardrules, OpusFilter) on the same documents, in turns in one run.
 * Where both decide, it says how often they agree: rules differ where words do (Chinese, Japanese, Thai above all),
 * languages where CLD3 is asked or the sample says something else than the whole text.
 *
 *     npm run bench:data -- --python venv/bin/python --save
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { Command } from "commander";
import { main, parse, wholeNumber } from "../src/cli/options.ts";
import { UserError } from "../src/util/assert.ts";
import { here } from "./contenders.ts";
import { makeInputs } from "./data/inputs.ts";
import { makeStages, type Stage } from "./data/stages.ts";
import { describeMachine, printTable, save } from "./output.ts";
import { median } from "./statistics.ts";

const INSTALL =
  "python3.11 -m venv venv && venv/bin/pip install -r bench/data/requirements.txt && venv/bin/pip install --no-deps bicleaner-hardrules==2.10.8 opusfilter==3.3.1";

interface Turn {
  wall: number;
  cpu: number;
  decisions: string[];
}

interface Result {
  stage: string;
  documents: number;
  bytes: number;
  ours: Pick<Turn, "wall" | "cpu">;
  reference?: string;
  theirs?: Pick<Turn, "wall" | "cpu">;
  /** Processor time of theirs over ours. */
  ratio?: number;
  /** Of how many decisions. */
  agree?: [number, number];
  error?: string;
}

/** A warm-up each, then turns; medians. */
async function measure(name: string, stage: Stage, reference: Reference | null, rounds: number): Promise<Result> {
  const mine: Turn[] = [];
  const theirs: Turn[] = [];
  const result: Result = { stage: name, documents: stage.documents, bytes: stage.bytes, ours: { wall: 0, cpu: 0 } };
  const asked = stage.reference ? reference : null;
  for (let round = -1; round < rounds; round++) {
    const turn = await time(stage);
    if (round >= 0) mine.push(turn);
    if (!asked || result.error) continue;
    const answer = await asked.run(name);
    if ("error" in answer) result.error = answer.error;
    else if (round >= 0) theirs.push(answer);
  }
  const medians = (turns: Turn[]) => ({
    wall: median(turns.map(({ wall }) => wall)),
    cpu: median(turns.map(({ cpu }) => cpu)),
  });
  result.ours = medians(mine);
  if (theirs.length > 0) {
    result.reference = stage.reference;
    result.theirs = medians(theirs);
    result.ratio = result.theirs.cpu / result.ours.cpu;
    const [a, b] = [mine[0].decisions, theirs[0].decisions];
    if (a.length === b.length) result.agree = [a.filter((one, i) => one === b[i]).length, a.length];
  }
  return result;
}

async function time(stage: Stage): Promise<Turn> {
  const [start, cpu] = [performance.now(), process.cpuUsage()];
  const decisions = await stage.run();
  const { user, system } = process.cpuUsage(cpu);
  return { wall: (performance.now() - start) / 1000, cpu: (user + system) / 1e6, decisions };
}

const HEAD = [
  "stage",
  "documents/s",
  "MB/s",
  "compared with",
  "documents/s",
  "MB/s",
  "faster (cpu)",
  "(wall)",
  "agree",
];

/** Rates are by processor time: threads of the engine (compilation, garbage) count against it. */
function rowOf({ stage, documents, bytes, ours, reference, theirs, ratio, agree, error }: Result): string[] {
  const rates = ({ cpu }: { cpu: number }) => [
    (documents / cpu).toFixed(documents / cpu < 10 ? 1 : 0),
    (bytes / cpu / 1e6).toFixed(2),
  ];
  if (!theirs) return [stage, ...rates(ours), error ?? "-", "", "", "", "", ""];
  const wall = theirs.wall / ours.wall;
  return [
    ...[stage, ...rates(ours), reference!, ...rates(theirs)],
    ...[`${ratio!.toFixed(2)} x`, `${wall.toFixed(2)} x`, agree ? `${agree[0]} of ${agree[1]}` : ""],
  ];
}

interface Reference {
  version: string;
  run(stage: string): Promise<Turn | { error: string }>;
  quit(): void;
}

async function startReference(python: string, folder: string): Promise<Reference> {
  const lid = join(
    dirname(createRequire(import.meta.url).resolve("fasttext.wasm.js/package.json")),
    "dist/models/language-identification/assets/lid.176.ftz",
  );
  const child: ChildProcess = spawn(python, [here("data/reference.py"), folder, lid], {
    stdio: ["pipe", "pipe", "pipe"],
  });
  let said = "";
  child.stderr!.on("data", (data) => {
    said = `${said}${data}`.slice(-2000);
  });
  child.stdin!.on("error", () => {}); // it died; what it said is the reason
  const ended = new Promise<never>((_, reject) => {
    const why = () => said.trim().split("\n").at(-1) || "it ended";
    child.on("error", (error) => reject(new UserError(`--python ${python}: ${error.message}`)));
    child.on("close", () => reject(new UserError(`--python ${python}: ${why()}; install: ${INSTALL}`)));
  });
  ended.catch(() => {});
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  const answer = async () => {
    const { value, done } = await Promise.race([lines.next(), ended]);
    return done ? await ended : JSON.parse(value);
  };
  const { python: version } = await answer();
  return {
    version,
    run: (stage) => {
      child.stdin!.write(`stage ${stage}\n`);
      return answer();
    },
    quit: () => child.stdin!.end(),
  };
}

await main(async () => {
  const command = new Command("npm run bench:data --")
    .description("documents/s and MB/s of each stage of the data pipeline, on one core")
    .option("--python <path>", "a Python with bench/data/requirements.txt, to compare with")
    .option("--rounds <number>", "turns of each side; the median counts", wholeNumber("--rounds", 1), 3)
    .option("--only <text>", "only stages whose name has it", "")
    .option("--warc <file>", "pages of your own (default: corpus text with a page around it)")
    .option("--save", "write bench/results/<date>-<cpu>-data.json")
    .addHelpText("after", `\nThe projects that it compares with, in the versions that are pinned:\n  ${INSTALL}`);
  interface Options {
    python?: string;
    rounds: number;
    only: string;
    warc?: string;
    save?: boolean;
  }
  const options = parse<Options>(command, process.argv);
  if (options.warc && !existsSync(options.warc)) throw new UserError(`--warc ${options.warc}: is not there`);
  const machine = describeMachine();
  const folder = mkdtempSync(join(tmpdir(), "marco-bench-"));
  let reference: Reference | null = null;
  try {
    const inputs = makeInputs(folder, options.warc);
    const stages = Object.entries(await makeStages(inputs)).filter(([name]) => name.includes(options.only));
    if (stages.length === 0) throw new UserError(`--only ${options.only}: no stage's name has it`);
    reference = options.python ? await startReference(options.python, folder) : null;
    const results: Result[] = [];
    const table = [HEAD];
    for (const [name, stage] of stages) {
      const result = await measure(name, stage, reference, options.rounds);
      results.push(result);
      table.push(rowOf(result));
      console.error(rowOf(result).join(" · "));
    }
    console.log();
    printTable(table);
    if (options.save) save("-data", machine, { rounds: options.rounds, python: reference?.version, stages: results });
  } finally {
    reference?.quit();
    rmSync(folder, { recursive: true, force: true });
  }
});

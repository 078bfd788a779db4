/**
 * @file The command of one finding or of all: trains and measures what is missing, judges, prints the verdicts, and writes
 * `OUT/PRESET/index.html` and `results.json` (of one finding: `NAME.html`, `NAME.json`).
 */
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Command, Option } from "commander";
import * as marco from "marco-mini";
import type { Finding } from "./finding.ts";
import { closure, type Node } from "./graph.ts";
import { renderPage } from "./page.ts";
import { runNodes } from "./pool.ts";
import { PRESETS, type PresetName } from "./presets.ts";
import { type JudgedFinding, judgeFinding, type Results } from "./results.ts";
import { MAX_SEEDS } from "./statistics.ts";

export interface CommandOptions {
  preset: PresetName;
  seeds?: number;
  out: string;
  jobs: number;
  engine: string;
  json?: boolean;
}

/** The options that every finding has. */
export const makeCommand = (name: string, description: string): Command =>
  new Command(name)
    .description(description)
    .addOption(
      new Option("--preset <name>", "how large the models are").choices(Object.keys(PRESETS)).default("default"),
    )
    .option(
      "--seeds <n>",
      `seeds 1 to n; one seed has no interval (default: the preset's, ${PRESETS.smoke.seeds} or ${PRESETS.default.seeds})`,
      marco.wholeNumber("--seeds", 1),
    )
    .option(
      "--out <folder>",
      "where the models and results are kept; finished ones are not made again",
      "runs/findings",
    )
    .option(
      "--jobs <n>",
      "processes that train at the same time",
      marco.wholeNumber("--jobs", 1),
      Math.min(4, availableParallelism()),
    )
    .option("--engine <name>", `where tensors are computed: auto, ${marco.ENGINES.join(", ")}`, "auto")
    .option("--json", "print the results as JSON instead of a summary");

/** Runs the findings when the file `url` is the script that was started. */
export async function runAsCommand(url: string, findings: Finding[]) {
  if (fileURLToPath(url) !== process.argv[1]) return;
  await marco.main(async () => {
    const [{ name, title }] = findings;
    await runFindings(name, findings, marco.parse<CommandOptions>(makeCommand(name, title), process.argv));
  });
}

/** Trains and measures, judges, writes and prints. Undefined when Ctrl-C stopped it: exit code 130. */
export async function runFindings(
  name: string,
  findings: readonly Finding[],
  { preset: presetName, seeds: asked, out, jobs, engine, json }: CommandOptions,
): Promise<Results | undefined> {
  const preset = PRESETS[presetName];
  const count = asked ?? preset.seeds;
  if (count > MAX_SEEDS) throw new marco.UserError(`--seeds ${count}: expected at most ${MAX_SEEDS}`);
  const seeds = Array.from({ length: count }, (_, i) => i + 1);
  const wanted = findings.map((finding) => seeds.map((seed) => ({ seed, nodes: finding.nodes(preset, seed) })));
  const nodes = wanted.flat().flatMap(({ nodes }) => Object.values<Node>(nodes));
  const controller = new AbortController();
  const interrupt = () => controller.abort();
  process.once("SIGINT", interrupt); // a second one ends the process at once
  const progress = marco.startProgress(`${name} (${presetName}, ${count} seeds)`);
  try {
    const store = await runNodes(nodes, {
      out,
      jobs,
      signal: controller.signal,
      prepare: async () => {
        // one thread: sums are added in one order, so results do not depend on --jobs
        await marco.startEngine(engine, { onnxSession: { intraOpNumThreads: 1 } });
      },
      onProgress: (done, total, detail, left) =>
        progress.update(
          done,
          total,
          `nodes${left === undefined ? "" : `, about ${marco.clock(left)} left`}: ${detail}`,
          total,
        ),
    });
    const judged = findings.map((finding, i): JudgedFinding => {
      const runs = wanted[i].map(({ seed, nodes }) => ({
        seed,
        results: Object.fromEntries(Object.entries<Node>(nodes).map(([key, node]) => [key, store.read(node)!.result])),
      }));
      const all = closure(wanted[i].flatMap(({ nodes }) => Object.values<Node>(nodes)));
      return judgeFinding(
        finding,
        runs,
        preset,
        all.map((node) => store.read(node)!),
      );
    });
    const results: Results = {
      preset: presetName,
      seeds,
      settings: preset,
      seconds: closure(nodes).reduce((sum, node) => sum + store.read(node)!.seconds, 0),
      findings: judged.map(({ figures: _figures, tables: _tables, ...rest }) => rest),
    };
    const base = join(out, presetName, name === "findings" ? "index" : name);
    marco.writeWhole(`${base}.html`, renderPage(results, judged));
    marco.writeWhole(
      name === "findings" ? join(out, presetName, "results.json") : `${base}.json`,
      `${JSON.stringify(results, null, 1)}\n`,
    );
    progress.end(`${closure(nodes).length} nodes`);
    console.log(json ? JSON.stringify(results) : summary(results));
    if (!json) console.log(`page: ${base}.html`);
    return results;
  } catch (error) {
    if (!(error instanceof marco.Stopped)) throw error;
    progress.end("stopped");
    console.error("the same command goes on from here");
    process.exitCode = 130;
    return undefined;
  } finally {
    process.off("SIGINT", interrupt);
  }
}

/** A line for each finding and each of its effects. */
function summary({ findings }: Results): string {
  return findings
    .flatMap(({ name, title, verdict, effects }) => [
      `${verdict.toUpperCase()}  ${name}: ${title}`,
      ...effects.map(({ name, claim, interval: { mean, low, high }, unit, verdict, main }) => {
        const range = Number.isFinite(low ?? Number.NaN) ? `[${round(low!)}, ${round(high!)}]` : "(one seed)";
        return `  ${main ? "*" : " "} ${verdict.padEnd(9)} ${name} (${claim}): ${round(mean)} ${range} ${unit}`;
      }),
    ])
    .join("\n");
}

const round = (x: number) => `${Number(x.toPrecision(3))}`;

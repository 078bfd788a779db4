/**
 * @file What `marco data sft` and `marco data knowledge` share: Ctrl-C, progress, embedders, the table, and the exit codes.
 */
import { basename, join } from "node:path";
import type { Command } from "commander";
import { transformersEmbedder } from "../data/pairs/transformersEmbedder.ts";
import type { SelectionSummary } from "../data/selection/selection.ts";
import type { Embedder } from "../data/selection/vectors.ts";
import { UserError } from "../util/assert.ts";
import { untilInterrupted } from "./interrupt.ts";
import { startProgress } from "./progress.ts";

export interface SelectingFlags {
  out?: string;
  recipe?: string;
  embedder?: string;
  pooling: string;
  printRecipe?: boolean;
  json?: boolean;
}

export const withSelectingFlags = (command: Command): Command =>
  command
    .option("--recipe <file>", "YAML or JSON; see --print-recipe")
    .option("--embedder <folder>", "sentence vectors of a model (LaBSE, E5); stages that need them are skipped without")
    .option("--pooling <mean|cls>", "of --embedder: LaBSE has cls", "mean")
    .option("--print-recipe", "print the recipe with all defaults")
    .option("--json", "the summary as JSON");

export async function openEmbedder({
  embedder,
  pooling,
}: Pick<SelectingFlags, "embedder" | "pooling">): Promise<Embedder | undefined> {
  if (pooling !== "mean" && pooling !== "cls") throw new UserError(`--pooling ${pooling}: expected mean or cls`);
  if (embedder === undefined) return undefined;
  return { name: `${basename(embedder)} ${pooling}`, embed: await transformersEmbedder(embedder, { pooling }) };
}

export interface SelectingOptions {
  flags: SelectingFlags & { out: string };
  /** Of what comes in, e.g. "chats". */
  noun: string;
  /** The output's name. */
  file: string;
  /** The recipe's limit. */
  quarantined: number;
  run(watch: {
    stop: AbortSignal;
    onProgress: (step: string, done: number, total: number | null) => void;
  }): Promise<SelectionSummary>;
}

export async function runSelecting({ flags: { out, json }, noun, file, quarantined, run }: SelectingOptions) {
  const progress = startProgress(noun);
  let [before, began] = ["", 0];
  const onProgress = (step: string, done: number, total: number | null) => {
    if (step !== before) [before, began] = [step, performance.now()];
    const rate = (done / Math.max(0.001, (performance.now() - began) / 1000)).toFixed(0);
    progress.update(done, total ?? done, `${step} · ${rate}/s`);
  };
  const work = (stop: AbortSignal) => run({ stop, onProgress });
  const summary = await untilInterrupted(progress, work, "stopping; Ctrl-C again leaves at once");
  if (!summary) return;
  const { in: all, quarantined: unreadable } = summary.stages.total;
  progress.end(String(all));
  console.log(json ? JSON.stringify(summary) : `${table(summary)}\n${join(out, file)}`);
  if (unreadable > quarantined * all)
    throw new UserError(
      `${unreadable} of ${all} ${noun} could not be read, more than the recipe's quarantined ${quarantined}; ledger.jsonl says why`,
    );
}

function table({ stages, reasons, skipped, facts }: SelectionSummary): string {
  const line = (name: string, cells: (string | number)[]) =>
    name.padEnd(14) + cells.map((cell) => String(cell).padStart(12)).join("");
  return [
    line("stage", ["in", "dropped", "unreadable", "kept"]),
    ...Object.entries(stages).map(([name, { in: entered, dropped, quarantined, kept }]) =>
      name in skipped
        ? `${name.padEnd(14)}    skipped: ${skipped[name]}`
        : line(name, [entered, dropped, quarantined, kept]),
    ),
    "",
    ...Object.entries(reasons).map(([reason, count]) => `${String(count).padStart(12)}  ${reason}`),
    ...Object.entries(facts).map(
      ([name, value]) => `${name}: ${typeof value === "number" ? Number(value.toPrecision(6)) : value}`,
    ),
  ].join("\n");
}

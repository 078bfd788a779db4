/**
 * @file `marco data mixture`: tokenises the sources of a stage table, plans every sequence of every stage, and says what
 * that takes of each source before anything is trained.
 */
import { mkdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { Command } from "commander";
import { readSettings } from "../data/files/settings.ts";
import { megatronBlend } from "../data/mix/megatronBlend.ts";
import { type MixturePlan, planMixture } from "../data/mix/plan.ts";
import { parseMixtureRecipe } from "../data/mix/recipe.ts";
import { type StreamCounts, tokenizeStream } from "../data/mix/tokenize.ts";
import { loadTokenizer } from "../tokenizer/tokenizerFiles.ts";
import { UserError } from "../util/assert.ts";
import { writeWhole } from "../util/runDir.ts";
import { untilInterrupted } from "./interrupt.ts";
import { startProgress } from "./progress.ts";

const EXAMPLE = `
A recipe, its files relative to itself (shares: the paper's Table 2, by default in per cent):
  sequenceLength: 4096
  maxEpochs: 1
  sources:
    english: {en: [en.jsonl]}
    otherHR: {de: [de.jsonl.gz], fr: [fr.parquet]}
  stages:
    - {name: stage1, tokens: 16000000, shares: {english: 60, otherHR: 40}}
    - {name: stage2, tokens: 14000000, shares: {english: 50, otherHR: 50}}`;

export const addMixtureCommand = (data: Command) =>
  data
    .command("mixture")
    .description(
      "tokenise the sources of a stage table and plan every sequence of it, in tokens; the same command goes on after an interruption",
    )
    .argument("<recipe>", "YAML or JSON: sources, stages, shares")
    .requiredOption("--tokenizer <folder>", "a model's folder")
    .requiredOption("--out <folder>", "tokens/ (Megatron-LM's .bin and .idx), plan.json, blend_STAGE.txt")
    .option("--json", "the plan as JSON")
    .addHelpText("after", EXAMPLE)
    .action(mixture);

async function mixture(path: string, { tokenizer: folder, out, json }: Record<string, string> & { json?: boolean }) {
  const recipe = readSettings(path, parseMixtureRecipe);
  const tokenizer = loadTokenizer(folder);
  const available: Record<string, StreamCounts> = {};
  const prefixOf = (stream: string) => join(out, "tokens", stream);
  mkdirSync(join(out, "tokens"), { recursive: true });
  const progress = startProgress("Streams");
  const streams = Object.values(recipe.sources).flatMap((group) => Object.entries(group));
  const tokenize = async (signal: AbortSignal) => {
    for (const [i, [stream, files]] of streams.entries())
      available[stream] = await tokenizeStream({
        ...{ files: files.map((file) => resolve(dirname(path), file)), prefix: prefixOf(stream), tokenizer, signal },
        onProgress: (documents, file) =>
          progress.update(i + 1, streams.length, `${stream} · ${documents} documents · ${file}`),
      });
    return available;
  };
  const done = await untilInterrupted(progress, tokenize).finally(() => tokenizer.free());
  if (!done) return;
  progress.end(`${streams.length}`);

  const plan = planMixture(recipe, available);
  const stages = plan.stages.map(({ name, counts }) => ({ name, sequences: counts }));
  const summary = { ...plan, stages, data: available, recipe };
  writeWhole(join(out, "plan.json"), `${JSON.stringify(summary, null, 1)}\n`);
  for (const { name, sequences } of stages) {
    const drawn = Object.entries(sequences).filter(([, n]) => n > 0);
    const blend = drawn.map(([stream, n]) => `${n} ${prefixOf(stream)}_text_document\n`).join("");
    writeWhole(join(out, `blend_${name}.txt`), blend);
  }
  if (json) console.log(JSON.stringify(summary));
  else console.log(table(plan));
  for (const note of [...plan.notes, ...differences(plan), ...unreadable(available)]) console.error(`note: ${note}`);
  for (const problem of plan.problems) console.error(`too little: ${problem}`);
  if (plan.problems.length > 0)
    throw new UserError(`${plan.problems.length} of ${streams.length} streams have too little text for these stages`);
}

/** Table 1: tokens there are and tokens used. */
function table({ use, stages, sequenceLength }: MixturePlan): string {
  const line = (cells: string[]) => cells.map((cell, i) => (i < 2 ? cell.padEnd(14) : cell.padStart(14))).join("");
  const rows = use.map(({ name, source, available, used }) =>
    line([source, name, `${available}`, `${used}`, available ? `${((100 * used) / available).toFixed(1)} %` : "–"]),
  );
  const [available, used] = [use.map((row) => row.available), use.map((row) => row.used)].map((numbers) =>
    numbers.reduce((a, b) => a + b, 0),
  );
  const total = line([
    "total",
    "",
    `${available}`,
    `${used}`,
    available ? `${((100 * used) / available).toFixed(1)} %` : "–",
  ]);
  const lengths = stages.map(({ name, order }) => `${name}: ${order.length} sequences of ${sequenceLength} tokens`);
  return [line(["source", "stream", "tokens", "used", "utilisation"]), ...rows, total, "", ...lengths].join("\n");
}

/** Where Megatron-LM's float64 would draw another stream, for those who train there. */
function differences({ stages, streams }: MixturePlan): string[] {
  return stages.flatMap(({ name, counts, order }) => {
    const drawn = streams.filter((stream) => counts[stream] > 0);
    if (drawn.length > 128) return [];
    const blend = megatronBlend(
      drawn.map((stream) => counts[stream]),
      order.length,
    );
    const different = blend.reduce((n, dataset, i) => n + Number(drawn[dataset] !== streams[order[i]]), 0);
    if (different === 0) return [];
    return [
      `stage ${name}: Megatron-LM's blending draws ${different} of ${order.length} sequences from another stream (it rounds; the sums are equal)`,
    ];
  });
}

const unreadable = (available: Record<string, StreamCounts>) =>
  Object.entries(available)
    .filter(([, { quarantined }]) => quarantined > 0)
    .map(
      ([stream, { in: all, quarantined, problems }]) =>
        `${stream}: ${quarantined} of ${all} rows could not be read: ${problems[0]}`,
    );

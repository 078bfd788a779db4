/** @file `marco data knowledge`: question-answer, STEM and other knowledge data, cleaned of benchmarks and duplicates. */
import type { Command } from "commander";
import { stringify } from "yaml";
import { parseKnowledgeRecipe, readKnowledgeRecipe } from "../data/knowledgeData/recipe.ts";
import { runKnowledge } from "../data/knowledgeData/run.ts";
import { loadIdentifier } from "../data/language/identify.ts";
import { UserError } from "../util/assert.ts";
import { openEmbedder, runSelecting, type SelectingFlags, withSelectingFlags } from "./selecting.ts";

interface Flags extends SelectingFlags {
  benchmarks?: string[];
}

export const addKnowledgeCommand = (data: Command) =>
  withSelectingFlags(data.command("knowledge"))
    .description(
      "take what overlaps benchmarks and what is there twice out of knowledge data (.jsonl, .json, .csv, .parquet; rows with text, or chats), with a ledger of every decision; the same command goes on after an interruption",
    )
    .argument("[files...]", "what to read")
    .option("--benchmarks <files...>", "evaluation sets: rows {task, query, label} or {text}")
    .option("--out <folder>", "knowledge.jsonl, ledger.jsonl, summary.json")
    .action(knowledge);

async function knowledge(inputs: string[], flags: Flags) {
  const { out, recipe: path, printRecipe, benchmarks = [] } = flags;
  if (printRecipe) return console.log(stringify(parseKnowledgeRecipe({})).trimEnd());
  if (inputs.length === 0) throw new UserError("no files; expected .jsonl, .json, .csv or .parquet with text or chats");
  if (!out) throw new UserError("--out is missing; expected a folder for the results");
  const recipe = path ? readKnowledgeRecipe(path) : parseKnowledgeRecipe({});
  const embedder = await openEmbedder(flags);
  const { identify, dispose } = await loadIdentifier();
  try {
    const { quarantined, output } = recipe;
    await runSelecting({
      ...{ flags: { ...flags, out }, noun: "rows", file: `knowledge.${output}`, quarantined },
      run: (watch) => runKnowledge({ inputs, benchmarks, out, recipe, identify, embedder, ...watch }),
    });
  } finally {
    dispose();
  }
}

/** @file `marco data web`: web text by a recipe, with its ledger and report; and the report and the recipe by themselves. */
import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { Command } from "commander";
import { stringify } from "yaml";
import { parseRecipe, readRecipe } from "../data/curate/recipe.ts";
import { writeCurationReport } from "../data/curate/report.ts";
import { curate, type Summary } from "../data/curate/run.ts";
import { loadTokenizer } from "../tokenizer/tokenizerFiles.ts";
import { UserError } from "../util/assert.ts";
import { untilInterrupted } from "./interrupt.ts";
import { wholeNumber } from "./options.ts";
import { startProgress } from "./progress.ts";

interface WebOptions {
  out: string;
  recipe?: string;
  tokenizer?: string;
  threads: number;
  force?: boolean;
  json?: boolean;
}

export function addWebCommands(data: Command) {
  data
    .command("web")
    .description(
      "keep the good documents of WARC, WET, text, JSON Lines or Parquet files (all but Parquet also .gz or .zst), by language, with a ledger of every decision; the same command goes on after an interruption",
    )
    .argument("<files...>", "what to read")
    .requiredOption("--out <folder>", "documents/, ledger.jsonl, summary.json, report.html")
    .option("--recipe <file>", "YAML or JSON; see marco data recipe")
    .option("--tokenizer <folder>", "repeated passages are counted in its tokens; in bytes otherwise")
    .option("--threads <number>", "how many", wholeNumber("--threads", 1), availableParallelism())
    .option("--force", "throw away what --out has of another recipe or of other inputs")
    .option("--json", "the summary as JSON")
    .action(web);
  data
    .command("report")
    .description("write report.html of a folder again")
    .argument("<folder>", "an --out of marco data web")
    .action(async (folder: string) => console.log(await writeCurationReport(ledgerFolder(folder))));
  data
    .command("recipe")
    .description("print the recipe with all defaults")
    .action(() => console.log(stringify(parseRecipe({})).trimEnd()));
}

async function web(inputs: string[], { out, recipe, tokenizer, threads, force, json }: WebOptions) {
  const progress = startProgress("documents");
  const options = recipe ? readRecipe(recipe) : parseRecipe({});
  const loaded = tokenizer ? loadTokenizer(tokenizer) : undefined;
  let summary: Summary | undefined;
  try {
    summary = await untilInterrupted(progress, (signal) =>
      curate({
        ...{ inputs, out, threads, force, recipe: options, tokenizer: loaded, signal },
        onProgress: ({ phase, documents, resumed, done, total }) =>
          progress.update(
            done,
            total,
            phase === "documents"
              ? `bytes · ${documents} documents${resumed ? ` (${resumed} done before)` : ""}`
              : `documents · ${phase}`,
          ),
      }),
    );
  } finally {
    loaded?.free();
  }
  if (!summary) return;
  progress.end(`${summary.stages.total.in}`);
  console.log(json ? JSON.stringify(summary) : `${table(summary)}\n${join(out, "report.html")}`);
  const { in: all, quarantined } = summary.stages.total;
  if (quarantined > options.limits.quarantined * all)
    throw new UserError(
      `${quarantined} of ${all} documents could not be read, more than limits.quarantined ${options.limits.quarantined}; ledger.jsonl says why`,
    );
}

function table({ stages, languages }: Summary): string {
  const rows = Object.entries(stages).map(([name, { in: entered, dropped, quarantined, kept }]) =>
    [name.padEnd(18), ...[entered, dropped, quarantined, kept].map((n) => String(n).padStart(12))].join(""),
  );
  const head = ["stage".padEnd(18), ...["in", "dropped", "unreadable", "kept"].map((name) => name.padStart(12))].join(
    "",
  );
  const kept = Object.entries(languages).map(
    ([language, { documents, characters }]) => `${language}: ${documents} documents, ${characters} characters`,
  );
  return [head, ...rows, "", ...kept].join("\n");
}

export function ledgerFolder(folder: string): string {
  if (existsSync(join(folder, "summary.json"))) return folder;
  throw new UserError(`${folder}: has no summary.json; expected a finished --out of marco data web`);
}

/** @file `marco data pairs`: parallel text (OPUS, CCAligned, TMX) to pairs that are kept and training text. */
import { join } from "node:path";
import type { Command } from "commander";
import { stringify } from "yaml";
import { loadIdentifier } from "../data/language/identify.ts";
import { parsePairsRecipe, readPairsRecipe } from "../data/pairs/recipe.ts";
import { type PairsSummary, runPairs } from "../data/pairs/run.ts";
import { UserError } from "../util/assert.ts";
import { untilInterrupted } from "./interrupt.ts";
import { startProgress } from "./progress.ts";
import { openEmbedder } from "./selecting.ts";

interface PairsOptions {
  source?: string;
  target?: string;
  out?: string;
  recipe?: string;
  embedder?: string;
  pooling: "mean" | "cls";
  force?: boolean;
  printRecipe?: boolean;
  json?: boolean;
}

export function addPairsCommand(data: Command) {
  data
    .command("pairs")
    .description(
      "keep the good pairs of parallel text (.tmx, .tsv, or two files NAME.en NAME.de; each also .gz or .zst) and write them as training text by the paper's templates; the same command goes on after an interruption",
    )
    .argument("[files...]", "what to read")
    .option("--source <language>", "of the source side, e.g. en")
    .option("--target <language>", "of the target side, e.g. de")
    .option("--out <folder>", "kept.jsonl, rendered.jsonl, swapped.tsv, ledger.jsonl, summary.json")
    .option("--recipe <file>", "YAML or JSON; see --print-recipe")
    .option("--embedder <folder>", "sentence vectors of a model (LaBSE, E5) in place of the lexical similarity")
    .option("--pooling <mean|cls>", "of --embedder: LaBSE has cls", "mean")
    .option("--force", "start again where --out holds a run of another recipe or of other inputs")
    .option("--print-recipe", "print the recipe with all defaults")
    .option("--json", "the summary as JSON")
    .action(pairs);
}

async function pairs(inputs: string[], options: PairsOptions) {
  const { source, target, out, recipe: path, embedder, pooling, force, printRecipe, json } = options;
  if (printRecipe) return console.log(stringify(parsePairsRecipe({})).trimEnd());
  if (inputs.length === 0) throw new UserError("no files; expected .tmx, .tsv, or NAME.en and NAME.de");
  if (!source || !target || !out) throw new UserError("--source, --target and --out are needed; see --help");
  const recipe = path ? readPairsRecipe(path) : parsePairsRecipe({});
  const model = await openEmbedder({ embedder, pooling });
  const identifier = recipe.identify ? await loadIdentifier() : undefined;
  const progress = startProgress("pairs");
  let summary: PairsSummary | undefined;
  try {
    summary = await untilInterrupted(progress, (signal) =>
      runPairs({
        ...{ inputs, out, recipe, sourceLanguage: source, targetLanguage: target, force, signal },
        ...(identifier ? { identify: identifier.identify } : {}),
        ...(model ? { embedder: model } : {}),
        onProgress: ({ step, pairs, total, resumed }) =>
          progress.update(pairs, total ?? pairs, `${step}${resumed ? ` (${resumed} done before)` : ""}`),
      }),
    );
  } finally {
    identifier?.dispose();
  }
  if (!summary) return;
  progress.end(`${summary.in}`);
  console.log(json ? JSON.stringify(summary) : `${table(summary)}\n${join(out, "ledger.jsonl")}`);
  if (summary.quarantined > recipe.quarantined * summary.in)
    throw new UserError(
      `${summary.quarantined} of ${summary.in} pairs could not be read, more than the recipe's quarantined ${recipe.quarantined}; ledger.jsonl says why`,
    );
}

function table(summary: PairsSummary): string {
  const rows = Object.entries(summary.reasons).sort((a, b) => b[1] - a[1]);
  const cuts = summary.similarity.map(({ name, cut }) => `${name} at least ${cut.toPrecision(4)}`);
  return [
    `in ${summary.in} · kept ${summary.kept} · dropped ${summary.dropped} · unreadable ${summary.quarantined}`,
    ...rows.map(([reason, count]) => `${String(count).padStart(12)}  ${reason}`),
    ...cuts,
  ].join("\n");
}

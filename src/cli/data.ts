/** @file `marco data`: training text from what people have. Each command is in a file of its own. */
import type { Command } from "commander";
import { stringify } from "yaml";
import type { LedgerLine } from "../data/curate/ledger.ts";
import { parseRecipe, readRecipe } from "../data/curate/recipe.ts";
import { writeCurationReport } from "../data/curate/report.ts";
import { curate, type Summary } from "../data/curate/run.ts";
import { deriveLimits } from "../data/rules/thresholds.ts";
import { loadTokenizer } from "../tokenizer/tokenizerFiles.ts";
import { UserError } from "../util/assert.ts";
import { addExportCommand } from "./dataExport.ts";
import { addKnowledgeCommand } from "./dataKnowledge.ts";
import { addLimitsCommand } from "./dataLimits.ts";
import { addLmCommand } from "./dataLm.ts";
import { addMixtureCommand } from "./dataMixture.ts";
import { addPairsCommand } from "./dataPairs.ts";
import { addPreferencesCommand } from "./dataPreferences.ts";
import { addRunCommand } from "./dataRun.ts";
import { addSftCommand } from "./dataSft.ts";
import { addSynthesizeCommand, addTranslateCommand } from "./dataSynthesize.ts";
import { addWebCommands } from "./dataWeb.ts";

export function addDataCommand(program: Command) {
  const data = program.command("data").description("training text from what people have: web pages and texts");
  addWebCommands(data);
  addLimitsCommand(data);
  addLmCommand(data);
  addExportCommand(data);
  addMixtureCommand(data);
  addPairsCommand(data);
  addSynthesizeCommand(data);
  addTranslateCommand(data);
  addPreferencesCommand(data);
  addSftCommand(data);
  addRunCommand(data);
  addKnowledgeCommand(data);
}

async function web(inputs: string[], { out, recipe, tokenizer, threads, force, json }: WebOptions) {
  const controller = new AbortController();
  process.once("SIGINT", () => controller.abort());
  const progress = startProgress("documents");
  const options = recipe ? readRecipe(recipe) : parseRecipe({});
  const loaded = tokenizer ? loadTokenizer(tokenizer) : undefined;
  let summary: Summary;
  try {
    summary = await curate({
      ...{ inputs, out, threads, force, recipe: options, tokenizer: loaded, signal: controller.signal },
      onProgress: ({ phase, documents, resumed, done, total }) =>
        progress.update(
          done,
          total,
          phase === "documents"
            ? `bytes · ${documents} documents${resumed ? ` (${resumed} done before)` : ""}`
            : `documents · ${phase}`,
        ),
    });
  } catch (error) {
    if (!controller.signal.aborted) throw error;
    progress.end("stopped");
    console.error("the same command goes on from here");
    process.exitCode = 130;
    return;
  } finally {
    loaded?.free();
  }
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

function ledgerFolder(folder: string): string {
  try {
    readFileSync(join(folder, "summary.json"));
  } catch {
    throw new UserError(`${folder}: has no summary.json; expected a finished --out of marco data web`);
  }
  return folder;
}

/** Of documents that were identified, by language. */
async function limits(folder: string) {
  const byLanguage = new Map<string, LedgerLine["measures"][]>();
  const lines = createInterface({ input: createReadStream(join(ledgerFolder(folder), "ledger.jsonl")) });
  for await (const text of lines) {
    const { language, measures }: LedgerLine = JSON.parse(text);
    const rules = measures.filter(({ stage }) => stage !== "url" && stage !== "language");
    if (language && rules.length > 0) byLanguage.set(language, [...(byLanguage.get(language) ?? []), rules]);
  }
  const limitsByLanguage = Object.fromEntries(
    [...byLanguage].sort().map(([language, sample]) => [
      language,
      Object.fromEntries(
        deriveLimits(sample)
          .filter(({ limit, published }) => limit !== published)
          .map(({ rule, limit }) => [rule, Number(limit.toPrecision(4))]),
      ),
    ]),
  );
  console.log(stringify({ rules: { limitsByLanguage } }).trimEnd());
}

/** @file `marco data synthesize` and `marco data translate`: text from models (paper section 3.1.4). */
import type { Command } from "commander";
import { readJobRecipe, synthesizeSchema, translateSchema } from "../data/generated/recipe.ts";
import { synthesize } from "../data/generated/synthesize.ts";
import { translateRows } from "../data/generated/translate.ts";
import { translateWholeRows } from "../data/generated/translateWhole.ts";
import { MODEL, recipeHelp, runAsking } from "./asking.ts";

interface Flags {
  recipe: string;
  out: string;
  json?: boolean;
  force?: boolean;
}

const GOES_ON = "every answer is kept in answers.jsonl, so the same command goes on after an interruption";

export function addSynthesizeCommand(data: Command) {
  data
    .command("synthesize")
    .description(
      `explanations and stories around keywords, and rarer samples, from models in turn (Table 14), checked; ${GOES_ON}`,
    )
    .requiredOption("--recipe <file>", "YAML or JSON; see below")
    .requiredOption("--out <folder>", "texts.jsonl, ledger.jsonl, summary.json, answers.jsonl")
    .option("--force", "write over what --out has of another recipe or of other inputs; its answers stay")
    .option("--json", "the summary as JSON")
    .addHelpText(
      "after",
      recipeHelp(synthesizeSchema, { models: [MODEL], count: 1000, keywords: { file: "words.txt" } }),
    )
    .action(async ({ recipe: path, ...flags }: Flags) => {
      const recipe = readJobRecipe(path, synthesizeSchema);
      const { out } = flags;
      const { keywords, samples } = recipe;
      const files = [
        ...(keywords.file ? [keywords.file] : []),
        ...(keywords.documents ?? []),
        ...(samples.files ?? []),
      ];
      await runAsking({
        ...{ ...flags, recipe, inputs: [], files, total: recipe.count },
        run: async ({ open, ...asking }) => {
          const models = [];
          for (const model of recipe.models) models.push(await open(model));
          return synthesize({ out, recipe, models, ...asking });
        },
      });
    });
}

export function addTranslateCommand(data: Command) {
  data
    .command("translate")
    .description(
      `translate the instruction, the question or the answer of each row into another language, all drawn, or whole rows (what: whole), e.g. preference pairs, into many; ${GOES_ON}`,
    )
    .argument("<files...>", "rows {instruction, input, output}, {question, answer} or {messages}")
    .requiredOption("--recipe <file>", "YAML or JSON; see below")
    .requiredOption("--out <folder>", "rows.jsonl, ledger.jsonl, summary.json, answers.jsonl")
    .option("--force", "write over what --out has of another recipe or of other inputs; its answers stay")
    .option("--json", "the summary as JSON")
    .addHelpText("after", recipeHelp(translateSchema, { models: [MODEL] }))
    .action(async (inputs: string[], { recipe: path, ...flags }: Flags) => {
      const recipe = readJobRecipe(path, translateSchema);
      const { out } = flags;
      await runAsking({
        ...{ ...flags, recipe, inputs },
        run: async ({ open, ...asking }) => {
          const models = [];
          for (const model of recipe.models) models.push(await open(model));
          const run = recipe.what === "whole" ? translateWholeRows : translateRows;
          return run({ inputs, out, recipe, models, ...asking });
        },
      });
    });
}

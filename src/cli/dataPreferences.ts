/** @file `marco data preferences`: pairs for direct preference optimisation (paper section 4.2). */
import type { Command } from "commander";
import { readJobRecipe } from "../data/generated/recipe.ts";
import { modelJudge, ruleJudge } from "../data/preferencePairs/judge.ts";
import { makePreferencePairs, type PreferencesCounts } from "../data/preferencePairs/pipeline.ts";
import { preferencesSchema } from "../data/preferencePairs/recipe.ts";
import type { Proportion } from "../util/results.ts";
import { MODEL, recipeHelp, runAsking } from "./asking.ts";

interface Flags {
  recipe: string;
  out: string;
  json?: boolean;
  force?: boolean;
}

export function addPreferencesCommand(data: Command) {
  data
    .command("preferences")
    .description(
      "pairs of a better and a worse answer, from sets that have them (LMSYS arena, UltraFeedback, TRL), or sampled for prompts and judged in both orders; every answer is kept in answers.jsonl, so the same command goes on after an interruption",
    )
    .argument("<files...>", "rows of preferences, or of prompts {prompt}, {instruction} or {messages}")
    .requiredOption("--recipe <file>", "YAML or JSON; see below")
    .requiredOption("--out <folder>", "pairs.jsonl (TRL), ledger.jsonl, summary.json, answers.jsonl")
    .option("--force", "write over what --out has of another recipe or of other inputs; its answers stay")
    .option("--json", "the summary as JSON")
    .addHelpText("after", recipeHelp(preferencesSchema, { sample: { models: [MODEL] }, judge: { model: MODEL } }))
    .action(async (inputs: string[], { recipe: path, ...flags }: Flags) => {
      const recipe = readJobRecipe(path, preferencesSchema);
      const { out } = flags;
      await runAsking({
        ...{ ...flags, recipe, inputs, describeMore: describeJudge },
        run: async ({ open, identify, ...asking }) => {
          const models = [];
          for (const model of recipe.sample?.models ?? []) models.push(await open(model));
          const { judge: chosen, seed } = recipe;
          const judge =
            chosen === "rules" ? ruleJudge(identify) : modelJudge(await open(chosen.model), { seed, ...chosen });
          return makePreferencePairs({ inputs, out, recipe, models, judge, identify, ...asking });
        },
      });
    });
}

function describeJudge({ judge, judgements }: PreferencesCounts): string[] {
  const share = (name: string, rate: Proportion | null) =>
    rate ? [`${name} ${percent(rate.value)} (${percent(rate.low)} to ${percent(rate.high)})`] : [];
  return Object.entries(judgements).map(([language, { comparisons, flipped, firstWins, longerWins, ownWins }]) =>
    [
      `judge ${judge}, ${language}: ${comparisons} comparisons`,
      ...share("flipped", flipped),
      ...share("first wins", firstWins),
      ...share("longer wins", longerWins),
      ...share("own wins", ownWins),
    ].join(", "),
  );
}

const percent = (x: number) => `${(100 * x).toFixed(1)} %`;

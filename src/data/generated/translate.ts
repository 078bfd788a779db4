/**
 * @file Random translation (paper section 3.1.4): of an instruction, its question or its answer one part, drawn, becomes
 * another language, drawn, so that what is asked in one language is answered in another.
 */
import { UserError } from "../../util/assert.ts";
import { makeRandom } from "../../util/random.ts";
import { UNDETERMINED } from "../language/identify.ts";
import { LANGUAGES } from "../languages.ts";
import type { ChatModel } from "../llm/chatModel.ts";
import {
  failed,
  type InputRow,
  type JobCounts,
  type JobOptions,
  type Outcome,
  type Place,
  readInputs,
  runJob,
} from "../llm/job.ts";
import type { Identify } from "./checks.ts";
import { type Exchange, exchangeOf } from "./conversation.ts";
import type { TranslateRecipe } from "./recipe.ts";
import { translateText } from "./translateText.ts";

export interface TranslateOptions extends Pick<JobOptions<Place>, "out" | "stop" | "onProgress"> {
  inputs: readonly string[];
  recipe: TranslateRecipe;
  models: readonly ChatModel[];
  identify: Identify;
}

type Part = TranslateRecipe["parts"][number];

/** Writes rows.*, and ledger.jsonl, into `out`. */
export async function translateRows(options: TranslateOptions): Promise<JobCounts> {
  const { inputs, recipe, models, identify, out, stop, onProgress } = options;
  if (inputs.length === 0) throw new UserError("translate: no files; name row files (.jsonl, .json or .parquet)");

  async function work(item: InputRow): Promise<Outcome> {
    const exchange = exchangeOf(item.row);
    if ("reason" in exchange) {
      if (exchange.reason === "several turns") return { outcome: "dropped", reason: "severalTurns" };
      return { outcome: "quarantined", reason: exchange.reason, head: JSON.stringify(item.row).slice(0, 80) };
    }
    const random = makeRandom(recipe.seed, "translate", item.id);
    const found = recipe.parts.flatMap((part) => {
      const language = LANGUAGES.find((one) => one === identify(exchange[part]).language);
      return language ? [{ part, language }] : []; // what cannot be identified could not be checked either
    });
    if (found.length === 0) return { outcome: "dropped", reason: "nothingToTranslate" };
    const { part, language: source } = random.pick(found);
    const targets = recipe.languages.filter((language) => language !== source);
    if (targets.length === 0) return { outcome: "dropped", reason: "noOtherLanguage", language: source };
    const target = random.pick(targets);

    const model = models[item.ordinal % models.length];
    const { text, measures, provenance } = await translateText(
      model,
      { text: exchange[part], source, target, id: item.id },
      recipe,
      identify,
    );
    const details = { part, from: source, to: target, start: text.slice(0, 200), provenance };
    const reason = failed(measures);
    if (reason !== null) return { outcome: "dropped", reason, language: target, measures, details };
    const row = { id: item.id, ...alpaca({ ...exchange, [part]: text }), part, from: source, to: target };
    const languages = languagesOf({ ...exchange, [part]: text }, identify);
    return { outcome: "kept", row: { ...row, languages, provenance }, language: target, measures, details };
  }

  const { concurrency, output: kind } = recipe;
  return runJob({ out, name: "rows", kind, items: readInputs(inputs), work, ahead: 4 * concurrency, stop, onProgress });
}

/** As LLaMA-Factory and Pai read it; a lone question is the instruction. */
function alpaca({ system, instruction, question, answer }: Exchange) {
  if (instruction.trim() === "") return { system, instruction: question, input: "", output: answer };
  return { system, instruction, input: question, output: answer };
}

function languagesOf(exchange: Exchange, identify: Identify): Record<Part, string> {
  const of = (part: Part) => (exchange[part].trim() === "" ? UNDETERMINED : identify(exchange[part]).language);
  return { instruction: of("instruction"), question: of("question"), answer: of("answer") };
}

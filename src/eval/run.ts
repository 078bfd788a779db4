/**
 * The whole evaluation of one model: bits per byte, multiple choice, translation and preferences, in that order.
 * Deterministic: the same model and suite give the same numbers, and nothing here reads the clock.
 */
import type { Tokenizer } from "../tokenizer/bpe.ts";
import type { StageEvaluation, StageName } from "../util/results.ts";
import type { LanguageModel } from "./languageModel.ts";
import { type MultipleChoiceItem, predict, summarize } from "./multipleChoice.ts";
import { bitsPerByte } from "./perplexity.ts";
import { type PreferenceItem, preferenceAccuracy, winLossTie } from "./preference.ts";
import { generateLines, lineStopIds, scoreTranslations, type TranslationTask } from "./translation.ts";

export interface EvaluationSuite {
  /** Tokens that the model can read at once. */
  contextLength: number;
  /** Held-out texts by language. */
  heldOut: Record<string, string[]>;
  multipleChoice: MultipleChoiceItem[];
  translation: TranslationTask[];
  /** Token ids of the prompt; `stage` tells whether the model knows the chat template. */
  translationPrompt: (request: { text: string; source: string; target: string; stage: StageName }) => number[];
  /** Held-out pairs, and prompts for the model's own answers. Asked of `sft` and `dpo` only. */
  preference?: {
    pairs: PreferenceItem[];
    prompts: { language: string; prompt: number[]; reference: string }[];
    maxNewTokens: number;
  };
  /** Translations kept per direction to show in the report (3). */
  samples?: number;
}

export interface EvaluateOptions {
  /** Called before each part, e.g. ("multiple choice capitals ne", 12, 80). */
  onProgress?: (part: string, done: number, total: number) => void;
  /** The SFT model's evaluation: the answers that the DPO model's are judged against. */
  baseline?: StageEvaluation;
}

/** Everything measured on `model` as `stage`. */
export async function evaluate(
  model: LanguageModel,
  tokenizer: Tokenizer,
  suite: EvaluationSuite,
  stage: StageName,
  options: EvaluateOptions = {},
): Promise<StageEvaluation> {
  const { contextLength } = suite;
  const result: StageEvaluation = { stage, bitsPerByte: {}, multipleChoice: {}, translation: [] };
  const parts: [name: string, run: () => Promise<void>][] = [];

  for (const [language, texts] of Object.entries(suite.heldOut)) {
    parts.push([
      `bits per byte ${language}`,
      async () => {
        result.bitsPerByte[language] = (await bitsPerByte(model, tokenizer, texts, contextLength)).bitsPerByte;
      },
    ]);
  }

  const itemsOf: Record<string, Record<string, MultipleChoiceItem[]>> = {};
  for (const item of suite.multipleChoice) {
    itemsOf[item.task] ??= {};
    itemsOf[item.task][item.language] ??= [];
    itemsOf[item.task][item.language].push(item);
  }
  for (const [task, byLanguage] of Object.entries(itemsOf)) {
    result.multipleChoice[task] = {};
    for (const [language, items] of Object.entries(byLanguage)) {
      parts.push([
        `multiple choice ${task} ${language}`,
        async () => {
          const predictions = await predict(model, tokenizer, items, contextLength);
          result.multipleChoice[task][language] = summarize(items, predictions);
        },
      ]);
    }
  }

  const stopIds = lineStopIds(tokenizer);
  for (const task of suite.translation) {
    const { source, target, maxNewTokens } = task;
    parts.push([
      `translation ${source}-${target}`,
      async () => {
        const prompts = task.pairs.map((pair) => suite.translationPrompt({ text: pair.source, source, target, stage }));
        const lines = await generateLines(model, tokenizer, prompts, maxNewTokens, stopIds);
        result.translation.push(scoreTranslations(task, lines, suite.samples));
      },
    ]);
  }

  const { preference } = suite;
  if (preference && (stage === "sft" || stage === "dpo")) {
    parts.push([
      "preference",
      async () => {
        const accuracy = await preferenceAccuracy(model, preference.pairs);
        const prompts = preference.prompts.map(({ prompt }) => prompt);
        const answers = await generateLines(model, tokenizer, prompts, preference.maxNewTokens, stopIds);
        const baseline = options.baseline?.preference?.answers;
        result.preference = {
          accuracy,
          ...(baseline && { winLossTie: winLossTie(preference.prompts, answers, baseline) }),
          answers,
        };
      },
    ]);
  }

  for (const [done, [name, run]] of parts.entries()) {
    options.onProgress?.(name, done, parts.length);
    await run();
  }
  return result;
}

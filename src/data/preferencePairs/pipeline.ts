/**
 * @file Preference pairs (paper section 4.2): from sets that have them, selected; and from prompts, by sampling at least
 * two answers with different settings and judging them in both orders. What is not clearly preferred is dropped with its
 * reason; answers and transcripts are in the ledger.
 */

import type { ChatMessage } from "../../tokenizer/chatTemplate.ts";
import { UserError } from "../../util/assert.ts";
import type { Row } from "../files/readRows.ts";
import type { Identify } from "../generated/checks.ts";
import { type ChatModel, itemSeed, provenanceOf } from "../llm/chatModel.ts";
import { together } from "../llm/inOrder.ts";
import {
  failed,
  type InputRow,
  type JobCounts,
  type JobOptions,
  type Outcome,
  readInputs,
  runJob,
  type Unreadable,
} from "../llm/job.ts";
import { isRefusal } from "../llm/refusals.ts";
import type { Measure } from "../rules/measure.ts";
import { type Answer, type BothOrders, type Judge, judgeBothOrders } from "./judge.ts";
import { type Pair, type Read, readPreference } from "./layouts.ts";
import type { PreferencesRecipe } from "./recipe.ts";
import { lengthRatio, pairMeasures, promptKey, promptMeasures } from "./select.ts";
import { type JudgeStatistics, makeStatistics } from "./statistics.ts";

export interface PreferencesOptions extends Pick<JobOptions<InputRow>, "out" | "stop" | "onProgress"> {
  inputs: readonly string[];
  recipe: PreferencesRecipe;
  /** Those of recipe.sample, in its order. */
  models: readonly ChatModel[];
  judge: Judge;
  identify: Identify;
}

export interface PreferencesCounts extends JobCounts {
  /** The judge of sampled answers, and its statistics by language; without sampling there are none. */
  judge: string;
  judgements: Record<string, JudgeStatistics>;
}

type Item = InputRow & { read: Read; repeated: boolean };

/** Writes pairs.*, and ledger.jsonl, into `out`. */
export async function makePreferencePairs(options: PreferencesOptions): Promise<PreferencesCounts> {
  const { inputs, recipe, models, judge, identify, out, stop, onProgress } = options;
  if (inputs.length === 0) throw new UserError("preferences: no files; name row files (.jsonl, .json or .parquet)");
  if (recipe.use === "prompts" && !recipe.sample)
    throw new UserError('recipe: use "prompts" needs sample, the models that answer');
  const statistics = makeStatistics(judge.name);

  /** Reads rows; a prompt that is to be answered and was there before is not paid for again. */
  const items = async function* (): AsyncGenerator<Item | Unreadable> {
    const seen = new Set<string>();
    for await (const item of readInputs(inputs)) {
      if ("reason" in item) {
        yield item;
        continue;
      }
      let read = readPreference(item.row, recipe.seed, item.id);
      if (recipe.use === "prompts" && "pair" in read) read = { prompt: read.pair.prompt };
      const key = "prompt" in read ? promptKey(read.prompt) : undefined;
      yield { ...item, read, repeated: key !== undefined && seen.has(key) };
      if (key !== undefined) seen.add(key);
    }
  };

  async function work({ read, repeated, id, ordinal, row }: Item): Promise<Outcome> {
    if ("reason" in read) {
      if (read.dropped) return { outcome: "dropped", reason: read.reason };
      return { outcome: "quarantined", reason: read.reason, head: JSON.stringify(row).slice(0, 80) };
    }
    const prompt = "pair" in read ? read.pair.prompt : read.prompt;
    const { language } = identify(prompt.at(-1)!.content);
    const measures = promptMeasures(prompt, language, recipe.selection);
    const reason = failed(measures);
    if (reason !== null) return { outcome: "dropped", reason, language, measures };
    if ("pair" in read) return selected(read.pair, language, id, { measures });
    if (repeated) return { outcome: "dropped", reason: "repeatedPrompt", language, measures };
    if (!recipe.sample) return { outcome: "dropped", reason: "promptAlone", language, measures };
    const sampled = await sampleAndJudge(prompt, language, id, ordinal);
    const { details } = sampled;
    if (sampled.pair === null) return { outcome: "dropped", reason: sampled.reason, language, measures, details };
    return selected(sampled.pair, language, id, { measures, details });
  }

  function selected(pair: Pair, language: string, id: string, so: { measures: Measure[]; details?: Row }): Outcome {
    const measures = [...so.measures, ...pairMeasures(pair, language, identify, recipe.selection)];
    const reason = failed(measures);
    const ratio = lengthRatio(pair);
    const details = { lengthRatio: ratio, start: pair.prompt.at(-1)!.content.slice(0, 200), ...so.details };
    if (reason !== null) return { outcome: "dropped", reason, language, measures, details };
    return { outcome: "kept", row: trlRow(pair, language, id, ratio), language, measures, details };
  }

  async function sampleAndJudge(prompt: ChatMessage[], language: string, id: string, ordinal: number) {
    const { settings, maxTokens } = recipe.sample!;
    const answers = await together(
      settings.map(async (setting, k) => {
        const model = models[(ordinal + k) % models.length];
        const request = {
          messages: prompt,
          ...setting,
          maxTokens,
          seed: itemSeed(recipe.seed, "answer", id, String(k)),
        };
        const { text, finishReason } = await model.ask(request);
        const answer: Answer = { text: text.trim(), model: model.name, finishReason };
        return { ...answer, provenance: { ...provenanceOf(model, request) } };
      }),
    );
    const comparisons: (BothOrders & { answers: [number, number] })[] = [];
    const details = { answers, judge: judge.name, comparisons } as unknown as Row;
    if (new Set(answers.map(({ text }) => text)).size === 1) return { pair: null, reason: "identical", details };
    if (answers.every(({ text }) => isRefusal(text))) return { pair: null, reason: "bothRefuse", details };
    for (let i = 0; i < answers.length; i++)
      for (let j = i + 1; j < answers.length; j++) {
        if (answers[i].text === answers[j].text) continue;
        const two = [answers[i], answers[j]] as const;
        comparisons.push({ answers: [i, j], ...(await judgeBothOrders(judge, prompt, two, `${id}/${i}-${j}`)) });
      }
    for (const {
      answers: [i, j],
      ...result
    } of comparisons)
      statistics.add(language, [answers[i], answers[j]], result);
    const best = extremes(answers.length, comparisons);
    if ("reason" in best) return { pair: null, reason: best.reason, details };
    const [chosen, rejected] = [answers[best.chosen], answers[best.rejected]];
    const pair: Pair = {
      ...{ prompt, chosen: chosen.text, rejected: rejected.text, judge: judge.name, margin: null },
      ...{ chosenModel: chosen.model, rejectedModel: rejected.model },
    };
    return { pair, details };
  }

  /** A prompt has one pair: the first that is kept. */
  const kept = new Set<string>();
  function settle(outcome: Outcome, { read }: Item): Outcome {
    if (outcome.outcome !== "kept" || "reason" in read) return outcome;
    const key = promptKey("pair" in read ? read.pair.prompt : read.prompt);
    if (!kept.has(key)) {
      kept.add(key);
      return outcome;
    }
    const { language, measures, details } = outcome;
    return { outcome: "dropped", reason: "repeatedPrompt", language, measures, details };
  }

  const ahead = 4 * recipe.concurrency;
  const counts = await runJob({
    ...{ out, name: "pairs", kind: recipe.output, items: items(), work, settle, ahead, stop, onProgress },
  });
  return { ...counts, judge: judge.name, judgements: statistics.byLanguage() };
}

/**
 * The answer that wins most over the one that loses most, if it beats it. Of two answers: the winner, or why there is
 * none.
 */
export function extremes(
  count: number,
  comparisons: readonly (Pick<BothOrders, "winner" | "reason"> & { answers: [number, number] })[],
): { chosen: number; rejected: number } | { reason: string } {
  const score = new Array<number>(count).fill(0);
  const beats = new Set<string>();
  for (const { winner, answers } of comparisons) {
    if (winner === null) continue;
    const [better, worse] = [answers[winner], answers[1 - winner]];
    score[better]++;
    score[worse]--;
    beats.add(`${better} ${worse}`);
  }
  if (beats.size === 0) {
    const reasons = comparisons.map(({ reason }) => reason);
    return { reason: ["inconsistent", "unparsable"].find((one) => reasons.some((r) => r === one)) ?? "tie" };
  }
  const [chosen, rejected] = [score.indexOf(Math.max(...score)), score.indexOf(Math.min(...score))];
  const alone = (at: number) => score.filter((one) => one === score[at]).length === 1;
  const clear = alone(chosen) && alone(rejected) && beats.has(`${chosen} ${rejected}`);
  return clear ? { chosen, rejected } : { reason: "noClearWinner" };
}

/** As TRL reads it: prompt, chosen and rejected as messages; every row has every key, and none is null (row 35). */
export function trlRow(pair: Pair, language: string, id: string, ratio: number): Row {
  const answer = (content: string): ChatMessage[] => [{ role: "assistant", content }];
  return {
    ...{ id, language, prompt: pair.prompt, chosen: answer(pair.chosen), rejected: answer(pair.rejected) },
    ...{ judge: pair.judge, chosen_model: pair.chosenModel, rejected_model: pair.rejectedModel, length_ratio: ratio },
  };
}

/**
 * Log-likelihood multiple choice with the semantics of lm-evaluation-harness (EleutherAI), which the paper's
 * accuracies (Table 4) are usually measured with: the model reads the context and the choice with the highest
 * log-probability is its answer. Nothing is generated.
 *
 * We report acc_mutual_info: the choice that the context makes more likely than it was, log p(choice | context) -
 * log p(choice). Our choices are names and phrases, and tiny models have strong opinions about those before they have
 * read the question (surface form competition, Holtzman et al. 2021): with acc_norm a model that knew nothing got 13 %
 * of the cron items, with mutual information the 25 % of a guess. The harness's acc and acc_norm are kept beside it.
 */
import type { Tokenizer } from "../tokenizer/bpe.ts";
import type { MultipleChoiceResult } from "../util/results.ts";
import { wilson } from "../util/wilson.ts";
import type { LanguageModel, LoglikelihoodRequest } from "./languageModel.ts";

export interface MultipleChoiceItem {
  task: string;
  language: string;
  context: string;
  choices: string[];
  /** Index of the right choice. */
  answer: number;
  /** What separates context and choice; one space unless the language writes none. */
  delimiter?: string;
}

export interface Prediction {
  /** Summed log-probability of each choice, in nats. */
  logprobs: number[];
  /** Index of the answer by sum, by sum per code point, and by sum minus that without context; of equal the first. */
  acc: number;
  accNorm: number;
  mutualInformation: number;
}

/**
 * Token ids of (context, continuation). Spaces that end the context move to the continuation, because a token never
 * starts after one; the whole is encoded at once and split by the number of the context's tokens, so the split falls
 * where the tokenizer put it. Too long: the context loses tokens on its left, the continuation stays whole.
 */
export function encodePair(
  tokenizer: Tokenizer,
  context: string,
  continuation: string,
  contextLength: number,
): LoglikelihoodRequest {
  const given = context.replace(/\s+$/u, "");
  const whole = tokenizer.encode(context + continuation);
  const start = Math.min(given === "" ? 0 : tokenizer.encode(given).length, whole.length - 1);
  const scored = whole.slice(start);
  const room = contextLength - scored.length;
  if (room < 1) throw new Error(`encodePair: ${scored.length} tokens of choice leave no context of ${contextLength}`);
  // An empty context becomes <|endoftext|>: the first token needs something before it.
  const before = start === 0 ? [tokenizer.special.endOfText] : whole.slice(0, start);
  return { context: before.slice(-room), continuation: scored };
}

/** The model's answer to each item. */
export async function predict(
  model: LanguageModel,
  tokenizer: Tokenizer,
  items: MultipleChoiceItem[],
  contextLength: number,
): Promise<Prediction[]> {
  const ask = (contextOf: (item: MultipleChoiceItem) => string) =>
    model.loglikelihood(
      items.flatMap((item) =>
        item.choices.map((choice) =>
          encodePair(tokenizer, contextOf(item), (item.delimiter ?? " ") + choice, contextLength),
        ),
      ),
    );
  const [given, alone] = await Promise.all([ask(({ context }) => context), ask(() => "")]);
  let next = 0;
  return items.map(({ choices }) => {
    const at = next;
    next += choices.length;
    const logprobs = given.slice(at, next);
    return {
      logprobs,
      acc: argmax(logprobs),
      accNorm: argmax(logprobs.map((logprob, i) => logprob / [...choices[i]].length)),
      mutualInformation: argmax(logprobs.map((logprob, i) => logprob - alone[at + i])),
    };
  });
}

/** Accuracy of `predictions` with its interval and the accuracy of guessing. */
export function summarize(items: MultipleChoiceItem[], predictions: Prediction[]): MultipleChoiceResult {
  const hits = (kind: "acc" | "accNorm" | "mutualInformation") =>
    items.filter((item, i) => predictions[i][kind] === item.answer).length;
  return {
    ...wilson(hits("mutualInformation"), items.length),
    chance: items.reduce((sum, item) => sum + 1 / item.choices.length, 0) / items.length,
    acc: hits("acc") / items.length,
    accNorm: hits("accNorm") / items.length,
  };
}

/** Index of the largest value; of equal ones the first. */
function argmax(values: number[]): number {
  return values.reduce((best, value, i) => (value > values[best] ? i : best), 0);
}

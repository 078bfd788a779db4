/**
 * Log-likelihood multiple choice with the semantics of lm-evaluation-harness (EleutherAI), which the paper's
 * accuracies (Table 4) are usually measured with: the model reads the context and the choice with the highest
 * log-probability is its answer. Nothing is generated.
 *
 * We report acc_norm. Our choices are names and phrases of different length, and a sum of log-probabilities favours
 * short ones whatever the question; dividing by the length in code points removes most of that. (The harness does the
 * same for ARC and HellaSwag, the paper's tasks with free-text choices; for one-letter choices the two are equal.)
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
  /** Index of the answer by sum, and by sum per code point; of equal scores the first. */
  acc: number;
  accNorm: number;
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
  const requests = items.flatMap((item) =>
    item.choices.map((choice) => encodePair(tokenizer, item.context, (item.delimiter ?? " ") + choice, contextLength)),
  );
  const scores = await model.loglikelihood(requests);
  let next = 0;
  return items.map(({ choices }) => {
    const logprobs = choices.map(() => scores[next++]);
    return {
      logprobs,
      acc: argmax(logprobs),
      accNorm: argmax(logprobs.map((logprob, i) => logprob / [...choices[i]].length)),
    };
  });
}

/** Accuracy of `predictions` with its interval and the accuracy of guessing. */
export function summarize(items: MultipleChoiceItem[], predictions: Prediction[]): MultipleChoiceResult {
  const hits = (kind: "acc" | "accNorm") => items.filter((item, i) => predictions[i][kind] === item.answer).length;
  return {
    ...wilson(hits("accNorm"), items.length),
    chance: items.reduce((sum, item) => sum + 1 / item.choices.length, 0) / items.length,
    acc: hits("acc") / items.length,
  };
}

/** Index of the largest value; of equal ones the first. */
function argmax(values: number[]): number {
  return values.reduce((best, value, i) => (value > values[best] ? i : best), 0);
}

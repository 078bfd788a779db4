/**
 * @file Loss and accuracy of held-out answers during fine-tuning, by language and by the paper's groups of languages: what
 * the early-progress curve (the paper's Figure 7) is drawn from.
 */
import * as tf from "@tensorflow/tfjs-core";
import { isLanguage, languageGroup } from "../data/languages.ts";
import type { PackedRow } from "../data/pack.ts";
import { compile } from "../engine/engine.ts";
import type { Qwen2Config } from "../model/config.ts";
import { decoder, headWeight, type Parameters } from "../model/qwen2.ts";
import { causalMask } from "../ops/attention.ts";
import { linear } from "../ops/linear.ts";
import { tokenLogprobs } from "../ops/tokenLogprobs.ts";
import { groupBy } from "../util/arrays.ts";
import { batchOf } from "./batch.ts";
import type { StepMetrics } from "./loop.ts";

/** Packed rows, and the language of each example in them, in order of its place. */
export interface EvaluationRows {
  rows: readonly PackedRow[];
  languages: readonly (readonly string[])[];
}

export interface Evaluator {
  evaluate(parameters: Parameters, onProgress?: (done: number, total: number) => void): Promise<StepMetrics>;
  dispose(): void;
}

/** Scores that are held at once, of a chunk of the answers' tokens: 256 MB. */
const SCORES = 2 ** 26;

/** A token's place in its row and its label; whose it is. */
interface Target {
  at: number;
  label: number;
  language: string;
}

/**
 * `eval_loss` in nats per answer token and `eval_mean_token_accuracy` (the likeliest token is the answer's), of all, as
 * `eval_LANGUAGE_loss` of each language and as `eval_GROUP_loss` of english, chinese, otherHR and LR; names and the rule
 * for ties (the lowest id) as TRL's, but means over tokens, where the Trainer has means of its batches.
 */
export function makeChatEvaluator(config: Qwen2Config, { rows, languages }: EvaluationRows): Evaluator {
  const hiddenOf = compile(({ inputIds, positionIds, documentIds, ...parameters }) => {
    const mask = causalMask(documentIds);
    return { hidden: decoder(parameters, config, { inputIds, positionIds, mask }).hidden }; // [T, C]
  });
  const judge = compile(({ hidden, head, at, label }) => {
    const h = tf.gather(hidden, at); // [P, C]
    return { logprobs: tokenLogprobs(h, head, label), likeliest: tf.argMax(linear(h, head), 1) }; // [P], [P]
  });
  return {
    async evaluate(parameters, onProgress) {
      const sums = new Map<string, Sum>();
      for (const [r, row] of rows.entries()) {
        const T = row.inputIds.length;
        const P = Math.min(T, Math.max(16, Math.floor(SCORES / config.vocabSize)));
        const targets: Target[] = [];
        row.labels.forEach((label, t) => {
          if (t > 0 && label >= 0) targets.push({ at: t - 1, label, language: languages[r][row.documentIds[t] - 1] });
        });
        const { labels, ...batch } = batchOf([row]);
        const { hidden } = hiddenOf({ ...batch, ...parameters });
        const head = headWeight(parameters, config);
        for (let from = 0; from < targets.length; from += P) {
          const chunk = targets.slice(from, from + P);
          const padded = (name: "at" | "label") =>
            tf.tensor1d(
              Array.from({ length: P }, (_, i) => chunk[i]?.[name] ?? 0),
              "int32",
            );
          const inputs = { at: padded("at"), label: padded("label") };
          const outputs = judge({ hidden, head, ...inputs });
          const [logprobs, likeliest] = [await outputs.logprobs.data(), await outputs.likeliest.data()];
          chunk.forEach(({ language, label }, i) => {
            add(sums, language, { nats: -logprobs[i], correct: Number(likeliest[i] === label), tokens: 1 });
          });
          tf.dispose([inputs, outputs]);
        }
        tf.dispose([labels, batch, hidden]);
        onProgress?.(r + 1, rows.length);
      }
      return metricsOf(sums);
    },
    dispose() {
      hiddenOf.dispose();
      judge.dispose();
    },
  };
}

interface Sum {
  nats: number;
  correct: number;
  tokens: number;
}

function add(sums: Map<string, Sum>, name: string, more: Sum) {
  const sum = sums.get(name) ?? { nats: 0, correct: 0, tokens: 0 };
  sums.set(name, sum);
  sum.nats += more.nats;
  sum.correct += more.correct;
  sum.tokens += more.tokens;
}

/** The paper's group of a language; undefined for one that the paper has not. */
export const groupOfLanguage = (language: string) => (isLanguage(language) ? languageGroup(language) : undefined);

function metricsOf(byLanguage: Map<string, Sum>): StepMetrics {
  const metrics: StepMetrics = {};
  const put = (prefix: string, { nats, correct, tokens }: Sum) => {
    metrics[`${prefix}_loss`] = nats / tokens;
    metrics[`${prefix}_mean_token_accuracy`] = correct / tokens;
  };
  const names = [...byLanguage.keys()].sort();
  const together = (members: readonly string[]) => {
    const sums = new Map<string, Sum>();
    for (const name of members) add(sums, "all", byLanguage.get(name)!);
    return sums.get("all")!;
  };
  if (names.length > 0) put("eval", together(names));
  for (const [group, members] of groupBy(names, groupOfLanguage)) if (group) put(`eval_${group}`, together(members));
  for (const name of names) put(`eval_${name}`, byLanguage.get(name)!);
  return metrics;
}

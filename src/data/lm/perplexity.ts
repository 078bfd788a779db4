/**
 * @file How surprised a language model is by a document, and from which perplexity on a document is dropped.
 *
 * The paper drops documents whose KenLM perplexity is "largely above average" (section 3.1.1) and gives no number.
 * CHOSEN: over the mean of the log-perplexity by more than two standard deviations, in each language. The 90th
 * percentile (CulturaX) and fixed caps (ROOTS) are there too.
 */
import { UserError } from "../../util/assert.ts";
import { quantile } from "../../util/quantile.ts";
import type { Measure } from "../rules/measure.ts";
import { normalizeAsCcnet } from "./ccnet.ts";
import { type NgramModel, scoreSentence } from "./ngramModel.ts";

/** A line's tokens as the model was trained on: words, or the ids of the project's tokenizer as strings. */
export type Tokenize = (line: string) => readonly string[];

/**
 * - `per-line`: each line is a sentence; lines without tokens count for nothing.
 * - `ccnet-compat`: the document is one sentence of normalised text ({@link normalizeAsCcnet}), and the perplexity has
 *   one decimal, as in CCNet's files and datatrove's port.
 */
export type PerplexityMode = "per-line" | "ccnet-compat";

/** 10 ^ -(log10 probability / tokens), each line's end being a token. Null for a text without tokens. Never infinite. */
export function documentPerplexity(
  model: NgramModel,
  text: string,
  tokenize: Tokenize,
  mode: PerplexityMode = "per-line",
): number | null {
  const lines = mode === "per-line" ? text.split("\n") : [normalizeAsCcnet(text)];
  let logProb = 0;
  let length = 0;
  for (const line of lines) {
    const tokens = tokenize(line);
    if (tokens.length === 0) continue;
    logProb += scoreSentence(model, tokens).logProb;
    length += tokens.length + 1;
  }
  if (length === 0) return null;
  const perplexity = Math.min(10 ** (-logProb / length), Number.MAX_VALUE);
  return mode === "per-line" ? perplexity : Number(perplexity.toFixed(1));
}

/** How a limit is found: from the perplexities of a language's sample, or given. */
export type CutoffRule =
  | { rule: "sd"; deviations?: number }
  | { rule: "percentile"; percent?: number }
  | { rule: "caps"; caps: Readonly<Record<string, number>> };

export interface PerplexityCutoff {
  limit: number;
  /** In words, with the numbers that it came from. */
  derivedFrom: string;
}

/** ROOTS' caps by language, for ROOTS' own models (SentencePiece tokens, order 5): a cap says nothing of another model. */
export const ROOTS_CAPS: Readonly<Record<string, number>> = {
  ar: 2300,
  bn: 2000,
  en: 1500,
  es: 1300,
  fr: 1770,
  id: 5000,
  pt: 3038,
  ur: 1495,
  vi: 1600,
  zh: 2095,
};

/** CHOSEN, see the top of this file. */
const DEFAULT_DEVIATIONS = 2;
/** CulturaX' percentile for measures that should be low. */
const DEFAULT_PERCENT = 90;

/**
 * The cut-off of one language from its sample's perplexities (null where a text had none). Null when there is nothing to
 * derive it from: an empty sample, or no cap for the language.
 */
export function perplexityCutoff(
  language: string,
  perplexities: readonly (number | null)[],
  rule: CutoffRule = { rule: "sd" },
): PerplexityCutoff | null {
  if (rule.rule === "caps") {
    const limit = Object.hasOwn(rule.caps, language) ? rule.caps[language] : undefined;
    if (limit === undefined) return null;
    if (!(limit > 0 && limit < Number.POSITIVE_INFINITY)) {
      throw new UserError(`The perplexity cap of "${language}" is ${limit}; expected a finite number over 0`);
    }
    return { limit, derivedFrom: `given for ${language}` };
  }
  const sample = perplexities.filter((value) => value !== null);
  if (sample.length === 0) return null;
  const of = `of the perplexities of ${sample.length} documents in ${language}`;
  if (rule.rule === "percentile") {
    const percent = inRange(rule.percent ?? DEFAULT_PERCENT, 0, 100, "percentile of the perplexity");
    return { limit: quantile(sample, percent / 100), derivedFrom: `percentile ${percent} ${of}` };
  }
  const deviations = inRange(rule.deviations ?? DEFAULT_DEVIATIONS, 0, 100, "number of standard deviations");
  const logs = sample.map(Math.log);
  const mean = logs.reduce((sum, x) => sum + x, 0) / logs.length;
  const sd = Math.sqrt(logs.reduce((sum, x) => sum + (x - mean) ** 2, 0) / logs.length);
  const limit = Math.min(Math.exp(mean + deviations * sd), Number.MAX_VALUE);
  const numbers = `exp(${mean.toFixed(4)} + ${deviations} x ${sd.toFixed(4)})`;
  return { limit, derivedFrom: `${numbers}: mean and standard deviation of the logarithms ${of}` };
}

export interface PerplexityMeasure extends Measure {
  derivedFrom: string;
}

/** The ledger's entry, or null for a text without tokens: it has no perplexity. */
export function measurePerplexity(perplexity: number | null, cutoff: PerplexityCutoff): PerplexityMeasure | null {
  return perplexity === null ? null : { rule: "lm.perplexity", value: perplexity, keep: "atMost", ...cutoff };
}

function inRange(value: number, low: number, high: number, what: string): number {
  if (!(value >= low && value <= high)) throw new UserError(`The ${what} is ${value}; expected ${low} to ${high}`);
  return value;
}

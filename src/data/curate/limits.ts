/**
 * @file Limits of a recipe from a ledger: per language the percentiles of CulturaX (rules/thresholds.ts), and of the
 * perplexity the paper's "largely above average". Of a large run a sample of each language is looked at.
 */
import { makeRandom } from "../../util/random.ts";
import { type PerplexityCutoff, perplexityCutoff } from "../lm/perplexity.ts";
import { deriveLimits } from "../rules/thresholds.ts";
import { PERPLEXITY } from "./across.ts";
import type { LedgerLine, StageMeasure } from "./ledger.ts";

/** Documents of a language that are looked at; of more, so many by chance (reservoir sampling). CHOSEN. */
const SAMPLE = 20_000;

/** No percentile of these: the perplexity has a rule of its own, and a text is empty or not. */
const OTHERWISE = [PERPLEXITY, "empty"];

export interface RecipeLimits {
  rules: { limitsByLanguage: Record<string, Record<string, number>> };
  perplexity?: { limit: Record<string, number> };
}

/** Of documents whose language was identified. */
export async function deriveRecipeLimits(lines: AsyncIterable<LedgerLine>, sample = SAMPLE): Promise<RecipeLimits> {
  const random = makeRandom(1, "limits");
  const seen = new Map<string, { count: number; measures: StageMeasure[][] }>();
  for await (const { language, measures } of lines) {
    const rules = measures.filter(({ stage }) => stage !== "url" && stage !== "extract" && stage !== "language");
    if (language === null || rules.length === 0) continue;
    const known = seen.get(language) ?? { count: 0, measures: [] };
    seen.set(language, known);
    const place = known.count++ < sample ? known.count - 1 : random.int(known.count);
    if (place < sample) known.measures[place] = rules;
  }
  const languages = [...seen].sort(([a], [b]) => (a < b ? -1 : 1));
  const limitsByLanguage = Object.fromEntries(
    languages.map(([language, { measures }]) => {
      const derived = deriveLimits(measures.map((all) => all.filter(({ rule }) => !OTHERWISE.includes(rule))));
      const changed = derived.filter(({ limit, published }) => limit !== published);
      return [language, Object.fromEntries(changed.map(({ rule, limit }) => [rule, Number(limit.toPrecision(4))]))];
    }),
  );
  const cutoffs = languages.flatMap(([language, { measures }]): [string, PerplexityCutoff][] => {
    const values = measures.flatMap((all) => all.filter(({ rule }) => rule === PERPLEXITY).map(({ value }) => value));
    const cutoff = perplexityCutoff(language, values);
    return cutoff ? [[language, cutoff]] : [];
  });
  const limit = Object.fromEntries(cutoffs.map(([language, { limit }]) => [language, Number(limit.toPrecision(4))]));
  return { rules: { limitsByLanguage }, ...(cutoffs.length > 0 ? { perplexity: { limit } } : {}) };
}

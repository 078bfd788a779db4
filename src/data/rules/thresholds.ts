/**
 * @file Limits from a sample's own distribution, per language, as CulturaX does and the paper after it: the 10th
 * percentile for what should be high, the 90th for what should be low. CHOSEN: never further than a factor of two from
 * the number that was set before, so that a bad sample cannot switch a rule off. Both numbers stay in the record.
 */
import { quantile } from "../../util/quantile.ts";
import type { Measure } from "./measure.ts";

export interface DerivedLimit {
  rule: string;
  keep: Measure["keep"];
  /** What the rule set says. */
  published: number;
  /** The sample's percentile. */
  percentile: number;
  /** The percentile, clipped to [0.5, 2] times the published limit: the limit to use. */
  limit: number;
  documents: number;
}

/** Share of the sample beyond the percentile. */
const TAIL = 0.1;

/** `sample`: the measures of each document, all in one language. */
export function deriveLimits(sample: Iterable<readonly Measure[]>): DerivedLimit[] {
  const rules = new Map<string, { measure: Measure; values: number[] }>();
  for (const measures of sample) {
    for (const measure of measures) {
      const seen = rules.get(measure.rule);
      if (seen) seen.values.push(measure.value);
      else rules.set(measure.rule, { measure, values: [measure.value] });
    }
  }
  return [...rules.values()].map(({ measure: { rule, keep, limit: published }, values }) => {
    const percentile = quantile(values, keep === "atLeast" ? TAIL : 1 - TAIL);
    const [low, high] = published < 0 ? [2 * published, published / 2] : [published / 2, 2 * published];
    const off = keep === "atMost" && published === 1; // a share may be all: the rule is off, and stays so
    const limit = off ? 1 : Math.min(high, Math.max(low, percentile));
    return { rule, keep, published, percentile, limit, documents: values.length };
  });
}

/** The measures with the derived limits in place of the published ones. */
export function withLimits(measures: readonly Measure[], limits: ReadonlyMap<string, number>): Measure[] {
  return measures.map((measure) => ({ ...measure, limit: limits.get(measure.rule) ?? measure.limit }));
}

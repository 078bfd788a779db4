/** @file What a rule measured of a document, and what the number is compared with. */

export interface Measure {
  /** Name of the rule with its source, e.g. "gopher.wordCount". */
  rule: string;
  /** Never NaN: what cannot be measured is 0, or has no measure. */
  value: number;
  limit: number;
  /** The document is kept while the value is at least, or at most, the limit. */
  keep: "atLeast" | "atMost";
}

export const passes = ({ value, limit, keep }: Measure) => (keep === "atLeast" ? value >= limit : value <= limit);

/** How far inside the limit, in the value's own unit; negative where the document is dropped. */
export const margin = ({ value, limit, keep }: Measure) => (keep === "atLeast" ? value - limit : limit - value);

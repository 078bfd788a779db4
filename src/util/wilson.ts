/**
 * A proportion with its 95 % Wilson score interval (Wilson, 1927). Unlike the normal interval it stays inside [0, 1]
 * and keeps a width at 0 of n and n of n, which small test sets often give.
 */
import type { Proportion } from "./results.ts";

/** The 97.5th percentile of the standard normal distribution. */
const Z = 1.959963984540054;

/** `correct` successes in `n` trials. With no trials nothing is known: value NaN is refused, so n must be positive. */
export function wilson(correct: number, n: number): Proportion {
  if (!(n > 0 && correct >= 0 && correct <= n)) throw new Error(`wilson: ${correct} of ${n} is not a proportion`);
  const value = correct / n;
  const centre = value + (Z * Z) / (2 * n);
  const spread = Z * Math.sqrt((value * (1 - value)) / n + (Z * Z) / (4 * n * n));
  const scale = 1 + (Z * Z) / n;
  return {
    n,
    correct,
    value,
    low: correct === 0 ? 0 : (centre - spread) / scale,
    high: correct === n ? 1 : (centre + spread) / scale,
  };
}

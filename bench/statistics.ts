/**
 * @file Medians of timings and how far they can be believed.
 */

import { quantile } from "../src/util/quantile.ts";

const sorted = (values: readonly number[]) => [...values].sort((a, b) => a - b);

export const median = (values: readonly number[]) => quantile(values, 0.5);

export interface Interval {
  median: number;
  low: number;
  high: number;
  /** How often such an interval holds the true median: 0.95 or more, but less for five values and fewer. */
  coverage: number;
}

/**
 * The median with an interval free of assumptions on the distribution: from the k-th smallest to the k-th largest value,
 * k as large as 95 % allow, for a true median lies below the k-th smallest of n only when fewer than k coins of n fall
 * on one side.
 */
export function medianInterval(values: readonly number[]): Interval {
  const order = sorted(values);
  const n = order.length;
  let outside = 2 * 0.5 ** n; // P(beyond the k-th on either side), k = 1
  let term = 0.5 ** n; // C(n, k) / 2ⁿ
  let k = 1;
  for (;;) {
    term *= (n - k + 1) / k;
    if (k + 1 > (n + 1) / 2 || outside + 2 * term > 0.05) break;
    outside += 2 * term;
    k++;
  }
  return { median: median(order), low: order[k - 1], high: order[n - k], coverage: 1 - outside };
}

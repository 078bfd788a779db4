/** @file The few functions that every loss here is made of, in float64, finite for every finite argument. */

/** 1 / (1 + e^-x). */
export const sigmoid = (x: number) => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x)));

/** ln(1 + e^x) = -log σ(-x). The naive form overflows from 710 on (from 89 on in float32). */
export const softplus = (x: number) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

/** The indices of `values`, smallest value first; equal values in their order. */
export const ascending = (values: readonly number[]) =>
  values.map((_, i) => i).sort((i, j) => values[i] - values[j] || i - j);

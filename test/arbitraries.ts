/** @file Random inputs that more than one folder of tests draws. */
import fc from "fast-check";

/** A number drawn evenly; fc.double draws bit patterns, nine in ten of them nearer to 0 than 1e-6. */
export const between = (min: number, max: number) =>
  fc.integer({ min: 0, max: 2 ** 30 }).map((n) => min + ((max - min) * n) / 2 ** 30);

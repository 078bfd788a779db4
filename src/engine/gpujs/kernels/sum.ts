/**
 * @file Sums of many rows in steps. One thread per column that adds up thousands of rows would leave a GPU nearly idle,
 * and one float32 sum over millions of numbers loses digits (2^24 + 1 is 2^24): so rows are first added in groups.
 */
import type { Matrix, Program, Thread } from "../launch.ts";

/** x [N, C] -> [⌈N / R⌉, C]: the sum of each group of R rows; the last group may be smaller. */
export function rowGroupSums(this: Thread, x: number[][]): number {
  let sum = 0;
  for (let i = 0; i < this.constants.R; i++) {
    const n = this.thread.y * this.constants.R + i;
    if (n < this.constants.N) sum += x[n][this.thread.x];
  }
  return sum;
}

/** Rows that one thread adds up. */
export const GROUP = 64;

/** x [N, C] -> [1, C]: the sum of all rows. */
export function columnSums(p: Program, x: Matrix): Matrix {
  if (x.rows === 1) return x;
  const groups = Math.ceil(x.rows / GROUP);
  return columnSums(p, p.launch(rowGroupSums, [x], [groups, x.columns], { R: GROUP, N: x.rows }));
}

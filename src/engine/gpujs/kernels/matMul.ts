/**
 * @file Matrix products, which take nearly all the time of a training step. In each, one thread walks along the dimension
 * that both matrices share and adds up products of their numbers.
 *
 *   matMul             C = A B      C[m, n] = Σₖ A[m, k] B[k, n]
 *   matMulTransposedB  C = A Bᵀ     C[m, n] = Σₖ A[m, k] B[n, k]     a linear layer: y = x Wᵀ
 *   matMulTransposedA  C = Aᵀ B     C[m, n] = Σₖ A[k, m] B[k, n]     its weight's gradient: dW = dyᵀ x
 *
 * A thread of these reads two numbers for every product. A thread of the blocked kernels computes four rows of one column
 * and reads five numbers for four products: two to three times as fast (docs/gpujs.md). GPU.js returns at most four
 * numbers from a thread and writes them side by side, so {@link ungroupRows} puts the rows where they belong.
 */
import type { Matrix, Program, Thread } from "../launch.ts";

/** a [M, K], b [K, N] -> [M, N]. */
export function matMul(this: Thread, a: number[][], b: number[][]): number {
  let sum = 0;
  for (let k = 0; k < this.constants.K; k++) sum += a[this.thread.y][k] * b[k][this.thread.x];
  return sum;
}

/** a [M, K], b [N, K] -> [M, N]. */
export function matMulTransposedB(this: Thread, a: number[][], b: number[][]): number {
  let sum = 0;
  for (let k = 0; k < this.constants.K; k++) sum += a[this.thread.y][k] * b[this.thread.x][k];
  return sum;
}

/** a [K, M], b [K, N] -> [M, N]. */
export function matMulTransposedA(this: Thread, a: number[][], b: number[][]): number {
  let sum = 0;
  for (let k = 0; k < this.constants.K; k++) sum += a[k][this.thread.y] * b[k][this.thread.x];
  return sum;
}

/** a [M, K], b [K, N] -> [M/4, 4N]: rows 4y to 4y + 3 of column x side by side. */
export function blockedMatMul(this: Thread, a: number[][], b: number[][]): number[] {
  let c0 = 0;
  let c1 = 0;
  let c2 = 0;
  let c3 = 0;
  for (let k = 0; k < this.constants.K; k++) {
    const value = b[k][this.thread.x];
    c0 += a[this.thread.y * 4][k] * value;
    c1 += a[this.thread.y * 4 + 1][k] * value;
    c2 += a[this.thread.y * 4 + 2][k] * value;
    c3 += a[this.thread.y * 4 + 3][k] * value;
  }
  return [c0, c1, c2, c3];
}

/** a [M, K], b [N, K] -> [M/4, 4N]. */
export function blockedMatMulTransposedB(this: Thread, a: number[][], b: number[][]): number[] {
  let c0 = 0;
  let c1 = 0;
  let c2 = 0;
  let c3 = 0;
  for (let k = 0; k < this.constants.K; k++) {
    const value = b[this.thread.x][k];
    c0 += a[this.thread.y * 4][k] * value;
    c1 += a[this.thread.y * 4 + 1][k] * value;
    c2 += a[this.thread.y * 4 + 2][k] * value;
    c3 += a[this.thread.y * 4 + 3][k] * value;
  }
  return [c0, c1, c2, c3];
}

/** a [K, M], b [K, N] -> [M/4, 4N]. */
export function blockedMatMulTransposedA(this: Thread, a: number[][], b: number[][]): number[] {
  let c0 = 0;
  let c1 = 0;
  let c2 = 0;
  let c3 = 0;
  for (let k = 0; k < this.constants.K; k++) {
    const value = b[k][this.thread.x];
    c0 += a[k][this.thread.y * 4] * value;
    c1 += a[k][this.thread.y * 4 + 1] * value;
    c2 += a[k][this.thread.y * 4 + 2] * value;
    c3 += a[k][this.thread.y * 4 + 3] * value;
  }
  return [c0, c1, c2, c3];
}

/** grouped [M/4, 4N] -> [M, N]. */
export function ungroupRows(this: Thread, grouped: number[][]): number {
  const group = Math.floor((this.thread.y + 0.5) / 4);
  return grouped[group][this.thread.x * 4 + this.thread.y - group * 4];
}

/** grouped [M/4, 4N], row [1, N] -> [M, N]: with a bias. */
export function ungroupRowsAddRow(this: Thread, grouped: number[][], row: number[][]): number {
  const group = Math.floor((this.thread.y + 0.5) / 4);
  return grouped[group][this.thread.x * 4 + this.thread.y - group * 4] + row[0][this.thread.x];
}

/** grouped [M/4, 4N], addend [M, N] -> [M, N]: with a residual. */
export function ungroupRowsAdd(this: Thread, grouped: number[][], addend: number[][]): number {
  const group = Math.floor((this.thread.y + 0.5) / 4);
  return grouped[group][this.thread.x * 4 + this.thread.y - group * 4] + addend[this.thread.y][this.thread.x];
}

const KERNELS = {
  plain: { kernel: matMul, blocked: blockedMatMul },
  transposedB: { kernel: matMulTransposedB, blocked: blockedMatMulTransposedB },
  transposedA: { kernel: matMulTransposedA, blocked: blockedMatMulTransposedA },
};

export type ProductKind = keyof typeof KERNELS;

function sizesOf(kind: ProductKind, a: Matrix, b: Matrix): { M: number; N: number; K: number } {
  const N = kind === "transposedB" ? b.rows : b.columns;
  return kind === "transposedA" ? { M: a.columns, N, K: a.rows } : { M: a.rows, N, K: a.columns };
}

/** A sum of fewer is over before the second launch has paid. */
const SHORTEST_BLOCKED = 8;

/** The product with its rows in groups, [M/4, 4N], for one of the kernels that ungroup; null: not worth it. */
export function groupedProduct(p: Program, kind: ProductKind, a: Matrix, b: Matrix): Matrix | null {
  const { M, N, K } = sizesOf(kind, a, b);
  if (M % 4 !== 0 || K < SHORTEST_BLOCKED) return null;
  return p.launchFours(KERNELS[kind].blocked, [a, b], [M / 4, N], { K });
}

/** The product [M, N], blocked where its rows come in fours. */
export function product(p: Program, kind: ProductKind, a: Matrix, b: Matrix): Matrix {
  const { M, N, K } = sizesOf(kind, a, b);
  const grouped = groupedProduct(p, kind, a, b);
  if (grouped) return p.launch(ungroupRows, [grouped], [M, N]);
  return p.launch(KERNELS[kind].kernel, [a, b], [M, N], { K });
}

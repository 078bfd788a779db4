/**
 * @file Matrix products, which take nearly all the time of a training step. In each, one thread computes one number:
 * it walks along the dimension that both matrices share and adds up products.
 *
 *   matMul             C = A B      C[m, n] = Σₖ A[m, k] B[k, n]
 *   matMulTransposedB  C = A Bᵀ     C[m, n] = Σₖ A[m, k] B[n, k]     a linear layer: y = x Wᵀ
 *   matMulTransposedA  C = Aᵀ B     C[m, n] = Σₖ A[k, m] B[k, n]     its weight's gradient: dW = dyᵀ x
 */
import type { Thread } from "../launch.ts";

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

/**
 * @file RMSNorm (Zhang & Sennrich 2019, arXiv 1910.07467, eq. 4; Qwen2: no bias, no mean).
 *
 *   r = (mean(x²) + ε)^-½      y = x r ∘ w
 *   with u = x r:  dx = r (dy ∘ w - u mean(dy ∘ u ∘ w))      dw = Σₙ dy ∘ u
 */
import { type Matrix, type Program, registerLaunches, type Thread } from "../launch.ts";
import { columnSums, GROUP } from "./sum.ts";

/** x [N, C] -> r [N, 1]. */
export function inverseRms(this: Thread, x: number[][]): number {
  let squares = 0;
  for (let c = 0; c < this.constants.C; c++) squares += x[this.thread.y][c] * x[this.thread.y][c];
  return 1 / Math.sqrt(squares / this.constants.C + this.constants.epsilon);
}

/** x [N, C], weight [1, C], r [N, 1] -> y [N, C]. */
export function rmsNorm(this: Thread, x: number[][], weight: number[][], r: number[][]): number {
  return x[this.thread.y][this.thread.x] * r[this.thread.y][0] * weight[0][this.thread.x];
}

/** x [N, C], weight [1, C], dy [N, C], r [N, 1] -> mean(dy ∘ u ∘ w) [N, 1]. */
export function rmsNormMean(this: Thread, x: number[][], weight: number[][], dy: number[][], r: number[][]): number {
  let sum = 0;
  for (let c = 0; c < this.constants.C; c++) sum += dy[this.thread.y][c] * x[this.thread.y][c] * weight[0][c];
  return (sum * r[this.thread.y][0]) / this.constants.C;
}

/** x [N, C], weight [1, C], dy [N, C], r [N, 1], mean [N, 1] -> dx [N, C]. */
export function rmsNormGradient(
  this: Thread,
  x: number[][],
  weight: number[][],
  dy: number[][],
  r: number[][],
  mean: number[][],
): number {
  const u = x[this.thread.y][this.thread.x] * r[this.thread.y][0];
  const flow = dy[this.thread.y][this.thread.x] * weight[0][this.thread.x];
  return r[this.thread.y][0] * (flow - u * mean[this.thread.y][0]);
}

/** x [N, C], dy [N, C], r [N, 1] -> dw by groups of R rows [⌈N / R⌉, C]; rowGroupSums adds those up. */
export function rmsNormWeightGradient(this: Thread, x: number[][], dy: number[][], r: number[][]): number {
  let sum = 0;
  for (let i = 0; i < this.constants.R; i++) {
    const n = this.thread.y * this.constants.R + i;
    if (n < this.constants.N) sum += dy[n][this.thread.x] * x[n][this.thread.x] * r[n][0];
  }
  return sum;
}

const inverse = (p: Program, x: Matrix, epsilon: unknown) =>
  p.launch(inverseRms, [x], [x.rows, 1], { C: x.columns, epsilon: epsilon as number });

registerLaunches("RmsNorm", (p, [x, weight], node) => {
  const r = inverse(p, x, node.attributes.epsilon); // [N, 1]
  return p.launch(rmsNorm, [x, weight, r], [x.rows, x.columns]);
});

registerLaunches("RmsNormGrad", (p, [x, weight, dy], node) => {
  const [N, C] = [x.rows, x.columns];
  const r = inverse(p, x, node.attributes.epsilon); // [N, 1]
  const mean = p.launch(rmsNormMean, [x, weight, dy, r], [N, 1], { C });
  const dx = p.launch(rmsNormGradient, [x, weight, dy, r, mean], [N, C]);
  const groups = p.launch(rmsNormWeightGradient, [x, dy, r], [Math.ceil(N / GROUP), C], { R: GROUP, N });
  return [dx, columnSums(p, groups)];
});

/**
 * @file The norm of all gradients together, ‖g‖ = √Σ g², and by how much a step is scaled down so that it is at most
 * `maxGradNorm` (Pascanu et al. 2013, arXiv 1211.5063; as torch.nn.utils.clip_grad_norm_): min(1, max / (‖g‖ + 10⁻⁶)).
 *
 * Each gradient's squares are added row by row, then its rows in groups, then all of it to the total of those before:
 * one float32 sum over 2^24 squares would lose a percent.
 */
import { registerLaunches, type Thread } from "../launch.ts";
import { GROUP, rowGroupSums } from "./sum.ts";

/** g [N, C] -> [N, 1]. */
export function rowSquares(this: Thread, g: number[][]): number {
  let sum = 0;
  for (let c = 0; c < this.constants.C; c++) sum += g[this.thread.y][c] * g[this.thread.y][c];
  return sum;
}

/** squares [N, 1], total [1, 1] -> total [1, 1]. */
export function addToTotal(this: Thread, squares: number[][], total: number[][]): number {
  let sum = 0;
  for (let n = 0; n < this.constants.N; n++) sum += squares[n][0];
  return total[0][0] + sum;
}

/** squares [1, 1] -> ‖g‖ [1, 1]. */
export function norm(this: Thread, squares: number[][]): number {
  return Math.sqrt(squares[0][0]);
}

/** norm [1, 1] -> [1, 1]; the constant maxGradNorm. */
export function clipScale(this: Thread, norm: number[][]): number {
  const scale = this.constants.maxGradNorm / (norm[0][0] + 1e-6);
  if (scale > 1) return 1;
  return scale;
}

registerLaunches("GlobalNorm", (p, gradients) => {
  let total = p.values([0]);
  for (const g of gradients) {
    let squares = p.launch(rowSquares, [g], [g.rows, 1], { C: g.columns }); // [N, 1]
    while (squares.rows > GROUP)
      squares = p.launch(rowGroupSums, [squares], [Math.ceil(squares.rows / GROUP), 1], { R: GROUP, N: squares.rows });
    total = p.launch(addToTotal, [squares, total], [1, 1], { N: squares.rows });
  }
  return p.launch(norm, [total], [1, 1]);
});

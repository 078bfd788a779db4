/**
 * @file Rotary position embedding on halves (Su et al. 2021, arXiv 2104.09864, eq. 34, in Hugging Face's order). For
 * each head, with x = [a, b] split in the middle and angles φ:
 *
 *   y = [a cos φ - b sin φ, b cos φ + a sin φ]      dx = the same with -sin φ for sin φ
 */
import { registerLaunches, type Thread } from "../launch.ts";

/** x [N, heads·D], cos and sin [N, D/2] -> [N, heads·D]; the constant half is D/2. */
export function rope(this: Thread, x: number[][], cos: number[][], sin: number[][]): number {
  const D = 2 * this.constants.half;
  const i = this.thread.x - D * Math.floor((this.thread.x + 0.5) / D); // column in its head
  if (i < this.constants.half)
    return (
      x[this.thread.y][this.thread.x] * cos[this.thread.y][i] -
      x[this.thread.y][this.thread.x + this.constants.half] * sin[this.thread.y][i]
    );
  return (
    x[this.thread.y][this.thread.x] * cos[this.thread.y][i - this.constants.half] +
    x[this.thread.y][this.thread.x - this.constants.half] * sin[this.thread.y][i - this.constants.half]
  );
}

registerLaunches("Rope", (p, [x, cos, sin]) =>
  p.launch(rope, [x, cos, sin], [x.rows, x.columns], { half: cos.columns }),
);

/**
 * @file Sine and cosine. WebGPU's own may be wrong by 2^-11, which rotary embeddings would carry into every logit; these
 * are the textbook ones: take n quarter turns off in three exact parts (Cody & Waite), then Cephes' polynomials on
 * [-π/4, π/4].
 *
 *   x = n π/2 + r      sin x = ±sin r or ±cos r, by n mod 4      cos x = sin(x + π/2)
 */
import { registerLaunches, type Thread } from "../launch.ts";

/** x [N, C] -> sin(x + shift · π/2) [N, C]; good to 30,000 radians. */
export function sine(this: Thread, x: number[][]): number {
  const a = x[this.thread.y][this.thread.x];
  const n = Math.floor(a * 0.6366197723675814 + 0.5);
  const r = a - n * 1.5703125 - n * 4.837512969970703e-4 - n * 7.549789954891881e-8;
  const z = r * r;
  const sin = ((-1.9515295891e-4 * z + 8.3321608736e-3) * z - 1.6666654611e-1) * z * r + r;
  const bent = ((2.443315711809948e-5 * z - 1.388731625493765e-3) * z + 4.166664568298827e-2) * z * z;
  const cos = bent - z * 0.5 + 1;
  const turns = n + this.constants.shift;
  const quadrant = turns - Math.floor(turns * 0.25) * 4;
  if (quadrant === 0) return sin;
  if (quadrant === 1) return cos;
  if (quadrant === 2) return -sin;
  return -cos;
}

/** x [N, C] -> tan x [N, C]. */
export function quotient(this: Thread, a: number[][], b: number[][]): number {
  return a[this.thread.y][this.thread.x] / b[this.thread.y][this.thread.x];
}

registerLaunches("Sin", (p, [x]) => p.launch(sine, [x], [x.rows, x.columns], { shift: 0 }));
registerLaunches("Cos", (p, [x]) => p.launch(sine, [x], [x.rows, x.columns], { shift: 1 }));
registerLaunches("Tan", (p, [x]) => {
  const size = [x.rows, x.columns] as const;
  const [sin, cos] = [0, 1].map((shift) => p.launch(sine, [x], size, { shift }));
  return p.launch(quotient, [sin, cos], size);
});

/**
 * @file The kernels of attention.ts with four rows to a thread, as matMul.ts has its blocked products: four queries (or,
 * in the gradient of keys and values, four keys) share what is read of the other side. Two to four times as fast
 * (docs/gpujs.md); for lengths that are multiples of four. Formulas, layouts and letters are those of attention.ts.
 *
 * A thread's rows are in one head, so rows here are (b, h, t) for results of width D too; {@link ungroupHeads} puts them
 * where they belong, (b, t) by (h, d).
 */
import type { Matrix, Program, Thread } from "../launch.ts";
import { ungroupRows } from "./matMul.ts";

/** spans [N, 2] (first and number) -> [N/4, 2]: of four rows together. */
export function spansOfFours(this: Thread, spans: number[][]): number {
  let first = spans[this.thread.y * 4][0];
  let end = 0;
  for (let i = 0; i < 4; i++) {
    first = Math.min(first, spans[this.thread.y * 4 + i][0]);
    end = Math.max(end, spans[this.thread.y * 4 + i][0] + spans[this.thread.y * 4 + i][1]);
  }
  if (this.thread.x === 0) return first;
  return end - first;
}

/** q [B·T, H·D], k [B·S, K·D], mask [B·T, S], spans [B·T/4, 2] -> S [B·H·T/4, 4·S]. */
export function scoresOfFours(
  this: Thread,
  q: number[][],
  k: number[][],
  mask: number[][],
  spans: number[][],
): number[] {
  const bh = Math.floor((this.thread.y * 4 + 0.5) / this.constants.T); // b·H + h
  const b = Math.floor((bh + 0.5) / this.constants.H);
  const h = bh - b * this.constants.H;
  const n = b * this.constants.T + this.thread.y * 4 - bh * this.constants.T; // first row of q: b·T + t
  const m = b * this.constants.S + this.thread.x; // row of k: b·S + s
  const x = this.thread.x;
  const group = Math.floor((n + 0.5) / 4);
  if (x < spans[group][0] || x >= spans[group][0] + spans[group][1])
    return [mask[n][x], mask[n + 1][x], mask[n + 2][x], mask[n + 3][x]];
  const query = h * this.constants.D;
  const key = Math.floor((h + 0.5) / this.constants.G) * this.constants.D;
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  for (let d = 0; d < this.constants.D; d++) {
    const value = k[m][key + d];
    s0 += q[n][query + d] * value;
    s1 += q[n + 1][query + d] * value;
    s2 += q[n + 2][query + d] * value;
    s3 += q[n + 3][query + d] * value;
  }
  return [
    s0 * this.constants.scale + mask[n][x],
    s1 * this.constants.scale + mask[n + 1][x],
    s2 * this.constants.scale + mask[n + 2][x],
    s3 * this.constants.scale + mask[n + 3][x],
  ];
}

/** p [B·H·T, S], v [B·S, K·D], spans [B·T/4, 2] -> o [B·H·T/4, 4·D]. With dS for P and k for v it is dq. */
export function mixOfFours(this: Thread, p: number[][], v: number[][], spans: number[][]): number[] {
  const bh = Math.floor((this.thread.y * 4 + 0.5) / this.constants.T);
  const b = Math.floor((bh + 0.5) / this.constants.H);
  const h = bh - b * this.constants.H;
  const group = Math.floor((b * this.constants.T + this.thread.y * 4 - bh * this.constants.T + 0.5) / 4);
  const first = spans[group][0];
  const m = b * this.constants.S + first;
  const column = Math.floor((h + 0.5) / this.constants.G) * this.constants.D;
  let o0 = 0;
  let o1 = 0;
  let o2 = 0;
  let o3 = 0;
  for (let i = 0; i < spans[group][1]; i++) {
    const value = v[m + i][column + this.thread.x];
    o0 += p[this.thread.y * 4][first + i] * value;
    o1 += p[this.thread.y * 4 + 1][first + i] * value;
    o2 += p[this.thread.y * 4 + 2][first + i] * value;
    o3 += p[this.thread.y * 4 + 3][first + i] * value;
  }
  return [o0, o1, o2, o3];
}

/** p [B·H·T, S], dy [B·T, H·D], v [B·S, K·D], delta [B·H·T, 1], spans [B·T/4, 2] -> dS / √D [B·H·T/4, 4·S]. */
export function scoresGradientOfFours(
  this: Thread,
  p: number[][],
  dy: number[][],
  v: number[][],
  delta: number[][],
  spans: number[][],
): number[] {
  const bh = Math.floor((this.thread.y * 4 + 0.5) / this.constants.T);
  const b = Math.floor((bh + 0.5) / this.constants.H);
  const h = bh - b * this.constants.H;
  const n = b * this.constants.T + this.thread.y * 4 - bh * this.constants.T;
  const m = b * this.constants.S + this.thread.x;
  const x = this.thread.x;
  const group = Math.floor((n + 0.5) / 4);
  if (x < spans[group][0] || x >= spans[group][0] + spans[group][1]) return [0, 0, 0, 0];
  const query = h * this.constants.D;
  const key = Math.floor((h + 0.5) / this.constants.G) * this.constants.D;
  let dp0 = 0;
  let dp1 = 0;
  let dp2 = 0;
  let dp3 = 0;
  for (let d = 0; d < this.constants.D; d++) {
    const value = v[m][key + d];
    dp0 += dy[n][query + d] * value;
    dp1 += dy[n + 1][query + d] * value;
    dp2 += dy[n + 2][query + d] * value;
    dp3 += dy[n + 3][query + d] * value;
  }
  return [
    p[this.thread.y * 4][x] * (dp0 - delta[this.thread.y * 4][0]) * this.constants.scale,
    p[this.thread.y * 4 + 1][x] * (dp1 - delta[this.thread.y * 4 + 1][0]) * this.constants.scale,
    p[this.thread.y * 4 + 2][x] * (dp2 - delta[this.thread.y * 4 + 2][0]) * this.constants.scale,
    p[this.thread.y * 4 + 3][x] * (dp3 - delta[this.thread.y * 4 + 3][0]) * this.constants.scale,
  ];
}

/** p [B·H·T, S], dy [B·T, H·D], spans [B·S/4, 2] -> dv [B·K·S/4, 4·D]. With dS for P and q for dy it is dk. */
export function mixGradientOfFours(this: Thread, p: number[][], dy: number[][], spans: number[][]): number[] {
  const bk = Math.floor((this.thread.y * 4 + 0.5) / this.constants.S); // b·K + k
  const b = Math.floor((bk + 0.5) / this.constants.K);
  const k = bk - b * this.constants.K;
  const s = this.thread.y * 4 - bk * this.constants.S;
  const group = Math.floor((b * this.constants.S + s + 0.5) / 4);
  const first = spans[group][0];
  const n = b * this.constants.T + first;
  let v0 = 0;
  let v1 = 0;
  let v2 = 0;
  let v3 = 0;
  for (let g = 0; g < this.constants.G; g++) {
    const h = k * this.constants.G + g;
    const row = (b * this.constants.H + h) * this.constants.T + first;
    const column = h * this.constants.D + this.thread.x;
    for (let i = 0; i < spans[group][1]; i++) {
      const value = dy[n + i][column];
      v0 += p[row + i][s] * value;
      v1 += p[row + i][s + 1] * value;
      v2 += p[row + i][s + 2] * value;
      v3 += p[row + i][s + 3] * value;
    }
  }
  return [v0, v1, v2, v3];
}

/** grouped [B·H·T/4, 4·D] -> [B·T, H·D]. */
export function ungroupHeads(this: Thread, grouped: number[][]): number {
  const h = Math.floor((this.thread.x + 0.5) / this.constants.D);
  const d = this.thread.x - h * this.constants.D;
  const b = Math.floor((this.thread.y + 0.5) / this.constants.T);
  const row = (b * this.constants.H + h) * this.constants.T + this.thread.y - b * this.constants.T;
  const group = Math.floor((row + 0.5) / 4);
  return grouped[group][d * 4 + row - group * 4];
}

export interface AttentionConstants {
  T: number;
  S: number;
  H: number;
  K: number;
  D: number;
  G: number;
  scale: number;
}

const ofFours = (p: Program, spans: Matrix) => p.launch(spansOfFours, [spans], [spans.rows / 4, 2]);
const counts = ({ scale: _, ...rest }: AttentionConstants) => rest;

/** As attentionScores of the same inputs. */
export function scores(p: Program, [q, k, mask, keys]: Matrix[], c: AttentionConstants): Matrix {
  const size = [(q.rows * c.H) / 4, c.S] as const;
  const grouped = p.launchFours(scoresOfFours, [q, k, mask, ofFours(p, keys)], size, { ...c });
  return p.launch(ungroupRows, [grouped], [q.rows * c.H, c.S]);
}

/** As attentionMix. */
export function mix(p: Program, [probabilities, v, keys]: Matrix[], c: AttentionConstants): Matrix {
  const inputs = [probabilities, v, ofFours(p, keys)];
  const grouped = p.launchFours(mixOfFours, inputs, [probabilities.rows / 4, c.D], counts(c));
  return p.launch(ungroupHeads, [grouped], [keys.rows, c.H * c.D], { T: c.T, H: c.H, D: c.D });
}

/** As attentionScoresGradient. */
export function scoresGradient(p: Program, [probabilities, dy, v, delta, keys]: Matrix[], c: AttentionConstants) {
  const inputs = [probabilities, dy, v, delta, ofFours(p, keys)];
  const grouped = p.launchFours(scoresGradientOfFours, inputs, [probabilities.rows / 4, c.S], { ...c });
  return p.launch(ungroupRows, [grouped], [probabilities.rows, c.S]);
}

/** As attentionMixGradient. */
export function mixGradient(p: Program, [probabilities, dy, queries]: Matrix[], c: AttentionConstants): Matrix {
  const inputs = [probabilities, dy, ofFours(p, queries)];
  const grouped = p.launchFours(mixGradientOfFours, inputs, [(queries.rows * c.K) / 4, c.D], counts(c));
  return p.launch(ungroupHeads, [grouped], [queries.rows, c.K * c.D], { T: c.S, H: c.K, D: c.D });
}

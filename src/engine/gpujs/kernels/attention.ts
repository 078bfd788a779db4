/**
 * @file Grouped-query attention (Vaswani et al. 2017, arXiv 1706.03762, eq. 1; Ainslie et al. 2023, arXiv 2305.13245).
 * Query head h reads key/value head k = ⌊h / G⌋, G = H/K: the indices below do it, nothing is repeated in memory.
 *
 *   S = q kᵀ / √D + mask      P = softmax(S)      o = P v
 *   dv = Pᵀ do      dP = do vᵀ      dS = P ∘ (dP - Σ do ∘ o)      dq = dS k / √D      dk = dSᵀ q / √D
 *
 * Layouts: q, o [B·T, H·D]; k, v [B·S, K·D]; mask [B·T, S]; scores and probabilities [B·H·T, S], one row for each query
 * of each head. A mask hides all but a stretch of each row (a causal mask what comes later, a document's mask what
 * belongs to others), so {@link visibleKeys} finds the stretch once and nobody works outside it.
 *
 * The kernels below have one number to a thread; where T or S is a multiple of four, attentionInFours.ts has the same with
 * four, which is what a training step runs.
 *
 * `⌊(i + ½) / n⌋` is the quotient of two whole numbers: GPU.js divides in float32, and WebGPU allows an error of 2.5
 * units in the last place, so that i / n alone could be just below a whole number. With the half it is right up to
 * i = 10⁶; a launch has at most 2^19 rows.
 */
import type { Node } from "../../lazy/graph.ts";
import { type Matrix, type Program, registerLaunches, type Thread } from "../launch.ts";
import * as fours from "./attentionInFours.ts";

/** mask [B·T, S] -> [B·T, 2]: the first key that query t sees, and how many from there on. Who sees none, sees all. */
export function visibleKeys(this: Thread, mask: number[][]): number {
  let first = this.constants.S;
  let end = 0;
  for (let s = 0; s < this.constants.S; s++)
    if (mask[this.thread.y][s] > -1e38) {
      if (end === 0) first = s;
      end = s + 1;
    }
  if (end === 0) {
    first = 0;
    end = this.constants.S;
  }
  if (this.thread.x === 0) return first;
  return end - first;
}

/** keys [B·T, 2] -> [B·S, 2]: the same the other way round, the first query that looks at key s, and how many. */
export function visibleQueries(this: Thread, keys: number[][]): number {
  const b = Math.floor((this.thread.y + 0.5) / this.constants.S);
  const s = this.thread.y - b * this.constants.S;
  let first = 0;
  let end = 0;
  for (let t = 0; t < this.constants.T; t++) {
    const n = b * this.constants.T + t;
    if (s >= keys[n][0] && s < keys[n][0] + keys[n][1]) {
      if (end === 0) first = t;
      end = t + 1;
    }
  }
  if (this.thread.x === 0) return first;
  return end - first;
}

/** q [B·T, H·D], k [B·S, K·D], mask [B·T, S], keys [B·T, 2] -> S [B·H·T, S]; a hidden score is the mask's number. */
export function attentionScores(
  this: Thread,
  q: number[][],
  k: number[][],
  mask: number[][],
  keys: number[][],
): number {
  const bh = Math.floor((this.thread.y + 0.5) / this.constants.T); // b·H + h
  const b = Math.floor((bh + 0.5) / this.constants.H);
  const h = bh - b * this.constants.H;
  const n = b * this.constants.T + this.thread.y - bh * this.constants.T; // row of q: b·T + t
  const m = b * this.constants.S + this.thread.x; // row of k: b·S + s
  const hidden = mask[n][this.thread.x];
  if (this.thread.x < keys[n][0] || this.thread.x >= keys[n][0] + keys[n][1]) return hidden;
  const query = h * this.constants.D;
  const key = Math.floor((h + 0.5) / this.constants.G) * this.constants.D;
  let sum = 0;
  for (let d = 0; d < this.constants.D; d++) sum += q[n][query + d] * k[m][key + d];
  return sum * this.constants.scale + hidden;
}

/** scores [B·H·T, S], keys [B·T, 2] -> [B·H·T, 1]: the largest that is seen. */
export function visibleMax(this: Thread, scores: number[][], keys: number[][]): number {
  const bh = Math.floor((this.thread.y + 0.5) / this.constants.T);
  const b = Math.floor((bh + 0.5) / this.constants.H);
  const n = b * this.constants.T + this.thread.y - bh * this.constants.T;
  const first = keys[n][0];
  let max = scores[this.thread.y][first];
  for (let i = 0; i < keys[n][1]; i++) max = Math.max(max, scores[this.thread.y][first + i]);
  return max;
}

/** scores [B·H·T, S], keys [B·T, 2], max [B·H·T, 1] -> [B·H·T, 1]. */
export function visibleSumExp(this: Thread, scores: number[][], keys: number[][], max: number[][]): number {
  const bh = Math.floor((this.thread.y + 0.5) / this.constants.T);
  const b = Math.floor((bh + 0.5) / this.constants.H);
  const n = b * this.constants.T + this.thread.y - bh * this.constants.T;
  const first = keys[n][0];
  let sum = 0;
  for (let i = 0; i < keys[n][1]; i++) sum += Math.exp(scores[this.thread.y][first + i] - max[this.thread.y][0]);
  return sum;
}

/** scores [B·H·T, S], keys [B·T, 2], max and sum [B·H·T, 1] -> P [B·H·T, S]; 0 where the exponential would be. */
export function visibleSoftmax(
  this: Thread,
  scores: number[][],
  keys: number[][],
  max: number[][],
  sum: number[][],
): number {
  const bh = Math.floor((this.thread.y + 0.5) / this.constants.T);
  const b = Math.floor((bh + 0.5) / this.constants.H);
  const n = b * this.constants.T + this.thread.y - bh * this.constants.T;
  if (this.thread.x < keys[n][0] || this.thread.x >= keys[n][0] + keys[n][1]) return 0;
  return Math.exp(scores[this.thread.y][this.thread.x] - max[this.thread.y][0]) / sum[this.thread.y][0];
}

/** p [B·H·T, S], v [B·S, K·D], keys [B·T, 2] -> o [B·T, H·D]. With dS for P and k for v it is dq. */
export function attentionMix(this: Thread, p: number[][], v: number[][], keys: number[][]): number {
  const h = Math.floor((this.thread.x + 0.5) / this.constants.D);
  const d = this.thread.x - h * this.constants.D;
  const b = Math.floor((this.thread.y + 0.5) / this.constants.T);
  const t = this.thread.y - b * this.constants.T;
  const row = (b * this.constants.H + h) * this.constants.T + t;
  const column = Math.floor((h + 0.5) / this.constants.G) * this.constants.D + d;
  const first = keys[this.thread.y][0];
  let sum = 0;
  for (let i = 0; i < keys[this.thread.y][1]; i++)
    sum += p[row][first + i] * v[b * this.constants.S + first + i][column];
  return sum;
}

/** dy and o [B·T, H·D] -> Σ do ∘ o [B·H·T, 1], which is Σₛ P dP. */
export function attentionDelta(this: Thread, dy: number[][], o: number[][]): number {
  const bh = Math.floor((this.thread.y + 0.5) / this.constants.T);
  const b = Math.floor((bh + 0.5) / this.constants.H);
  const n = b * this.constants.T + this.thread.y - bh * this.constants.T;
  const query = (bh - b * this.constants.H) * this.constants.D;
  let sum = 0;
  for (let d = 0; d < this.constants.D; d++) sum += dy[n][query + d] * o[n][query + d];
  return sum;
}

/** p [B·H·T, S], dy [B·T, H·D], v [B·S, K·D], delta [B·H·T, 1], keys [B·T, 2] -> dS / √D [B·H·T, S]. */
export function attentionScoresGradient(
  this: Thread,
  p: number[][],
  dy: number[][],
  v: number[][],
  delta: number[][],
  keys: number[][],
): number {
  const bh = Math.floor((this.thread.y + 0.5) / this.constants.T);
  const b = Math.floor((bh + 0.5) / this.constants.H);
  const h = bh - b * this.constants.H;
  const n = b * this.constants.T + this.thread.y - bh * this.constants.T;
  const m = b * this.constants.S + this.thread.x;
  if (this.thread.x < keys[n][0] || this.thread.x >= keys[n][0] + keys[n][1]) return 0;
  const query = h * this.constants.D;
  const key = Math.floor((h + 0.5) / this.constants.G) * this.constants.D;
  let dp = 0;
  for (let d = 0; d < this.constants.D; d++) dp += dy[n][query + d] * v[m][key + d];
  return p[this.thread.y][this.thread.x] * (dp - delta[this.thread.y][0]) * this.constants.scale;
}

/**
 * p [B·H·T, S], dy [B·T, H·D], queries [B·S, 2] -> dv [B·S, K·D]: the transposed product, summed over the G heads of the
 * group. With dS for P and q for dy it is dk.
 */
export function attentionMixGradient(this: Thread, p: number[][], dy: number[][], queries: number[][]): number {
  const k = Math.floor((this.thread.x + 0.5) / this.constants.D);
  const d = this.thread.x - k * this.constants.D;
  const b = Math.floor((this.thread.y + 0.5) / this.constants.S);
  const s = this.thread.y - b * this.constants.S;
  const first = queries[this.thread.y][0];
  let sum = 0;
  for (let g = 0; g < this.constants.G; g++) {
    const h = k * this.constants.G + g;
    const row = (b * this.constants.H + h) * this.constants.T + first;
    for (let i = 0; i < queries[this.thread.y][1]; i++)
      sum += p[row + i][s] * dy[b * this.constants.T + first + i][h * this.constants.D + d];
  }
  return sum;
}

/** The sizes and the forward pass, shared with the gradient: equal launches are made once. */
function forward(p: Program, [q, k, v, mask]: Matrix[], node: Node) {
  const { heads: H, kvHeads: K } = node.attributes as { heads: number; kvHeads: number };
  const [B, T, width] = node.inputs[0].shape;
  const S = node.inputs[1].shape[1];
  const D = width / H;
  const c = { T, S, H, K, D, G: H / K, scale: 1 / Math.sqrt(D) };
  const queriesInFours = T % 4 === 0;
  const keys = p.launch(visibleKeys, [mask], [B * T, 2], { S });
  const scores = queriesInFours
    ? fours.scores(p, [q, k, mask, keys], c)
    : p.launch(attentionScores, [q, k, mask, keys], [B * H * T, S], c);
  const max = p.launch(visibleMax, [scores, keys], [B * H * T, 1], { T, H });
  const sum = p.launch(visibleSumExp, [scores, keys, max], [B * H * T, 1], { T, H });
  const probabilities = p.launch(visibleSoftmax, [scores, keys, max, sum], [B * H * T, S], { T, H });
  /** Σₛ x v: with the probabilities and v it is o. */
  const mix = (x: Matrix, v: Matrix) =>
    queriesInFours ? fours.mix(p, [x, v, keys], c) : p.launch(attentionMix, [x, v, keys], [B * T, H * D], c);
  return { keys, probabilities, mix, o: mix(probabilities, v), c, queriesInFours };
}

registerLaunches("Attention", (p, inputs, node) => forward(p, inputs, node).o);

registerLaunches("AttentionGrad", (p, [q, k, v, mask, dy], node) => {
  const { keys, probabilities, mix, o, c, queriesInFours } = forward(p, [q, k, v, mask], node);
  const { T, S } = c;
  const delta = p.launch(attentionDelta, [dy, o], [probabilities.rows, 1], c);
  const inputs = [probabilities, dy, v, delta, keys];
  const dscores = queriesInFours
    ? fours.scoresGradient(p, inputs, c)
    : p.launch(attentionScoresGradient, inputs, [probabilities.rows, S], c);
  const queries = p.launch(visibleQueries, [keys], [k.rows, 2], { T, S });
  const mixBack = (x: Matrix, rows: Matrix) =>
    S % 4 === 0
      ? fours.mixGradient(p, [x, rows, queries], c)
      : p.launch(attentionMixGradient, [x, rows, queries], [k.rows, k.columns], c);
  return [mix(dscores, k), mixBack(dscores, q), mixBack(probabilities, dy)]; // dq, dk, dv
});

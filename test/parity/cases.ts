/**
 * @file A case of each fused op for given sizes; the letters are those of src/ops/reference.ts.
 */
import { attention } from "../../src/ops/attention.ts";
import { cacheWrite } from "../../src/ops/cacheWrite.ts";
import { embedding } from "../../src/ops/embedding.ts";
import { linear } from "../../src/ops/linear.ts";
import * as reference from "../../src/ops/reference.ts";
import { rmsNorm } from "../../src/ops/rmsNorm.ts";
import { rope, ropeFrequencies, ropeTables } from "../../src/ops/rope.ts";
import { swiglu } from "../../src/ops/swiglu.ts";
import { tokenLogprobs } from "../../src/ops/tokenLogprobs.ts";
import { largest } from "../ops/finiteDifferences.ts";
import { type Case, integers } from "./check.ts";
import { TOLERANCE } from "./tolerances.ts";

const { float32 } = TOLERANCE;

/** Ids repeat when N > V. */
export const embeddingCase = ({ N, V, C }: { N: number; V: number; C: number }, ids: ArrayLike<number>): Case => ({
  tolerance: float32.embedding,
  inputs: { table: { shape: [V, C] }, ids: { shape: [N], values: ids, dtype: "int32" } },
  run: ({ table, ids }) => embedding(table, ids),
  forward: ({ table, ids }) => reference.embedding(table, ids, C),
  backward: (dy, { ids }) => ({ table: reference.embeddingGradient(dy, ids, V) }),
});

export type Addend = "none" | "bias" | "residual";

export const linearCase = ({ N, I, O, addend }: { N: number; I: number; O: number; addend: Addend }): Case => ({
  tolerance: float32.linear,
  inputs: {
    x: { shape: [N, I] },
    weight: { shape: [O, I] },
    ...(addend === "none" ? {} : { addend: { shape: addend === "bias" ? [O] : [N, O] } }),
  },
  run: ({ x, weight, addend }) => linear(x, weight, addend),
  forward: ({ x, weight, addend }) => reference.linear(x, weight, I, addend),
  backward: (dy, { x, weight }): Record<string, Float64Array> => {
    const { dx, dweight } = reference.linearGradient(dy, x, weight, I);
    if (addend === "none") return { x: dx, weight: dweight };
    const columns = weight.length / I;
    const sums = new Float64Array(columns);
    dy.forEach((d, i) => {
      sums[i % columns] += d;
    });
    return { x: dx, weight: dweight, addend: addend === "bias" ? sums : dy };
  },
});

export const rmsNormCase = ({ N, C }: { N: number; C: number }, epsilon = 1e-6): Case => ({
  tolerance: float32.rmsNorm,
  inputs: { x: { shape: [N, C] }, weight: { shape: [C] } },
  run: ({ x, weight }) => rmsNorm(x, weight, epsilon),
  forward: ({ x, weight }) => reference.rmsNorm(x, weight, epsilon),
  backward: (dy, { x, weight }) => {
    const { dx, dweight } = reference.rmsNormGradient(dy, x, weight, epsilon);
    return { x: dx, weight: dweight };
  },
});

/** Positions in any order: documents start over inside a row. */
export function ropeCase(
  { B, T, heads, half }: { B: number; T: number; heads: number; half: number },
  positions: ArrayLike<number>,
): Case {
  const turn = (x: ArrayLike<number>, positions: ArrayLike<number>, direction: number) =>
    reference.rope(x, positions, heads, ropeFrequencies(half * 2, 1e4), direction);
  return {
    tolerance: float32.rope * Math.max(1, largest(positions)), // the first pair's angle is the position itself
    inputs: {
      x: { shape: [B, T, heads * half * 2] },
      positions: { shape: [B, T], values: positions, dtype: "int32" },
    },
    run: ({ x, positions }) => {
      const { cos, sin } = ropeTables(positions, ropeFrequencies(half * 2, 1e4));
      return rope(x, cos, sin, heads);
    },
    forward: ({ x, positions }) => turn(x, positions, 1),
    backward: (dy, { positions }) => ({ x: turn(dy, positions, -1) }),
  };
}

/** G query heads for each of the K key/value heads. */
export interface Heads {
  B: number;
  T: number;
  S: number;
  K: number;
  G: number;
  D: number;
}

export function attentionCase({ B, T, S, K, G, D }: Heads, mask: ArrayLike<number>): Case {
  const H = K * G;
  const sizes = (q: ArrayLike<number>) => ({ B, T: q.length / (B * H * D), S, H, K, D }); // a part has fewer queries
  return {
    // the gradient's dy·v and Σ dy ∘ y are sums of D products that nearly cancel: rounding grows as √D
    tolerance: float32.attention * Math.max(1, Math.sqrt(D) / 16),
    inputs: {
      q: { shape: [B, T, H * D] },
      k: { shape: [B, S, K * D] },
      v: { shape: [B, S, K * D] },
      mask: { shape: [B, T, S], values: mask, constant: true },
    },
    run: ({ q, k, v, mask }) => attention(q, k, v, mask, { heads: H, kvHeads: K }),
    forward: ({ q, k, v, mask }) => reference.attention(q, k, v, mask, sizes(q)),
    backward: (dy, { q, k, v, mask }) => {
      const { dq, dk, dv } = reference.attentionGradient(dy, q, k, v, mask, sizes(q));
      return { q: dq, k: dk, v: dv };
    },
  };
}

export const swigluCase = ({ N, F }: { N: number; F: number }): Case => ({
  tolerance: float32.swiglu,
  inputs: { gate: { shape: [N, F] }, up: { shape: [N, F] } },
  run: ({ gate, up }) => swiglu(gate, up),
  forward: ({ gate, up }) => reference.swiglu(gate, up),
  backward: (dy, { gate, up }) => {
    const { dgate, dup } = reference.swigluGradient(dy, gate, up);
    return { gate: dgate, up: dup };
  },
});

export const tokenLogprobsCase = (
  { N, C, V }: { N: number; C: number; V: number },
  labels: ArrayLike<number>,
): Case => ({
  tolerance: float32.tokenLogprobs,
  inputs: { h: { shape: [N, C] }, weight: { shape: [V, C] }, labels: { shape: [N], values: labels, dtype: "int32" } },
  run: ({ h, weight, labels }) => tokenLogprobs(h, weight, labels),
  forward: ({ h, weight, labels }) => reference.tokenLogprobs(h, weight, labels, C),
  backward: (dy, { h, weight, labels }) => {
    const { dh, dweight } = reference.tokenLogprobsGradient(dy, h, weight, labels, C);
    return { h: dh, weight: dweight };
  },
});

export const cacheWriteCase = (sizes: { B: number; S: number; T: number; W: number }, seed: number): Case => {
  const { B, S, T, W } = sizes;
  return {
    tolerance: float32.cacheWrite,
    inputs: {
      cache: { shape: [B, S + T, W] },
      rows: { shape: [B, T, W] },
      position: { shape: [B], values: integers(B, S + 1, seed), dtype: "int32" },
    },
    run: ({ cache, rows, position }) => cacheWrite(cache, rows, position),
    forward: ({ cache, rows, position }) => reference.cacheWrite(cache, rows, position, W),
  };
};

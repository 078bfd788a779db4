/**
 * @file Similarity by sentence vectors of any model: cosine, or LASER's ratio margin (Artetxe and Schwenk 2019), which
 * compares a pair's cosine with those of its nearest neighbours.
 *
 *     margin(x, y) = cos(x, y) / ((mean over k nearest of x of cos + mean over k nearest of y of cos) / 2)
 */
import type { PairScorer } from "./scorer.ts";

/** Vectors of texts, one after the other, all as long. */
export type Embed = (texts: readonly string[]) => Promise<Float32Array[]>;

/** LASER's, and WikiMatrix' cut for it. */
export const MARGIN_NEIGHBOURS = 4;
export const MARGIN_CUT = 1.04;
/** OpusFilter's cut for a plain cosine. */
export const COSINE_CUT = 0.5;

export function cosineScorer(embed: Embed): PairScorer {
  return {
    name: "similarity.cosine",
    async score(pairs) {
      const [x, y] = await embedSides(embed, pairs);
      return Float64Array.from(x, (vector, i) => dot(vector, y[i]));
    },
  };
}

/**
 * The margin of given pairs (`score` mode): neighbours are among the pairs of the same call, so it has to hold many
 * (thousands); its memory is that of the vectors, its time their number squared.
 */
export function marginScorer(embed: Embed, k = MARGIN_NEIGHBOURS): PairScorer {
  return {
    name: "similarity.margin",
    async score(pairs) {
      const [x, y] = await embedSides(embed, pairs);
      return ratioMargin(x, y, k);
    },
  };
}

/** `x[i]` with `y[i]`, both of length 1. A zero vector has margin 0. */
export function ratioMargin(x: readonly Float32Array[], y: readonly Float32Array[], k: number): Float64Array {
  const n = x.length;
  const forward = nearest(n, k); // of each x among y
  const backward = nearest(n, k);
  const own = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      const cosine = dot(x[i], y[j]);
      forward.add(i, cosine);
      backward.add(j, cosine);
      if (i === j) own[i] = cosine;
    }
  }
  return own.map((cosine, i) => marginOf(cosine, forward.mean(i), backward.mean(i)));
}

/** The ratio margin of one pair from its cosine and the mean cosines of its two sides' neighbours. */
export const marginOf = (cosine: number, forward: number, backward: number) =>
  forward + backward <= 0 ? 0 : cosine / ((forward + backward) / 2);

/** The `k` greatest values of each of `n`, and their mean. */
export function nearest(n: number, k: number) {
  const greatest = new Float64Array(n * k).fill(Number.NEGATIVE_INFINITY);
  return {
    add(i: number, value: number) {
      let at = i * k + k - 1;
      if (value <= greatest[at]) return;
      for (; at > i * k && greatest[at - 1] < value; at--) greatest[at] = greatest[at - 1];
      greatest[at] = value;
    },
    mean(i: number): number {
      let sum = 0;
      let count = 0;
      for (let at = i * k; at < (i + 1) * k && greatest[at] > Number.NEGATIVE_INFINITY; at++, count++)
        sum += greatest[at];
      return count === 0 ? 0 : sum / count;
    },
  };
}

async function embedSides(embed: Embed, pairs: readonly { source: string; target: string }[]) {
  const x = (await embed(pairs.map(({ source }) => source))).map(normalized);
  const y = (await embed(pairs.map(({ target }) => target))).map(normalized);
  return [x, y];
}

/** Of length 1; zeros where there is no direction (a zero vector, or one that is not finite). */
function normalized(vector: Float32Array): Float32Array {
  const length = Math.sqrt(dot(vector, vector));
  return length > 0 && Number.isFinite(length) ? vector.map((x) => x / length) : new Float32Array(vector.length);
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/**
 * @file IBM Model 1 (Brown et al. 1993), trained here by EM on the given pairs, in both directions and with a NULL word:
 *
 *     p(t | s) = product over tokens t_j of  1 / (l + 1) * sum over i = 0..l of p(t_j | s_i),   s_0 = NULL
 *
 * It is the offline similarity of pairs: a lexical score, not LASER. One table holds the pairs of tokens that occur
 * together, and both directions' probabilities.
 */

import { makeLinkTable } from "./linkTable.ts";
import type { SentencePair } from "./pair.ts";
import { pairTokens } from "./pairTokens.ts";

/** Tokens of one side; 0 is NULL. */
interface Vocabulary {
  ids: Map<string, number>;
  /** How often each occurs in the training pairs. */
  counts: number[];
  total: number;
}

/** p(to | from) of each link, by direction. */
export interface Direction {
  probability: Float64Array;
  /** Log-likelihood of the training pairs before each step; it never falls. */
  logLikelihood: number[];
}

export interface Ibm1 {
  source: Vocabulary;
  target: Vocabulary;
  links: ReturnType<typeof makeLinkTable>;
  /** p(target | source). */
  forward: Direction;
  /** p(source | target). */
  backward: Direction;
}

export interface Ibm1Options {
  iterations?: number;
}

export function trainIbm1(pairs: readonly SentencePair[], { iterations = 6 }: Ibm1Options = {}): Ibm1 {
  const [source, target] = [makeVocabulary(), makeVocabulary()];
  const sides = pairs.map((pair) => ({
    s: intern(source, pairTokens(pair.source, pair.sourceLanguage)),
    t: intern(target, pairTokens(pair.target, pair.targetLanguage)),
  }));
  const links = makeLinkTable(sides.reduce((sum, { s, t }) => sum + s.length * t.length, 0) / 4);
  // The links of each pair, once: for each target token those from NULL and each source token, then source to NULL.
  const size = sides.reduce((sum, { s, t }) => sum + (s.length + 1) * t.length + s.length, 0);
  const rows = new Int32Array(size);
  let at = 0;
  for (const { s, t } of sides) {
    for (const b of t) {
      rows[at++] = links.add(0, b);
      for (const a of s) rows[at++] = links.add(a, b);
    }
    for (const a of s) rows[at++] = links.add(a, 0);
  }
  const lengths = sides.map(({ s, t }) => [s.length, t.length]);
  const { sources, targets } = links;
  const forward = em(sources(), targets(), source.counts.length, iterations, forwardRows(rows, lengths));
  const backward = em(targets(), sources(), target.counts.length, iterations, backwardRows(rows, lengths));
  return { source, target, links, forward, backward };
}

/** Calls `visit` with the links to one token, from NULL first: `count` of them, `step` apart from `first`. */
type Rows = (visit: (links: Int32Array, nullLink: number, first: number, count: number, step: number) => void) => void;

const forwardRows =
  (rows: Int32Array, lengths: number[][]): Rows =>
  (visit) => {
    let at = 0;
    for (const [s, t] of lengths) {
      for (let j = 0; j < t; j++, at += s + 1) visit(rows, rows[at], at + 1, s, 1);
      at += s;
    }
  };

const backwardRows =
  (rows: Int32Array, lengths: number[][]): Rows =>
  (visit) => {
    let at = 0;
    for (const [s, t] of lengths) {
      const nulls = at + (s + 1) * t;
      for (let i = 0; i < s; i++) visit(rows, rows[nulls + i], at + 1 + i, t, s + 1);
      at = nulls + s;
    }
  };

const makeVocabulary = (): Vocabulary => ({ ids: new Map(), counts: [0], total: 0 });

function intern(vocabulary: Vocabulary, tokens: string[]): Int32Array {
  return Int32Array.from(tokens, (token) => {
    let id = vocabulary.ids.get(token);
    if (id === undefined) {
      id = vocabulary.counts.length;
      vocabulary.ids.set(token, id);
      vocabulary.counts.push(0);
    }
    vocabulary.counts[id]++;
    vocabulary.total++;
    return id;
  });
}

function em(from: Int32Array, to: Int32Array, fromSize: number, iterations: number, rows: Rows): Direction {
  // Uniform over what each token occurs with; links to NULL are of the other direction.
  const probability = Float64Array.from(to, (token) => (token === 0 ? 0 : 1));
  normalize(probability, from, fromSize);
  const logLikelihood: number[] = [];
  const counts = new Float64Array(probability.length);
  for (let step = 0; step < iterations; step++) {
    counts.fill(0);
    let sum = 0;
    rows((links, nullLink, first, count, stride) => {
      let all = probability[nullLink];
      const end = first + count * stride;
      for (let at = first; at < end; at += stride) all += probability[links[at]];
      sum += Math.log(all / (count + 1));
      counts[nullLink] += probability[nullLink] / all;
      for (let at = first; at < end; at += stride) counts[links[at]] += probability[links[at]] / all;
    });
    logLikelihood.push(sum);
    probability.set(counts);
    normalize(probability, from, fromSize);
  }
  return { probability, logLikelihood };
}

/** Makes the probabilities of each token sum to 1. */
function normalize(probability: Float64Array, fromOf: Int32Array, fromSize: number) {
  const sums = new Float64Array(fromSize);
  for (let link = 0; link < probability.length; link++) sums[fromOf[link]] += probability[link];
  for (let link = 0; link < probability.length; link++)
    if (sums[fromOf[link]] > 0) probability[link] /= sums[fromOf[link]];
}

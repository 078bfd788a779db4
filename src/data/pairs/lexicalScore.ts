/**
 * @file Similarity by IBM Model 1: how much better each side's tokens are explained by the other side than by how common
 * they are, the mean over tokens, of both directions:
 *
 *     score(s -> t) = 1/m * sum over j of log( (1 - a) * p(t_j | s) / p(t_j) + a )
 *
 * A token that nothing explains counts log(a), one explained as if by chance 0. The margin is the score less the mean of
 * the k best that the same sides have with others: in logs, LASER's ratio margin over a sample.
 */
import { makeRandom } from "../../util/random.ts";
import { nearest } from "./embeddings.ts";
import type { Direction, Ibm1 } from "./ibm1.ts";
import type { SentencePair } from "./pair.ts";
import { pairTokens } from "./pairTokens.ts";
import type { PairScorer } from "./scorer.ts";

/** Weight of chance (CHOSEN). */
const CHANCE = 0.1;
/** A token cannot count for more, however rare it is. */
const MOST = Math.log(100);

interface Tokens {
  words: string[];
  /** 0 where training had none. */
  ids: Int32Array;
}

export function ibm1Scorer(model: Ibm1): PairScorer {
  return {
    name: "similarity.ibm1",
    score: async (pairs) =>
      Float64Array.from(pairs, (pair) => {
        const [s, t] = tokensOf(model, pair);
        return bothWays(model, s, t);
      }),
  };
}

/** Against `candidates` others of the same call, drawn by seed (CHOSEN: 24; with all, time would be squared). */
export function ibm1MarginScorer(
  model: Ibm1,
  { seed, k = 4, candidates = 24 }: { seed: number; k?: number; candidates?: number },
): PairScorer {
  return {
    name: "similarity.ibm1Margin",
    async score(pairs) {
      const sides = pairs.map((pair) => tokensOf(model, pair));
      const random = makeRandom(seed, "margin", String(pairs.length));
      const forward = nearest(pairs.length, k);
      const backward = nearest(pairs.length, k);
      for (let c = 0; c < Math.min(candidates, pairs.length - 1); c++) {
        // Each source meets the target so many places on, so each target as many sources.
        const step = 1 + random.int(pairs.length - 1);
        for (let i = 0; i < pairs.length; i++) {
          const j = (i + step) % pairs.length;
          const score = bothWays(model, sides[i][0], sides[j][1]);
          forward.add(i, score);
          backward.add(j, score);
        }
      }
      return Float64Array.from(sides, ([s, t], i) => bothWays(model, s, t) - (forward.mean(i) + backward.mean(i)) / 2);
    },
  };
}

function tokensOf({ source, target }: Ibm1, pair: SentencePair): [Tokens, Tokens] {
  const s = pairTokens(pair.source, pair.sourceLanguage);
  const t = pairTokens(pair.target, pair.targetLanguage);
  const ids = (words: string[], vocabulary: Ibm1["source"]) =>
    Int32Array.from(words, (w) => vocabulary.ids.get(w) ?? 0);
  return [
    { words: s, ids: ids(s, source) },
    { words: t, ids: ids(t, target) },
  ];
}

function bothWays(model: Ibm1, s: Tokens, t: Tokens): number {
  const { links, source, target } = model;
  const forward = oneWay(s, t, model.forward, links.find, target);
  return (forward + oneWay(t, s, model.backward, (from, to) => links.find(to, from), source)) / 2;
}

function oneWay(
  from: Tokens,
  to: Tokens,
  { probability }: Direction,
  find: (from: number, to: number) => number,
  vocabulary: Ibm1["source"],
): number {
  if (to.ids.length === 0) return Math.log(CHANCE);
  let sum = 0;
  for (let j = 0; j < to.ids.length; j++) {
    const b = to.ids[j];
    let p = 0;
    if (b !== 0) {
      for (let i = 0; i < from.ids.length; i++) {
        const link = from.ids[i] === 0 ? -1 : find(from.ids[i], b);
        if (link >= 0) p += probability[link];
      }
    }
    // A name or number that training had not, and both sides have.
    if (b === 0 && from.words.includes(to.words[j])) p = 1;
    p /= from.ids.length + 1;
    const chance = (vocabulary.counts[b] + 1) / (vocabulary.total + vocabulary.counts.length);
    sum += Math.min(MOST, Math.log(((1 - CHANCE) * p) / chance + CHANCE));
  }
  return sum / to.ids.length;
}

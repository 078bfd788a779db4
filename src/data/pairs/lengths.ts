/**
 * @file Likeness of lengths (Gale and Church 1993): sees what a lexical score does not, a translation that is cut short or
 * has more than its source. A target has `ratio` characters for each of the source, with a variance that grows with the
 * length:
 *
 *     z = (target - ratio * source) / (deviation * sqrt(mean of source and target / ratio))
 */

import { quantile } from "../../util/quantile.ts";
import { codePoints } from "../rules/pythonText.ts";
import type { SentencePair } from "./pair.ts";
import type { PairScorer } from "./scorer.ts";

/** Learns ratio and deviation from the given pairs, by medians, which some noise does not move; scores with -|z|. */
export function lengthScorer(pairs: readonly SentencePair[]): PairScorer & { ratio: number; deviation: number } {
  const lengths = pairs.map(lengthsOf);
  const ratio =
    pairs.length === 0
      ? 1
      : quantile(
          lengths.map(([s, t]) => t / s),
          0.5,
        );
  const distances = lengths.map(([s, t]) => Math.abs(distance(s, t, ratio)));
  // Half of a normal distribution is within 0.6745 of its deviations.
  const deviation = pairs.length === 0 ? 1 : Math.max(0.1, quantile(distances, 0.5) / 0.6745);
  return {
    name: "similarity.length",
    ratio,
    deviation,
    score: async (given) =>
      Float64Array.from(given, (pair) => {
        const [s, t] = lengthsOf(pair);
        return -Math.abs(distance(s, t, ratio)) / deviation;
      }),
  };
}

const lengthsOf = ({ source, target }: SentencePair) => [1 + codePoints(source), 1 + codePoints(target)];

const distance = (s: number, t: number, ratio: number) => (t - ratio * s) / Math.sqrt((s + t / ratio) / 2);

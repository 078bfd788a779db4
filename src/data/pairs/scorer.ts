/** @file How alike the two sides of pairs are, and where to cut: one interface, whatever computes it. */
import { UserError } from "../../util/assert.ts";
import { quantile } from "../../util/quantile.ts";
import { makeRandom } from "../../util/random.ts";
import type { SentencePair } from "./pair.ts";

export interface PairScorer {
  /** Name of the measure, e.g. "similarity.ibm1". */
  name: string;
  /** Greater is more alike; a number for each pair. Margins compare a pair with the others of the same call. */
  score(pairs: readonly SentencePair[]): Promise<Float64Array>;
}

/**
 * A cut for a scorer from pairs that need no labels, and that it was not trained on: the greater of the value that `wrong`
 * of the same sentences put together by chance stay below, and the value that `good` of the pairs as given reach.
 * CHOSEN: 0.95 and 0.95; the paper states no cut.
 */
export async function calibrate(
  scorer: PairScorer,
  pairs: readonly SentencePair[],
  { seed, wrong = 0.95, good = 0.95 }: { seed: number; wrong?: number; good?: number },
): Promise<number> {
  const order = makeRandom(seed, "calibrate").shuffle(pairs);
  const others = order
    .map((pair, i) => ({ ...pair, target: order[(i + 1) % order.length].target }))
    .filter(({ target }, i) => target !== order[i].target);
  if (others.length === 0) throw new UserError("Calibration: all targets are the same, expected pairs that differ");
  const [asGiven, byChance] = [await scorer.score(order), await scorer.score(others)];
  return Math.max(quantile(byChance, wrong), quantile(asGiven, 1 - good));
}

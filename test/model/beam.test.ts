/**
 * @file Beam search as bookkeeping, on a table of probabilities that can be searched in full: every answer is scored.
 * (test/model/generate.test.ts compares whole searches with Hugging Face's.)
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { advanceBeams, type BeamOptions, startBeams } from "../../src/model/beam.ts";
import { logSoftmax } from "../../src/model/sampling.ts";
import { makeRandom } from "../../src/util/random.ts";

const V = 3;
const STOP = 2;
const stops = (ids: number[]) => ids.at(-1) === STOP;

/** Log-probabilities of the next token after `ids`: any function of them will do. */
function nextOf(ids: number[], seed: number): Float64Array {
  const random = makeRandom(seed, ids.join());
  return logSoftmax(Float64Array.from({ length: V }, () => 2 * random.normal()));
}

function search(seed: number, options: BeamOptions) {
  let state = startBeams(options.numBeams);
  let steps = 0;
  for (let over = false; !over; steps++) {
    const before = state.running;
    const next = advanceBeams(
      state,
      before.map(({ ids }) => nextOf(ids, seed)),
      options,
      stops,
    );
    for (const [i, { ids }] of next.state.running.entries())
      expect(before[next.parents[i]].ids).toEqual(ids.slice(0, -1)); // parents say whose cache goes on
    ({ state, over } = next);
  }
  return { ...state.finished[0], steps };
}

/** All answers that end at a stop or at the greatest length. */
function allAnswers(seed: number, maxNewTokens: number): { ids: number[]; sum: number }[] {
  const grow = (ids: number[], sum: number): { ids: number[]; sum: number }[] =>
    ids.length === maxNewTokens || (ids.length > 0 && stops(ids))
      ? [{ ids, sum }]
      : [...nextOf(ids, seed)].flatMap((logprob, id) => grow([...ids, id], sum + logprob));
  return grow([], 0);
}

test("as many beams as there are answers find the best one, for any length penalty", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1e6 }), fc.constantFrom(0, 0.5, 1, 2), (seed, lengthPenalty) => {
      const scored = allAnswers(seed, 4).map(({ ids, sum }) => ({ ids, score: sum / ids.length ** lengthPenalty }));
      const best = scored.reduce((a, b) => (b.score > a.score ? b : a));
      const found = search(seed, { numBeams: 40, lengthPenalty, earlyStopping: "never", maxNewTokens: 4, stopIds: 1 });
      expect(found.ids).toEqual(best.ids);
      expect(found.score).toBeCloseTo(best.score, 10);
    }),
    { numRuns: 20 },
  );
});

test("one beam is greedy when it may not look back", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1e6 }), (seed) => {
      const ids: number[] = [];
      while (ids.length < 6 && !(ids.length > 0 && stops(ids))) {
        const row = nextOf(ids, seed);
        ids.push(row.indexOf(Math.max(...row)));
      }
      const found = search(seed, { numBeams: 1, lengthPenalty: 0, earlyStopping: true, maxNewTokens: 6, stopIds: 1 });
      // a candidate that stops must be the best to count: with one beam that is the greedy one
      expect(found.ids).toEqual(ids);
    }),
  );
});

test("early stopping ends no later, and 'never' finds no worse score than the others", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1e6 }), fc.constantFrom(0, 1, 2), (seed, lengthPenalty) => {
      const of = (earlyStopping: BeamOptions["earlyStopping"]) =>
        search(seed, { numBeams: 3, lengthPenalty, earlyStopping, maxNewTokens: 7, stopIds: 1 });
      const [early, normal, never] = [of(true), of(false), of("never")];
      expect(early.steps).toBeLessThanOrEqual(never.steps);
      expect(normal.steps).toBeLessThanOrEqual(never.steps);
      expect(never.score).toBeGreaterThanOrEqual(Math.max(early.score, normal.score));
    }),
  );
});

/** @file Random streams: a seed names one, and its state is where it is. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { makeRandom, type Random } from "../../src/util/random.ts";

const draw = (random: Random) => [random.next(), random.int(10), random.normal(), ...random.shuffle([1, 2, 3, 4])];

test("a stream goes on from its state, through JSON, with the very next number; and asking for it moves nothing", () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), fc.nat(20), (seed, label, draws) => {
      const [random, untouched] = [makeRandom(seed, label), makeRandom(seed, label)];
      for (let i = 0; i < draws; i++) expect(draw(random)).toEqual(draw(untouched));
      const state = JSON.parse(JSON.stringify(random.state()));
      const other = makeRandom("another");
      draw(other);
      other.restore(state);
      const next = [draw(random), draw(random)];
      expect([draw(other), draw(other)]).toEqual(next);
      expect([draw(untouched), draw(untouched)]).toEqual(next);
      other.restore(state); // restoring does not use the state up
      expect([draw(other), draw(other)]).toEqual(next);
    }),
    { numRuns: 30 },
  );
});

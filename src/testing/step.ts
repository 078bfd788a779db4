/**
 * @file What can be claimed of gradient accumulation: a step over micro-batches has the loss and the gradient of all its
 * examples at once, however they are cut. What an example is, is the caller's affair: a row, a pair, an index into a
 * data set; the kit cuts and orders them.
 */
import fc from "fast-check";
import { bind, digits, makeClaim, named, type Plan, unequal, type Violation } from "./claim.ts";
import { close } from "./quantity.ts";
import { nameStepMistakes, rightStep, type Single } from "./stepMistakes.ts";

/** The loss that a step reports, and its gradient, flat, where it is known. */
export type StepResult = number | { loss: number; gradient?: ArrayLike<number> };

/** A step of gradient accumulation, and what it claims. */
export interface StepCheck<Example> {
  kind: "step";
  /** One optimiser step's loss and gradient, from the same weights each time. */
  step: (microBatches: Example[][]) => StepResult | Promise<StepResult>;
  /** At least three, of different counts; the kit draws some of them, in any order. */
  examples: readonly Example[];
  /** What an example weighs: its target tokens; 1 where a loss averages over pairs. Some may have 0. */
  count: (example: Example) => number;
  /** All of them unless told. */
  claims?: readonly StepClaim[];
}

export interface StepOutcome {
  loss: number;
  gradient: number[];
}

export interface AskStep {
  tolerance: number;
  /** What each example weighs. */
  counts: number[];
  /** Micro-batches of indices into the examples. */
  step(microBatches: readonly number[][]): Promise<StepOutcome>;
}

/** Some examples in some order, and where they are cut: micro-batches of indices, none empty. */
const partitions = ({ counts }: AskStep) =>
  fc
    .record({
      order: fc.uniqueArray(fc.nat(counts.length - 1), { minLength: 2, maxLength: Math.min(6, counts.length) }),
      cuts: fc.array(fc.boolean(), { minLength: 5, maxLength: 5 }),
    })
    .filter(({ order }) => order.some((i) => counts[i] > 0))
    .map(({ order, cuts }) =>
      order.reduce<number[][]>(
        (parts, index, i) => {
          if (i > 0 && cuts[i - 1]) parts.push([]);
          parts[parts.length - 1].push(index);
          return parts;
        },
        [[]],
      ),
    );

const inputOf = (parts: readonly number[][], { counts }: AskStep) => ({
  "micro-batches of examples": parts,
  "their counts": parts.map((part) => part.map((i) => counts[i])),
});

/** The loss, then the gradient: relative to its largest number. */
function sameOutcome(got: StepOutcome, expected: StepOutcome, ask: AskStep, input: unknown, as: string) {
  const scale = Math.max(...expected.gradient.map(Math.abs), 0);
  const worst = expected.gradient.findIndex(
    (g, i) => !(Math.abs(got.gradient[i] - g) <= ask.tolerance * Math.max(scale, 1e-6)),
  );
  const violation: Violation | undefined = unequal(got.loss, expected.loss, ask.tolerance, input, `the loss, ${as}`);
  if (violation || worst < 0) return violation;
  const places = { ...(input as object), "place in the gradient": worst };
  return {
    input: places,
    got: digits(got.gradient[worst]),
    expected: `${digits(expected.gradient[worst])} (the gradient, ${as})`,
  };
}

/** The examples one by one; those without targets have neither loss nor gradient. */
async function singlesOf(indices: readonly number[], ask: AskStep): Promise<Map<number, Single>> {
  const singles = new Map<number, Single>();
  for (const i of indices) if (ask.counts[i] > 0) singles.set(i, { ...(await ask.step([[i]])), count: ask.counts[i] });
  return singles;
}

export const CLAIMS = [
  makeClaim({
    name: "the same twice",
    statement: "the same step from the same weights has the same loss",
    cases: partitions,
    check: async (parts, ask) =>
      unequal((await ask.step(parts)).loss, (await ask.step(parts)).loss, 0, inputOf(parts, ask), "the first time"),
  }),
  makeClaim({
    name: "any partition gives the same",
    statement: "examples cut into micro-batches have the loss and the gradient of one batch",
    cases: partitions,
    check: async (parts, ask) =>
      sameOutcome(await ask.step(parts), await ask.step([parts.flat()]), ask, inputOf(parts, ask), "all in one batch"),
  }),
  makeClaim({
    name: "the order does not matter",
    statement: "micro-batches, and examples in them, in reverse order have the same loss and gradient",
    cases: partitions,
    check: async (parts, ask) => {
      const reverse = [...parts].reverse().map((part) => [...part].reverse());
      return sameOutcome(
        await ask.step(reverse),
        await ask.step(parts),
        ask,
        inputOf(parts, ask),
        "in the first order",
      );
    },
  }),
  makeClaim({
    name: "every target weighs the same",
    statement: "loss and gradient are Σ n ℓ / Σ n over the examples, n their targets and ℓ what each has alone",
    cases: partitions,
    check: async (parts, ask) => {
      const expected = rightStep(parts, await singlesOf(parts.flat(), ask));
      return sameOutcome(await ask.step(parts), expected, ask, inputOf(parts, ask), "from the examples alone");
    },
  }),
  makeClaim({
    name: "a micro-batch without targets changes nothing",
    statement: "examples with nothing to learn, in a micro-batch of their own, add neither loss nor gradient nor NaN",
    cases: (ask: AskStep) => fc.record({ parts: partitions(ask), where: fc.nat(5) }),
    check: async ({ parts, where }, ask) => {
      const empty = ask.counts.flatMap((n, i) => (n === 0 ? [i] : []));
      if (empty.length === 0) throw new Error("no example has count 0; give one");
      const rest = parts.map((part) => part.filter((i) => ask.counts[i] > 0)).filter((part) => part.length > 0);
      const at = where % (rest.length + 1);
      const more = [...rest.slice(0, at), empty, ...rest.slice(at)];
      return sameOutcome(
        await ask.step(more),
        await ask.step(rest),
        ask,
        inputOf(more, ask),
        "without that micro-batch",
      );
    },
  }),
];

export type StepClaim = (typeof CLAIMS)[number]["name"];

/** @throws Error where there are fewer than three examples, or none of them has targets */
export function planStep<Example>({ step, examples, count, claims }: StepCheck<Example>, tolerance: number): Plan {
  const counts = examples.map(count);
  if (examples.length < 3 || counts.every((n) => n === 0))
    throw new Error(
      `${examples.length} examples with counts ${counts.join(", ")}; expected three with targets among them`,
    );
  const ask: AskStep = {
    tolerance,
    counts,
    async step(microBatches) {
      const result = await step(microBatches.map((part) => part.map((i) => examples[i])));
      return typeof result === "number"
        ? { loss: result, gradient: [] }
        : { loss: result.loss, gradient: Array.from(result.gradient ?? []) };
    },
  };
  const unasked = claims || counts.includes(0) ? [] : ["a micro-batch without targets changes nothing"];
  const all = CLAIMS.map(({ name }) => name).filter((name) => !unasked.includes(name));
  return {
    claims: bind(named(CLAIMS, claims ?? all), ask),
    skipped: unasked.map((name) => ({ name, why: "no example has count 0" })),
    async diagnose() {
      const indices = counts.map((_, i) => i).filter((i) => counts[i] > 0);
      const partitions = [indices.map((i) => [i]), [indices.slice(0, 1), indices.slice(1)], [indices]];
      const observations: { parts: number[][]; outcome: StepOutcome }[] = [];
      for (const parts of partitions) observations.push({ parts, outcome: await ask.step(parts) });
      const fits = (got: number, expected: number) => close(got, expected, 10 * tolerance);
      return nameStepMistakes(observations, await singlesOf(indices, ask), fits);
    },
  };
}

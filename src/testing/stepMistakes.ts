/**
 * @file The right average of a step's micro-batches, and the wrong ones that trainers have shipped. All of them are made
 * of what every example has alone: its mean loss and gradient, and its count of targets.
 */
import type { StepOutcome } from "./step.ts";

export interface Single extends StepOutcome {
  count: number;
}

/** Weights of the examples in a step: one list per micro-batch, of the counts n of its examples. */
type Weights = (counts: readonly number[][]) => number[][];

const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
/** Every micro-batch its own mean, times something. */
const ofMeans =
  (times: (parts: number) => number): Weights =>
  (counts) =>
    counts.map((part) => part.map((n) => (n / sum(part)) * times(counts.length)));
/** The right weights, times something. */
const scaled =
  (times: (counts: readonly number[][]) => number): Weights =>
  (counts) =>
    counts.map((part) => part.map((n) => (n / sum(counts.flat())) * times(counts)));

const RIGHT = scaled(() => 1);
const MISTAKES: Record<string, Weights> = {
  "the mean of the micro-batches' means, whatever their counts": ofMeans((K) => 1 / K),
  "the micro-batches' means summed, not divided by their number": ofMeans(() => 1),
  "the micro-batches' means divided by their number twice": ofMeans((K) => 1 / K ** 2),
  "the right mean divided by the number of micro-batches once more": scaled((counts) => 1 / counts.length),
  "the right mean multiplied by the number of micro-batches": scaled((counts) => counts.length),
  "summed over the targets, divided by nothing": scaled((counts) => sum(counts.flat())),
  "only the last micro-batch": (counts) =>
    counts.map((part, k) => part.map((n) => (k === counts.length - 1 ? n / sum(part) : 0))),
  "only the first micro-batch": (counts) => counts.map((part, k) => part.map((n) => (k === 0 ? n / sum(part) : 0))),
  "every example weighs the same, whatever its targets": (counts) =>
    counts.map((part) => part.map(() => 1 / counts.flat().length)),
  "divided by the targets of the last micro-batch only": (counts) =>
    counts.map((part) => part.map((n) => n / sum(counts[counts.length - 1]))),
};

/** Examples without targets are in `parts`, but not in `singles`; they weigh nothing. */
function outcome(parts: readonly number[][], singles: ReadonlyMap<number, Single>, weights: Weights): StepOutcome {
  const withTargets = parts.map((part) => part.flatMap((i) => singles.get(i) ?? [])).filter((part) => part.length > 0);
  const factors = weights(withTargets.map((part) => part.map(({ count }) => count))).flat();
  const flat = withTargets.flat();
  return {
    loss: sum(flat.map(({ loss }, i) => factors[i] * loss)),
    gradient: (flat[0]?.gradient ?? []).map((_, j) => sum(flat.map(({ gradient }, i) => factors[i] * gradient[j]))),
  };
}

/** Σ n ℓ / Σ n, of losses and of gradients. */
export const rightStep = (parts: readonly number[][], singles: ReadonlyMap<number, Single>) =>
  outcome(parts, singles, RIGHT);

/** What gives the losses, and what the gradients, of all observed steps; nothing where that is the right mean. */
export function nameStepMistakes(
  observations: readonly { parts: number[][]; outcome: StepOutcome }[],
  singles: ReadonlyMap<number, Single>,
  fits: (got: number, expected: number) => boolean,
): string[] {
  const explains = (of: (x: StepOutcome) => number[]) => (weights: Weights) =>
    observations.every(({ parts, outcome: seen }) => {
      const expected = of(outcome(parts, singles, weights));
      return expected.every((x, i) => fits(of(seen)[i], x));
    });
  const names = (what: string, of: (x: StepOutcome) => number[]) => {
    if (explains(of)(RIGHT)) return [];
    return Object.entries(MISTAKES)
      .filter(([, weights]) => explains(of)(weights))
      .map(([name]) => `${what}: ${name}`);
  };
  return [...names("loss", ({ loss }) => [loss]), ...names("gradient", ({ gradient }) => gradient)];
}

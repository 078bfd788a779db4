/**
 * @file What can be claimed of a preference loss: the numbered properties of DPO (Rafailov et al. 2023, equation 7, and
 * its gradient in section 4), of label smoothing (Mitchell 2023, cDPO; Chowdhury et al. 2024, robust DPO), of hinge
 * (Zhao et al. 2023, SLiC) and of IPO (Azar et al. 2023). Δ = (policy - reference) of chosen less that of rejected.
 */
import fc from "fast-check";
import { sigmoid, softplus } from "../losses/numerics.ts";
import { digits, firstOf, makeClaim, unequal } from "./claim.ts";
import { type AskPreference, deltaOf, meanOf, type Pair, pairs } from "./preference.ts";

const epsilonOf = ({ options }: AskPreference) => options.labelSmoothing ?? 0;

const NOTHING: Pair = {
  policyChosen: 0,
  policyRejected: 0,
  referenceChosen: 0,
  referenceRejected: 0,
  chosenTokens: 1,
  rejectedTokens: 1,
};
/** A pair with this Δ, all of it in the policy's two answers, which stay below 0. */
const withDelta = (delta: number): Pair =>
  delta > 0 ? { ...NOTHING, policyRejected: -delta } : { ...NOTHING, policyChosen: delta };
const swapped = (pair: Pair): Pair => ({
  policyChosen: pair.policyRejected,
  policyRejected: pair.policyChosen,
  referenceChosen: pair.referenceRejected,
  referenceRejected: pair.referenceChosen,
  chosenTokens: pair.rejectedTokens,
  rejectedTokens: pair.chosenTokens,
});
const SHIFTS = {
  "both answers under the policy": ["policyChosen", "policyRejected"],
  "the chosen answer under policy and reference": ["policyChosen", "referenceChosen"],
  "all four": ["policyChosen", "policyRejected", "referenceChosen", "referenceRejected"],
} as const satisfies Record<string, (keyof Pair)[]>;
type Shift = keyof typeof SHIFTS;

const anyPair = (ask: AskPreference) => pairs(ask.options);
const deltas = () => fc.integer({ min: -40, max: 40 });
const batches = (ask: AskPreference) => fc.array(pairs(ask.options), { minLength: 2, maxLength: 4 });

export const CLAIMS = [
  makeClaim({
    name: "the same twice",
    statement: "the same pair has the same loss whenever it is asked (dropout is off)",
    cases: anyPair,
    check: async (pair, ask) => unequal(await ask.one(pair), await ask.one(pair), 0, pair, "the first time"),
  }),
  makeClaim({
    name: "agrees with the reference",
    statement: "the mean over a batch is what the formula gives in float64",
    cases: (ask: AskPreference) => fc.array(pairs(ask.options), { minLength: 1, maxLength: 3 }),
    check: async (batch, ask) =>
      unequal(await ask.mean(batch), ask.reference(batch), ask.tolerance, batch.length > 1 ? batch : batch[0]),
  }),
  makeClaim({
    name: "ln 2 at initialisation",
    statement: "where policy and reference are the same, the loss is ln 2 = 0.6931472",
    cases: (ask: AskPreference) =>
      pairs(ask.options).map((pair) => ({
        ...pair,
        referenceChosen: pair.policyChosen,
        referenceRejected: pair.policyRejected,
      })),
    check: async (pair, ask) => unequal(await ask.one(pair), Math.LN2, ask.tolerance, pair, "ln 2"),
  }),
  makeClaim({
    name: "shift-invariant",
    statement:
      "a constant added to both answers under the policy, to one answer under policy and reference, or to all four changes nothing: only Δ counts",
    cases: (ask: AskPreference) =>
      fc.record({
        pair: pairs(ask.options),
        shift: fc.integer({ min: 1, max: 16 }).map((n) => -n),
        of: fc.constantFrom(...(Object.keys(SHIFTS) as Shift[])),
      }),
    check: async ({ pair, shift, of }, ask) => {
      const moved = { ...pair };
      for (const key of SHIFTS[of]) moved[key] += shift;
      const input = { ...pair, [`added to ${of}`]: shift };
      return unequal(await ask.one(moved), await ask.one(pair), ask.tolerance, input, "as before it was added");
    },
  }),
  makeClaim({
    name: "antisymmetric",
    statement: "L(Δ) - L(-Δ) = -βΔ; times 1 - 2ε with label smoothing ε, divided by it in robust DPO",
    cases: anyPair,
    check: async (pair, ask) => {
      const { beta, lossType } = ask.options;
      const slope = beta * (1 - 2 * epsilonOf(ask)) ** (lossType === "robust" ? -1 : 1);
      const [here, there] = [await ask.one(pair), await ask.one(swapped(pair))];
      const input = { ...pair, Δ: deltaOf(pair), "L(Δ)": digits(here), "L(-Δ)": digits(there) };
      return unequal(here - there, -slope * deltaOf(pair), ask.tolerance, input, "L(Δ) - L(-Δ)");
    },
  }),
  makeClaim({
    name: "monotone",
    statement: "a larger Δ never has a larger loss",
    cases: (_: AskPreference) => fc.record({ delta: deltas(), more: fc.integer({ min: 1, max: 16 }) }),
    check: async ({ delta, more }, ask) => {
      const [low, high] = [await ask.one(withDelta(delta)), await ask.one(withDelta(delta + more))];
      if (high <= low + ask.tolerance * Math.max(1, Math.abs(low))) return undefined;
      return {
        input: { Δ: [delta, delta + more] },
        got: `${digits(high)} at Δ = ${delta + more}`,
        expected: `at most the ${digits(low)} of Δ = ${delta}`,
      };
    },
  }),
  makeClaim({
    name: "convex",
    statement: "the loss of a Δ is at most the mean of the losses on its two sides",
    cases: (_: AskPreference) => fc.record({ delta: deltas(), step: fc.integer({ min: 1, max: 16 }) }),
    check: async ({ delta, step }, ask) => {
      const [left, middle, right] = [
        await ask.one(withDelta(delta - step)),
        await ask.one(withDelta(delta)),
        await ask.one(withDelta(delta + step)),
      ];
      const most = (left + right) / 2;
      if (middle <= most + ask.tolerance * Math.max(1, Math.abs(most))) return undefined;
      return {
        input: { Δ: [delta - step, delta, delta + step], losses: [left, middle, right].map(digits) },
        got: digits(middle),
        expected: `at most ${digits(most)}`,
      };
    },
  }),
  makeClaim({
    name: "limits",
    statement: "far from 0 the loss is 0 where Δ is large and -βΔ where it is very negative",
    cases: (_: AskPreference) => fc.integer({ min: 40, max: 1000 }),
    check: async (x, ask) => {
      const delta = x / ask.options.beta; // βΔ = x ≥ 40: softplus(-x) < 1e-17
      return firstOf([
        async () => unequal(await ask.one(withDelta(delta)), 0, ask.tolerance, { Δ: delta, βΔ: x }),
        async () => unequal(await ask.one(withDelta(-delta)), x, ask.tolerance, { Δ: -delta, βΔ: -x }, "-βΔ"),
      ]);
    },
  }),
  makeClaim({
    name: "depends on βΔ only",
    statement: "twice the β and half the Δ give the same loss",
    cases: (_: AskPreference) => deltas(),
    check: async (delta, ask) => {
      const { beta } = ask.options;
      const input = { Δ: [delta, delta / 2], β: [beta, 2 * beta] };
      const twice = await ask.one(withDelta(delta / 2), { beta: 2 * beta });
      return unequal(twice, await ask.one(withDelta(delta)), ask.tolerance, input, `as with β = ${beta}`);
    },
  }),
  makeClaim({
    name: "gradient as Rafailov",
    statement:
      "the gradient is -β(σ(-βΔ) - ε) for the chosen answer and its opposite for the rejected one: β/2 at Δ = 0",
    cases: anyPair,
    check: async (pair, ask) => {
      const { beta } = ask.options;
      const slope = -beta * (sigmoid(-beta * deltaOf(pair)) - epsilonOf(ask));
      const own = await ask.gradient(pair);
      const step = 1 / 8; // exact in float32; its truncation, β³/24 · step², is below the tolerance for β ≤ 1
      const quotient = async (key: "policyChosen" | "policyRejected") =>
        ((await ask.one({ ...pair, [key]: pair[key] + step })) -
          (await ask.one({ ...pair, [key]: pair[key] - step }))) /
        (2 * step);
      const how = own ? "its gradient" : "by finite differences";
      const tolerance = own ? beta * ask.tolerance : 8 * ask.tolerance + (beta ** 3 / 24) * step ** 2;
      const input = { ...pair, Δ: deltaOf(pair) };
      return firstOf([
        async () =>
          unequal(own?.policyChosen ?? (await quotient("policyChosen")), slope, tolerance, input, `chosen, ${how}`),
        async () =>
          unequal(
            own?.policyRejected ?? (await quotient("policyRejected")),
            -slope,
            tolerance,
            input,
            `rejected, ${how}`,
          ),
      ]);
    },
  }),
  makeClaim({
    name: "sums, not means, of log-probabilities",
    statement: "an answer counts by the sum of its tokens' log-probabilities, however many tokens they are",
    cases: (ask: AskPreference) => fc.record({ pair: pairs(ask.options), times: fc.integer({ min: 2, max: 8 }) }),
    check: async ({ pair, times }, ask) => {
      const longer = { ...pair, chosenTokens: times * pair.chosenTokens };
      const input = { ...pair, "chosenTokens, then": longer.chosenTokens };
      return unequal(await ask.one(longer), await ask.one(pair), ask.tolerance, input, "as with fewer tokens");
    },
  }),
  makeClaim({
    name: "means, not sums, of log-probabilities",
    statement: "an answer counts by the mean over its tokens: writing each of them twice changes nothing",
    cases: (ask: AskPreference) => fc.record({ pair: pairs(ask.options), times: fc.integer({ min: 2, max: 4 }) }),
    check: async ({ pair, times }, ask) => {
      const more = Object.fromEntries(Object.entries(pair).map(([key, x]) => [key, x * times])) as Pair;
      return unequal(
        await ask.one(more),
        await ask.one(pair),
        ask.tolerance,
        { ...pair, "tokens, each": `${times} times` },
        "as with each once",
      );
    },
  }),
  makeClaim({
    name: "the order of the pairs does not matter",
    statement: "a batch read backwards has the same loss",
    cases: batches,
    check: async (batch, ask) =>
      unequal(await ask.mean([...batch].reverse()), await ask.mean(batch), ask.tolerance, batch, "as forwards"),
  }),
  makeClaim({
    name: "mean over the pairs",
    statement: "the loss of a batch is the mean of its pairs' losses",
    cases: batches,
    check: async (batch, ask) => {
      const alone: number[] = [];
      for (const pair of batch) alone.push(await ask.one(pair));
      return unequal(
        await ask.mean(batch),
        meanOf(alone),
        ask.tolerance,
        { batch, alone: alone.map(digits) },
        "their mean",
      );
    },
  }),
  makeClaim({
    name: "finite at 1e4",
    statement: "the loss is a number where |βΔ| is 1e4, beyond what exp can hold",
    cases: (_: AskPreference) =>
      fc.record({ sign: fc.constantFrom(1, -1), size: fc.integer({ min: 100, max: 10_000 }) }),
    check: async ({ sign, size }, ask) => {
      const delta = (sign * size) / ask.options.beta;
      const got = await ask.one(withDelta(delta));
      if (Number.isFinite(got)) return undefined;
      return { input: { Δ: delta, βΔ: sign * size }, got: digits(got), expected: "a finite number" };
    },
  }),
  makeClaim({
    name: "label smoothing minimum",
    statement: "the loss is smallest at βΔ = ln((1 - ε) / ε)",
    cases: (_: AskPreference) => fc.integer({ min: 1, max: 40 }).map((n) => n / 4),
    check: async (away, ask) => {
      const epsilon = epsilonOf(ask);
      const best = Math.log((1 - epsilon) / epsilon);
      const at = (x: number) => ask.one(withDelta(x / ask.options.beta));
      const least = await at(best);
      for (const x of [best - away, best + away]) {
        const value = await at(x);
        if (value < least - ask.tolerance)
          return {
            input: { βΔ: digits(x) },
            got: digits(value),
            expected: `at least the ${digits(least)} of βΔ = ${digits(best)}`,
          };
      }
      return undefined;
    },
  }),
  makeClaim({
    name: "robust unbiased",
    statement: "(1 - ε) R(Δ) + ε R(-Δ) = -log σ(βΔ): under labels flipped with probability ε the mean is DPO's loss",
    cases: anyPair,
    check: async (pair, ask) => {
      const epsilon = epsilonOf(ask);
      const got = (1 - epsilon) * (await ask.one(pair)) + epsilon * (await ask.one(swapped(pair)));
      return unequal(
        got,
        softplus(-ask.options.beta * deltaOf(pair)),
        ask.tolerance,
        { ...pair, Δ: deltaOf(pair) },
        "-log σ(βΔ)",
      );
    },
  }),
  makeClaim({
    name: "zero beyond the margin",
    statement: "hinge: the loss is max(0, 1 - βΔ), so 0 exactly from βΔ = 1 on",
    cases: (_: AskPreference) => fc.integer({ min: 8, max: 400 }).map((n) => n / 8),
    check: async (x, ask) =>
      firstOf([
        async () =>
          unequal(await ask.one(withDelta(x / ask.options.beta)), Math.max(0, 1 - x), ask.tolerance, { βΔ: x }),
        async () => unequal(await ask.one(withDelta(-x / ask.options.beta)), 1 + x, ask.tolerance, { βΔ: -x }),
      ]),
  }),
  makeClaim({
    name: "minimum at 1/(2β)",
    statement: "IPO: the loss is 0 where the difference is 1/(2β), and grows with the square of the distance",
    cases: (_: AskPreference) => deltas(),
    check: async (away, ask) => {
      const pair = withDelta(1 / (2 * ask.options.beta) + away);
      return unequal(await ask.one(pair), away ** 2, ask.tolerance, { "Δ - 1/(2β)": away }, "its square");
    },
  }),
];

export type PreferenceClaim = (typeof CLAIMS)[number]["name"];

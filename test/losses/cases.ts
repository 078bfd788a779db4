/** @file What the tests of the preference losses share: one case for each formula, and random pairs. */
import fc from "fast-check";
import {
  type PairLogps,
  PREFERENCE_LOSSES,
  type PreferenceLossOptions,
  preferenceLoss,
} from "../../src/losses/preference.ts";
import { between } from "../arbitraries.ts";

/** For the properties of a file: a formula that is wrong is wrong nearly everywhere. */
export const fewRuns = () => fc.configureGlobal({ numRuns: 40 });

/** Every loss with the options that change its formula; β is filled in by the test. */
export const CASES: Omit<PreferenceLossOptions, "beta">[] = [
  ...PREFERENCE_LOSSES.filter((lossType) => lossType !== "exo_pair").map((lossType) => ({ lossType })),
  { lossType: "exo_pair", labelSmoothing: 1e-3 },
  { lossType: "sigmoid", labelSmoothing: 0.2 },
  { lossType: "robust", labelSmoothing: 0.2 },
  { lossType: "aot", labelSmoothing: 0.2 },
  { lossType: "aot_unpaired", labelSmoothing: 0.2 },
  { lossType: "simpo", labelSmoothing: 0.2, simpoGamma: 1.5 },
  { lossType: "discopop", discopopTau: 0.5 },
  { lossType: "sigmoid", rpoAlpha: 0.5 },
  { lossType: "sigmoid", fDivergenceType: "forward_kl" },
  { lossType: "sigmoid_norm", fDivergenceType: "forward_kl" },
  { lossType: "ipo", fDivergenceType: "js_divergence" },
  { lossType: "hinge", fDivergenceType: "js_divergence" },
  { lossType: "sigmoid", fDivergenceType: "alpha_divergence" },
  { lossType: "robust", labelSmoothing: 0.1, fDivergenceType: "alpha_divergence", fAlphaDivergenceCoef: 2 },
];

/** The options as a name for a test. */
export const nameOf = ({ lossType, ...rest }: Omit<PreferenceLossOptions, "beta">) =>
  [lossType, ...Object.entries(rest).map(([key, value]) => `${key} ${value}`)].join(", ");

/** One pair: sums of log-probabilities, token counts. */
export type Pair = Record<keyof PairLogps, number>;

export const toPairs = (pairs: readonly Pair[]): PairLogps => ({
  policyChosen: pairs.map((pair) => pair.policyChosen),
  policyRejected: pairs.map((pair) => pair.policyRejected),
  referenceChosen: pairs.map((pair) => pair.referenceChosen),
  referenceRejected: pairs.map((pair) => pair.referenceRejected),
  chosenTokens: pairs.map((pair) => pair.chosenTokens),
  rejectedTokens: pairs.map((pair) => pair.rejectedTokens),
});

/** An answer of 1 to 20 tokens, on average 0.02 to 4 nats each, with a log ratio to the reference of at most ±6. */
const answer = fc.record({ tokens: fc.integer({ min: 1, max: 20 }), mean: between(-4, -0.02), ratio: between(-6, 6) });

export const pair: fc.Arbitrary<Pair> = fc.tuple(answer, answer).map(([chosen, rejected]) => ({
  policyChosen: chosen.mean * chosen.tokens,
  policyRejected: rejected.mean * rejected.tokens,
  referenceChosen: chosen.mean * chosen.tokens - chosen.ratio,
  referenceRejected: rejected.mean * rejected.tokens - rejected.ratio,
  chosenTokens: chosen.tokens,
  rejectedTokens: rejected.tokens,
}));

export const beta = between(0.05, 1);

/** A pair with these log ratios to the reference, and lengths. */
export const ratios = (a: number, b: number, chosenTokens = 1, rejectedTokens = 1): Pair => ({
  policyChosen: a,
  policyRejected: b,
  referenceChosen: 0,
  referenceRejected: 0,
  chosenTokens,
  rejectedTokens,
});

/** The same pair with amounts added to some of its numbers. */
export const shifted = (one: Pair, by: Partial<Pair>): Pair =>
  Object.fromEntries(Object.entries(one).map(([key, value]) => [key, value + (by[key as keyof Pair] ?? 0)])) as Pair;

export const lossesOf = (pairs: readonly Pair[], options: PreferenceLossOptions): number[] =>
  preferenceLoss(toPairs(pairs), options).losses;
export const lossOf = (one: Pair, options: PreferenceLossOptions): number => lossesOf([one], options)[0];
export const sumOf = (pairs: readonly Pair[], options: PreferenceLossOptions): number =>
  lossesOf(pairs, options).reduce((sum, x) => sum + x, 0);
/** d loss / d log π(chosen) and d loss / d log π(rejected). */
export function slopesOf(one: Pair, options: PreferenceLossOptions): [number, number] {
  const { policyChosen, policyRejected } = preferenceLoss(toPairs([one]), options).gradients;
  return [policyChosen[0], policyRejected[0]];
}

/** Whether some case breaks the property: for those that a loss must fail. */
export const isBroken = <Ts>(property: fc.IProperty<Ts>, numRuns = 500): boolean =>
  fc.check(property, { seed: 1, numRuns, endOnFailure: true }).failed;

/**
 * @file Mistakes in what is logged beside the loss: rewards and their margins, accuracies, an answer's log-probability.
 */
import type { PairLogps } from "../losses/preference.ts";
import { betaIs, USUAL_BETAS } from "./mistakes.ts";
import type { Fits } from "./quantity.ts";

/** One side's log-probabilities of the policy and the reference, its tokens, and the other side's. */
interface Side {
  policy: number;
  reference: number;
  tokens: number;
  other: { policy: number; reference: number };
}

const REWARDS: Record<string, (side: Side, beta: number) => number> = {
  "β left out": ({ policy, reference }) => policy - reference,
  "β applied twice": ({ policy, reference }, beta) => beta * beta * (policy - reference),
  "the reference left out": ({ policy }, beta) => beta * policy,
  "the reference and β left out": ({ policy }) => policy,
  "averaged over the tokens, not summed": ({ policy, reference, tokens }, beta) =>
    (beta * (policy - reference)) / tokens,
  "averaged over the tokens, and β left out": ({ policy, reference, tokens }) => (policy - reference) / tokens,
  "chosen and rejected swapped": ({ other }, beta) => beta * (other.policy - other.reference),
  "policy and reference swapped": ({ policy, reference }, beta) => beta * (reference - policy),
  "the reference added, not subtracted": ({ policy, reference }, beta) => beta * (policy + reference),
  "the reference's two answers swapped": ({ policy, other }, beta) => beta * (policy - other.reference),
};
/** In this order, after what is wrong with the formula. */
const rewards = (said: number): typeof REWARDS => ({
  ...REWARDS,
  ...Object.fromEntries(
    USUAL_BETAS.map((beta) => [betaIs(beta, said), ({ policy, reference }: Side) => beta * (policy - reference)]),
  ),
});
const LOGPS: Record<string, (side: Side) => number> = {
  "averaged over the tokens, not summed": ({ policy, tokens }) => policy / tokens,
  "chosen and rejected swapped": ({ other }) => other.policy,
  "the reference's, not the policy's": ({ reference }) => reference,
};

type PerPair = (chosen: Side, rejected: Side) => number;
type Name =
  | "rewards/chosen"
  | "rewards/rejected"
  | "rewards/margins"
  | "rewards/accuracies"
  | "logps/chosen"
  | "logps/rejected";

function candidates(name: Name, beta: number): Record<string, PerPair> {
  const own = (chosen: Side, rejected: Side) => (name.endsWith("rejected") ? rejected : chosen);
  if (name.startsWith("logps")) return mapped(LOGPS, (of) => (chosen, rejected) => of(own(chosen, rejected)));
  if (name === "rewards/margins")
    return mapped(rewards(beta), (of) => (chosen, rejected) => of(chosen, beta) - of(rejected, beta));
  if (name !== "rewards/accuracies")
    return mapped(rewards(beta), (of) => (chosen, rejected) => of(own(chosen, rejected), beta));
  const margin = (chosen: Side, rejected: Side) =>
    chosen.policy - chosen.reference - (rejected.policy - rejected.reference);
  return {
    "a tie counted as a win": (chosen, rejected) => (margin(chosen, rejected) >= 0 ? 1 : 0),
    "a tie counted as half a win": (chosen, rejected) => (Math.sign(margin(chosen, rejected)) + 1) / 2,
    ...mapped(REWARDS, (of) => (chosen, rejected) => (of(chosen, beta) > of(rejected, beta) ? 1 : 0)),
    "a percentage, not a share": (chosen, rejected) => (margin(chosen, rejected) > 0 ? 100 : 0),
  };
}

const mapped = <X, Y>(record: Record<string, X>, change: (value: X) => Y): Record<string, Y> =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));

const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);

/** The first mistake that gives every row's values: the quantity computed otherwise; and the right one summed, if it is that. */
export function rewardMistakes(
  name: Name,
  rows: readonly { pairs: PairLogps; said: number | number[] }[],
  beta: number,
  fits: Fits,
): string[] {
  const reads = (of: PerPair, reduce: (values: readonly number[]) => number) =>
    rows.every(({ pairs, said }) => {
      const values = pairs.policyChosen.map((_, i) => of(...sidesOf(pairs, i)));
      return typeof said === "number" ? fits(said, reduce(values)) : said.every((x, i) => fits(x, values[i]));
    });
  const mean = (values: readonly number[]) => sum(values) / values.length;
  const found = Object.entries(candidates(name, beta)).filter(([, of]) => reads(of, mean));
  return [
    ...found.slice(0, 1).map(([mistake]) => mistake),
    ...(reads(right(name, beta), sum) ? ["summed over the pairs, not averaged"] : []),
  ];
}

function right(name: Name, beta: number): PerPair {
  const reward = ({ policy, reference }: Side) => beta * (policy - reference);
  if (name.startsWith("logps")) return (chosen, rejected) => (name.endsWith("rejected") ? rejected : chosen).policy;
  if (name === "rewards/margins") return (chosen, rejected) => reward(chosen) - reward(rejected);
  if (name === "rewards/accuracies") return (chosen, rejected) => (reward(chosen) > reward(rejected) ? 1 : 0);
  return (chosen, rejected) => reward(name.endsWith("rejected") ? rejected : chosen);
}

function sidesOf(pairs: PairLogps, i: number): [chosen: Side, rejected: Side] {
  const chosen = { policy: pairs.policyChosen[i], reference: pairs.referenceChosen[i], tokens: pairs.chosenTokens[i] };
  const rejected = {
    policy: pairs.policyRejected[i],
    reference: pairs.referenceRejected[i],
    tokens: pairs.rejectedTokens[i],
  };
  return [
    { ...chosen, other: rejected },
    { ...rejected, other: chosen },
  ];
}

const TOKEN_SUMS: Record<string, (tokens: readonly number[]) => number> = {
  "averaged over the tokens, not summed": (tokens) => sum(tokens) / tokens.length,
  "the first answer token left out": (tokens) => sum(tokens.slice(1)),
  "the last answer token (the end of the answer) left out": (tokens) => sum(tokens.slice(0, -1)),
  "the sign turned round": (tokens) => -sum(tokens),
  "logarithms to the base 2, not e": (tokens) => sum(tokens) / Math.LN2,
};

/** What gives every answer's log-probability from those of its tokens. */
export const tokenSumMistakes = (answers: readonly { tokens: number[]; theirs: number }[], fits: Fits): string[] =>
  Object.entries(TOKEN_SUMS)
    .filter(([, of]) => answers.every(({ tokens, theirs }) => fits(theirs, of(tokens))))
    .map(([name]) => name);

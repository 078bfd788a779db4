/**
 * @file The kit on preference losses: every claim holds for the losses of which it is made, a wrong loss breaks the
 * claims that it should, with a counterexample that can be checked by hand and the mistake by its name.
 */
import {
  ClaimError,
  checkLoss,
  claimsOf,
  lossProperties,
  type PreferenceCheck,
  type PreferenceClaim,
  reportText,
} from "marco-mini/testing";
import { describe, expect, test } from "vitest";
import {
  type PairLogps,
  PREFERENCE_LOSSES,
  type PreferenceLossOptions,
  type PreferenceLossType,
  preferenceLoss,
} from "../../src/losses/preference.ts";

const BETA = 0.1;
const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
/** The right loss, of pairs and options that may be changed on the way. */
const right = (pairs: PairLogps, options: PreferenceLossOptions) => preferenceLoss(pairs, options).losses;
/** A newcomer's DPO in float32, with switches. */
const sigmoid =
  (change: (pairs: PairLogps) => Partial<PairLogps> = () => ({}), beta = BETA) =>
  (pairs: PairLogps) => {
    const f = Math.fround;
    const p = { ...pairs, ...change(pairs) };
    return p.policyChosen.map((chosen, i) => {
      const a = f(f(chosen) - f(p.referenceChosen[i]));
      const b = f(f(p.policyRejected[i]) - f(p.referenceRejected[i]));
      const x = f(f(beta) * f(a - b));
      return f(Math.max(-x, 0) + f(Math.log1p(f(Math.exp(-Math.abs(x))))));
    });
  };
const dpo = (loss: PreferenceCheck["loss"], more: Partial<PreferenceCheck> = {}): PreferenceCheck => ({
  kind: "preference",
  as: "sigmoid",
  beta: BETA,
  loss,
  ...more,
});
const broken = async (check: PreferenceCheck) => {
  const { claims } = await checkLoss({ numRuns: 20, ...check });
  return Object.fromEntries(claims.filter(({ holds }) => !holds).map((claim) => [claim.name, claim]));
};

describe("what is claimed of a loss holds for it:", () => {
  const smoothing: Partial<Record<PreferenceLossType, number>> = { exo_pair: 0.001, robust: 0.1 };
  for (const lossType of PREFERENCE_LOSSES)
    test(lossType, async () => {
      const labelSmoothing = smoothing[lossType];
      for (const beta of [0.1, 0.5]) {
        const options = { beta, ...(labelSmoothing && { labelSmoothing }) };
        const report = await checkLoss({
          kind: "preference",
          as: lossType,
          ...options,
          tolerance: 1e-9,
          numRuns: 20,
          loss: right,
        });
        expect(reportText(report)).not.toContain("BROKEN");
        expect(report.claims.map(({ name }) => name)).toEqual([...new Set(claimsOf({ lossType, ...options }))]);
        expect(report.claims.length).toBeGreaterThanOrEqual(3);
      }
    });

  test("sigmoid with label smoothing, and with its own gradients", async () => {
    const loss: PreferenceCheck["loss"] = (pairs, options) => {
      const { losses, gradients } = preferenceLoss(pairs, options);
      return { loss: losses, gradients };
    };
    const report = await checkLoss(dpo(loss, { labelSmoothing: 0.2 }));
    expect(reportText(report)).toMatch(/^13 of 13 claims hold \(100 cases each, seed 1\)$/m);
  });

  test("sigmoid in float32, as a mean and as a promise", async () => {
    for (const loss of [sigmoid(), async (pairs: PairLogps) => mean(sigmoid()(pairs))])
      expect(await broken(dpo(loss))).toEqual({});
  });
});

describe("a wrong loss is caught, and its mistake named:", () => {
  const divided = ({ policyChosen, policyRejected, referenceChosen, referenceRejected, ...n }: PairLogps) => ({
    policyChosen: policyChosen.map((x, i) => x / n.chosenTokens[i]),
    policyRejected: policyRejected.map((x, i) => x / n.rejectedTokens[i]),
    referenceChosen: referenceChosen.map((x, i) => x / n.chosenTokens[i]),
    referenceRejected: referenceRejected.map((x, i) => x / n.rejectedTokens[i]),
  });
  const swappedPolicy = (p: PairLogps) => ({ policyChosen: p.policyRejected, policyRejected: p.policyChosen });
  const swappedAll = (p: PairLogps) => ({
    ...swappedPolicy(p),
    referenceChosen: p.referenceRejected,
    referenceRejected: p.referenceChosen,
  });
  const noReference = (p: PairLogps) => ({
    referenceChosen: p.referenceChosen.map(() => 0),
    referenceRejected: p.referenceChosen.map(() => 0),
  });
  const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);

  const cases: [what: string, loss: PreferenceCheck["loss"], breaks: PreferenceClaim, mistake: string[]][] = [
    [
      "means for sums",
      sigmoid(divided),
      "sums, not means, of log-probabilities",
      ["log-probabilities averaged over the tokens, not summed"],
    ],
    ["β twice", sigmoid(undefined, BETA ** 2), "antisymmetric", ["β applied twice"]],
    ["β left out", sigmoid(undefined, 1), "gradient as Rafailov", ["β left out"]],
    [
      "answers swapped",
      sigmoid(swappedAll),
      "monotone",
      ["chosen and rejected swapped", "policy and reference swapped"],
    ],
    ["no reference", sigmoid(noReference), "ln 2 at initialisation", ["the reference left out"]],
    [
      "the reference's answers swapped",
      sigmoid((p) => ({ referenceChosen: p.referenceRejected, referenceRejected: p.referenceChosen })),
      "ln 2 at initialisation",
      ["the reference added, not subtracted", "the reference's two answers swapped"],
    ],
    [
      "summed over pairs",
      (pairs) => sum(sigmoid()(pairs)),
      "mean over the pairs",
      ["summed over the pairs, not averaged"],
    ],
    ["the sign", (pairs) => -mean(sigmoid()(pairs)), "ln 2 at initialisation", ["the sign of the loss turned round"]],
    [
      "no logarithm",
      (pairs) => -mean(sigmoid()(pairs).map((x) => Math.exp(-x))),
      "limits",
      ["the logarithm left out: -σ, not -log σ"],
    ],
    [
      "2B rows",
      (pairs) => mean(sigmoid()(pairs)) / 2,
      "ln 2 at initialisation",
      ["divided by the 2B rows of the batch, not by its B pairs"],
    ],
    [
      "another loss",
      (pairs) => right(pairs, { lossType: "hinge", beta: BETA }),
      "ln 2 at initialisation",
      ["the loss is hinge, not sigmoid"],
    ],
    [
      "two mistakes",
      sigmoid(divided, 1),
      "sums, not means, of log-probabilities",
      ["log-probabilities averaged over the tokens, not summed, and β left out"],
    ],
  ];
  for (const [what, loss, breaks, mistakes] of cases)
    test(what, async () => {
      const claims = [breaks, "agrees with the reference"] as const;
      const found = await broken(dpo(loss, { as: undefined, claims }));
      expect(Object.keys(found)).toEqual(claims);
      expect(found[breaks].mistakes).toEqual(mistakes);
      expect(found[breaks].explanation).toContain(`likely cause: ${mistakes.join("; or ")} (gives`);
    });

  test("label smoothing left out", async () => {
    const found = await broken(dpo(sigmoid(), { labelSmoothing: 0.1 }));
    expect(found["label smoothing minimum"].mistakes).toEqual(["label smoothing left out"]);
  });

  test("-log(σ(x)) as it is written overflows where softplus does not", async () => {
    const naive = (pairs: PairLogps) => sigmoid()(pairs).map((x) => -Math.log(Math.fround(Math.exp(-x))));
    expect(Object.keys(await broken(dpo(naive)))).toEqual(["limits", "finite at 1e4"]);
  });

  test("dropout, and what it gives for one pair or many", async () => {
    let calls = 0;
    const dropout = (pairs: PairLogps) => sigmoid()(pairs).map((x) => x * (1 + (calls++ % 2)));
    expect(Object.keys(await broken(dpo(dropout)))[0]).toBe("the same twice");
    const one = await broken(dpo(() => [0.5, 0.5]));
    expect(one["the same twice"].explanation).toContain(
      "got an error: it gave 2 numbers for 1 pairs; expected the mean, or a number per pair",
    );
  });

  test("a mistake that is none of the known ones is said to be none", async () => {
    const odd = (pairs: PairLogps) => sigmoid()(pairs).map((x) => x + 1e-3);
    const found = await broken(dpo(odd));
    expect(found["ln 2 at initialisation"].mistakes).toEqual([]);
    expect(found["ln 2 at initialisation"].explanation).toContain("none of the known mistakes");
  });
});

describe("a counterexample", () => {
  const meanLoss = sigmoid(({ policyChosen, chosenTokens }) => ({
    policyChosen: policyChosen.map((x, i) => x / chosenTokens[i]),
  }));
  const find = async (name: string, more: Partial<PreferenceCheck> & { seed?: number } = {}) => {
    const property = lossProperties(dpo(meanLoss, more)).find((one) => one.name === name)!;
    return (await property.check().catch((error) => error)) as ClaimError;
  };

  test("is the smallest: whole numbers, zeros where they do not matter", async () => {
    const error = await find("ln 2 at initialisation");
    expect(error).toBeInstanceOf(ClaimError);
    const input = error.result.counterexample!.input as Record<string, number>;
    expect(input).toMatchObject({ policyChosen: -1, referenceChosen: -1, policyRejected: 0, chosenTokens: 2 });
  });

  test("is explained in full: claim, input, what was given and expected, cause, seed", async () => {
    const { message } = await find("sums, not means, of log-probabilities");
    expect(message.split("\n").map((line) => line.replace(/-?\d[\d.]*/g, "#"))).toEqual([
      "sums, not means, of log-probabilities: an answer counts by the sum of its tokens' log-probabilities, however many tokens they are",
      "counterexample: policyChosen #, policyRejected #, referenceChosen #, referenceRejected #, chosenTokens #, rejectedTokens #, chosenTokens, then #",
      "got #, expected # (as with fewer tokens)",
      "likely cause: none of the known mistakes gives the numbers of this loss",
      "seed #, shrunk # times",
    ]);
  });

  test("is the same for the same seed", async () => {
    const [one, again, other] = [
      await find("antisymmetric"),
      await find("antisymmetric"),
      await find("antisymmetric", { seed: 2 }),
    ];
    expect(again.message).toBe(one.message);
    expect(other.message).toContain("seed 2,");
  });
});

test("a loss that takes no options is not asked with another β, and the report says so", async () => {
  const report = await checkLoss(dpo((pairs) => mean(sigmoid()(pairs))));
  expect(report.holds).toBe(true);
  expect(report.skipped).toEqual([
    { name: "depends on βΔ only", why: "the loss takes no options, so it cannot be asked with another β" },
  ]);
  expect(reportText(report)).toContain("not asked  depends on βΔ only");
});

test("single claims can be asked of a loss that has no name", async () => {
  const loss = (pairs: PairLogps) => right(pairs, { lossType: "nca_pair", beta: BETA });
  const found = await broken({ kind: "preference", beta: BETA, loss, claims: ["shift-invariant", "convex"] });
  expect(Object.keys(found)).toEqual(["shift-invariant"]); // it is absolute
  expect(found["shift-invariant"].mistakes).toEqual(["the loss is nca_pair, not sigmoid"]);
});

test("what cannot be checked is refused with what to give", () => {
  expect(() => lossProperties({ kind: "preference", beta: BETA, loss: right })).toThrow(
    "nothing is claimed: give `as`",
  );
  expect(() => lossProperties(dpo(right, { as: "dpo" as "sigmoid" }))).toThrow('as: "dpo"; expected one of sigmoid,');
  expect(() => lossProperties(dpo(right, { claims: ["odd" as "convex"] }))).toThrow(
    'no claim "odd"; there are: the same',
  );
});

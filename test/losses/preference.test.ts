/**
 * @file The preference losses in float64: what each is worth before the first step, and the hand-written gradients
 * against finite differences.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type PreferenceLossOptions, preferenceLoss } from "../../src/losses/preference.ts";
import { finiteDifferences } from "../ops/finiteDifferences.ts";
import { beta, CASES, fewRuns, lossesOf, nameOf, type Pair, pair, toPairs } from "./cases.ts";

fewRuns();

/** Training-anchors' table: β = 0.1, policy = reference. */
const AT_START: [Omit<PreferenceLossOptions, "beta">, number][] = [
  [{ lossType: "sigmoid" }, Math.LN2],
  [{ lossType: "sigmoid", labelSmoothing: 0.3 }, Math.LN2],
  [{ lossType: "sigmoid_norm" }, Math.LN2],
  [{ lossType: "robust", labelSmoothing: 0.3 }, Math.LN2],
  [{ lossType: "aot" }, Math.LN2],
  [{ lossType: "aot_unpaired" }, Math.LN2],
  [{ lossType: "hinge" }, 1],
  [{ lossType: "ipo" }, 25],
  [{ lossType: "ipo_sum" }, 25],
  [{ lossType: "exo_pair", labelSmoothing: 1e-3 }, 2.761231],
  [{ lossType: "nca_pair" }, 2 * Math.LN2],
  [{ lossType: "bco_pair" }, 2 * Math.LN2],
  [{ lossType: "sppo_hard" }, 50],
  [{ lossType: "apo_zero" }, 1],
  [{ lossType: "apo_down" }, 1],
  [{ lossType: "discopop" }, (1 + Math.LN2) / 2],
];

describe("before the first step, with policy and reference the same and β = 0.1", () => {
  test.each(AT_START.map(([options, value]) => [nameOf(options), value, options] as const))(
    "%s is %f for every pair",
    (_, value, options) => {
      const still = pair.map((one) => ({
        ...one,
        referenceChosen: one.policyChosen,
        referenceRejected: one.policyRejected,
      }));
      fc.assert(
        fc.property(fc.array(still, { minLength: 1, maxLength: 4 }), (pairs) => {
          expect(lossesOf(pairs, { ...options, beta: 0.1 })).toBeAllClose(
            pairs.map(() => value),
            { atol: 5e-7 },
          );
        }),
      );
    },
  );
});

/** Whether no pair is near a corner of the loss, where finite differences mean nothing. */
function isSmooth(pairs: readonly Pair[], options: PreferenceLossOptions): boolean {
  const apart = (values: number[]) =>
    [...values].sort((x, y) => x - y).every((x, i, all) => i === 0 || x - all[i - 1] > 1e-3);
  const ratios = (of: "policy" | "reference") => pairs.map((p) => p[`${of}Chosen`] - p[`${of}Rejected`]);
  if (options.lossType === "aot") return apart(ratios("policy")) && apart(ratios("reference"));
  if (options.lossType === "aot_unpaired")
    return (["Chosen", "Rejected"] as const).every((side) =>
      apart(pairs.map((p) => p[`policy${side}`] - p[`reference${side}`])),
    );
  if (options.lossType === "hinge") {
    const losses = lossesOf(pairs, options);
    const further = lossesOf(
      pairs.map((p) => ({ ...p, policyRejected: p.policyRejected - 1e-3 })),
      options,
    );
    return losses.every((loss, i) => loss > 1e-3 || (loss === 0 && further[i] === 0 && isFlat(pairs[i], options)));
  }
  return true;
}
const isFlat = (one: Pair, options: PreferenceLossOptions) =>
  lossesOf([{ ...one, policyChosen: one.policyChosen - 1e-3 }], options)[0] === 0;

describe("the gradient is that of finite differences", () => {
  test.each(CASES.map((options) => [nameOf(options), options] as const))("of %s", (_, options) => {
    fc.assert(
      fc.property(fc.array(pair, { minLength: 1, maxLength: 3 }), beta, (drawn, beta) => {
        const all = { ...options, beta };
        fc.pre(isSmooth(drawn, all));
        const pairs = toPairs(drawn);
        const { gradients } = preferenceLoss(pairs, all);
        const ones = drawn.map(() => 1);
        for (const name of ["policyChosen", "policyRejected"] as const) {
          const loss = (x: Float64Array) => preferenceLoss({ ...pairs, [name]: [...x] }, all).losses;
          const slopes = finiteDifferences(loss, pairs[name], ones);
          expect(gradients[name], name).toBeAllClose(slopes, { atol: 1e-6, rtol: 1e-6 });
        }
      }),
      { numRuns: 50 },
    );
  });
});

/**
 * @file What tells each preference loss from the others (training-anchors, section 5.2), in float64. `h` is the margin,
 * a and b are the log ratios of the chosen and the rejected answer.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type PreferenceLossOptions, preferenceLoss } from "../../src/losses/preference.ts";
import { between } from "../arbitraries.ts";
import {
  beta,
  fewRuns,
  isBroken,
  lossesOf,
  lossOf,
  type Pair,
  pair,
  ratios,
  slopesOf,
  sumOf,
  toPairs,
} from "./cases.ts";

fewRuns();

const ratio = between(-40, 40);
const close = (x: number, y: number, tolerance = 1e-11) =>
  expect([x]).toBeAllClose([y], { atol: tolerance, rtol: tolerance });
const of =
  (options: Omit<PreferenceLossOptions, "beta">) =>
  (beta: number): PreferenceLossOptions => ({ ...options, beta });
const sigmoid = of({ lossType: "sigmoid" });

describe("hinge", () => {
  const hinge = of({ lossType: "hinge" });
  test("is 0 exactly from the margin 1/β on", () =>
    fc.assert(
      fc.property(ratio, beta, (h, beta) => {
        expect(lossOf(ratios(h, 0), hinge(beta)) === 0).toBe(beta * h >= 1);
        expect(lossOf(ratios(1 / beta + 1e-6, 0), hinge(beta))).toBe(0);
      }),
    ));
});

describe("IPO", () => {
  const [ipo, ipoSum] = [of({ lossType: "ipo" }), of({ lossType: "ipo_sum" })];

  test("is 0 at the margin 1/(2β), and pushes back beyond it, where DPO goes on", () =>
    fc.assert(
      fc.property(between(0.01, 10), beta, (beyond, beta) => {
        close(lossOf(ratios(1 / (2 * beta), 0), ipoSum(beta)), 0);
        const far = ratios(1 / (2 * beta) + beyond, 0);
        expect(slopesOf(far, ipoSum(beta))[0]).toBeGreaterThan(0);
        expect(slopesOf(far, sigmoid(beta))[0]).toBeLessThan(0);
      }),
    ));

  test("by tokens and by sums is one loss for answers of one token", () =>
    fc.assert(
      fc.property(ratio, ratio, beta, (a, b, beta) => {
        expect(lossOf(ratios(a, b), ipo(beta))).toBe(lossOf(ratios(a, b), ipoSum(beta)));
      }),
    ));

  /** Every token said k times over: sums and lengths grow, means stay. */
  const duplicated = (options: (beta: number) => PreferenceLossOptions) =>
    fc.property(pair, fc.integer({ min: 2, max: 5 }), beta, (one, k, beta) => {
      const longer = Object.fromEntries(Object.entries(one).map(([key, value]) => [key, k * value])) as Pair;
      close(lossOf(longer, options(beta)), lossOf(one, options(beta)), 1e-9);
    });
  test("by tokens (ipo) does not see every token said k times", () => fc.assert(duplicated(ipo)));
  test("sigmoid_norm does not either", () => fc.assert(duplicated(of({ lossType: "sigmoid_norm" }))));
  test.each(["ipo_sum", "sigmoid"] as const)("%s, of sums, does, and the property says so", (lossType) => {
    expect(isBroken(duplicated(of({ lossType })))).toBe(true);
  });
});

describe("exo_pair", () => {
  test("is a KL divergence: at least 0, and 0 at βh = ln((1 - ε)/ε)", () =>
    fc.assert(
      fc.property(ratio, between(1e-4, 0.499), beta, (h, labelSmoothing, beta) => {
        const options = of({ lossType: "exo_pair", labelSmoothing })(beta);
        expect(lossOf(ratios(h, 0), options)).toBeGreaterThanOrEqual(-1e-15);
        const best = ratios(Math.log((1 - labelSmoothing) / labelSmoothing) / beta, 0);
        close(lossOf(best, options), 0);
        close(slopesOf(best, options)[0], 0);
      }),
    ));
});

describe("losses of each answer by itself", () => {
  /** The push on the chosen answer is the same whatever the rejected one is. */
  const separable = (lossType: PreferenceLossOptions["lossType"]) =>
    fc.property(ratio, ratio, ratio, beta, (a, b, other, beta) => {
      const options = { lossType, beta };
      close(slopesOf(ratios(a, b), options)[0], slopesOf(ratios(a, other), options)[0]);
    });
  test.each(["nca_pair", "bco_pair", "sppo_hard", "apo_zero"] as const)("%s pushes each by itself", (lossType) =>
    fc.assert(separable(lossType)),
  );
  test.each(["sigmoid", "apo_down", "hinge"] as const)("%s does not, and the property says so", (lossType) => {
    expect(isBroken(separable(lossType))).toBe(true);
  });

  test("bco_pair is DPO's loss of each answer against a ratio of 0", () =>
    fc.assert(
      fc.property(ratio, ratio, beta, (a, b, beta) => {
        const expected = lossOf(ratios(a, 0), sigmoid(beta)) + lossOf(ratios(0, b), sigmoid(beta));
        close(lossOf(ratios(a, b), of({ lossType: "bco_pair" })(beta)), expected);
      }),
    ));

  test("nca_pair holds the chosen answer back: its best ratio is finite, at βa = ln 2", () =>
    fc.assert(
      fc.property(ratio, beta, (b, beta) => {
        const slope = (a: number) => slopesOf(ratios(a, b), of({ lossType: "nca_pair" })(beta))[0];
        close(slope(Math.LN2 / beta), 0);
        expect(slope(Math.LN2 / beta - 0.1)).toBeLessThan(0);
        expect(slope(Math.LN2 / beta + 0.1)).toBeGreaterThan(0);
      }),
    ));

  test("sppo_hard is 0 only at a = 1/(2β) and b = -1/(2β)", () =>
    fc.assert(
      fc.property(ratio, ratio, beta, (a, b, beta) => {
        const options = of({ lossType: "sppo_hard" })(beta);
        close(lossOf(ratios(0.5 / beta, -0.5 / beta), options), 0);
        const distance = (a - 0.5 / beta) ** 2 + (b + 0.5 / beta) ** 2;
        close(lossOf(ratios(a, b), options), distance, 1e-9);
      }),
    ));
});

describe("APO", () => {
  test.each(["apo_zero", "apo_down"] as const)("%s stays between 0 and 2", (lossType) =>
    fc.assert(
      fc.property(ratio, ratio, beta, (a, b, beta) => {
        const loss = lossOf(ratios(a, b), { lossType, beta });
        expect(loss).toBeGreaterThan(0);
        expect(loss).toBeLessThanOrEqual(2); // 2 only by rounding
      }),
    ),
  );

  test("apo_zero raises the chosen answer and lowers the rejected one, everywhere", () =>
    fc.assert(
      fc.property(ratio, ratio, beta, (a, b, beta) => {
        const [chosen, rejected] = slopesOf(ratios(a, b), of({ lossType: "apo_zero" })(beta));
        expect(chosen).toBeLessThan(0);
        expect(rejected).toBeGreaterThan(0);
      }),
    ));

  test("apo_down lowers both once they are told apart by more than the chosen one has moved", () =>
    fc.assert(
      fc.property(between(-20, 20), between(0.01, 10), beta, (a, more, beta) => {
        const [chosen, rejected] = slopesOf(ratios(a, a - Math.abs(a) - more), of({ lossType: "apo_down" })(beta));
        expect(chosen).toBeGreaterThan(0);
        expect(rejected).toBeGreaterThan(0);
      }),
    ));
});

describe("optimal transport (aot)", () => {
  const batch = fc.array(pair, { minLength: 2, maxLength: 6 });
  const aot = of({ lossType: "aot", labelSmoothing: 0.1 });
  const unpaired = of({ lossType: "aot_unpaired", labelSmoothing: 0.1 });
  const rolled = <T>(items: readonly T[]) => [...items.slice(1), items[0]];

  test("is cDPO for a batch of one pair", () =>
    fc.assert(
      fc.property(pair, beta, (one, beta) => {
        const expected = lossOf(one, of({ lossType: "sigmoid", labelSmoothing: 0.1 })(beta));
        close(lossOf(one, aot(beta)), expected);
        close(lossOf(one, unpaired(beta)), expected);
      }),
    ));

  test("does not see the order of the pairs", () =>
    fc.assert(
      fc.property(batch, beta, (pairs, beta) => {
        expect(lossesOf(rolled(pairs), aot(beta))).toEqual(lossesOf(pairs, aot(beta)));
        expect(lossesOf(rolled(pairs), unpaired(beta))).toEqual(lossesOf(pairs, unpaired(beta)));
      }),
    ));

  test("aot does not see which reference belongs to which pair", () =>
    fc.assert(
      fc.property(batch, beta, (drawn, beta) => {
        const pairs = toPairs(drawn);
        const { referenceChosen, referenceRejected } = pairs;
        const mixed = {
          ...pairs,
          referenceChosen: rolled(referenceChosen),
          referenceRejected: rolled(referenceRejected),
        };
        expect(preferenceLoss(mixed, aot(beta))).toEqual(preferenceLoss(pairs, aot(beta)));
      }),
    ));

  test("aot_unpaired does not see which answers belong together", () =>
    fc.assert(
      fc.property(batch, beta, (drawn, beta) => {
        const pairs = toPairs(drawn);
        const { policyRejected, referenceRejected } = pairs;
        const mixed = {
          ...pairs,
          policyRejected: rolled(policyRejected),
          referenceRejected: rolled(referenceRejected),
        };
        const [losses, expected] = [mixed, pairs].map((given) => preferenceLoss(given, unpaired(beta)).losses);
        expect(losses).toEqual(expected);
      }),
    ));

  /** The loss of a batch is the sum of the losses of its parts: what accumulation over micro-batches needs. */
  const additive = (options: (beta: number) => PreferenceLossOptions) =>
    fc.property(batch, beta, (pairs, beta) => {
      const apart = pairs.reduce((sum, one) => sum + lossOf(one, options(beta)), 0);
      close(sumOf(pairs, options(beta)), apart, 1e-9);
    });
  test.each(["aot", "aot_unpaired", "sft"] as const)(
    "%s depends on how a step is divided into micro-batches, and the property says so",
    (lossType) => {
      expect(isBroken(additive(of({ lossType })))).toBe(true);
    },
  );
  test.each(["sigmoid", "ipo", "hinge", "nca_pair", "simpo", "orpo", "discopop"] as const)(
    "%s does not depend on it",
    (lossType) => fc.assert(additive(of({ lossType }))),
  );
});

describe("DiscoPOP", () => {
  test("is DPO's loss on the left and the exponential on the right", () =>
    fc.assert(
      fc.property(between(40, 400), between(0.1, 1), (h, beta) => {
        const options = of({ lossType: "discopop" })(beta);
        close(lossOf(ratios(-h, 0), options) / lossOf(ratios(-h, 0), sigmoid(beta)), 1);
        close(lossOf(ratios(h, 0), options) / Math.exp(-beta * h), 1);
      }),
    ));

  test("is not monotone near 0: more margin can cost more", () => {
    const options = of({ lossType: "discopop" })(1);
    expect(lossOf(ratios(0, 0), options)).toBeGreaterThan(lossOf(ratios(-0.1, 0), options));
  });
});

describe("sft", () => {
  test("has no gradient to the rejected answers", () =>
    fc.assert(
      fc.property(fc.array(pair, { minLength: 1, maxLength: 4 }), beta, (pairs, beta) => {
        const { gradients } = preferenceLoss(toPairs(pairs), { lossType: "sft", beta });
        expect(gradients.policyRejected).toEqual(pairs.map(() => 0));
      }),
    ));

  test("is on average the cross-entropy per token of the chosen answers", () =>
    fc.assert(
      fc.property(fc.array(pair, { minLength: 1, maxLength: 4 }), beta, (pairs, beta) => {
        const sum = (of: "policyChosen" | "chosenTokens") => pairs.reduce((total, one) => total + one[of], 0);
        const loss = sumOf(pairs, { lossType: "sft", beta }) / pairs.length;
        close(loss, -sum("policyChosen") / sum("chosenTokens"));
      }),
    ));
});

describe("losses without a reference", () => {
  test.each(["simpo", "orpo", "sft"] as const)("%s does not look at it", (lossType) =>
    fc.assert(
      fc.property(pair, ratio, ratio, beta, (one, referenceChosen, referenceRejected, beta) => {
        const options = { lossType, beta };
        expect(lossOf({ ...one, referenceChosen, referenceRejected }, options)).toBe(lossOf(one, options));
      }),
    ),
  );

  test("simpo is ln 2 where the means are γ/β apart", () =>
    fc.assert(
      fc.property(between(-4, -0.1), between(0, 3), beta, (mean, simpoGamma, beta) => {
        const one = ratios(5 * mean, 3 * (mean - simpoGamma / beta), 5, 3);
        close(lossOf(one, of({ lossType: "simpo", simpoGamma })(beta)), Math.LN2);
      }),
    ));

  test("simpo at γ = 0 is sigmoid_norm with a reference of 0", () =>
    fc.assert(
      fc.property(pair, beta, (one, beta) => {
        const alone = { ...one, referenceChosen: 0, referenceRejected: 0 };
        const expected = lossOf(alone, of({ lossType: "sigmoid_norm" })(beta));
        close(lossOf(one, of({ lossType: "simpo", simpoGamma: 0 })(beta)), expected);
      }),
    ));

  test("orpo is cross-entropy minus β log σ of the logarithm of the odds ratio", () =>
    fc.assert(
      fc.property(pair, beta, (one, beta) => {
        const [p, q] = [
          Math.exp(one.policyChosen / one.chosenTokens),
          Math.exp(one.policyRejected / one.rejectedTokens),
        ];
        const oddsRatio = p / (1 - p) / (q / (1 - q));
        const expected = -Math.log(p) - beta * Math.log(oddsRatio / (1 + oddsRatio));
        close(lossOf(one, of({ lossType: "orpo" })(beta)), expected, 1e-9);
      }),
    ));

  test("orpo is finite for an answer that is certain, whose odds are infinite", () => {
    for (const one of [ratios(0, -5, 5, 5), ratios(-5, 0, 5, 5), ratios(0, 0, 5, 5)]) {
      const { losses, gradients } = preferenceLoss(toPairs([one]), { lossType: "orpo", beta: 0.1 });
      for (const x of [...losses, ...gradients.policyChosen, ...gradients.policyRejected])
        expect(Number.isFinite(x)).toBe(true);
    }
  });
});

describe("f-divergences", () => {
  const small = between(-5, 5);
  const alpha = (fAlphaDivergenceCoef: number) =>
    of({ lossType: "ipo_sum", fDivergenceType: "alpha_divergence", fAlphaDivergenceCoef });

  test("alpha_divergence goes to reverse_kl as α goes to 1, from both sides", () =>
    fc.assert(
      fc.property(small, small, fc.constantFrom(1e-5, -1e-5), beta, (a, b, off, beta) => {
        const limit = slopesOf(ratios(a, b), of({ lossType: "ipo_sum" })(beta))[0];
        const slope = slopesOf(ratios(a, b), alpha(1 + off)(beta))[0];
        expect(Math.abs(slope - limit)).toBeLessThan(1e-3 * (1 + Math.abs(limit)));
        expect(slopesOf(ratios(a, b), alpha(1 + off / 100)(beta))[0]).toBe(limit); // TRL's cut at 1e-6
      }),
    ));

  test("alpha_divergence is forward_kl at α = 0", () =>
    fc.assert(
      fc.property(small, small, beta, (a, b, beta) => {
        const forward = of({ lossType: "ipo_sum", fDivergenceType: "forward_kl" })(beta);
        close(lossOf(ratios(a, b), alpha(0)(beta)), lossOf(ratios(a, b), forward));
      }),
    ));

  test("all of them start as DPO starts: ln 2, the gradients β/2 times f''(1), which is ½ for js_divergence", () => {
    for (const [fDivergenceType, curvature] of [
      ["reverse_kl", 1],
      ["forward_kl", 1],
      ["js_divergence", 0.5],
      ["alpha_divergence", 1],
    ] as const) {
      const options = of({ lossType: "sigmoid", fDivergenceType })(0.1);
      close(lossOf(ratios(0, 0), options), Math.LN2);
      close(slopesOf(ratios(0, 0), options)[0], -0.05 * curvature);
    }
  });

  test("js_divergence: a chosen answer's score is below ln 2 however likely it gets, so the loss has a floor", () =>
    fc.assert(
      fc.property(between(0, 1e4), beta, (a, beta) => {
        const options = of({ lossType: "sigmoid", fDivergenceType: "js_divergence" })(beta);
        expect(lossOf(ratios(a, 0), options)).toBeGreaterThanOrEqual(Math.log1p(Math.exp(-beta * Math.LN2)) - 1e-12);
      }),
    ));

  test("the score grows with the log ratio under each, so each pushes the same way as DPO", () =>
    fc.assert(
      fc.property(small, small, beta, (a, b, beta) => {
        for (const fDivergenceType of ["forward_kl", "js_divergence", "alpha_divergence"] as const) {
          const [chosen, rejected] = slopesOf(ratios(a, b), of({ lossType: "sigmoid", fDivergenceType })(beta));
          expect(chosen).toBeLessThanOrEqual(0);
          expect(rejected).toBeGreaterThanOrEqual(0);
        }
      }),
    ));

  test("the exponent is cut at 80, where float32 still holds e^80, and has no gradient beyond", () => {
    const options = of({ lossType: "ipo_sum", fDivergenceType: "forward_kl" })(0.1);
    expect(lossOf(ratios(-81, 0), options)).toBe(lossOf(ratios(-500, 0), options));
    expect(slopesOf(ratios(-81, 0), options)[0]).toBeCloseTo(0);
    expect(Math.fround(Math.exp(80))).toBeLessThan(Number.POSITIVE_INFINITY);
  });
});

describe("the SFT term (rpoAlpha)", () => {
  test("is that weight times the loss sft, in value and gradient", () =>
    fc.assert(
      fc.property(fc.array(pair, { minLength: 1, maxLength: 4 }), between(0, 2), beta, (drawn, rpoAlpha, beta) => {
        const pairs = toPairs(drawn);
        const [both, dpo, sft] = [
          { ...sigmoid(beta), rpoAlpha },
          sigmoid(beta),
          { lossType: "sft" as const, beta },
        ].map((options) => preferenceLoss(pairs, options));
        expect(both.losses).toBeAllClose(
          dpo.losses.map((x, i) => x + rpoAlpha * sft.losses[i]),
          { atol: 1e-12 },
        );
        expect(both.gradients.policyChosen).toBeAllClose(
          dpo.gradients.policyChosen.map((x, i) => x + rpoAlpha * sft.gradients.policyChosen[i]),
          { atol: 1e-12 },
        );
        expect(both.gradients.policyRejected).toEqual(dpo.gradients.policyRejected);
      }),
    ));
});

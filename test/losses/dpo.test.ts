/**
 * @file The numbered properties of DPO and of the two that change its labels, cDPO and robust DPO (training-anchors,
 * section 5.1), in float64. Properties that a loss must FAIL are checked to fail: so they can.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { softplus } from "../../src/losses/numerics.ts";
import { type PreferenceLossOptions, preferenceLoss } from "../../src/losses/preference.ts";
import { between } from "../arbitraries.ts";
import {
  beta,
  CASES,
  fewRuns,
  isBroken,
  lossesOf,
  lossOf,
  nameOf,
  type Pair,
  pair,
  ratios,
  shifted,
  slopesOf,
  sumOf,
  toPairs,
} from "./cases.ts";

fewRuns();

type Case = Omit<PreferenceLossOptions, "beta">;
const margin = between(-40, 40);
const shift = between(-8, 8);
const sigmoid = (beta: number): PreferenceLossOptions => ({ lossType: "sigmoid", beta });
const named = (cases: readonly Case[]) => cases.map((options) => [nameOf(options), options] as const);
const close = (x: number, y: number) => expect([x]).toBeAllClose([y], { atol: 1e-11, rtol: 1e-11 });

/** log π of both answers moves by the same constant, as when the model likes the whole prompt better. */
const commonShift = (options: Case) =>
  fc.property(pair, shift, beta, (one, c, beta) => {
    const moved = shifted(one, { policyChosen: c, policyRejected: c });
    expect([lossOf(moved, { ...options, beta })]).toBeAllClose([lossOf(one, { ...options, beta })], {
      atol: 1e-9,
      rtol: 1e-9,
    });
  });
const INVARIANT: Case[] = [
  { lossType: "sigmoid" },
  { lossType: "sigmoid", labelSmoothing: 0.2 },
  { lossType: "robust", labelSmoothing: 0.2 },
  { lossType: "hinge" },
  { lossType: "ipo_sum" },
  { lossType: "exo_pair", labelSmoothing: 1e-3 },
  { lossType: "discopop" },
  { lossType: "aot" },
  { lossType: "aot_unpaired" },
];
const ABSOLUTE: Case[] = [
  { lossType: "nca_pair" },
  { lossType: "bco_pair" },
  { lossType: "sppo_hard" },
  { lossType: "apo_zero" },
  { lossType: "apo_down" },
  { lossType: "sft" },
  { lossType: "orpo" },
  { lossType: "sigmoid", rpoAlpha: 0.5 },
  { lossType: "sigmoid", fDivergenceType: "forward_kl" },
  { lossType: "sigmoid", fDivergenceType: "js_divergence" },
  { lossType: "sigmoid", fDivergenceType: "alpha_divergence" },
  { lossType: "ipo" }, // a constant is spread over answers of different lengths
  { lossType: "sigmoid_norm" },
  { lossType: "simpo" },
];

describe("shifts", () => {
  test.each(named(INVARIANT))(
    "%s does not see a constant added to both of the policy's log-probabilities",
    (_, options) => fc.assert(commonShift(options)),
  );

  test.each(named(ABSOLUTE))("%s does see it, and the property says so", (_, options) => {
    expect(isBroken(commonShift(options))).toBe(true);
  });

  const withReference = CASES.filter(
    ({ lossType, rpoAlpha }) => !["sft", "simpo", "orpo"].includes(lossType) && !rpoAlpha,
  );
  test.each(named(withReference))("%s: a constant on policy and reference of an answer changes nothing", (_, options) =>
    fc.assert(
      fc.property(pair, shift, shift, beta, (one, c, d, beta) => {
        const moved = shifted(one, { policyChosen: c, referenceChosen: c, policyRejected: d, referenceRejected: d });
        const expected = lossOf(one, { ...options, beta });
        expect([lossOf(moved, { ...options, beta })]).toBeAllClose([expected], { atol: 1e-9, rtol: 1e-9 });
      }),
    ),
  );
});

describe("DPO's sigmoid loss", () => {
  test("L(x) - L(-x) = -x: swapping the answers costs exactly the margin", () =>
    fc.assert(
      fc.property(margin, beta, (h, beta) => {
        const there = lossOf(ratios(h, 0), sigmoid(beta));
        const back = lossOf(ratios(0, h), sigmoid(beta));
        close(there - back, -beta * h);
      }),
    ));

  test("a pair and its swap lose at least 2 ln 2 together, and just that where the margin is 0", () =>
    fc.assert(
      fc.property(margin, beta, (h, beta) => {
        const both = lossOf(ratios(h, 0), sigmoid(beta)) + lossOf(ratios(0, h), sigmoid(beta));
        expect(both).toBeGreaterThanOrEqual(2 * Math.LN2 - 1e-15);
        if (Math.abs(beta * h) > 1e-3) expect(both).toBeGreaterThan(2 * Math.LN2);
        close(2 * lossOf(ratios(h, h), sigmoid(beta)), 2 * Math.LN2);
      }),
    ));

  test("falls as the margin grows", () =>
    fc.assert(
      fc.property(margin, between(0.01, 10), beta, (h, more, beta) => {
        expect(lossOf(ratios(h + more, 0), sigmoid(beta))).toBeLessThan(lossOf(ratios(h, 0), sigmoid(beta)));
      }),
    ));

  /** The chord lies above the curve. */
  const convex = (options: Case) =>
    fc.property(margin, margin, beta, (x, y, beta) => {
      const at = (h: number) => lossOf(ratios(h, 0), { ...options, beta });
      expect(at((x + y) / 2)).toBeLessThanOrEqual((at(x) + at(y)) / 2 + 1e-9);
    });
  test.each(
    named([
      { lossType: "sigmoid" },
      { lossType: "sigmoid", labelSmoothing: 0.2 },
      { lossType: "hinge" },
      { lossType: "ipo" },
      { lossType: "bco_pair" },
      { lossType: "nca_pair" },
      { lossType: "sppo_hard" },
    ]),
  )("%s is convex", (_, options) => fc.assert(convex(options)));
  test.each(
    named([{ lossType: "discopop" }, { lossType: "apo_zero" }, { lossType: "exo_pair", labelSmoothing: 1e-3 }]),
  )("%s is not convex, and the property says so", (_, options) => {
    expect(isBroken(convex(options))).toBe(true);
  });

  test("is 0 far to the right and -βΔ far to the left", () =>
    fc.assert(
      fc.property(between(400, 1e6), between(0.1, 1), (h, beta) => {
        expect(lossOf(ratios(h, 0), sigmoid(beta))).toBeLessThan(1e-17);
        close(lossOf(ratios(-h, 0), sigmoid(beta)) / (beta * h), 1);
      }),
    ));

  test("depends on β and the margin by their product only", () =>
    fc.assert(
      fc.property(margin, beta, between(0.1, 10), (h, beta, k) => {
        close(lossOf(ratios(h * k, 0), sigmoid(beta)), lossOf(ratios(h, 0), sigmoid(beta * k)));
      }),
    ));

  test("is ln 2 with no gradient as β goes to 0", () =>
    fc.assert(
      fc.property(pair, between(1e-9, 1e-7), (one, beta) => {
        expect(Math.abs(lossOf(one, sigmoid(beta)) - Math.LN2)).toBeLessThan(12 * beta);
        for (const slope of slopesOf(one, sigmoid(beta))) expect(Math.abs(slope)).toBeLessThanOrEqual(beta);
      }),
    ));

  test("pulls the chosen answer up by β σ(-βΔ) and the rejected one down by as much", () =>
    fc.assert(
      fc.property(pair, beta, (one, beta) => {
        const delta = one.policyChosen - one.referenceChosen - (one.policyRejected - one.referenceRejected);
        const [chosen, rejected] = slopesOf(one, sigmoid(beta));
        close(chosen, -beta / (1 + Math.exp(beta * delta)));
        expect(rejected).toBe(-chosen);
      }),
    ));

  test("starts with gradients of β/2", () =>
    fc.assert(
      fc.property(margin, margin, beta, (x, y, beta) => {
        const still = { ...ratios(x, y), referenceChosen: x, referenceRejected: y };
        const [chosen, rejected] = slopesOf(still, sigmoid(beta));
        close(chosen, -beta / 2);
        close(rejected, beta / 2);
      }),
    ));

  test("moves no parameter of a pair whose answers are the same", () =>
    fc.assert(
      // the two gradients belong to one log-probability then
      fc.property(fc.constantFrom(...INVARIANT), margin, margin, beta, (options, x, reference, beta) => {
        const same = { ...ratios(x, x), referenceChosen: reference, referenceRejected: reference };
        const [chosen, rejected] = slopesOf(same, { ...options, beta });
        expect(chosen + rejected).toBe(0);
      }),
    ));

  test("does not see how long the answers are: the sums count", () =>
    fc.assert(
      fc.property(pair, fc.nat(50), fc.nat(50), beta, (one, n, m, beta) => {
        const longer = shifted(one, { chosenTokens: n, rejectedTokens: m });
        expect(lossOf(longer, sigmoid(beta))).toBe(lossOf(one, sigmoid(beta)));
      }),
    ));

  test("the margin of an answer in two parts is the sum of the parts' margins", () =>
    fc.assert(
      fc.property(margin, margin, beta, (first, second, beta) => {
        const logit = (h: number) => Math.log(Math.expm1(lossOf(ratios(h, 0), sigmoid(beta)))); // -βh again
        fc.pre(Math.abs(beta * (first + second)) < 20);
        fc.pre(Math.abs(beta * first) < 20 && Math.abs(beta * second) < 20);
        expect(logit(first + second)).toBeCloseTo(logit(first) + logit(second), 4);
      }),
    ));

  test("dividing by the length instead can prefer the other answer", () => {
    // the answers' tokens gain 0.1 nats each over the reference, but the rejected one is longer: the sums say worse
    const one = ratios(0.1 * 5, 0.1 * 10, 5, 10);
    expect(lossOf(one, sigmoid(1))).toBeGreaterThan(Math.LN2);
    close(lossOf(one, { lossType: "sigmoid_norm", beta: 1 }), Math.LN2);
  });

  test("batch order does not matter, and a pair's loss is its own", () =>
    fc.assert(
      fc.property(fc.array(pair, { minLength: 2, maxLength: 6 }), beta, (pairs, beta) => {
        const losses = lossesOf(pairs, sigmoid(beta));
        expect(lossesOf([...pairs].reverse(), sigmoid(beta))).toEqual([...losses].reverse());
        expect(pairs.map((one) => lossOf(one, sigmoid(beta)))).toEqual(losses);
      }),
    ));

  test("a mean below ln 2 does not say that more than half of the pairs are right", () => {
    const pairs = [ratios(40, 0), ratios(-1, 0), ratios(-1, 0)]; // one far right, two a little wrong: accuracy 1/3
    expect(sumOf(pairs, sigmoid(0.1)) / 3).toBeLessThan(Math.LN2);
  });

  test("falls while both answers become less likely, if the rejected one does so faster", () =>
    fc.assert(
      fc.property(pair, between(0, 20), between(0.01, 20), beta, (one, less, lesser, beta) => {
        const displaced = shifted(one, { policyChosen: -less, policyRejected: -less - lesser });
        expect(lossOf(displaced, sigmoid(beta))).toBeLessThan(lossOf(one, sigmoid(beta)));
      }),
    ));

  test("with an SFT term, both answers becoming less likely costs the weight per token", () =>
    fc.assert(
      fc.property(pair, between(0.01, 20), between(0.1, 2), beta, (one, less, rpoAlpha, beta) => {
        const displaced = shifted(one, { policyChosen: -less, policyRejected: -less });
        const options = { ...sigmoid(beta), rpoAlpha };
        const more = lossOf(displaced, options) - lossOf(one, options);
        expect(more).toBeCloseTo((rpoAlpha * less) / one.chosenTokens, 9);
      }),
    ));
});

describe("cDPO, the sigmoid loss with label smoothing ε", () => {
  const epsilon = between(0.001, 0.499);

  test("is L(βΔ) + εβΔ", () =>
    fc.assert(
      fc.property(margin, epsilon, beta, (h, labelSmoothing, beta) => {
        const expected = lossOf(ratios(h, 0), sigmoid(beta)) + labelSmoothing * beta * h;
        close(lossOf(ratios(h, 0), { ...sigmoid(beta), labelSmoothing }), expected);
      }),
    ));

  test("is least at βΔ = ln((1 - ε)/ε), where its gradient is 0", () =>
    fc.assert(
      fc.property(margin, epsilon, beta, (h, labelSmoothing, beta) => {
        const options = { ...sigmoid(beta), labelSmoothing };
        const best = ratios(Math.log((1 - labelSmoothing) / labelSmoothing) / beta, 0);
        expect(slopesOf(best, options)[0]).toBeCloseTo(0, 12);
        expect(lossOf(ratios(h, 0), options)).toBeGreaterThanOrEqual(lossOf(best, options) - 1e-12);
      }),
    ));

  test("is DPO at ε = 0", () =>
    fc.assert(
      fc.property(pair, beta, (one, beta) => {
        expect(lossOf(one, { ...sigmoid(beta), labelSmoothing: 0 })).toBe(lossOf(one, sigmoid(beta)));
      }),
    ));

  test("does not care which answer was chosen at ε = ½", () =>
    fc.assert(
      fc.property(margin, margin, beta, (a, b, beta) => {
        const options = { ...sigmoid(beta), labelSmoothing: 0.5 };
        close(lossOf(ratios(a, b), options), lossOf(ratios(b, a), options));
      }),
    ));
});

describe("robust DPO", () => {
  const robust = (beta: number, labelSmoothing: number): PreferenceLossOptions => ({
    lossType: "robust",
    beta,
    labelSmoothing,
  });
  const epsilon = between(0, 0.45);

  test("is DPO on average when a share ε of the labels is flipped", () =>
    fc.assert(
      fc.property(margin, margin, epsilon, beta, (a, b, e, beta) => {
        const [kept, flipped] = [lossOf(ratios(a, b), robust(beta, e)), lossOf(ratios(b, a), robust(beta, e))];
        expect((1 - e) * kept + e * flipped).toBeCloseTo(lossOf(ratios(a, b), sigmoid(beta)), 10);
      }),
    ));

  test("cDPO is not, and the property says so", () => {
    const unbiased = fc.property(margin, margin, epsilon, beta, (a, b, labelSmoothing, beta) => {
      const at = (x: number, y: number) => lossOf(ratios(x, y), { ...sigmoid(beta), labelSmoothing });
      expect((1 - labelSmoothing) * at(a, b) + labelSmoothing * at(b, a)).toBeCloseTo(
        lossOf(ratios(a, b), sigmoid(beta)),
        10,
      );
    });
    expect(isBroken(unbiased)).toBe(true);
  });

  test("is unbounded below: a wide enough margin brings it under any number", () =>
    fc.assert(
      fc.property(between(1, 1e6), between(0.01, 0.45), beta, (below, e, beta) => {
        const h = (below * (1 - 2 * e)) / (e * beta) + 100 / beta;
        expect(lossOf(ratios(h, 0), robust(beta, e))).toBeLessThan(-below);
      }),
    ));

  test("is refused at ε = ½, where it would divide by 0", () => {
    expect(() => lossOf(ratios(0, 0), robust(0.1, 0.5))).toThrow(
      "preference loss robust: labelSmoothing is 0.5; expected",
    );
  });
});

describe("far from the start", () => {
  /** f-divergences with an exponential are finite, but squares of e^80 are not worth a claim. */
  const bounded = CASES.filter(({ fDivergenceType }) => fDivergenceType !== "forward_kl");

  test.each(named(bounded))("%s is finite, with its gradients, at |βΔ| = 1e4", (_, options) => {
    for (const [a, b] of [
      [1e5, 0],
      [-1e5, 0],
      [0, 1e5],
      [0, -1e5],
      [-1e5, -1e5],
    ]) {
      const one: Pair = { ...ratios(0, 0, 3, 5), policyChosen: a, policyRejected: b };
      const { losses, gradients } = preferenceLoss(toPairs([one]), { ...options, beta: 0.1 });
      for (const x of [...losses, ...gradients.policyChosen, ...gradients.policyRejected])
        expect(Number.isFinite(x), `a = ${a}, b = ${b}`).toBe(true);
    }
  });

  test("-log(σ(x)) written out is infinite where softplus is exact", () => {
    const naive = (x: number) => -Math.log(1 / (1 + Math.exp(-x)));
    expect(naive(-1e4)).toBe(Number.POSITIVE_INFINITY);
    expect(softplus(1e4)).toBe(1e4);
    expect(lossOf(ratios(-1e5, 0), sigmoid(0.1))).toBe(1e4);
  });
});

describe("refusals", () => {
  test.each(["ipo", "sigmoid_norm", "sft", "simpo", "orpo"] as const)(
    "%s takes a mean, and names the pair that has nothing to take it over",
    (lossType) => {
      const pairs = toPairs([ratios(0, 0), { ...ratios(-1, -1), chosenTokens: 0 }]);
      expect(() => preferenceLoss(pairs, { lossType, beta: 0.1 })).toThrow(
        `preference loss ${lossType}: the chosen answer of pair 1 has 0 counted tokens`,
      );
    },
  );

  test("an option that the loss would ignore, and one out of range", () => {
    const refused = (options: PreferenceLossOptions, message: string) =>
      expect(() => lossOf(ratios(0, 0), options)).toThrow(message);
    refused({ lossType: "hinge", beta: 0.1, labelSmoothing: 0.1 }, "it is for sigmoid, robust");
    refused({ lossType: "nca_pair", beta: 0.1, fDivergenceType: "forward_kl" }, "it is for sigmoid, sigmoid_norm");
    refused({ lossType: "sigmoid", beta: 0.1, simpoGamma: 1 }, "it is for simpo");
    refused({ lossType: "exo_pair", beta: 0.1 }, "expected more than 0");
    refused({ lossType: "sigmoid", beta: 0 }, "expected a number above 0");
    refused({ lossType: "dpo" as never, beta: 1 }, "expected one of sigmoid, hinge");
  });

  test("arrays of different lengths", () => {
    expect(() => preferenceLoss({ ...toPairs([ratios(0, 0)]), referenceRejected: [] }, sigmoid(0.1))).toThrow(
      "referenceRejected holds 0 values; expected 1",
    );
  });
});

/** @file KTO and length-desensitised log-probabilities in float64, by their properties. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type KtoLogps, type KtoOptions, ktoLoss } from "../../src/losses/kto.ts";
import { lengthDesensitized } from "../../src/losses/lengthDesensitized.ts";
import { preferenceLoss } from "../../src/losses/preference.ts";
import { between } from "../arbitraries.ts";
import { finiteDifferences } from "../ops/finiteDifferences.ts";
import { beta, fewRuns } from "./cases.ts";

fewRuns();

const ratio = between(-20, 20);
const answer = fc.record({ ratio, reference: between(-80, 0), desirable: fc.boolean(), kl: ratio });
const answers: fc.Arbitrary<KtoLogps> = fc.array(answer, { minLength: 2, maxLength: 6 }).map((drawn) => ({
  policy: drawn.map(({ ratio, reference }) => reference + ratio),
  reference: drawn.map(({ reference }) => reference),
  desirable: drawn.map(({ desirable }) => desirable),
  policyKl: drawn.map(({ kl }) => kl - 50),
  referenceKl: drawn.map(() => -50),
}));
const weight = between(0.1, 3);
const options: fc.Arbitrary<KtoOptions> = fc.record({ beta, desirableWeight: weight, undesirableWeight: weight });

describe("KTO", () => {
  test("the gradient is that of finite differences, with the estimate of the divergence held", () =>
    fc.assert(
      fc.property(answers, options, (given, options) => {
        const { gradient } = ktoLoss(given, options);
        const losses = (x: Float64Array) => ktoLoss({ ...given, policy: [...x] }, options).losses;
        const expected = finiteDifferences(
          losses,
          given.policy,
          given.policy.map(() => 1),
        );
        expect(gradient).toBeAllClose(expected, { atol: 1e-8 });
      }),
    ));

  test("starts at half of each answer's weight", () =>
    fc.assert(
      fc.property(answers, options, (given, options) => {
        const still = { ...given, policy: given.reference, policyKl: given.referenceKl };
        const expected = given.desirable.map(
          (good) => 0.5 * (good ? options.desirableWeight! : options.undesirableWeight!),
        );
        expect(ktoLoss(still, options).losses).toBeAllClose(expected, { atol: 1e-12 });
      }),
    ));

  test("raises desirable answers and lowers undesirable ones, with losses between 0 and the weight", () =>
    fc.assert(
      fc.property(answers, options, (given, options) => {
        const { losses, gradient } = ktoLoss(given, options);
        for (const [i, good] of given.desirable.entries()) {
          expect(Math.sign(gradient[i])).toBe(good ? -1 : 1);
          expect(losses[i]).toBeGreaterThan(0);
          expect(losses[i]).toBeLessThanOrEqual(good ? options.desirableWeight! : options.undesirableWeight!);
        }
      }),
    ));

  test("the estimate of the divergence is the mean over the batch, and never below 0", () =>
    fc.assert(
      fc.property(answers, options, (given, options) => {
        const { kl } = ktoLoss(given, options);
        const mean = given.policyKl.reduce((sum, x) => sum + x + 50, 0) / given.policyKl.length;
        expect(kl).toBeCloseTo(Math.max(0, mean), 10);
      }),
    ));

  test("an answer is judged against it: with both moved alike nothing changes", () =>
    fc.assert(
      fc.property(answers, between(0, 20), options, (given, c, options) => {
        const positive = { ...given, policyKl: given.referenceKl.map((x) => x + 1) }; // so that the clamp is not met
        const moved = {
          ...positive,
          policy: positive.policy.map((x) => x + c),
          policyKl: positive.policyKl.map((x) => x + c),
        };
        expect(ktoLoss(moved, options).losses).toBeAllClose(ktoLoss(positive, options).losses, { atol: 1e-10 });
      }),
    ));

  test("good and bad are opposites: at weights 1 the two losses of an answer add up to 1", () =>
    fc.assert(
      fc.property(answers, beta, (given, beta) => {
        const { losses } = ktoLoss(given, { beta });
        const other = ktoLoss({ ...given, desirable: given.desirable.map((good) => !good) }, { beta });
        expect(losses.map((x, i) => x + other.losses[i])).toBeAllClose(
          losses.map(() => 1),
          { atol: 1e-12 },
        );
      }),
    ));

  test("with an estimate of 0 a good and a bad answer are apo_zero's pair", () =>
    fc.assert(
      fc.property(ratio, ratio, beta, (a, b, beta) => {
        const zeros = [0, 0];
        const kto = { policy: [a, b], reference: zeros, desirable: [true, false], policyKl: zeros, referenceKl: zeros };
        const pair = {
          policyChosen: [a],
          policyRejected: [b],
          referenceChosen: [0],
          referenceRejected: [0],
          chosenTokens: [1],
          rejectedTokens: [1],
        };
        const [good, bad] = ktoLoss(kto, { beta }).losses;
        expect(good + bad).toBeCloseTo(preferenceLoss(pair, { lossType: "apo_zero", beta }).losses[0], 12);
      }),
    ));

  test("is finite far out, and refuses a weight of 0", () => {
    const far = {
      policy: [1e5, -1e5],
      reference: [0, 0],
      desirable: [true, true],
      policyKl: [0, 0],
      referenceKl: [0, 0],
    };
    const { losses, gradient } = ktoLoss(far, { beta: 0.1 });
    expect(losses).toEqual([0, 1]);
    expect(gradient.map(Math.abs)).toEqual([0, 0]);
    expect(() => ktoLoss(far, { beta: 0.1, desirableWeight: 0 })).toThrow("KTO: desirableWeight is 0; expected");
  });
});

describe("length-desensitised log-probabilities (ldAlpha)", () => {
  const tokens = fc.array(between(-5, 0), { minLength: 1, maxLength: 8 });
  const sum = (values: readonly number[]) => values.reduce((total, x) => total + x, 0);

  test("α = 1 is the sum", () =>
    fc.assert(
      fc.property(tokens, tokens, (chosen, rejected) => {
        const result = lengthDesensitized(chosen, rejected, 1);
        expect([result.chosen.logprob, result.rejected.logprob]).toEqual([sum(chosen), sum(rejected)]);
      }),
    ));

  test("α = 0 sees nothing beyond the shorter answer's length", () =>
    fc.assert(
      fc.property(tokens, tokens, tokens, (chosen, rejected, more) => {
        fc.pre(chosen.length >= rejected.length);
        const result = lengthDesensitized([...chosen, ...more], rejected, 0);
        expect(result.chosen.logprob).toBeCloseTo(sum(chosen.slice(0, rejected.length)), 12);
      }),
    ));

  test("the shorter answer always counts in full, and so do both when they are as long", () =>
    fc.assert(
      fc.property(tokens, tokens, between(0, 1), (chosen, rejected, alpha) => {
        const result = lengthDesensitized(chosen, rejected, alpha);
        const shared = Math.min(chosen.length, rejected.length);
        if (chosen.length === shared) expect(result.chosen.logprob).toBe(sum(chosen));
        if (rejected.length === shared) expect(result.rejected.logprob).toBe(sum(rejected));
        expect(result.chosen.weights).toEqual(chosen.map((_, t) => (t < shared ? 1 : alpha)));
      }),
    ));

  test("is linear in α", () =>
    fc.assert(
      fc.property(tokens, tokens, between(0, 1), (chosen, rejected, alpha) => {
        const [at, none, all] = [alpha, 0, 1].map((α) => lengthDesensitized(chosen, rejected, α).chosen.logprob);
        expect(at).toBeCloseTo((1 - alpha) * none + alpha * all, 10);
      }),
    ));

  test("refuses an α above 1", () => {
    expect(() => lengthDesensitized([-1], [-1], 1.5)).toThrow("ldAlpha is 1.5; expected a number from 0 to 1");
  });
});

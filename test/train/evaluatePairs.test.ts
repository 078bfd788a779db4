/** @file Metrics of held-out pairs, and the alarm, as properties of log-probabilities. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { displacementAlarm } from "../../src/train/displacement.ts";
import { pairMetrics } from "../../src/train/evaluatePairs.ts";
import type { MetricsLine } from "../../src/util/results.ts";
import { between } from "../arbitraries.ts";

const logp = between(-50, 0);
const pair = fc.record({
  language: fc.constantFrom("en", "de", "ne", "xx"),
  tokens: fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 5 })),
  policy: fc.tuple(logp, logp),
  reference: fc.tuple(logp, logp),
});
type Pair = { language: string; tokens: number[]; policy: number[]; reference: number[] };
const some = fc.array(pair, { minLength: 1, maxLength: 12 });

const metricsOf = (pairs: readonly Pair[], beta = 0.1) => {
  const answer = (n: number) => ({ inputIds: Array(n + 2).fill(5), lossMask: [0, 0, ...Array(n).fill(1)] });
  const side = (k: number) => ({
    policy: pairs.map(({ policy }) => policy[k]),
    reference: pairs.map(({ reference }) => reference[k]),
  });
  const [chosen, rejected] = [side(0), side(1)];
  return pairMetrics(
    {
      pairs: pairs.map(({ language, tokens: [n, m] }) => ({ language, chosen: answer(n), rejected: answer(m) })),
      policy: { chosen: chosen.policy, rejected: rejected.policy },
      reference: { chosen: chosen.reference, rejected: rejected.reference },
    },
    { lossType: "sigmoid", beta },
  );
};

describe("held-out pairs", () => {
  test("property: a policy that is its reference has loss ln 2, no reward, no margin, and prefers nothing", () => {
    fc.assert(
      fc.property(some, (pairs) => {
        const metrics = metricsOf(pairs.map((one) => ({ ...one, reference: one.policy })));
        expect(metrics.eval_loss).toBeCloseTo(Math.LN2, 12);
        for (const name of ["rewards/chosen", "rewards/margins", "rewards/accuracies", "chosen_logp_shift"])
          expect(metrics[`eval_${name}`]).toBe(0);
      }),
    );
  });

  test("property: swapping the answers negates the margin and turns the accuracy round, ties apart", () => {
    fc.assert(
      fc.property(some, (pairs) => {
        const swap = <T>([a, b]: readonly T[]) => [b, a];
        const swapped = pairs.map(({ language, tokens, policy, reference }) => ({
          ...{ language, tokens: swap(tokens), policy: swap(policy), reference: swap(reference) },
        }));
        const [one, other] = [metricsOf(pairs), metricsOf(swapped)];
        expect(one["eval_rewards/margins"]).toBeCloseTo(-other["eval_rewards/margins"], 10);
        expect(one["eval_rewards/accuracies"] + other["eval_rewards/accuracies"]).toBeLessThanOrEqual(1 + 1e-12);
      }),
    );
  });

  test("property: margins are chosen minus rejected rewards, and every mean is the languages' weighted by their pairs", () => {
    fc.assert(
      fc.property(some, (pairs) => {
        const metrics = metricsOf(pairs);
        for (const name of ["loss", "rewards/margins", "rewards/accuracies", "logps/chosen"]) {
          const weighted = [...new Set(pairs.map(({ language }) => language))].reduce((sum, language) => {
            const n = pairs.filter((one) => one.language === language).length;
            return sum + (n / pairs.length) * metrics[`eval_${language}_${name}`];
          }, 0);
          expect(weighted).toBeCloseTo(metrics[`eval_${name}`], 9);
        }
        expect(metrics["eval_rewards/chosen"] - metrics["eval_rewards/rejected"]).toBe(metrics["eval_rewards/margins"]);
      }),
    );
  });

  test("property: the chosen shift is in nats per token, so beta and the rejected answers do not move it", () => {
    fc.assert(
      fc.property(some, between(0.01, 5), (pairs, beta) => {
        const shift = metricsOf(pairs).eval_chosen_logp_shift;
        expect(metricsOf(pairs, beta).eval_chosen_logp_shift).toBe(shift);
        const others = pairs.map((one) => ({ ...one, policy: [one.policy[0], -7] }));
        expect(metricsOf(others).eval_chosen_logp_shift).toBe(shift);
      }),
    );
    const two = { language: "en", tokens: [2, 1], policy: [-6, -1], reference: [-4, -1] };
    expect(metricsOf([two, { ...two, tokens: [8, 1] }]).eval_chosen_logp_shift).toBe(-4 / 10);
  });
});

describe("the alarm", () => {
  const line = (step: number, metrics: Record<string, number>) =>
    ({ stage: "dpo", step, tokens: 0, ...metrics }) as MetricsLine;
  const evaluated = (step: number, shift: number) => line(step, { eval_chosen_logp_shift: shift });
  const trained = (step: number, shift: number) => line(step, { chosen_logp_shift: shift });

  test("sounds at the evaluation that finds more lost than the limit, not at a step", () => {
    const lines = [evaluated(0, 0), trained(1, -9), evaluated(1, -0.1), evaluated(2, -0.11)];
    const said = lines.map((_, i) => displacementAlarm(lines.slice(0, i + 1), 0.1));
    expect(said.map((text) => text !== undefined)).toEqual([false, false, false, true]);
    expect(said[3]).toContain("step 2: the chosen answers have lost 0.110 nats per token");
  });

  test("without evaluations sounds at ten lines whose mean is over the limit, not at one", () => {
    const lines = Array.from({ length: 12 }, (_, i) => trained(i + 1, i === 3 ? -5 : -0.2));
    expect(displacementAlarm(lines.slice(0, 9), 0.1)).toBeUndefined();
    expect(displacementAlarm(lines.slice(0, 10), 0.1)).toContain("step 10");
    expect(displacementAlarm(lines, 2)).toBeUndefined();
  });
});

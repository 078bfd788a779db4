/**
 * @file The float64 losses are what TRL's own code and PyTorch give for the same log-probabilities, with their
 * gradients: test/fixtures/losses/make.py.
 */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { crossEntropyLoss } from "../../src/losses/crossEntropy.ts";
import { type KtoLogps, ktoLoss } from "../../src/losses/kto.ts";
import { lengthDesensitized } from "../../src/losses/lengthDesensitized.ts";
import { type PreferenceLossOptions, preferenceLoss } from "../../src/losses/preference.ts";
import { largest } from "../ops/finiteDifferences.ts";

interface Answer {
  policy: number[];
  reference: number;
}
interface Golden {
  beta: number;
  pairs: Record<"chosen" | "rejected", Answer>[];
  cases: {
    options: Omit<PreferenceLossOptions, "beta"> & { ldAlpha?: number };
    loss: number;
    chosen: number[];
    rejected: number[];
  }[];
  kto: {
    answers: KtoLogps;
    desirableWeight: number;
    undesirableWeight: number;
    loss: number;
    kl: number;
    gradient: number[];
  }[];
  crossEntropy: {
    logits: number[][];
    labels: number[];
    labelSmoothing: number;
    loss: number;
    gradient: number[][];
  }[];
}
const golden: Golden = JSON.parse(readFileSync("test/fixtures/losses/golden.json", "utf8"));
const { beta, pairs } = golden;
const mean = (values: readonly number[]) => values.reduce((sum, x) => sum + x, 0) / values.length;

describe("TRL's own code", () => {
  const named = golden.cases.map((one) => [JSON.stringify(one.options), one] as const);

  test.each(named)("gives the loss and the gradients of %s", (_, { options, loss, chosen, rejected }) => {
    const { ldAlpha = 1, ...rest } = options;
    const sums = pairs.map((pair) => lengthDesensitized(pair.chosen.policy, pair.rejected.policy, ldAlpha));
    const { losses, gradients } = preferenceLoss(
      {
        policyChosen: sums.map((sum) => sum.chosen.logprob),
        policyRejected: sums.map((sum) => sum.rejected.logprob),
        referenceChosen: pairs.map((pair) => pair.chosen.reference),
        referenceRejected: pairs.map((pair) => pair.rejected.reference),
        chosenTokens: pairs.map((pair) => pair.chosen.policy.length),
        rejectedTokens: pairs.map((pair) => pair.rejected.policy.length),
      },
      { ...rest, beta },
    );
    // there TRL computes in float32, of exo_pair ε
    const inFloat32 = rest.fDivergenceType === "alpha_divergence" || ["orpo", "exo_pair"].includes(rest.lossType);
    const rtol = inFloat32 ? 2e-6 : 1e-12;
    expect([mean(losses)]).toBeAllClose([loss], { rtol });
    expect(gradients.policyChosen).toBeAllClose(chosen, { rtol, atol: rtol * largest(chosen) });
    expect(gradients.policyRejected).toBeAllClose(rejected, { rtol, atol: rtol * largest(chosen) });
  });

  test.each(golden.kto.map((one) => [one.kl, one] as const))("gives KTO's loss with the divergence %f", (_, one) => {
    const { answers, loss, kl, gradient, ...weights } = one;
    const result = ktoLoss(answers, {
      beta,
      desirableWeight: weights.desirableWeight,
      undesirableWeight: weights.undesirableWeight,
    });
    expect(result.kl).toBeCloseTo(kl, 12);
    expect(mean(result.losses)).toBeCloseTo(loss, 12);
    expect(result.gradient).toBeAllClose(gradient, { atol: 1e-13 });
  });
});

test.each(golden.crossEntropy.map((one) => [one.labelSmoothing, one] as const))(
  "PyTorch gives cross-entropy with label smoothing %f",
  (labelSmoothing, { logits, labels, loss, gradient }) => {
    const result = crossEntropyLoss({ logits, labels }, { labelSmoothing });
    expect(result.loss).toBeCloseTo(loss, 13);
    expect(result.gradient.flat()).toBeAllClose(gradient.flat(), { atol: 1e-15 });
  },
);

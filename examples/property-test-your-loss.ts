/**
 * Property tests for a loss of your own, in twenty lines: `npx tsx examples/property-test-your-loss.ts`.
 *
 * Say what the loss is, or single claims about it; every claim is tried on a hundred random inputs. One that does not hold
 * comes with the smallest input that breaks it, and with the mistake that gives the same numbers, if it is a known one.
 * In vitest, jest or node:test: `for (const { name, check } of lossProperties({ ... })) test(name, check);`.
 */
import { checkLoss, type PreferenceLoss, reportText } from "marco-mini/testing";

const logSigmoid = (x: number) => -Math.max(-x, 0) - Math.log1p(Math.exp(-Math.abs(x)));

/** DPO as the paper has it: the mean of -log σ(β ((πc - ρc) - (πr - ρr))) over the pairs. */
const mine: PreferenceLoss = ({ policyChosen, policyRejected, referenceChosen, referenceRejected }) =>
  policyChosen.map((x, i) => -logSigmoid(0.1 * (x - referenceChosen[i] - (policyRejected[i] - referenceRejected[i]))));

/** The same after a "small clean-up": log-probabilities are divided by the answers' lengths. It trains; it is not DPO. */
const subtlyWrong: PreferenceLoss = (pairs, options) => {
  const perToken = (sums: number[], tokens: number[]) => sums.map((sum, i) => sum / tokens[i]);
  const { chosenTokens, rejectedTokens } = pairs;
  const policyChosen = perToken(pairs.policyChosen, chosenTokens);
  const policyRejected = perToken(pairs.policyRejected, rejectedTokens);
  const referenceChosen = perToken(pairs.referenceChosen, chosenTokens);
  const referenceRejected = perToken(pairs.referenceRejected, rejectedTokens);
  return mine({ ...pairs, policyChosen, policyRejected, referenceChosen, referenceRejected }, options);
};

for (const loss of [mine, subtlyWrong]) {
  const report = await checkLoss({ kind: "preference", as: "sigmoid", beta: 0.1, loss });
  console.log(`\n${loss === mine ? "mine" : "subtly wrong"}\n${reportText(report)}`);
  if (report.holds !== (loss === mine)) throw new Error("the kit did not tell the two apart");
}

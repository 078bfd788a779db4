/**
 * @file Held-out preference pairs during DPO: loss, rewards and accuracy by TRL's names, of all, by language and by group;
 * and how far the chosen answers have become less likely. In float64, from the log-probabilities of policy and reference.
 */
import { targetsIn } from "../data/pack.ts";
import { type PreferenceLossOptions, preferenceLoss } from "../losses/preference.ts";
import { groupBy } from "../util/arrays.ts";
import { groupOfLanguage } from "./evaluateChats.ts";
import type { StepMetrics } from "./loop.ts";
import type { PairScores, PairSequences } from "./pairScores.ts";

export interface ScoredPairs {
  pairs: readonly (PairSequences & { language: string })[];
  policy: PairScores;
  reference: PairScores;
}

/**
 * `eval_loss`, `eval_rewards/chosen`, `/rejected`, `/margins`, `/accuracies` (a tie is not a win), `eval_logps/chosen`,
 * `/rejected`, means over the pairs; `eval_LANGUAGE_...` and `eval_GROUP_...` of the same; `eval_chosen_logp_shift`: log π
 * - log π_ref of the chosen answers, in nats per token.
 */
export function pairMetrics({ pairs, policy, reference }: ScoredPairs, options: PreferenceLossOptions): StepMetrics {
  const metrics: StepMetrics = {};
  const put = (prefix: string, members: readonly number[]) => {
    const pick = (values: readonly number[]) => members.map((i) => values[i]);
    const n = members.length;
    const mean = (values: readonly number[]) => values.reduce((sum, x) => sum + x, 0) / n;
    const tokens = (side: "chosen" | "rejected") => members.map((i) => targetsIn(pairs[i][side]));
    const logps = {
      ...{ policyChosen: pick(policy.chosen), policyRejected: pick(policy.rejected) },
      ...{ referenceChosen: pick(reference.chosen), referenceRejected: pick(reference.rejected) },
      ...{ chosenTokens: tokens("chosen"), rejectedTokens: tokens("rejected") },
    };
    const shifts = logps.policyChosen.map((logp, i) => logp - logps.referenceChosen[i]);
    const chosen = shifts.map((shift) => options.beta * shift);
    const rejected = logps.policyRejected.map((logp, i) => options.beta * (logp - logps.referenceRejected[i]));
    metrics[`${prefix}_loss`] = mean(preferenceLoss(logps, options).losses);
    metrics[`${prefix}_rewards/chosen`] = mean(chosen);
    metrics[`${prefix}_rewards/rejected`] = mean(rejected);
    metrics[`${prefix}_rewards/margins`] = mean(chosen) - mean(rejected);
    metrics[`${prefix}_rewards/accuracies`] = mean(chosen.map((reward, i) => Number(reward > rejected[i])));
    metrics[`${prefix}_logps/chosen`] = mean(logps.policyChosen);
    metrics[`${prefix}_logps/rejected`] = mean(logps.policyRejected);
    const sum = (values: readonly number[]) => values.reduce((total, x) => total + x, 0);
    metrics[`${prefix}_chosen_logp_shift`] = sum(shifts) / sum(logps.chosenTokens);
  };
  const all = pairs.map((_, i) => i);
  if (all.length === 0) return metrics;
  put("eval", all);
  const byLanguage = [...groupBy(all, (i) => pairs[i].language)].sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [group, members] of groupBy(all, (i) => groupOfLanguage(pairs[i].language)))
    if (group) put(`eval_${group}`, members);
  for (const [language, members] of byLanguage) put(`eval_${language}`, members);
  return metrics;
}

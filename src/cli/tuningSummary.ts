/** @file What a run of `marco sft` or `marco dpo` says about itself: summary.json, and the lines at its end. */
import type { StepPlan } from "../train/plan.ts";
import { isEvaluation, type Tuned } from "../train/tune.ts";
import type { DataSummary, TrainingSummary } from "../util/trainingSummary.ts";
import type { Prepared } from "./tuning.ts";

export interface Ended {
  modelName: string;
  prepared: Prepared;
  plan: StepPlan;
  tuned: Tuned;
  modelIsBest: boolean;
}

export function summarise(method: "sft" | "dpo", { modelName, prepared, plan, tuned, modelIsBest }: Ended) {
  const { rows, quarantined, notes, train, evaluation, reference, best: how } = prepared;
  const evaluations = tuned.lines.filter(isEvaluation).map(({ stage, tokens, epoch, ...metrics }) => metrics);
  const { best } = tuned;
  const alarm = tuned.lines.find((line) => line.alarm !== undefined);
  return {
    ...{
      method,
      model: modelName,
      reference,
      steps: tuned.steps,
      plannedSteps: plan.steps,
      epochs: plan.epochAt(tuned.steps),
    },
    ...{ rows, quarantined: quarantined.length, notes, train, evaluation, modelIsBest },
    ...(best && { best: { step: best.step, metric: how.metric, value: best[how.metric] as number } }),
    ...(evaluations.length > 0 && { firstEvaluation: evaluations[0], lastEvaluation: evaluations.at(-1) }),
    ...(alarm && { alarm: alarm.alarm as string }),
  } as Omit<TrainingSummary, "engine" | "parameters">;
}

export function describe({
  method,
  steps,
  epochs,
  train,
  evaluation,
  best,
  modelIsBest,
  lastEvaluation,
}: TrainingSummary): string {
  const side = (name: string, { examples, dropped, truncated, packedRows, utilisation }: DataSummary) =>
    [
      `${name}: ${examples} ${method === "sft" ? "chats" : "pairs"}`,
      ...Object.entries(dropped).map(([reason, count]) => `${count} ${reason}`),
      ...(truncated > 0 ? [`${truncated} truncated`] : []),
      ...(packedRows === undefined ? [] : [`${packedRows} rows ${(100 * utilisation!).toFixed(1)} % full`]),
    ].join(", ");
  const number = (x: number) => Number(x.toPrecision(4));
  return [
    side("trained on", train),
    ...(evaluation ? [side("held out", evaluation)] : []),
    `${steps} steps, ${number(epochs)} epochs`,
    ...(lastEvaluation ? [`last evaluation: eval_loss ${number(lastEvaluation.eval_loss)}`] : []),
    ...(best
      ? [
          `best: step ${best.step}, ${best.metric} ${number(best.value)}${modelIsBest ? ", which is model/" : ", in best/"}`,
        ]
      : []),
  ].join("\n");
}

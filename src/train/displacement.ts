/**
 * @file The alarm of DPO: the loss is content when the chosen answer becomes less likely, if the rejected one does so even
 * more (likelihood displacement; trl issue 800). Then the model writes neither, and nothing else in the log says so.
 */
import type { MetricsLine } from "../util/results.ts";
import type { StepMetrics } from "./loop.ts";

/** Lines of the log whose mean is looked at where nothing is held out: a few pairs say little. CHOSEN. */
const LINES = 10;

/**
 * log π - log π_ref of the chosen answers of a step, in nats per token: from TRL's rewards/chosen, which is β times its
 * mean over the pairs, and the answers' tokens.
 */
export const chosenShift = (metrics: StepMetrics, beta: number, chosenTokens: readonly number[]): number =>
  ((metrics["rewards/chosen"] / beta) * chosenTokens.length) / chosenTokens.reduce((sum, n) => sum + n, 0);

/**
 * What to say when the chosen answers have lost more than `limit` nats per token: at the last evaluation, or, where there
 * are none, in the mean of the last {@link LINES} lines. Undefined: nothing.
 */
export function displacementAlarm(lines: readonly MetricsLine[], limit: number): string | undefined {
  const last = lines[lines.length - 1];
  let shift = last.eval_chosen_logp_shift as number | undefined;
  if (shift === undefined) {
    if (lines[0].eval_chosen_logp_shift !== undefined) return undefined; // evaluations decide
    const recent = lines.slice(-LINES).flatMap((line) => (line.chosen_logp_shift as number | undefined) ?? []);
    if (recent.length < LINES) return undefined;
    shift = recent.reduce((sum, x) => sum + x, 0) / LINES;
  }
  if (shift >= -limit) return undefined;
  return (
    `step ${last.step}: the chosen answers have lost ${(-shift).toFixed(3)} nats per token against the reference: both answers ` +
    "become less likely (likelihood displacement, trl issue 800); set rpoAlpha (e.g. 1), or lower learningRate, or raise beta"
  );
}

/**
 * @file A run of fine-tuning around the training loop: evaluation before, during and after it, the log, the best model, and
 * going on from a checkpoint. All that is logged is a function of the steps done, so that a run that was stopped ends with
 * the same bytes.
 */
import { appendFileSync, readFileSync } from "node:fs";
import type { Parameters } from "../model/qwen2.ts";
import type { MetricsLine } from "../util/results.ts";
import { writeWhole } from "../util/runDir.ts";
import { type CheckpointOptions, makeCheckpoints } from "./checkpoints.ts";
import { type StepMetrics, type TrainOptions, train } from "./loop.ts";
import { isEvaluated, type StepPlan } from "./plan.ts";

export interface TuneOptions
  extends Pick<TrainOptions, "lossFunction" | "schedule" | "optimizer" | "onNonFinite" | "signal"> {
  stage: "sft" | "dpo";
  plan: StepPlan;
  /** Indices of a step's examples -> its micro-batches. */
  batchOf: (indices: readonly number[]) => ReturnType<TrainOptions["batchAt"]>;
  /** Tokens of an example, padding not counted. */
  tokensOf: (index: number) => number;
  loggingSteps: number;
  evalSteps: number;
  evaluate?: () => Promise<StepMetrics>;
  /** More to log of a step. */
  observe?: (indices: readonly number[], metrics: StepMetrics) => StepMetrics;
  /** Whether the first of two evaluations is of the better model. */
  isBetter: (one: MetricsLine, other: MetricsLine) => boolean;
  /** Called after the evaluation of the best model so far. */
  saveBest: () => Promise<void>;
  checkpoints: Omit<CheckpointOptions, "stateful" | "logs">;
  /** Path of metrics.jsonl. */
  log: string;
  /** Looks at the lines so far; the first text that it returns becomes the last one's `alarm`. */
  watch?: (lines: readonly MetricsLine[]) => string | undefined;
  onLine?: (line: MetricsLine) => void;
  /** After each step. `from`: the steps that a run that goes on had done before. */
  onStep?: (done: number, from: number, tokens: number, metrics: StepMetrics, skipped?: string) => void;
}

export interface Tuned {
  /** Steps done; fewer than planned where `signal` stopped it. */
  steps: number;
  /** Whole lines of the log, those from before a stop included. */
  lines: MetricsLine[];
  best?: MetricsLine;
}

export const isEvaluation = (line: MetricsLine) => "eval_loss" in line;

/** The best evaluation after the first step; of equals the earliest. */
export const bestOf = (lines: readonly MetricsLine[], isBetter: TuneOptions["isBetter"]): MetricsLine | undefined =>
  lines
    .filter((line) => isEvaluation(line) && line.step > 0)
    .reduce<MetricsLine | undefined>((best, line) => (best && !isBetter(line, best) ? best : line), undefined);

/**
 * Trains `parameters` in place. A line of the log: `step` (steps done), `epoch`, `num_tokens` as TRL counts them, and the
 * means since the line before, or an evaluation. @throws UserError as `train` and `makeCheckpoints` do
 */
export async function tune(parameters: Parameters, options: TuneOptions): Promise<Tuned> {
  const { stage, plan, log, evaluate, isBetter, loggingSteps, evalSteps, onLine } = options;
  let lines: MetricsLine[] = [];
  let tokens = 0;
  let from = 0;
  let alarmed = false;
  /** What was measured since the last line of the log. */
  let window: { steps: number; sums: StepMetrics } = { steps: 0, sums: {} };

  const write = (step: number, metrics: Record<string, number | string>) => {
    const line: MetricsLine = { stage, step, tokens, epoch: plan.epochAt(step), ...metrics };
    lines.push(line);
    const text = alarmed ? undefined : options.watch?.(lines);
    if (text !== undefined) line.alarm = text;
    alarmed ||= text !== undefined;
    appendFileSync(log, `${JSON.stringify(line)}\n`);
    onLine?.(line);
  };
  const evaluateAt = async (step: number) => {
    if (!evaluate || !isEvaluated(step, plan.steps, evalSteps)) return;
    write(step, await evaluate());
    if (bestOf(lines, isBetter)?.step === step) await options.saveBest();
  };
  const tokensAt = (step: number) => plan.at(step).reduce((n, index) => n + options.tokensOf(index), 0);

  const saved = makeCheckpoints({
    ...options.checkpoints,
    logs: [log],
    stateful: {
      window: {
        state: () => window,
        restore: (state) => {
          window = state as typeof window;
        },
      },
    },
  });
  const steps = await train(parameters, {
    ...options,
    steps: plan.steps,
    tokensPerStep: 1, // the schedule counts steps
    batchAt: (step) => options.batchOf(plan.at(step)),
    checkpoints: {
      ...saved,
      async restore(current, settings) {
        const state = await saved.restore(current, settings);
        if (state) {
          from = state.step;
          lines = readFileSync(log, "utf8")
            .split("\n")
            .filter(Boolean)
            .map((line) => JSON.parse(line));
          alarmed = lines.some(({ alarm }) => alarm !== undefined);
          for (let step = 0; step < from; step++) tokens += tokensAt(step);
        } else {
          writeWhole(log, "");
          await evaluateAt(0);
        }
        return state;
      },
    },
    async onStep(step, _, metrics, skipped) {
      const done = step + 1;
      tokens += tokensAt(step);
      if (skipped) write(done, { skipped, skipped_steps: metrics.skipped_steps });
      else {
        const all = { ...metrics, ...options.observe?.(plan.at(step), metrics) };
        for (const [name, value] of Object.entries(all)) window.sums[name] = (window.sums[name] ?? 0) + value;
        window.steps++;
      }
      if (window.steps > 0 && (done % loggingSteps === 0 || done === plan.steps)) {
        const means = Object.entries(window.sums).map(([name, sum]) => [name, sum / window.steps]);
        write(done, Object.fromEntries(means));
        window = { steps: 0, sums: {} };
      }
      options.onStep?.(done, from, tokens, metrics, skipped);
      await evaluateAt(done);
    },
  });
  return { steps, lines, best: bestOf(lines, isBetter) };
}

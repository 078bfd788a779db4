/**
 * What `marco sft` and `marco dpo` write to summary.json and the report reads, beside metrics.jsonl. All of it is the same
 * for equal data, recipes and engines; times are in manifest.json.
 */

/** Examples (chats, or pairs) and tokens of a language; `answerTokens` are those that the loss counts. */
export interface LanguageTokens {
  examples: number;
  tokens: number;
  answerTokens: number;
}

/** What became of the rows of one side, training or evaluation. */
export interface DataSummary {
  /** Chats or pairs that are trained on, or evaluated. */
  examples: number;
  /** Why rows were left out, and how many: `tooLong`, `withoutAnswer`, `identical`. */
  dropped: Record<string, number>;
  /** Examples that lost tokens at their end, see the recipe's truncation. */
  truncated: number;
  /** Rows of tokens after packing, and how full they are, in [0, 1]; absent where every row holds one example. */
  packedRows?: number;
  utilisation?: number;
  byLanguage: Record<string, LanguageTokens>;
}

export interface TrainingSummary {
  method: "sft" | "dpo";
  /** Name and hash of the model that training began from. */
  model: string;
  /** Name and hash of DPO's frozen reference; null where the loss needs none. */
  reference?: string | null;
  engine: string;
  parameters: number;
  /** Optimiser steps done and planned, and the epochs that they are. */
  steps: number;
  plannedSteps: number;
  epochs: number;
  /** Rows read from --data and --eval-data, and those that could not be used: quarantine.jsonl says why. */
  rows: number;
  quarantined: number;
  /** Chats whose turns were mended, by what was done; pairs whose prompt is no prefix of their tokens. */
  notes: Record<string, number>;
  train: DataSummary;
  evaluation?: DataSummary;
  /** The best model by evaluation, in best/. */
  best?: { step: number; metric: string; value: number };
  /** Whether model/ is that one. */
  modelIsBest: boolean;
  /** Evaluations before the first step and after the last, by TRL's names. */
  firstEvaluation?: Record<string, number>;
  lastEvaluation?: Record<string, number>;
  /** Set when the chosen answers became less likely than the recipe's chosenLogpAlarm allows: what it means. */
  alarm?: string;
}

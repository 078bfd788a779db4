/**
 * What a run writes and the report reads: the contract between training, evaluation and report.
 * `results.json` holds one {@link Results}; `metrics.jsonl` holds one {@link MetricsLine} per logged step.
 * Everything except `times` is the same for the same seed and engine.
 */

/** Names of the five models that a replication compares. */
export type StageName = "base" | "stage1" | "stage2" | "sft" | "dpo";

/** A proportion of `n` trials with its 95 % Wilson interval. */
export interface Proportion {
  n: number;
  correct: number;
  /** correct / n, in [0, 1]. */
  value: number;
  low: number;
  high: number;
}

/** The proportion is acc_mutual_info (see eval/multipleChoice.ts); the harness's other two are beside it. */
export interface MultipleChoiceResult extends Proportion {
  /** Expected accuracy of a uniform guess (the mean of 1 / number of choices). */
  chance: number;
  /** Accuracy by summed log-probability, and by log-probability per code point, in [0, 1]. */
  acc: number;
  accNorm: number;
}

export interface TranslationResult {
  source: string;
  target: string;
  n: number;
  /** 0 to 100, sacreBLEU's scale. */
  bleu: number;
  chrf: number;
  /** Metric signatures as sacreBLEU prints them. */
  bleuSignature: string;
  chrfSignature: string;
  samples: { source: string; reference: string; hypothesis: string }[];
}

export interface WinLossTie {
  win: number;
  loss: number;
  tie: number;
}

/** Everything measured on one model. */
export interface StageEvaluation {
  stage: StageName;
  /** Language -> bits per UTF-8 byte of held-out text. */
  bitsPerByte: Record<string, number>;
  /** Task -> language -> accuracy. */
  multipleChoice: Record<string, Record<string, MultipleChoiceResult>>;
  translation: TranslationResult[];
  /** Held-out preference pairs: does the model prefer `chosen`? Present for sft and dpo. */
  preference?: {
    accuracy: Proportion;
    /** DPO only: TRL's rewards/accuracies on held-out pairs, against the frozen SFT model. */
    rewardAccuracy?: Proportion;
    /** Greedy answers judged against the SFT model's, by language: win + loss + tie = n. */
    winLossTie?: Record<string, WinLossTie>;
    /** Greedy answers to the suite's held-out prompts, in its order: what the next stage is judged against. */
    answers: string[];
  };
}

/** One source's line in the mixture of one stage: shares are fractions of the stage's tokens. */
export interface MixtureLine {
  source: string;
  /** Share that the recipe asks for (paper Table 2). */
  target: number;
  /** Share of the tokens that were really trained on, after packing. */
  realised: number;
  tokens: number;
}

export interface StageMixture {
  stage: "base" | "stage1" | "stage2";
  tokens: number;
  sources: MixtureLine[];
}

/** A row of the paper's Table 1: tokens there are, tokens used in Stages I and II. The report adds used / available. */
export interface UtilisationRow {
  /** A language code, or `parallel`, `knowledge`, `synthetic`. */
  name: string;
  /** The line of the mixture that it belongs to: english, chinese, otherHR, LR, parallel, knowledge, synthetic. */
  group: string;
  available: number;
  used: number;
}

/** One acceptance check of the run: what was hoped, what came out. */
export interface Claim {
  name: string;
  target: string;
  value: string;
  holds: boolean;
}

export interface Results {
  preset: string;
  seed: number;
  engine: { name: string; reason: string };
  model: { parameters: number; config: Record<string, unknown> };
  tokenizer: { vocabSize: number; bytesPerToken: Record<string, number> };
  mixture: StageMixture[];
  utilisation: UtilisationRow[];
  evaluations: StageEvaluation[];
  claims: Claim[];
  /** Seconds by stage, tokens per second, peak memory: the only part that differs between equal runs. */
  times: { seconds: Record<string, number>; tokensPerSecond: Record<string, number>; peakMemoryBytes: number };
}

/**
 * One line of `metrics.jsonl`, with the metric names of TRL: `loss`, `learning_rate`, `grad_norm` in every stage and
 * `rewards/chosen`, `rewards/rejected`, `rewards/margins`, `rewards/accuracies` in DPO. Other names are welcome.
 */
export interface MetricsLine {
  stage: StageName;
  step: number;
  /** Tokens seen in this stage so far. */
  tokens: number;
  [metric: string]: number | string;
}

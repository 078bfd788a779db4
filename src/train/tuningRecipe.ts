/**
 * @file What the recipes of SFT and DPO share, by the names of TRL's SFTConfig and DPOConfig and of transformers'
 * TrainingArguments in camelCase. Defaults are the paper's where it states them, else TRL's; the others say CHOSEN.
 */
import { z } from "zod";
import { TRUNCATION } from "../data/tuning/chats.ts";
import { NON_FINITE } from "./loop.ts";
import { PAPER_ADAMW } from "./optimizer.ts";
import type { CosineSchedule } from "./schedule.ts";

export const positive = z.number().int().positive();
const share = z.number().min(0).max(1);

/** The schedules that we have, by transformers' names. */
const SCHEDULERS = ["cosine_with_min_lr", "cosine", "constant_with_warmup"] as const;

/** Keys of both recipes, for a strict object. */
export const sharedKeys = {
  /** Tokens of the longest example; null: as many as the model's context holds, at most 16,384 (section 4.1). */
  maxLength: positive.nullable().default(null),
  /** Longer examples are left out or lose their end; counted either way. CHOSEN: a cut answer teaches not to end. */
  truncation: z.enum(TRUNCATION).default("drop"),
  /** Rows that are not packed are as long as the longest beside them, rounded up to a multiple. CHOSEN: few shapes to compile. */
  padToMultipleOf: positive.default(64),
  /** Passes over the data; `maxSteps`, if positive, decides instead. The paper does not state them; TRL's default is 3. */
  numTrainEpochs: z.number().positive().default(3),
  maxSteps: z.number().int().min(-1).default(-1),
  /** CHOSEN: eight rows a step, as TRL's default, computed one at a time: the least memory, the same result. */
  perDeviceTrainBatchSize: positive.default(1),
  gradientAccumulationSteps: positive.default(8),
  gradientCheckpointing: z.boolean().default(false),
  /** `cosine` falls to 0, `cosine_with_min_lr` to `minLrRate` of the rate: 6e-6 to 6e-7 in section 4.1. */
  lrSchedulerType: z.enum(SCHEDULERS).default("cosine_with_min_lr"),
  lrSchedulerKwargs: z.strictObject({ minLrRate: share.default(0.1) }).prefault({}),
  /** Steps of linear warm-up, or their share of all steps. Not stated for SFT and DPO; CHOSEN: 5 %. */
  warmupSteps: z.number().int().nonnegative().optional(),
  warmupRatio: share.default(0.05),
  /** Adam as in continual pretraining (section 3.2); section 4.1 says "Adam". */
  adamBeta1: z.number().min(0).lt(1).default(PAPER_ADAMW.beta1),
  adamBeta2: z.number().min(0).lt(1).default(PAPER_ADAMW.beta2),
  adamEpsilon: z.number().positive().default(PAPER_ADAMW.epsilon),
  weightDecay: z.number().nonnegative().default(PAPER_ADAMW.weightDecay),
  maxGradNorm: z.number().positive().default(PAPER_ADAMW.maxGradNorm),
  seed: z.number().int().nonnegative().default(42),
  /** Steps from one logged line to the next; each is the mean of its steps. */
  loggingSteps: positive.default(1),
  /** Whether each step measures TRL's whole panel (entropy, mean_token_accuracy, logits/...): they need the head again. */
  fullMetrics: z.boolean().default(true),
  /** Steps from one evaluation to the next, beside those at 0, 1, 2, 4, 8 ...; CHOSEN, null: a twentieth of all steps. */
  evalSteps: positive.nullable().default(null),
  /** Without --eval-data: this share of the data, by a hash of the question. CHOSEN: none is taken away unasked. */
  evalFraction: share.default(0),
  /** Steps from one checkpoint to the next; CHOSEN, null: a tenth of all steps. At most so many are kept. */
  saveSteps: positive.nullable().default(null),
  saveTotalLimit: positive.default(2),
  /** Whether model/ is the best model by evaluation, or the last, as TRL's default. best/ has the best either way. */
  loadBestModelAtEnd: z.boolean().default(false),
  /** What NaN or infinity in a gradient does to the step, or to the run. */
  onNonFinite: z.enum(NON_FINITE).default("skip"),
  /** Share of the rows that may be unreadable before the run counts as failed (exit code 2). */
  quarantined: share.default(0.01),
};

/** What is shared, as read from a recipe. */
export type SharedRecipe = z.infer<z.ZodObject<typeof sharedKeys>>;

/** The optimiser of a recipe. */
export const optimizerOf = (recipe: SharedRecipe) => ({
  beta1: recipe.adamBeta1,
  beta2: recipe.adamBeta2,
  epsilon: recipe.adamEpsilon,
  weightDecay: recipe.weightDecay,
  maxGradNorm: recipe.maxGradNorm,
});

/**
 * The learning rate over `steps` steps. The schedule counts steps where pretraining counts tokens: rows differ in tokens.
 * Its first step has a rate above 0 (Megatron's convention; transformers' first step of a warm-up has 0).
 */
export function scheduleOfRecipe(recipe: SharedRecipe & { learningRate: number }, steps: number): CosineSchedule {
  const { lrSchedulerType: type, lrSchedulerKwargs, warmupSteps, warmupRatio } = recipe;
  const minRatio = { cosine_with_min_lr: lrSchedulerKwargs.minLrRate, cosine: 0, constant_with_warmup: 1 }[type];
  const warmupTokens = warmupSteps ?? Math.ceil(warmupRatio * steps);
  return { maxLearningRate: recipe.learningRate, minRatio, warmupTokens, totalTokens: steps };
}

/** How the loss is computed. */
export const lossOptionsOf = ({ gradientCheckpointing, fullMetrics }: SharedRecipe) => ({
  gradientCheckpointing,
  ...(fullMetrics && { metrics: "full" as const }),
});

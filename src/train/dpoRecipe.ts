/** @file The recipe of `marco dpo`: JSON or YAML; unknown keys are errors. Defaults: see tuningRecipe.ts. */
import { z } from "zod";
import { parseSettings, readSettings } from "../data/files/settings.ts";
import { completeOptions, F_DIVERGENCES, PREFERENCE_LOSSES } from "../losses/preference.ts";
import { sharedKeys } from "./tuningRecipe.ts";

const share = z.number().min(0).max(1);

/** The paper (section 4.2) states none of DPO's hyper-parameters: these are TRL's DPOConfig's, if not CHOSEN. */
export const dpoSchema = z.strictObject({
  learningRate: z.number().nonnegative().default(1e-6),
  lossType: z.enum(PREFERENCE_LOSSES).default("sigmoid"),
  beta: z.number().positive().default(0.1),
  /** Of the losses that have them; see src/losses/options.ts. */
  labelSmoothing: share.optional(),
  fDivergenceType: z.enum(F_DIVERGENCES).optional(),
  fAlphaDivergenceCoef: z.number().optional(),
  discopopTau: z.number().optional(),
  simpoGamma: z.number().optional(),
  /** Weight of the chosen answers' cross-entropy beside the loss (RPO): keeps them from becoming less likely. */
  rpoAlpha: z.number().nonnegative().optional(),
  /** Weight of an answer's tokens beyond the length of the shorter one (LD-DPO). */
  ldAlpha: share.optional(),
  /** Ask the reference once, before training; else at every step, which needs both models in memory. CHOSEN: once. */
  precomputeRefLogProbs: z.boolean().default(true),
  /** Nats per token that the chosen answers may lose against the reference before it is said. CHOSEN: each token a tenth less likely. */
  chosenLogpAlarm: z.number().positive().default(0.1),
  ...sharedKeys,
  /** TRL's DPOConfig: max_length 1024. */
  maxLength: sharedKeys.maxLength.removeDefault().default(1024),
});
export type DpoRecipe = z.infer<typeof dpoSchema>;

/** Losses that have no reference: SimPO and ORPO. */
export const needsReference = ({ lossType }: DpoRecipe) => lossType !== "simpo" && lossType !== "orpo";

/** The part of a recipe that the loss reads. */
export const preferenceOptionsOf = ({
  lossType,
  beta,
  labelSmoothing,
  fDivergenceType,
  fAlphaDivergenceCoef,
  ...more
}: DpoRecipe) => ({
  ...{ lossType, beta, labelSmoothing, fDivergenceType, fAlphaDivergenceCoef },
  ...{ discopopTau: more.discopopTau, simpoGamma: more.simpoGamma, rpoAlpha: more.rpoAlpha, ldAlpha: more.ldAlpha },
});

/** A recipe with its defaults. @throws UserError that names the key, or an option that the loss would ignore */
export const parseDpoRecipe = (value: unknown, where = "recipe"): DpoRecipe => {
  const recipe = parseSettings(dpoSchema, value, where, "marco dpo --print-recipe");
  completeOptions(preferenceOptionsOf(recipe));
  return recipe;
};
export const readDpoRecipe = (path: string): DpoRecipe => readSettings(path, parseDpoRecipe);

/** @file What to make of preference sets and prompts, as a YAML or JSON file; unknown keys are errors. */
import { z } from "zod";
import { limitsSchema, outputSchema } from "../generated/recipe.ts";
import { askingSchema, modelSchema } from "../llm/recipe.ts";
import { SELECTION } from "./select.ts";

const positive = z.number().int().positive();

export const preferencesSchema = z.strictObject({
  seed: z.number().int().nonnegative().default(1),
  /** The preferences that sets have, or only their prompts, for which answers are sampled. */
  use: z.enum(["pairs", "prompts"]).default("pairs"),
  /** Answers to prompts; without it, rows that are prompts alone are dropped. */
  sample: z
    .strictObject({
      /** They take turns. */
      models: z.array(modelSchema).min(1),
      /** One answer each: at least two (paper section 4.2), with different settings (CHOSEN: which). */
      settings: z
        .array(z.strictObject({ temperature: z.number().positive(), topP: z.number().positive().max(1) }))
        .min(2)
        .default([
          { temperature: 0.7, topP: 0.9 },
          { temperature: 1, topP: 0.95 },
        ]),
      maxTokens: positive.default(1024),
    })
    .optional(),
  /** Of sampled answers: rules that see faults only, or a model. */
  judge: z
    .union([
      z.literal("rules"),
      z.strictObject({
        model: modelSchema,
        temperature: z.number().nonnegative().default(0),
        maxTokens: positive.default(512),
      }),
    ])
    .default("rules"),
  selection: z
    .strictObject({
      minPrompt: positive.default(SELECTION.minPrompt),
      maxPrompt: positive.default(SELECTION.maxPrompt),
      maxAnswer: positive.default(SELECTION.maxAnswer),
      minMargin: z.number().nonnegative().default(SELECTION.minMargin),
    })
    .prefault({}),
  output: outputSchema,
  limits: limitsSchema,
  ...askingSchema,
});
export type PreferencesRecipe = z.infer<typeof preferencesSchema>;

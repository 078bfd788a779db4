/** @file The recipe of `marco sft`: JSON or YAML; unknown keys are errors. Defaults: see tuningRecipe.ts. */
import { z } from "zod";
import { parseSettings, readSettings } from "../data/files/settings.ts";
import { sharedKeys } from "./tuningRecipe.ts";

export const sftSchema = z.strictObject({
  /** Section 4.1: cosine from 6e-6 to 6e-7. */
  learningRate: z.number().nonnegative().default(6e-6),
  /** "Neat packing" (section 4.1): examples side by side in rows of `maxLength` that do not see each other. */
  packing: z.boolean().default(true),
  /** Only the last answer of a chat counts (LLaMA-Factory's mask_history); else every answer counts. */
  historyMasking: z.boolean().default(false),
  ...sharedKeys,
});
export type SftRecipe = z.infer<typeof sftSchema>;

/** A recipe with its defaults. @throws UserError that names the key */
export const parseSftRecipe = (value: unknown, where = "recipe"): SftRecipe =>
  parseSettings(sftSchema, value, where, "marco sft --print-recipe");
export const readSftRecipe = (path: string): SftRecipe => readSettings(path, parseSftRecipe);

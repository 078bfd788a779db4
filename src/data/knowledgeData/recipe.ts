/** @file What to do with knowledge data, as a YAML or JSON file: every key has a default, unknown keys are errors. */
import { z } from "zod";
import { parseSettings, readSettings } from "../files/settings.ts";
import { OUTPUT_KINDS } from "../files/writeRows.ts";
import { duplicatesSchema } from "../selection/recipe.ts";

const share = z.number().min(0).max(1);

const schema = z.strictObject({
  /** Drop what shares so many words in a row with a benchmark: 13 in GPT-3 and NeMo, 12 in datatrove. CHOSEN. */
  decontaminate: z
    .union([
      z.literal(false),
      z.strictObject({
        words: z.number().int().positive().default(13),
        /** Also n-grams of the question alone, and of both over their seam (datatrove's options and defaults). */
        query: z.boolean().default(false),
        overlap: z.boolean().default(true),
      }),
    ])
    .prefault({}),
  exact: z.boolean().default(true),
  minHash: duplicatesSchema.minHash,
  /** With --embedder: semhash's limit; the paper names none here. CHOSEN. */
  semantic: z.union([z.literal(false), z.strictObject({ below: share.default(0.9) })]).prefault({}),
  output: z.enum(OUTPUT_KINDS).default("jsonl"),
  /** Share of what comes in that may be unreadable before the run counts as failed (exit code 2). */
  quarantined: share.default(0.01),
});

export type KnowledgeRecipe = z.infer<typeof schema>;

/** @throws UserError that names the key. */
export const parseKnowledgeRecipe = (value: unknown, where = "recipe"): KnowledgeRecipe =>
  parseSettings(schema, value, where, "marco data knowledge --print-recipe");

export const readKnowledgeRecipe = (path: string): KnowledgeRecipe => readSettings(path, parseKnowledgeRecipe);

/** @file What to do with chats, as a YAML or JSON file: every key has a default, unknown keys are errors. */
import { z } from "zod";
import { parseSettings, readSettings } from "../files/settings.ts";
import { OUTPUT_KINDS } from "../files/writeRows.ts";
import { askingSchema, modelSchema } from "../llm/recipe.ts";
import { duplicatesSchema, simHashSchema } from "../selection/recipe.ts";
import { CLEANERS } from "./clean/clean.ts";

const share = z.number().min(0).max(1);
const positive = z.number().int().positive();

const schema = z.strictObject({
  /** Cleaners, always in the paper's order. */
  clean: z.array(z.enum(CLEANERS)).default([...CLEANERS]),
  /** Drop chats with a wrong equation in an answer. */
  equations: z.boolean().default(true),
  /** Deita's score of English chats; without a model it is not measured. */
  quality: z
    .union([
      z.literal(false),
      z.strictObject({
        model: modelSchema.optional(),
        /** The model is Deita's scorer or was trained like it: it gets Deita's prompt as it is. */
        scorer: z.boolean().default(false),
        /** CHOSEN: the paper states no cut. */
        atLeast: z.number().min(1).max(6).default(4),
      }),
    ])
    .prefault({}),
  /** Cosine of question and answer, with --embedder: at least the limit, or by default this share of the set falls. CHOSEN. */
  similarity: z
    .union([
      z.literal(false),
      z.strictObject({ atLeast: z.number().min(-1).max(1).optional(), lowestShare: share.default(0.1) }),
    ])
    .prefault({}),
  /** Instruction-following difficulty, with --model: at most 1 (Cherry), and not among the lowest share. CHOSEN share. */
  ifd: z
    .union([
      z.literal(false),
      z.strictObject({
        atMost: z.number().positive().default(1),
        lowestShare: share.default(0.2),
        /** Tokens of question and answer, at most the model's own. */
        context: positive.default(2048),
      }),
    ])
    .prefault({}),
  /** Drop all but the first chat with the same instruction. */
  exact: z.boolean().default(true),
  ...duplicatesSchema,
  ...simHashSchema,
  /** With --embedder; the paper keeps what is below 0.7. */
  semantic: z.union([z.literal(false), z.strictObject({ below: share.default(0.7) })]).prefault({}),
  output: z.enum(OUTPUT_KINDS).default("jsonl"),
  ...askingSchema,
  /** Share of what comes in that may be unreadable before the run counts as failed (exit code 2). */
  quarantined: share.default(0.01),
});

export type ChatsRecipe = z.infer<typeof schema>;

/** @throws UserError that names the key. */
export const parseChatsRecipe = (value: unknown, where = "recipe"): ChatsRecipe =>
  parseSettings(schema, value, where, "marco data sft --print-recipe");

export const readChatsRecipe = (path: string): ChatsRecipe => readSettings(path, parseChatsRecipe);

/** @file What to generate and what to translate, as YAML or JSON files; unknown keys are errors. */
import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { z } from "zod";
import { UserError } from "../../util/assert.ts";
import { OUTPUT_KINDS } from "../files/writeRows.ts";
import { LANGUAGES } from "../languages.ts";
import { askingSchema, modelSchema } from "../llm/recipe.ts";
import { CHECKS } from "./checks.ts";
import { ATTRIBUTES, KINDS, LENGTHS, POOLS } from "./prompts.ts";

const positive = z.number().int().positive();
const share = z.number().min(0).max(1);
const seed = z.number().int().nonnegative().default(1);
export const languagesSchema = z
  .array(z.enum(LANGUAGES))
  .min(1)
  .default([...LANGUAGES]);
/** Share of what comes in that may be unreadable, or without an answer, before the run counts as failed. */
export const limitsSchema = z.strictObject({ quarantined: share.default(0.01) }).prefault({});
export const outputSchema = z.enum(OUTPUT_KINDS).default("jsonl");

const words = z.array(z.string().min(1)).min(1);
const pools = Object.fromEntries(ATTRIBUTES.map((name) => [name, words.default(POOLS[name])])) as Record<
  (typeof ATTRIBUTES)[number],
  z.ZodDefault<typeof words>
>;

export const synthesizeSchema = z.strictObject({
  /** They take turns, for diversity (paper section 3.1.4). */
  models: z.array(modelSchema).min(1),
  seed,
  /** Texts to ask for. */
  count: positive,
  /** In turn. */
  kinds: z
    .array(z.enum(KINDS))
    .min(1)
    .default([...KINDS]),
  /** Drawn with equal chance (CHOSEN). */
  languages: languagesSchema,
  keywords: z
    .strictObject({
      /** A keyword a line, with a tab and a language or without. */
      file: z.string().optional(),
      /** Row files with "text", of whose words the pool is made. */
      documents: z.array(z.string()).min(1).optional(),
      /** Of each language, from documents (the paper's pool has 100 thousand). */
      size: positive.default(100_000),
      /** In a text (CHOSEN). */
      least: positive.default(2),
      most: positive.default(4),
    })
    .prefault({}),
  samples: z
    .strictObject({
      /** Row files with "text". */
      files: z.array(z.string()).min(1).optional(),
      /** In a prompt (CHOSEN). */
      shots: positive.default(3),
      /** Of each language, drawn from all (CHOSEN). */
      pool: positive.default(10_000),
      /** Longer texts are no samples, in UTF-16 units (CHOSEN). */
      maxCharacters: positive.default(4000),
    })
    .prefault({}),
  attributes: z.strictObject(pools).prefault({}),
  lengths: z
    .array(z.tuple([positive, positive]))
    .min(1)
    .default(LENGTHS),
  /** Prompts in place of ours. */
  templates: z.partialRecord(z.enum(KINDS), z.string().min(1)).default({}),
  sampling: z
    .strictObject({
      temperature: z.number().positive().default(0.9),
      topP: z.number().positive().max(1).default(0.95),
      maxTokens: positive.default(2048),
    })
    .prefault({}),
  checks: z
    .strictObject({
      language: share.default(CHECKS.language),
      shorter: share.default(CHECKS.shorter),
      longer: z.number().min(1).default(CHECKS.longer),
      copied: share.default(CHECKS.copied),
    })
    .prefault({}),
  output: outputSchema,
  limits: limitsSchema,
  ...askingSchema,
});
export type SynthesizeRecipe = z.infer<typeof synthesizeSchema>;

export const translateSchema = z
  .strictObject({
    /** They take turns. */
    models: z.array(modelSchema).min(1),
    seed,
    /** "part": one part of an exchange (section 3.1.4). "whole": every text of a row, e.g. a preference pair (section 4.2). */
    what: z.enum(["part", "whole"]).default("part"),
    /** Into which to translate; drawn with equal chance among those that the row is not in (CHOSEN). */
    languages: languagesSchema,
    /** Of whole rows: into each of the languages, not into a drawn one. */
    each: z.boolean().default(false),
    /** What may be translated; drawn with equal chance among what a row has (CHOSEN). */
    parts: z
      .array(z.enum(["instruction", "question", "answer"]))
      .min(1)
      .default(["instruction", "question", "answer"]),
    sampling: z
      .strictObject({
        temperature: z.number().nonnegative().default(0),
        topP: z.number().positive().max(1).default(1),
        maxTokens: positive.default(2048),
      })
      .prefault({}),
    checks: z
      .strictObject({
        language: share.default(CHECKS.language),
        /** Times as long, in characters, as the original, and the original as it (CHOSEN). */
        lengthRatio: z.number().min(1).default(4),
      })
      .prefault({}),
    output: outputSchema,
    limits: limitsSchema,
    ...askingSchema,
  })
  .refine(({ what, each }) => what === "whole" || !each, { message: 'each needs what: "whole"', path: ["each"] });
export type TranslateRecipe = z.infer<typeof translateSchema>;

/** Reads a recipe file. @throws UserError that names the file and the key. */
export function readJobRecipe<S extends z.ZodType>(path: string, schema: S): z.infer<S> {
  const bad = (reason: string) => new UserError(`--recipe ${path}: ${reason}`);
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw bad(`cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
  let value: unknown;
  try {
    value = parse(text);
  } catch (error) {
    throw bad(`${(error as Error).message.split("\n")[0]}; expected YAML or JSON`);
  }
  const parsed = schema.safeParse(value ?? {});
  if (parsed.success) return parsed.data;
  const { path: keys, message } = parsed.error.issues[0];
  throw bad(`${keys.join(".") || "recipe"}: ${message}; see --help`);
}

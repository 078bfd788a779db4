/**
 * @file What to do with web text, as a YAML or JSON file. Every key has a default, unknown keys are errors, and the recipe
 * with all defaults filled in is written beside the results.
 */
import { z } from "zod";
import { parseSettings, readSettings } from "../files/settings.ts";
import { LANGUAGES } from "../languages.ts";

/** The sets of rules on text, in the order in which they are asked. */
export const RULE_SETS = [
  "paper",
  "gopherQuality",
  "gopherRepetition",
  "fineWeb",
  "roots",
  "garbled",
  "blocklist",
] as const;

const share = z.number().min(0).max(1);
const positive = z.number().int().positive();
const words = z.array(z.string()).default([]);

const schema = z.strictObject({
  /** Documents in other languages are dropped. */
  languages: z
    .array(z.enum(LANGUAGES))
    .min(1)
    .default([...LANGUAGES]),
  url: z
    .strictObject({ domains: words, urls: words, hardWords: words, softWords: words, subwords: words })
    .prefault({}),
  language: z
    .strictObject({
      /** The identifier's probability must be at least this; by default FineWeb-2's limit of the language. */
      limit: share.optional(),
    })
    .prefault({}),
  rules: z
    .strictObject({
      sets: z.array(z.enum(RULE_SETS)).default([...RULE_SETS]),
      /** Limits by rule, in place of the published ones: for all languages, or for one. */
      limits: z.record(z.string(), z.number()).default({}),
      limitsByLanguage: z.partialRecord(z.enum(LANGUAGES), z.record(z.string(), z.number())).default({}),
    })
    .prefault({}),
  /** ARPA files of words by language (KenLM's lmplz, or src/data/lm); without a limit they only measure. */
  perplexity: z
    .strictObject({ models: z.partialRecord(z.enum(LANGUAGES), z.string()).default({}), limit: positive.optional() })
    .prefault({}),
  minHash: z
    .union([
      z.literal(false),
      z.strictObject({
        words: positive.default(5),
        bands: positive.default(14),
        rows: positive.default(8),
        seed: z.number().int().nonnegative().default(1),
      }),
    ])
    .prefault({}),
  substring: z
    .union([
      z.literal(false),
      z.strictObject({ tokens: positive.default(50), keep: z.enum(["first", "none"]).default("first") }),
    ])
    .prefault({}),
  /** Measure by all rules, or leave out what comes after a stage that drops the document (faster). */
  explain: z.enum(["all", "first"]).default("all"),
  limits: z
    .strictObject({
      /** Largest page in bytes, longest time for the pages of a chunk. */
      pageBytes: positive.default(4 << 20),
      secondsPerPage: z.number().positive().default(10),
      /** Share of what comes in that may be unreadable before the run counts as failed (exit code 2). */
      quarantined: share.default(0.01),
    })
    .prefault({}),
});

export type Recipe = z.infer<typeof schema>;

/** A recipe with its defaults. @throws UserError that names the key. */
export const parseRecipe = (value: unknown, where = "recipe"): Recipe =>
  parseSettings(schema, value, where, "marco data recipe");

export const readRecipe = (path: string): Recipe => readSettings(path, parseRecipe);

/**
 * @file What to do with web text, as a YAML or JSON file. Every key has a default, unknown keys are errors, and the recipe
 * with all defaults filled in is written beside the results.
 */
import { z } from "zod";
import { MOST_TOKENS } from "../dedup/substring.ts";
import { parseSettings, readSettings } from "../files/settings.ts";
import { OUTPUT_KINDS } from "../files/writeRows.ts";
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

const URL_LISTS = ["domains", "urls", "hardWords", "softWords", "subwords"] as const;

const share = z.number().min(0).max(1);
const positive = z.number().int().positive();
const words = z.array(z.string()).default([]);

const schema = z.strictObject({
  /** Documents in other languages are dropped. */
  languages: z
    .array(z.enum(LANGUAGES))
    .min(1)
    .default([...LANGUAGES]),
  /** Beside our own short lists; `files` has longer ones, one entry a line, # begins a comment. */
  url: z
    .strictObject({
      ...{ domains: words, urls: words, hardWords: words, softWords: words, subwords: words },
      files: z.partialRecord(z.enum(URL_LISTS), z.string()).default({}),
    })
    .prefault({}),
  language: z
    .strictObject({
      /** The identifier's probability must be at least this (RefinedWeb's and datatrove's for lid.176). */
      limit: share.default(0.65),
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
  /** Files of words for the blocklist, by language, one a line, # begins a comment; beside naughty-words. */
  blocklist: z.strictObject({ files: z.partialRecord(z.enum(LANGUAGES), z.string()).default({}) }).prefault({}),
  /**
   * ARPA files by language (marco data lm, or KenLM's lmplz) of words, in zh, ja and th of characters. The limit is a
   * perplexity, for all languages or by language, or so many standard deviations over the mean of the log-perplexity of
   * this run's documents of the language; without one they only measure.
   */
  perplexity: z
    .strictObject({
      models: z.partialRecord(z.enum(LANGUAGES), z.string()).default({}),
      limit: z
        .union([
          z.number().positive(),
          z.strictObject({ sd: z.number().min(0).max(100) }),
          z.partialRecord(z.enum(LANGUAGES), z.number().positive()),
        ])
        .optional(),
    })
    .prefault({}),
  minHash: z
    .union([
      z.literal(false),
      z.strictObject({
        words: positive.default(5),
        bands: positive.default(14),
        rows: positive.default(8),
        seed: z.number().int().nonnegative().default(1),
        /** Candidates of a lower estimated similarity stay; 0 takes every candidate, as datatrove does. */
        similarity: share.default(0),
      }),
    ])
    .prefault({}),
  substring: z
    .union([
      z.literal(false),
      z.strictObject({
        /** Length of a repeat: 50 tokens (Lee et al., RefinedWeb); without a tokenizer CHOSEN 200 bytes, four to a token. */
        tokens: positive.default(50),
        bytes: positive.default(200),
        keep: z.enum(["first", "none"]).default("first"),
        /** Memory: about 40 bytes for each. A language with more is compared in parts (CHOSEN: 2^25, 1.3 GB). */
        tokensAtOnce: positive.max(MOST_TOKENS / 2).default(2 ** 25),
      }),
    ])
    .prefault({}),
  /** documents/LANGUAGE.jsonl, .jsonl.gz or .parquet. */
  output: z.enum(OUTPUT_KINDS).default("jsonl"),
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

/** The files that a recipe names. */
export const filesOf = ({ url, blocklist, perplexity }: Recipe): string[] =>
  [url.files, blocklist.files, perplexity.models].flatMap((files) => Object.values<string>(files));

/** A recipe with its defaults. @throws UserError that names the key. */
export const parseRecipe = (value: unknown, where = "recipe"): Recipe =>
  parseSettings(schema, value, where, "marco data recipe");

export const readRecipe = (path: string): Recipe => readSettings(path, parseRecipe);

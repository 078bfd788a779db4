/** @file What to do with parallel text, as a YAML or JSON file: every key has a default, unknown keys are errors. */
import { z } from "zod";
import { parseSettings, readSettings } from "../files/settings.ts";
import { OUTPUT_KINDS } from "../files/writeRows.ts";
import { TSV_LAYOUTS } from "./tsv.ts";

const share = z.number().min(0).max(1);
const positive = z.number().int().positive();

const schema = z.strictObject({
  /** Columns of .tsv files: two, CCAligned's sentences (with LASER's margin), or CCAligned's documents. */
  tsv: z.enum(Object.keys(TSV_LAYOUTS) as [keyof typeof TSV_LAYOUTS]).default("plain"),
  /** Identify each side's language. */
  identify: z.boolean().default(true),
  /** The paper's heuristics on the source side, with limits in place of ours. */
  heuristics: z
    .union([
      z.literal(false),
      z.strictObject({
        maxCharacters: positive.optional(),
        specialSymbols: share.optional(),
        digits: share.optional(),
        repeatedRun: z.number().int().nonnegative().optional(),
        repeatedWords: share.optional(),
        minWords: positive.optional(),
      }),
    ])
    .prefault({}),
  /** bicleaner-hardrules, and OpusFilter's default filters. */
  hardRules: z.boolean().default(true),
  opusFilter: z.boolean().default(true),
  similarity: z
    .union([
      z.literal(false),
      z.strictObject({
        /** Pairs that the lexical similarity is trained on and its cut derived from, drawn by seed from those that pass. */
        sample: positive.default(20_000),
        /** With --embedder: the ratio margin's limit (WikiMatrix). */
        margin: z.number().default(1.04),
      }),
    ])
    .prefault({}),
  /** Of the sample and of each pair's direction and template. */
  seed: z.number().int().nonnegative().default(1),
  /** Pairs decided at once: neighbours of margins are among them, and a run that was stopped loses at most these. */
  block: positive.default(2048),
  /** Kind of file of the pairs that are kept. */
  output: z.enum(["tsv", ...OUTPUT_KINDS]).default("jsonl"),
  /** Share of what comes in that may be unreadable before the run counts as failed (exit code 2). */
  quarantined: share.default(0.01),
});

export type PairsRecipe = z.infer<typeof schema>;

/** @throws UserError that names the key. */
export const parsePairsRecipe = (value: unknown, where = "recipe"): PairsRecipe =>
  parseSettings(schema, value, where, "marco data pairs --print-recipe");

export const readPairsRecipe = (path: string): PairsRecipe => readSettings(path, parsePairsRecipe);

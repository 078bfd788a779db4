/** @file The parts of recipes that say what near duplicates are. */
import { z } from "zod";

const positive = z.number().int().positive();

export const duplicatesSchema = {
  /** MinHash, verified: text-dedup's limit; bands and rows CHOSEN so that it is nearly always found (0.997 at 0.7). */
  minHash: z
    .union([
      z.literal(false),
      z.strictObject({
        words: positive.default(3),
        bands: positive.default(32),
        rows: positive.default(5),
        seed: z.number().int().nonnegative().default(1),
        jaccard: z.number().min(0).max(1).default(0.7),
      }),
    ])
    .prefault({}),
};

export const simHashSchema = {
  /** text-dedup's settings: 64 bits, shingles of 3 words. */
  simHash: z
    .union([
      z.literal(false),
      z
        .strictObject({ words: positive.default(3), distance: positive.default(3), blocks: positive.default(4) })
        .refine(({ distance, blocks }) => blocks > distance && blocks <= 64, {
          message: "expected more blocks than distance, and at most 64",
        }),
    ])
    .prefault({}),
};

/** @file The parts of a recipe that say which models are asked, how, and for how much. */
import { z } from "zod";

const positive = z.number().int().positive();

/** An endpoint with the model's name there, or the folder of an own model. */
export const modelSchema = z
  .strictObject({
    /** Everything before /chat/completions, e.g. http://localhost:8000/v1. */
    endpoint: z.string().optional(),
    model: z.string().min(1).optional(),
    /** Name of the environment variable that holds the key; never the key. */
    key: z.string().optional(),
    /** Node's fetch gives up after 300 s by itself. */
    timeoutSeconds: z.number().positive().max(300).default(120),
    maxTokensName: z.enum(["max_tokens", "max_completion_tokens"]).default("max_tokens"),
    /** Per million tokens, for budget.money. */
    price: z.strictObject({ prompt: z.number().nonnegative(), completion: z.number().nonnegative() }).optional(),
    /** Hugging Face model directory, in place of an endpoint. */
    folder: z.string().optional(),
    engine: z.string().default("auto"),
  })
  .refine(({ endpoint, model, folder }) => (endpoint && model && !folder) || (folder && !endpoint && !model), {
    message: "expected endpoint and model, or folder",
  });

export type ModelRecipe = z.infer<typeof modelSchema>;

/** What every job that asks models has. */
export const askingSchema = {
  /** Over all runs of the job; requests that fail count too. */
  budget: z
    .strictObject({
      requests: positive.optional(),
      tokens: positive.optional(),
      money: z.number().positive().optional(),
    })
    .prefault({}),
  /** Requests at once (CHOSEN). */
  concurrency: positive.default(4),
  /** How often a request is sent again that failed for a passing reason (CHOSEN: with pauses of 1, 2, 4, 8, 16 s). */
  retries: z.number().int().nonnegative().default(5),
};

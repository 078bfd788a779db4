/**
 * Reads a run folder: `results.json`, `metrics.jsonl` and `manifest.json`, checked against the contract in
 * `util/results.ts`. Whatever is missing or half written ends in one {@link UserError} that says which file and where.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { UserError } from "../util/assert.ts";
import type { MetricsLine, Results } from "../util/results.ts";

export interface Run {
  results: Results;
  metrics: MetricsLine[];
  /** What is needed to run it again; any JSON object. */
  manifest: Record<string, unknown>;
}

const number = z.number(); // finite: NaN and Infinity are null in JSON and refused
const count = number.int().min(0);
const stage = z.enum(["base", "stage1", "stage2", "sft", "dpo"]);
const proportion = z.object({ n: count, correct: count, value: number, low: number, high: number });
const winLossTie = z.object({ win: count, loss: count, tie: count });

const resultsSchema: z.ZodType<Results> = z.object({
  preset: z.string(),
  seed: number,
  engine: z.object({ name: z.string(), reason: z.string() }),
  model: z.object({ parameters: count, config: z.record(z.string(), z.unknown()) }),
  tokenizer: z.object({ vocabSize: count, bytesPerToken: z.record(z.string(), number) }),
  mixture: z.array(
    z.object({
      stage: z.enum(["base", "stage1", "stage2"]),
      tokens: count,
      sources: z.array(z.object({ source: z.string(), target: number, realised: number, tokens: count })),
    }),
  ),
  utilisation: z.array(z.object({ name: z.string(), group: z.string(), available: number, used: number })),
  evaluations: z.array(
    z.object({
      stage,
      bitsPerByte: z.record(z.string(), number),
      multipleChoice: z.record(
        z.string(),
        z.record(z.string(), proportion.extend({ chance: number, acc: number, accNorm: number })),
      ),
      translation: z.array(
        z.object({
          source: z.string(),
          target: z.string(),
          n: count,
          bleu: number,
          chrf: number,
          bleuSignature: z.string(),
          chrfSignature: z.string(),
          samples: z.array(z.object({ source: z.string(), reference: z.string(), hypothesis: z.string() })),
        }),
      ),
      preference: z
        .object({
          accuracy: proportion,
          rewardAccuracy: proportion.optional(),
          winLossTie: z.record(z.string(), winLossTie).optional(),
          answers: z.array(z.string()),
        })
        .optional(),
    }),
  ),
  claims: z.array(z.object({ name: z.string(), target: z.string(), value: z.string(), holds: z.boolean() })),
  times: z.object({
    seconds: z.record(z.string(), number),
    tokensPerSecond: z.record(z.string(), number),
    peakMemoryBytes: number,
  }),
});

const metricsSchema = z.object({ stage, step: count, tokens: count }).catchall(z.union([number, z.string()]));

/** The run in `directory`, or a UserError. */
export function readRun(directory: string): Run {
  return {
    results: check(resultsSchema, parse(directory, "results.json", read(directory, "results.json")), "results.json"),
    metrics: read(directory, "metrics.jsonl")
      .split("\n")
      .flatMap((line, i) => {
        if (line.trim() === "") return [];
        const where = `metrics.jsonl, line ${i + 1}`;
        return [check(metricsSchema, parse(directory, where, line), where) as MetricsLine];
      }),
    manifest: check(
      z.record(z.string(), z.unknown()),
      parse(directory, "manifest.json", read(directory, "manifest.json")),
      "manifest.json",
    ),
  };
}

function read(directory: string, name: string): string {
  try {
    return readFileSync(join(directory, name), "utf8");
  } catch {
    throw new UserError(`${join(directory, name)}: cannot be read; expected a run folder, as a finished run writes it`);
  }
}

function parse(directory: string, where: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new UserError(`${directory}: ${where} is not JSON; the run was probably stopped while writing: run it again`);
  }
}

function check<T>(schema: z.ZodType<T>, value: unknown, where: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues
    .slice(0, 3)
    .map(({ path, message }) => `${path.join(".") || "(root)"}: ${message}`);
  throw new UserError(`${where} does not follow the contract of util/results.ts: ${problems.join("; ")}`);
}

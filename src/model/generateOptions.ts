/**
 * @file How an answer is generated: the options, and what is refused. Names are Hugging Face's in camelCase.
 */
import { z } from "zod";
import { UserError } from "../util/assert.ts";

export interface GenerateOptions {
  /** Most new tokens of an answer, a stop id included. */
  maxNewTokens: number;
  /** An answer ends before the first of these. */
  stopIds?: number[];
  /** An answer ends with the token that completes one of these; needs `decode`. */
  stopStrings?: string[];
  /** The text of ids. */
  decode?: (ids: number[]) => string;
  /** Scores of tokens of the prompt and the answer are divided by it (multiplied when negative). Default 1. */
  repetitionPenalty?: number;

  /** Draw tokens instead of taking the likeliest. */
  doSample?: boolean;
  /** Default 1. */
  temperature?: number;
  /** Default 0: all. */
  topK?: number;
  /** Default 1: all. */
  topP?: number;
  /** Default 0: all. */
  minP?: number;
  /** Each prompt has a stream of its own, from the seed and the prompt's index. Default 0. */
  seed?: number;

  /** Beam search with so many beams. Default 1: none. */
  numBeams?: number;
  /** Default 1. */
  lengthPenalty?: number;
  /** Default false. See src/model/beam.ts. */
  earlyStopping?: boolean | "never";

  /** Told each token of each answer as it comes (not with beams, whose answers are known at the end). */
  onToken?: (prompt: number, id: number) => void;
  /** Ends all answers with what they have. */
  signal?: AbortSignal;
}

const whole = (min: number) =>
  [z.number().int().min(min), `a whole number${min > 0 ? ` of at least ${min}` : ", 0 or more"}`] as const;
const positive = [z.number().positive(), "a number above 0"] as const;

/** What each option may be, and how that is said. */
export const RULES: Record<keyof GenerateOptions, readonly [z.ZodType, string]> = {
  maxNewTokens: whole(1),
  stopIds: [z.array(z.number().int().nonnegative()), "a list of token ids"],
  stopStrings: [z.array(z.string().min(1)), "a list of texts that are not empty"],
  decode: [z.function(), "a function"],
  repetitionPenalty: positive,
  doSample: [z.boolean(), "true or false"],
  temperature: [z.number().positive(), "a number above 0 (without sampling, the likeliest token is taken)"],
  topK: whole(0),
  topP: [z.number().positive().max(1), "a number above 0, at most 1"],
  minP: [z.number().min(0).max(1), "a number from 0 to 1"],
  seed: whole(0),
  numBeams: whole(1),
  lengthPenalty: [z.number(), "a number"],
  earlyStopping: [z.union([z.boolean(), z.literal("never")]), 'true, false or "never"'],
  onToken: [z.function(), "a function"],
  signal: [z.instanceof(AbortSignal), "an AbortSignal"],
};

const SAMPLING = ["temperature", "topK", "topP", "minP", "seed"] as const;
const BEAMS = ["lengthPenalty", "earlyStopping"] as const;

/** @throws UserError for an option that is unknown, out of range, or without effect beside the others. */
export function checkGenerateOptions(options: GenerateOptions): void {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  for (const [name, value] of given) {
    const rule = Object.hasOwn(RULES, name) ? RULES[name as keyof GenerateOptions] : undefined;
    if (!rule) throw new UserError(`generate: unknown option ${name}; expected ${Object.keys(RULES).join(", ")}`);
    if (!rule[0].safeParse(value).success)
      throw new UserError(`generate: ${name} is ${JSON.stringify(value)}; expected ${rule[1]}`);
  }
  const has = (name: string) => given.some(([key]) => key === name);
  const refuse = (text: string) => new UserError(`generate: ${text}; leave one of them out`);
  const beams = (options.numBeams ?? 1) > 1;
  if (!has("maxNewTokens")) throw new UserError("generate: maxNewTokens is missing; say how many tokens at most");
  if (beams && options.doSample) throw refuse("doSample draws tokens, numBeams searches the likeliest answer");
  if (beams && options.onToken) throw refuse("onToken is told tokens as they come, with numBeams they come at the end");
  const idle = [...(options.doSample ? [] : SAMPLING), ...(beams ? [] : BEAMS)].find(has);
  if (idle) {
    const needs = (SAMPLING as readonly string[]).includes(idle) ? "doSample: true" : "numBeams above 1";
    throw new UserError(`generate: ${idle} counts only with ${needs}; leave it out or add that`);
  }
  if (options.stopStrings?.length && !options.decode)
    throw new UserError("generate: stopStrings needs decode, the function from ids to text; pass the tokenizer's");
}

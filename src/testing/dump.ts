/**
 * @file A row of another trainer's dump: the log-probabilities that it had, and what it made of them. Names are TRL's,
 * and those of the DPO authors' code; docs/check-losses.md shows how to write such rows.
 */
import { z } from "zod";
import type { PairLogps } from "../losses/preference.ts";
import { UserError } from "../util/assert.ts";

/** Preference pairs of one batch, or one pair. */
export interface PairsRow {
  pairs: PairLogps;
  /** Whether the tokens of the answers were in the row; a mean cannot be told from a sum without. */
  hasTokens: boolean;
  hasReference: boolean;
  /** What the trainer computed, by name: the mean over the batch, or a value per pair. */
  said: Record<string, number | number[]>;
  /** The answers' log-probabilities token by token, by the name of their sum. */
  perToken: Partial<Record<keyof PairLogps, number[][]>>;
}

/** Sequences of one micro-batch, with a log-probability per label. */
export interface SequencesRow {
  /** [B][T], nats; logprobs[t] is that of labels[t], given what is before it. */
  logprobs: number[][];
  labels: number[][];
  loss?: number;
  /** Micro-batches of one optimiser step have the same. */
  step?: number;
  /** What this micro-batch called backward() on; they add up to the loss of the step. */
  backwardLoss?: number;
}

const LOGPS = {
  policyChosen: ["chosen_logps", "policy_chosen_logps", "policy_chosen"],
  policyRejected: ["rejected_logps", "policy_rejected_logps", "policy_rejected"],
  referenceChosen: ["ref_chosen_logps", "reference_chosen_logps", "reference_chosen"],
  referenceRejected: ["ref_rejected_logps", "reference_rejected_logps", "reference_rejected"],
} as const;
const TOKENS = { chosenTokens: ["chosen_tokens"], rejectedTokens: ["rejected_tokens"] } as const;
const PER_TOKEN = {
  policyChosen: "chosen_token_logps",
  policyRejected: "rejected_token_logps",
  referenceChosen: "ref_chosen_token_logps",
  referenceRejected: "ref_rejected_token_logps",
} as const;
/** What a trainer may have computed of pairs; the first is the loss, the others are TRL's metrics. */
export const PAIR_QUANTITIES = [
  "loss",
  "rewards/chosen",
  "rewards/rejected",
  "rewards/margins",
  "rewards/accuracies",
  "logps/chosen",
  "logps/rejected",
] as const;

const numbers = z.union([z.number(), z.array(z.number()).min(1)]);
const lists = z.union([z.array(z.number()).min(1), z.array(z.array(z.number()).min(1)).min(1)]);
const optional = <S extends z.ZodType>(names: readonly string[], schema: S) =>
  Object.fromEntries(names.map((name) => [name, schema.optional()]));
const pairsSchema = z.strictObject({
  ...optional([...Object.values(LOGPS).flat(), ...PAIR_QUANTITIES], numbers),
  ...optional(Object.values(TOKENS).flat(), z.union([z.int().min(0), z.array(z.int().min(0)).min(1)])),
  ...optional(Object.values(PER_TOKEN), lists),
  step: z.number().optional(),
});
const sequencesSchema = z.strictObject({
  logprobs: lists,
  labels: z.union([z.array(z.int()).min(1), z.array(z.array(z.int()).min(1)).min(1)]),
  loss: z.number().optional(),
  step: z.number().optional(),
  backward_loss: z.number().optional(),
});

/** @throws UserError, one line: the key, what it holds, and what was expected */
export function parseDumpRow(value: unknown): PairsRow | SequencesRow {
  const object = typeof value === "object" && value !== null ? value : {};
  return "labels" in object || "logprobs" in object ? sequencesRow(value) : pairsRow(value);
}

export const isPairsRow = (row: PairsRow | SequencesRow): row is PairsRow => "pairs" in row;

function check<S extends z.ZodType>(schema: S, value: unknown): z.infer<S> {
  const { data, error } = schema.safeParse(value);
  if (!error) return data as z.infer<S>;
  const { path, message } = error.issues[0];
  throw new UserError(`${path.length > 0 ? `${path.join(".")}: ` : ""}${message}`);
}

/** The value under the first of its names that the row has. */
function under<X>(row: Record<string, X | undefined>, names: readonly string[]): [name: string, value: X] | undefined {
  const found = names.filter((name) => row[name] !== undefined);
  if (found.length > 1) throw new UserError(`${found.join(" and ")} are the same quantity; expected one of them`);
  return found.length === 0 ? undefined : [found[0], row[found[0]] as X];
}

function pairsRow(value: unknown): PairsRow {
  const row = check(pairsSchema, value) as Record<string, number | number[] | undefined>;
  const [, first] = under(row, LOGPS.policyChosen) ?? missing(LOGPS.policyChosen);
  const B = Array.isArray(first) ? first.length : undefined;
  const column = (names: readonly string[], absent?: number): number[] => {
    const [name, value] = under(row, names) ?? (absent === undefined ? missing(names) : ["", undefined]);
    if (value === undefined) return Array(B ?? 1).fill(absent);
    const length = Array.isArray(value) ? value.length : undefined;
    if (length !== B)
      throw new UserError(`${name}: ${size(length)}, but ${under(row, LOGPS.policyChosen)![0]} is ${size(B)}`);
    return [value].flat();
  };
  const hasReference = under(row, LOGPS.referenceChosen) !== undefined;
  const hasTokens = under(row, TOKENS.chosenTokens) !== undefined;
  const absent = hasReference ? undefined : 0;
  if (!hasReference && under(row, LOGPS.referenceRejected)) missing(LOGPS.referenceChosen);
  const said: PairsRow["said"] = {};
  for (const name of PAIR_QUANTITIES) {
    const value = row[name];
    if (value === undefined) continue;
    if (Array.isArray(value) && value.length !== B)
      throw new UserError(`${name}: ${size(value.length)}, expected ${size(B)}`);
    said[name] = value;
  }
  const perToken: PairsRow["perToken"] = {};
  for (const [key, name] of Object.entries(PER_TOKEN)) {
    const value = row[name] as number[] | number[][] | undefined;
    if (value === undefined) continue;
    const nested = B === undefined ? [value as number[]] : (value as number[][]);
    if (!nested.every(Array.isArray) || nested.length !== (B ?? 1))
      throw new UserError(`${name}: expected ${B === undefined ? "a list of numbers" : `${B} lists of numbers`}`);
    perToken[key as keyof typeof PER_TOKEN] = nested;
  }
  return {
    ...{ hasTokens, hasReference, said, perToken },
    pairs: {
      policyChosen: column(LOGPS.policyChosen),
      policyRejected: column(LOGPS.policyRejected),
      referenceChosen: column(LOGPS.referenceChosen, absent),
      referenceRejected: column(LOGPS.referenceRejected, absent),
      chosenTokens: column(TOKENS.chosenTokens, hasTokens ? undefined : 1),
      rejectedTokens: column(TOKENS.rejectedTokens, hasTokens ? undefined : 1),
    },
  };
}

const size = (length: number | undefined) => (length === undefined ? "one number" : `a list of ${length}`);

function missing(names: readonly string[]): never {
  throw new UserError(
    `no ${names[0]} (or ${names.slice(1).join(", ") || "another name"}): expected a number, or a list per batch`,
  );
}

function sequencesRow(value: unknown): SequencesRow {
  const { logprobs, labels, loss, step, backward_loss } = check(sequencesSchema, value);
  const rows = <X>(x: X[] | X[][]) => (Array.isArray(x[0]) ? x : [x]) as X[][];
  const [p, l] = [rows<number>(logprobs), rows<number>(labels)];
  const shape = (x: number[][]) => `[${x.map((row) => row.length).join(", ")}]`;
  if (shape(p) !== shape(l))
    throw new UserError(`logprobs have the lengths ${shape(p)}, labels ${shape(l)}; expected the same`);
  if (backward_loss !== undefined && step === undefined)
    throw new UserError("backward_loss without step; expected both");
  return { logprobs: p, labels: l, loss, step, backwardLoss: backward_loss };
}

/**
 * @file The kit's front: a subject (someone's loss and what it claims) -> named checks for a test runner, or a report.
 */
import type { Counterexample, Plan, RunOptions } from "./claim.ts";
import { type PreferenceCheck, planPreference } from "./preferencePlan.ts";
import { planStep, type StepCheck } from "./step.ts";
import { planTokens, type TokensCheck } from "./tokens.ts";

/**
 * How close numbers must be: this times max(1, |expected|). float32 rounds by 6e-8, and the claims' numbers, up to 80
 * nats, go through few roundings; a mistake moves most of them by more than a thousandth. CHOSEN. Take 1e-9 for a loss
 * in float64, 1e-2 for one in bfloat16.
 */
export const FLOAT32_TOLERANCE = 2e-5;

export interface CheckOptions extends Partial<RunOptions> {
  /** Of numbers, relative to max(1, |expected|); {@link FLOAT32_TOLERANCE} unless told. */
  tolerance?: number;
}

export type Subject<Example> = (PreferenceCheck | TokensCheck | StepCheck<Example>) & CheckOptions;

export interface LossProperty {
  name: string;
  /** The claim as a sentence. */
  statement: string;
  /** Tries it. @throws ClaimError that explains the smallest counterexample */
  check(): Promise<void>;
}

export interface ClaimResult {
  name: string;
  statement: string;
  holds: boolean;
  counterexample?: Counterexample;
  /** Known mistakes that give the numbers of this loss, the simplest ones; empty where none does. */
  mistakes?: string[];
  /** The same for people. */
  explanation?: string;
}

export interface LossReport {
  kind: string;
  holds: boolean;
  seed: number;
  numRuns: number;
  claims: ClaimResult[];
  /** Claims that this loss could not be asked. */
  skipped: { name: string; why: string }[];
}

/** A claim that does not hold. */
export class ClaimError extends Error {
  override name = "ClaimError";
  constructor(readonly result: ClaimResult) {
    super(result.explanation);
  }
}

/**
 * One check per claim, for vitest, jest or node:test:
 *
 *     for (const { name, check } of lossProperties({ kind: "preference", as: "sigmoid", beta: 0.1, loss: myLoss }))
 *       test(name, check);
 *
 * The same seed draws the same cases (1 unless told); 100 cases per claim.
 */
export function lossProperties<Example>(subject: Subject<Example>): LossProperty[] {
  const { plan, options } = planOf(subject);
  const diagnose = once(plan.diagnose);
  return plan.claims.map((claim) => ({
    name: claim.name,
    statement: claim.statement,
    async check() {
      const result = await judge(claim, options, diagnose);
      if (!result.holds) throw new ClaimError(result);
    },
  }));
}

/** All claims, as data; {@link reportText} is it for people. */
export async function checkLoss<Example>(subject: Subject<Example>): Promise<LossReport> {
  const { plan, options } = planOf(subject);
  const diagnose = once(plan.diagnose);
  const claims: ClaimResult[] = [];
  for (const claim of plan.claims) claims.push(await judge(claim, options, diagnose));
  const { skipped } = plan;
  return { kind: subject.kind, holds: claims.every(({ holds }) => holds), ...options, claims, skipped };
}

/** One line per claim, and what explains each that does not hold. */
export function reportText({ claims, skipped, seed, numRuns }: LossReport): string {
  const held = claims.filter(({ holds }) => holds).length;
  return [
    ...claims.map(({ name, holds, explanation }) =>
      holds ? `holds   ${name}` : `BROKEN  ${explanation?.replaceAll("\n", "\n        ")}`,
    ),
    ...skipped.map(({ name, why }) => `not asked  ${name}: ${why}`),
    `${held} of ${claims.length} claims hold (${numRuns} cases each, seed ${seed})`,
  ].join("\n");
}

function planOf<Example>(subject: Subject<Example>): { plan: Plan; options: RunOptions } {
  const { seed = 1, numRuns = 100, tolerance = FLOAT32_TOLERANCE, ...check } = subject;
  const options = { seed, numRuns };
  if (check.kind === "preference") return { plan: planPreference(check, tolerance), options };
  if (check.kind === "tokens") return { plan: planTokens(check, tolerance), options };
  return { plan: planStep(check, tolerance), options };
}

async function judge(
  { name, statement, find }: Plan["claims"][number],
  options: RunOptions,
  diagnose: () => Promise<string[]>,
): Promise<ClaimResult> {
  const counterexample = await find(options);
  if (!counterexample) return { name, statement, holds: true };
  const mistakes = await diagnose();
  const result = { name, statement, holds: false, counterexample, mistakes };
  return { ...result, explanation: explain(result, options) };
}

function explain(
  { name, statement, counterexample, mistakes }: Required<Omit<ClaimResult, "explanation">>,
  { seed }: RunOptions,
): string {
  const { input, got, expected, shrinks } = counterexample;
  return [
    `${name}: ${statement}`,
    `counterexample: ${show(input)}`,
    `got ${got}, expected ${expected}`,
    mistakes.length > 0
      ? `likely cause: ${mistakes.join("; or ")} (gives the numbers of this loss on other batches too)`
      : "likely cause: none of the known mistakes gives the numbers of this loss",
    `seed ${seed}, shrunk ${shrinks} times`,
  ].join("\n");
}

/** `a -1, b [1, 2]`: JSON without its quotes and braces, one level deep. */
function show(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(show).join(", ")}]`;
  if (typeof value !== "object" || value === null) return `${value}`;
  return Object.entries(value)
    .map(([key, inner]) => {
      const nested = typeof inner === "object" && inner !== null && !Array.isArray(inner);
      return `${key} ${nested ? `{ ${show(inner)} }` : show(inner)}`;
    })
    .join(", ");
}

/** A diagnosis that fails, e.g. because the loss throws, is none. */
function once(diagnose: () => Promise<string[]>): () => Promise<string[]> {
  let result: Promise<string[]> | undefined;
  return () => {
    result ??= diagnose().catch(() => []);
    return result;
  };
}

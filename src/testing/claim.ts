/**
 * @file What the kit works with: a claim is a sentence about a loss, random cases for it, and what one case shows. A
 * case that breaks it is shrunk by fast-check to the smallest one that still does; the cases are built of small whole
 * numbers, so that the smallest is one that can be checked by hand.
 */
import fc from "fast-check";
import { close } from "./quantity.ts";

/** What a case shows when the claim does not hold. */
export interface Violation {
  /** The input as asked, for people: batches and what was done to them. */
  input: unknown;
  got: string;
  expected: string;
}

/** How a claim is tried. The same seed gives the same cases, and so the same counterexample. */
export interface RunOptions {
  seed: number;
  /** Random cases per claim. */
  numRuns: number;
}

export interface Counterexample extends Violation {
  /** How many smaller cases were found on the way. */
  shrinks: number;
}

/** A claim about what `Ask` stands for: someone's loss, behind a small interface that the claims use. */
export interface Claim<Ask, Name extends string = string> {
  name: Name;
  /** The claim as a sentence. */
  statement: string;
  /** Looks for a counterexample. */
  find(ask: Ask, options: RunOptions): Promise<Counterexample | undefined>;
}

/** A claim, bound to the loss that it is about. */
export interface Bound {
  name: string;
  statement: string;
  find(options: RunOptions): Promise<Counterexample | undefined>;
}

/** What is to be checked of a loss. */
export interface Plan {
  claims: Bound[];
  /** Claims that this loss cannot be asked. */
  skipped: { name: string; why: string }[];
  /** The known mistakes that give the numbers of this loss; none where it is right, or where nothing fits. */
  diagnose(): Promise<string[]>;
}

export const bind = <Ask>(claims: readonly Claim<Ask>[], ask: Ask): Bound[] =>
  claims.map(({ name, statement, find }) => ({ name, statement, find: (options) => find(ask, options) }));

/** The claims of these names. @throws Error for a name that there is not */
export function named<Ask, Name extends string>(claims: readonly Claim<Ask, Name>[], names: readonly Name[]) {
  return [...new Set(names)].map((name) => {
    const claim = claims.find((one) => one.name === name);
    if (!claim) throw new Error(`no claim ${JSON.stringify(name)}; there are: ${claims.map((c) => c.name).join(", ")}`);
    return claim;
  });
}

/** A claim of cases and of what one of them shows: undefined where it holds. */
export function makeClaim<Ask, Case, const Name extends string>(claim: {
  name: Name;
  statement: string;
  cases: (ask: Ask) => fc.Arbitrary<Case>;
  check: (drawn: Case, ask: Ask) => Promise<Violation | undefined>;
}): Claim<Ask, Name> {
  const { name, statement, cases, check } = claim;
  return {
    name,
    statement,
    async find(ask, options) {
      const attempt = (drawn: Case) =>
        check(drawn, ask).catch((error: unknown) => ({
          input: drawn,
          got: `an error: ${error instanceof Error ? error.message : error}`,
          expected: "a loss",
        }));
      let last: Violation | undefined; // the shrinker's last failure is the counterexample
      const property = fc.asyncProperty(cases(ask), async (drawn) => {
        const violation = await attempt(drawn);
        if (violation) last = violation;
        return violation === undefined;
      });
      const { failed, numShrinks } = await fc.check(property, options);
      return failed ? { ...last!, shrinks: numShrinks } : undefined;
    },
  };
}

/** Numbers for people: seven digits are what float32 has. */
export const digits = (x: number) => (Number.isFinite(x) ? `${Number(x.toPrecision(7))}` : `${x}`);

/** The violation of an equality, if it is one. */
export function unequal(
  got: number,
  expected: number,
  tolerance: number,
  input: unknown,
  as = "",
): Violation | undefined {
  if (close(got, expected, tolerance)) return undefined;
  return { input, got: digits(got), expected: `${digits(expected)}${as && ` (${as})`}` };
}

/** The first violation of several checks. */
export async function firstOf(checks: (() => Promise<Violation | undefined>)[]): Promise<Violation | undefined> {
  for (const check of checks) {
    const violation = await check();
    if (violation) return violation;
  }
  return undefined;
}

/**
 * @file What a bug of the gallery is, and how it is caught: the product's own code and a minimal variation of it, which
 * repeats a defect that a public trainer had, implement one small interface; a property holds for the first and not for
 * the second, and fast-check shrinks what it found to the smallest counterexample.
 */
import { readFileSync } from "node:fs";
import fc from "fast-check";

export interface Curve {
  label: string;
  kind: "correct" | "broken" | "other";
  points: { x: number; y: number }[];
}

export interface Bar {
  label: string;
  kind: Curve["kind"];
  y: number;
}

/** What a bug does, measured: curves over `x`, or bars. */
export interface Picture {
  title: string;
  /** What is measured, on what. */
  y: string;
  x?: string;
  logX?: boolean;
  curves?: Curve[];
  bars?: Bar[];
  /** What the picture shows, in words, and whether the figures bear it out. */
  shows: string;
  holds: boolean;
}

export interface Bug<Implementation = unknown, Input = unknown> {
  id: string;
  title: string;
  /** Where it was public: an issue, a pull request or the file itself, and what was said there. */
  issue: { project: string; url: string; said: string };
  /** What is wrong, how it shows, how to notice. */
  lesson: string;
  /** The property as a sentence. */
  claim: string;
  correct: Implementation;
  broken: Implementation;
  /** Lines of the product that are right: the first begins with this text. */
  right: { file: string; from: string; lines?: number };
  /** The file of the gallery with the lines between `// bug: <id>` and `// end`. */
  file: string;
  inputs: fc.Arbitrary<Input>;
  /** Throws where the claim does not hold for this input, and says what it got and what it expected. */
  check(implementation: Implementation, input: Input): void | Promise<void>;
  /** How many inputs are tried (CHOSEN: 100, fewer where each is a forward pass). */
  runs?: number;
  picture(): Promise<Picture>;
}

/** Types are checked where a bug is written; a list of bugs needs none. */
export function defineBug<Implementation, Input>(bug: Bug<Implementation, Input>): Bug {
  return bug as unknown as Bug;
}

export interface Caught {
  /** The smallest input for which the claim fails, as fast-check prints it. */
  counterexample: string;
  /** What the check said of it. */
  said: string;
  seed: number;
  tried: number;
}

/** The claim as a fast-check property of one implementation. */
export const propertyOf = (bug: Bug, implementation: unknown) =>
  fc.asyncProperty(bug.inputs, async (input) => bug.check(implementation, input));

/** Tries an implementation: undefined when the claim held for every input. */
export async function tryOut(bug: Bug, implementation: unknown, seed = 7): Promise<Caught | undefined> {
  const result = await fc.check(propertyOf(bug, implementation), { seed, numRuns: bug.runs ?? 100 });
  if (!result.failed) return undefined;
  const said = result.errorInstance instanceof Error ? result.errorInstance.message : String(result.errorInstance);
  return { counterexample: fc.stringify(result.counterexample![0]), said, seed, tried: result.numRuns };
}

/** A claim that compares: throws with both sides unless `actual` is within `tolerance` (absolute) of `expected`. */
export function expectNear(what: string, actual: number, expected: number, tolerance: number): void {
  if (!(Math.abs(actual - expected) <= tolerance))
    throw new Error(`${what} is ${Number(actual.toPrecision(5))}, expected ${Number(expected.toPrecision(5))}`);
}

export interface Lines {
  file: string;
  line: number;
  text: string[];
}

const root = new URL("../../", import.meta.url);
const linesOf = (file: string) => readFileSync(new URL(file, root), "utf8").split("\n");

/** The product's lines and the gallery's, as they stand in the files. */
export function codeOf(bug: Bug): { right: Lines; wrong: Lines } {
  const { file, from, lines = 1 } = bug.right;
  const product = linesOf(file);
  const at = product.findIndex((line) => line.trimStart().startsWith(from));
  if (at < 0) throw new Error(`${bug.id}: ${file} has no line that begins with "${from}"; the gallery shows that line`);
  const gallery = linesOf(bug.file);
  const start = gallery.findIndex((line) => line.trim() === `// bug: ${bug.id}`) + 1;
  const length = gallery.slice(start).findIndex((line) => line.trim() === "// end");
  if (start === 0 || length < 0) throw new Error(`${bug.id}: ${bug.file} has no lines between its two marks`);
  return {
    right: { file, line: at + 1, text: dedent(product.slice(at, at + lines)) },
    wrong: { file: bug.file, line: start + 1, text: dedent(gallery.slice(start, start + length)) },
  };
}

function dedent(lines: string[]): string[] {
  const indents = lines.filter((line) => line.trim() !== "").map((line) => line.length - line.trimStart().length);
  return lines.map((line) => line.slice(Math.min(...indents)));
}

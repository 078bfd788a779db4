/**
 * Errors that a user can act on. A {@link UserError} prints as one line (what, where, expected, remedy) and the
 * commands exit with code 2; any other error is a bug of ours and prints its stack.
 */
export class UserError extends Error {
  override name = "UserError";
}

/** Thrown where work was stopped from outside, which is no fault: the same call goes on. */
export class Stopped extends Error {
  override name = "Stopped";
}

/** Throws when `shape` is not `expected`; -1 matches any size. */
export function assertShape(x: { shape: number[] }, expected: number[], what: string): void {
  const fits = x.shape.length === expected.length && expected.every((n, i) => n === -1 || n === x.shape[i]);
  if (!fits) throw new Error(`${what}: got shape [${x.shape}], expected [${expected}]`);
}

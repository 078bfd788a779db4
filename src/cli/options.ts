/**
 * @file Command-line options and exit codes: 2 for what the user can mend, 1 for our own faults, 130 for Ctrl-C.
 */
import { type Command, CommanderError } from "commander";
import { UserError } from "../util/assert.ts";

/** Parses or exits: 0 after --help or --version, 2 with one line after a mistake. */
export function parse<T extends object>(command: Command, argv: string[]): T {
  command.exitOverride().configureOutput({ writeErr: () => {} });
  try {
    return command.parse(argv).opts<T>();
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) process.exit(0);
    throw new UserError(`${error.message.replace(/^error: /, "").replace(/\n/g, " ")}; see --help`);
  }
}

/** A whole number of at least `min`, for commander. */
export const wholeNumber = (name: string, min: number) => (text: string) => {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < min)
    throw new UserError(`${name} ${text}: expected a whole number of at least ${min}`);
  return value;
};

/** Runs a program: a {@link UserError} becomes one line and exit code 2. */
export async function main(run: () => Promise<void>) {
  try {
    await run();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    console.error(`error: ${error.message}`);
    process.exitCode = 2;
  }
}

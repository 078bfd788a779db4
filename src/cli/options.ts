/**
 * @file Command-line options and exit codes: 2 for what the user can mend, 1 for our own faults (and, as diff has it, for
 * differences that `marco check-losses` found), 130 for Ctrl-C.
 */
import { type Command, CommanderError } from "commander";
import { UserError } from "../util/assert.ts";

/** Parses a command without subcommands, or exits: 0 after --help, a {@link UserError} after a mistake. */
export function parse<T extends object>(command: Command, argv: string[]): T {
  try {
    return quiet(command).parse(argv).opts<T>();
  } catch (error) {
    throw userError(error);
  }
}

/** Parses and runs a command with subcommands; mistakes as in {@link parse}. */
export async function parseAsync(command: Command, argv: string[]): Promise<void> {
  try {
    const quietAll = (one: Command): Command => {
      for (const subcommand of one.commands) quietAll(subcommand);
      return quiet(one);
    };
    await quietAll(command).parseAsync(argv);
  } catch (error) {
    throw userError(error);
  }
}

/** Errors are thrown, not printed: {@link main} prints them, once and in one line. */
const quiet = (command: Command) => command.exitOverride().configureOutput({ outputError: () => {} });

function userError(error: unknown): unknown {
  if (!(error instanceof CommanderError)) return error;
  if (error.exitCode === 0) process.exit(0);
  if (error.code === "commander.help") process.exit(2); // no subcommand: the help has been shown
  const message = error.message.replace(/^error: |\.$/g, "").replace(/\n/g, " ");
  return new UserError(`${message}; see --help`);
}

/** A whole number of at least `min`, for commander. */
export const wholeNumber = (name: string, min: number) => (text: string) => {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < min)
    throw new UserError(`${name} ${text}: expected a whole number of at least ${min}`);
  return value;
};

/** Runs a program: a {@link UserError}, and a disk that is full, become one line and exit code 2. */
export async function main(run: () => Promise<void>) {
  try {
    await run();
  } catch (error) {
    console.error(`error: ${userMessage(error)}`);
    process.exitCode = 2;
  }
}

/** @throws the error itself where it is our own fault. */
function userMessage(error: unknown): string {
  if (error instanceof UserError) return error.message;
  const { code, path } = error as NodeJS.ErrnoException;
  if (code !== "ENOSPC" && code !== "EDQUOT") throw error;
  return `the disk is full (${code}${path ? `, ${path}` : ""}); make room and run the same command again`;
}

/**
 * @file Command-line options that the benchmarks share.
 */
import { Command } from "commander";
import { wholeNumber } from "../src/cli/options.ts";
import { UserError } from "../src/util/assert.ts";

export const INSTALL_PYTHON = "python3 -m venv venv && venv/bin/pip install -r bench/requirements.txt";

/** The known among comma-separated names. @throws UserError for another name, or none. */
export const namesOf = (option: string, known: readonly string[]) => (text: string) => {
  const names = [...new Set(text.split(",").map((name) => name.trim()))];
  const wrong = names.find((name) => !known.includes(name));
  if (wrong !== undefined)
    throw new UserError(`${option} ${text}: no '${wrong}'; expected some of ${known.join(",")}, separated by commas`);
  return names;
};

export const numberOf = wholeNumber;

/** A benchmark's command with --python and --save; `help` says what it does. */
export const benchCommand = (name: string, help: string) =>
  new Command(name)
    .description(help)
    .option("--python <path>", "a Python with bench/requirements.txt (default: $MARCO_PYTHON or python3)")
    .option("--save", "write bench/results/<date>-<cpu>.json")
    .addHelpText(
      "after",
      `\nPyTorch and transformers, in the versions that are pinned:\n  ${INSTALL_PYTHON}\n  (its PyTorch is 5 GB; torch.compile needs g++; jemalloc, where the system has it, is used)`,
    );

export const pythonOf = (option?: string) => option ?? process.env.MARCO_PYTHON ?? "python3";

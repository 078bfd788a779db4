/**
 * @file `marco data run`: the whole pipeline from one file, a list of `marco data` commands with their options. Each of
 * them goes on from where it stopped, so the same command does, too; all of it is checked before anything is run.
 */
import { readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Command } from "commander";
import { z } from "zod";
import { parseSettings, readSettings } from "../data/files/settings.ts";
import { UserError } from "../util/assert.ts";

const EXAMPLE = `
Paths are relative to the file; a * in a file's name stands for anything:
  - web: {files: [crawl/*.warc.gz], recipe: web.yaml, out: web}
  - pairs: {files: [pairs.tsv], source: en, target: de, out: pairs}
  - mixture: {files: [mixture.yaml], tokenizer: model, out: mixture}`;

const value = z.union([z.string(), z.number(), z.boolean()]);
const schema = z
  .array(z.record(z.string(), z.looseObject({ files: z.array(z.string()).default([]) }).catchall(value)))
  .min(1);

interface Step {
  name: string;
  files: string[];
  /** As on a command line. */
  options: string[];
}

export function addRunCommand(data: Command) {
  data
    .command("run")
    .description(
      "the whole pipeline: the steps of a file, one after the other; the same command goes on after an interruption",
    )
    .argument("<file>", "YAML or JSON: a list of marco data commands with their files and options")
    .addHelpText("after", EXAMPLE)
    .action(async (path: string) => {
      const steps = readSettings(path, (content, where) => readSteps(content, where, data));
      process.chdir(dirname(path));
      for (const [i, { name, files, options }] of steps.entries()) {
        console.error(`step ${i + 1} of ${steps.length}: ${name}`);
        await data.parseAsync([name, ...files.flatMap(expand), ...options], { from: "user" });
        if (process.exitCode) return; // it was stopped
      }
    });
}

/** @throws UserError that names the step and what is wrong with it. */
export function readSteps(content: unknown, where: string, data: Command): Step[] {
  const names = data.commands.map((command) => command.name()).filter((name) => name !== "run");
  return parseSettings(schema, content, where, "marco data run --help").map((step, i) => {
    const bad = (problem: string) => new UserError(`${where}: step ${i + 1}: ${problem}`);
    const [[name, { files, ...options }], another] = Object.entries(step);
    if (another) throw bad(`holds ${name} and ${another[0]}; begin each step with "- "`);
    const command = data.commands.find((command) => command.name() === name && name !== "run");
    if (!command) throw bad(`no command is called ${name}; there are ${names.join(", ")}`);
    const flags = Object.entries(options).flatMap(([key, value]) => {
      const option = command.options.find((option) => option.attributeName() === key || option.long === `--${key}`);
      if (!option) throw bad(`${name} has no option ${key}; see marco data ${name} --help`);
      if (option.isBoolean() !== (typeof value === "boolean"))
        throw bad(`${name}: ${key} is ${value}, expected ${option.isBoolean() ? "true or false" : "a value"}`);
      if (value === false) return [];
      return value === true ? [option.long!] : [`${option.long}=${value}`];
    });
    for (const option of command.options)
      if (option.mandatory && !flags.some((flag) => flag.startsWith(`${option.long}=`)))
        throw bad(`${name}: ${option.attributeName()} is missing (${option.description})`);
    return { name, files, options: flags };
  });
}

/** The files that a name with * stands for, sorted. @throws UserError when there is none. */
function expand(pattern: string): string[] {
  if (!basename(pattern).includes("*")) return [pattern];
  const folder = dirname(pattern);
  const parts = basename(pattern).split("*");
  const matches = new RegExp(`^${parts.map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&")).join(".*")}$`);
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (error) {
    throw new UserError(`${folder}: cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
  const found = names.filter((name) => matches.test(name)).sort();
  if (found.length === 0) throw new UserError(`${pattern}: no file has such a name`);
  return found.map((name) => join(folder, name));
}

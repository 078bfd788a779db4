/** @file `marco env`: this machine, and which engines start on it. */
import { availableParallelism, cpus, totalmem } from "node:os";
import { Argument, type Command } from "commander";
import { ENGINES, startEngine } from "../engine/engine.ts";
import { UserError } from "../util/assert.ts";

export const addEnvCommand = (program: Command) =>
  program
    .command("env")
    .description("this machine, and which engines start on it")
    .addArgument(new Argument("[engines...]", "which (cuda and tensorflow do not share a process)").choices(ENGINES))
    .action(async (engines: string[]) => {
      const memory = (totalmem() / 2 ** 30).toFixed(1);
      const { node } = process.versions;
      console.log(`marco-mini ${program.version()} · node ${node} · ${process.platform} ${process.arch}`);
      console.log(`${cpus()[0]?.model ?? "unknown processor"} · ${availableParallelism()} threads · ${memory} GiB`);
      for (const name of engines.length > 0 ? engines : ENGINES) console.log(`engine ${name}: ${await works(name)}`);
    });

async function works(name: string): Promise<string> {
  try {
    const { reason } = await startEngine(name);
    return reason.replace("asked for with --engine", "works"); // ", on" the device, where there is a choice
  } catch (error) {
    if (error instanceof UserError)
      return /cannot start here \((.*)\); leave/.exec(error.message)?.[1] ?? error.message;
    throw error;
  }
}

/** @file The `marco` command, by tsx from `bin/marco.js`. */
import { readFileSync } from "node:fs";
import { Command } from "commander";
import { main, parseAsync } from "./options.ts";

/** The commands in the order of `--help`. The files of one are read when it is named: all together take seconds. */
const COMMANDS: Record<string, () => Promise<(program: Command) => unknown>> = {
  replicate: async () => addReplicateCommand,
  generate: async () => (await import("./generate.ts")).addGenerateCommand,
  chat: async () => (await import("./chat.ts")).addChatCommand,
  eval: async () => (await import("./eval.ts")).addEvalCommand,
  report: async () => (await import("./report.ts")).addReportCommand,
  env: async () => (await import("./env.ts")).addEnvCommand,
  data: async () => (await import("./data.ts")).addDataCommand,
  sft: async () => (await import("./sft.ts")).addSftTrainingCommand,
  dpo: async () => (await import("./dpo.ts")).addDpoTrainingCommand,
  judge: async () => (await import("./judge.ts")).addJudgeCommand,
  score: async () => (await import("./score.ts")).addScoreCommand,
  model: async () => (await import("./model.ts")).addModelCommand,
  "check-losses": async () => (await import("./checkLosses.ts")).addCheckLossesCommand,
  "tune-mixture": async () => (await import("./tuneMixture.ts")).addTuneMixtureCommand,
};

await main(async () => {
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  const program = new Command("marco").description("Marco-LLM (arXiv 2412.04003) in miniature").version(version);
  const [name] = process.argv.slice(2);
  for (const command of Object.keys(COMMANDS).includes(name) ? [name] : Object.keys(COMMANDS))
    (await COMMANDS[command]())(program);
  await parseAsync(program, process.argv);
});

function addReplicateCommand(program: Command) {
  program
    .command("replicate")
    .description("run examples/two-stage.ts: base, Stage I, Stage II, SFT, DPO, evaluation and report")
    .helpOption(false)
    .allowUnknownOption()
    .allowExcessArguments()
    .action(async (_, command: Command) => {
      process.argv = [...process.argv.slice(0, 2), ...command.args];
      await import("../../examples/two-stage.ts");
    });
}

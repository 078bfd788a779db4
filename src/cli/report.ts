/** @file `marco report`: the pages of a finished run once more. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { writeReport } from "../report/html.ts";
import { writeJudgingReport } from "../report/judgingReport.ts";
import { writeTrainingReport } from "../report/trainingReport.ts";

export const addReportCommand = (program: Command) =>
  program
    .command("report")
    .description("write report.html of a finished run again")
    .argument("<folder>", "the run's folder")
    .action((folder: string) => {
      const has = (name: string) => existsSync(join(folder, name));
      const ofTraining = has("summary.json") && has("recipe.json");
      const write = has("transcripts.jsonl") ? writeJudgingReport : ofTraining ? writeTrainingReport : writeReport;
      console.log(write(folder));
    });

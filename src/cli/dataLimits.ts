/** @file `marco data limits`: limits from the documents' own distribution, as the paper has them, as a part of a recipe. */
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Command } from "commander";
import { stringify } from "yaml";
import type { LedgerLine } from "../data/curate/ledger.ts";
import { deriveRecipeLimits } from "../data/curate/limits.ts";
import { ledgerFolder } from "./dataWeb.ts";

export function addLimitsCommand(data: Command) {
  data
    .command("limits")
    .description(
      "limits from the documents' own distribution, as a part of a recipe: 10th and 90th percentiles, and for the perplexity two standard deviations over the mean of its logarithm",
    )
    .argument("<folder>", "an --out of marco data web")
    .option("--json", "as JSON")
    .action(async (folder: string, { json }: { json?: boolean }) => {
      const limits = await deriveRecipeLimits(ledgerLines(folder));
      console.log(json ? JSON.stringify(limits) : stringify(limits).trimEnd());
    });
}

async function* ledgerLines(folder: string): AsyncGenerator<LedgerLine> {
  const lines = createInterface({ input: createReadStream(join(ledgerFolder(folder), "ledger.jsonl")) });
  for await (const line of lines) yield JSON.parse(line);
}

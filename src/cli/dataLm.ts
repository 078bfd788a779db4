/** @file `marco data lm`: an n-gram model of texts, for the perplexity stage of `marco data web`. */
import { type Command, Option } from "commander";
import { LANGUAGES } from "../data/languages.ts";
import { trainArpa } from "../data/lm/train.ts";
import { UserError } from "../util/assert.ts";
import { wholeNumber } from "./options.ts";
import { startProgress } from "./progress.ts";

interface LmOptions {
  out: string;
  order: number;
  language: string;
  json?: boolean;
}

export function addLmCommand(data: Command) {
  data
    .command("lm")
    .description(
      "train an interpolated modified Kneser-Ney model, as KenLM's lmplz does, on rows with a text (.jsonl, .json, .parquet) or on lines (.txt), each also .gz or .zst",
    )
    .argument("<files...>", "good text of one language, e.g. documents/de.jsonl of marco data web")
    .requiredOption("--out <file>", "the ARPA file")
    .option("--order <number>", "words in an n-gram", wholeNumber("--order", 1), 5)
    .addOption(
      new Option(
        "--language <code>",
        "words are between spaces, in zh, ja and th characters; other languages' rows are left out",
      )
        .choices([...LANGUAGES])
        .makeOptionMandatory(),
    )
    .option("--json", "the summary as JSON")
    .action(lm);
}

/** Share of rows that may be unreadable, as in the recipe of marco data web. */
const QUARANTINED = 0.01;

async function lm(inputs: string[], { out, order, language, json }: LmOptions) {
  const controller = new AbortController();
  process.once("SIGINT", () => controller.abort());
  const progress = startProgress("documents");
  const summary = await trainArpa({
    ...{ inputs, out, order, language, signal: controller.signal },
    onProgress: (documents) => progress.update(documents, documents, "read"),
  }).catch((error) => {
    if (!controller.signal.aborted) throw error;
    progress.end("stopped; nothing was written");
    process.exitCode = 130;
    return null;
  });
  if (!summary) return;
  progress.end(`${summary.documents}`);
  const { documents, quarantined, firstReason, sentences, tokens, ngrams, fallback } = summary;
  if (fallback.length > 0)
    console.error(
      `warning: too little text to estimate the discounts of order ${fallback.join(", ")}; took 0.5, 1 and 1.5, as lmplz --discount_fallback`,
    );
  console.log(
    json
      ? JSON.stringify(summary)
      : `${documents} documents, ${sentences} sentences, ${tokens} tokens; n-grams ${ngrams.join(" ")}\n${out}`,
  );
  if (quarantined > QUARANTINED * (documents + quarantined))
    throw new UserError(
      `${quarantined} of ${documents + quarantined} rows could not be read; the first: ${firstReason}`,
    );
}

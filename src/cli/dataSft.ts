/** @file `marco data sft`: chats that people have to SFT data (paper section 4.1). */
import { basename, join, resolve } from "node:path";
import type { Command } from "commander";
import { stringify } from "yaml";
import type { IfdModel } from "../data/chats/ifd.ts";
import { parseChatsRecipe, readChatsRecipe } from "../data/chats/recipe.ts";
import { runChats } from "../data/chats/run.ts";
import { loadIdentifier } from "../data/language/identify.ts";
import { openSession } from "../data/llm/session.ts";
import { startEngine } from "../engine/engine.ts";
import { loadModel } from "../model/checkpoint.ts";
import { makeInference } from "../model/inference.ts";
import { loadTokenizer } from "../tokenizer/tokenizerFiles.ts";
import { UserError } from "../util/assert.ts";
import { hashOf, openChatModel } from "./ownModel.ts";
import { openEmbedder, runSelecting, type SelectingFlags, withSelectingFlags } from "./selecting.ts";

interface Flags extends SelectingFlags {
  model?: string;
  engine: string;
}

export const addSftCommand = (data: Command) =>
  withSelectingFlags(data.command("sft"))
    .description(
      "clean, check and select chats (.jsonl, .json, .csv, .parquet; messages, ShareGPT, Alpaca or prompt and completion), with a ledger of every decision; the same command goes on after an interruption",
    )
    .argument("[files...]", "what to read")
    .option("--out <folder>", "sft.jsonl, ledger.jsonl, summary.json")
    .option("--model <folder>", "Hugging Face model directory that measures difficulty (IFD); skipped without")
    .option("--engine <name>", "where --model is computed", "auto")
    .action(sft);

async function sft(inputs: string[], flags: Flags) {
  const { out, recipe: path, printRecipe, model, engine } = flags;
  if (printRecipe) return console.log(stringify(parseChatsRecipe({})).trimEnd());
  if (inputs.length === 0) throw new UserError("no files; expected .jsonl, .json, .csv or .parquet with chats");
  if (!out) throw new UserError("--out is missing; expected a folder for the results");
  const recipe = path ? readChatsRecipe(path) : parseChatsRecipe({});
  const embedder = await openEmbedder(flags);
  const ifdModel = model && recipe.ifd ? await openIfdModel(model, engine, recipe.ifd.context) : undefined;
  const judged = recipe.quality ? recipe.quality.model : undefined;
  const identifier = await loadIdentifier();
  try {
    await runSelecting({
      ...{ flags: { ...flags, out }, noun: "chats", file: `sft.${recipe.output}`, quarantined: recipe.quarantined },
      async run({ stop, onProgress }) {
        const { budget, concurrency, retries } = recipe;
        const answers = join(out, "work", "answers.jsonl");
        const session = judged && openSession({ path: answers, budget, concurrency, retries, stop });
        try {
          const judge = judged && session?.use(await openChatModel(judged), judged.price);
          const { identify } = identifier;
          return await runChats({ inputs, out, recipe, identify, judge, ifdModel, embedder, onProgress, stop });
        } finally {
          session?.close();
        }
      },
    });
  } finally {
    identifier.dispose();
  }
}

async function openIfdModel(folder: string, engine: string, context: number): Promise<IfdModel> {
  const tokenizer = loadTokenizer(folder);
  const { name: engineName } = await startEngine(engine);
  const { parameters, config } = loadModel(folder);
  const contextLength = Math.min(context, config.maxPositionEmbeddings);
  const inference = makeInference(config, contextLength, tokenizer.special.endOfText);
  return {
    name: `${basename(resolve(folder))}@${await hashOf(folder)} on ${engineName}`,
    ...{ tokenizer, contextLength },
    loglikelihood: (requests) => inference.loglikelihood(parameters, requests),
  };
}

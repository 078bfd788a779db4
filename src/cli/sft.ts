/** @file `marco sft`: supervised fine-tuning on people's own chats (paper section 4.1). */
import type { Command } from "commander";
import { stringify } from "yaml";
import { packExamples, targetsIn } from "../data/pack.ts";
import { type EncodedChat, encodeChat, questionOf, readChatRow } from "../data/tuning/chats.ts";
import { exampleRow } from "../data/tuning/rows.ts";
import { batchOf, microBatches, targetsOf } from "../train/batch.ts";
import { makeChatEvaluator } from "../train/evaluateChats.ts";
import { sftLoss } from "../train/sft.ts";
import { parseSftRecipe, readSftRecipe, type SftRecipe } from "../train/sftRecipe.ts";
import { lossOptionsOf } from "../train/tuningRecipe.ts";
import { type Prepared, runTuning, type Tuning, type TuningFlags, withTuningFlags } from "./tuning.ts";
import { readTuningData } from "./tuningData.ts";

export const addSftTrainingCommand = (program: Command) =>
  withTuningFlags(program.command("sft"))
    .description(
      "fine-tune a model on chats (what marco data sft writes; messages, ShareGPT, Alpaca, prompt and completion): loss on the answers only, rows packed without attention across chats, evaluation by language",
    )
    .action(async (flags: TuningFlags) => {
      if (flags.printRecipe) return console.log(stringify(parseSftRecipe({})).trimEnd());
      const recipe = flags.recipe ? readSftRecipe(flags.recipe) : parseSftRecipe({});
      await runTuning("sft", flags, recipe, (tuning) => prepare(tuning, recipe));
    });

type Example = EncodedChat & { language: string };

/** Tokens of a row of held-out examples: how they are packed changes no number. */
const EVALUATION_ROW = 2048;

async function prepare(tuning: Tuning, recipe: SftRecipe): Promise<Prepared> {
  const { tokenizer, config, parameters, maxLength, defaultSystem } = tuning;
  const { endOfText } = tokenizer.special;
  const { truncation, historyMasking, padToMultipleOf } = recipe;
  const notes: Record<string, number> = {};
  const data = await readTuningData<EncodedChat>(
    tuning,
    recipe,
    "chat",
    (row) => {
      const chat = readChatRow(row);
      if (typeof chat === "string") return chat;
      for (const repair of chat.repairs) notes[repair] = (notes[repair] ?? 0) + 1;
      const encoded = encodeChat(tokenizer, chat.messages, { defaultSystem, maxLength, truncation, historyMasking });
      return { encoded, language: chat.language, question: questionOf(chat.messages) };
    },
    (example) => [example],
  );
  const { train, heldOut } = data;

  const tokens = train.examples.reduce((n, { inputIds }) => n + inputIds.length, 0);
  const upTo = (n: number) => Math.ceil(n / padToMultipleOf) * padToMultipleOf;
  const packed = recipe.packing
    ? packExamples(train.examples, Math.min(maxLength, upTo(tokens)), endOfText)
    : undefined;
  const { perDeviceTrainBatchSize: atOnce } = recipe;
  const longest = (examples: readonly Example[]) => Math.max(...examples.map(({ inputIds }) => inputIds.length));
  const aloneInRow = (examples: readonly Example[]) =>
    batchOf(examples.map((example) => exampleRow(example, upTo(longest(examples)), endOfText)));
  const rows = packed?.rows;
  const evaluator = heldOut && evaluatorOf(heldOut.examples);

  function evaluatorOf(examples: readonly Example[]) {
    const T = Math.max(longest(examples), Math.min(EVALUATION_ROW, config.maxPositionEmbeddings));
    const { rows, members } = packExamples(examples, T, endOfText);
    return makeChatEvaluator(config, { rows, languages: members.map((row) => row.map((i) => examples[i].language)) });
  }
  return {
    rows: data.rows,
    quarantined: data.quarantined,
    notes,
    train: { ...train.summary, ...(packed && { packedRows: packed.rows.length, utilisation: packed.utilisation }) },
    evaluation: heldOut?.summary,
    count: rows ? rows.length : train.examples.length,
    tokensOf: (i) =>
      rows ? rows[i].documentIds.reduce((n, id) => n + (id > 0 ? 1 : 0), 0) : train.examples[i].inputIds.length,
    batchOf: (indices) =>
      rows
        ? microBatches(
            indices.map((i) => rows[i]),
            atOnce,
            batchOf,
            targetsOf,
          )
        : microBatches(
            indices.map((i) => train.examples[i]),
            atOnce,
            aloneInRow,
            targetsIn,
          ),
    lossFunction: sftLoss(config, lossOptionsOf(recipe)),
    evaluate: evaluator && ((progress) => evaluator.evaluate(parameters, progress)),
    best: { metric: "eval_loss", isBetter: (one, other) => (one.eval_loss as number) < (other.eval_loss as number) },
  };
}

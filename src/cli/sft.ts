/** @file `marco sft`: supervised fine-tuning on people's own chats (paper section 4.1). */
import type { Command } from "commander";
import { stringify } from "yaml";
import { type MaskedExample, packExamples } from "../data/pack.ts";
import { encodeChat, questionOf, readChatRow } from "../data/tuning/chats.ts";
import { countTokens, exampleRow, isHeldOut, readTuningRows } from "../data/tuning/rows.ts";
import { batchOf, microBatches, targetsOf } from "../train/batch.ts";
import { makeChatEvaluator } from "../train/evaluateChats.ts";
import { sftLoss } from "../train/sft.ts";
import { parseSftRecipe, readSftRecipe, type SftRecipe } from "../train/sftRecipe.ts";
import { lossOptionsOf } from "../train/tuningRecipe.ts";
import { UserError } from "../util/assert.ts";
import { type Prepared, runTuning, type Tuning, type TuningFlags, withTuningFlags } from "./tuning.ts";

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

interface Example extends MaskedExample {
  language: string;
  cut: number;
}

/** Tokens of a row of held-out examples: how they are packed changes no number. */
const EVALUATION_ROW = 2048;

async function prepare(tuning: Tuning, recipe: SftRecipe): Promise<Prepared> {
  const { flags, tokenizer, config, parameters, maxLength, defaultSystem, stop, part } = tuning;
  const { endOfText } = tokenizer.special;
  const { truncation, historyMasking, evalFraction, seed, padToMultipleOf } = recipe;
  const progress = part("chats");
  const notes: Record<string, number> = {};
  const read = (files: readonly string[]) =>
    readTuningRows(
      files,
      (row) => {
        const chat = readChatRow(row);
        if (typeof chat === "string") return chat;
        for (const repair of chat.repairs) notes[repair] = (notes[repair] ?? 0) + 1;
        const encoded = encodeChat(tokenizer, chat.messages, { defaultSystem, maxLength, truncation, historyMasking });
        return { encoded, language: chat.language, question: questionOf(chat.messages) };
      },
      { stop, onProgress: (rows) => progress.update(rows, rows, "rows read") },
    );
  type Item = Awaited<ReturnType<typeof read>>["items"][number];
  const side = (items: readonly Item[]) => {
    const dropped: Record<string, number> = {};
    const examples: Example[] = [];
    for (const { encoded, language } of items)
      if (typeof encoded === "string") dropped[encoded] = (dropped[encoded] ?? 0) + 1;
      else examples.push({ ...encoded, language });
    const byLanguage = countTokens(examples.map((example) => ({ language: example.language, sequences: [example] })));
    const truncated = examples.filter(({ cut }) => cut > 0).length;
    return { examples, summary: { examples: examples.length, dropped, truncated, byLanguage } };
  };
  const given = await read(flags.data);
  const other = flags.evalData ? await read(flags.evalData) : undefined;
  const isOut = ({ question }: Item) => evalFraction > 0 && isHeldOut(question, evalFraction, seed);
  const train = side(given.items.filter((item) => !isOut(item)));
  const heldOut = other || evalFraction > 0 ? side(other?.items ?? given.items.filter(isOut)) : undefined;
  progress.end(`${train.examples.length} to train on${heldOut ? `, ${heldOut.examples.length} held out` : ""}`);
  if (train.examples.length === 0)
    throw new UserError(
      `--data: no chat to train on is left of ${given.rows} rows ${JSON.stringify(train.summary.dropped)}; raise maxLength, or set truncation: truncate`,
    );
  if (heldOut?.examples.length === 0)
    throw new UserError(
      `${other ? "--eval-data" : `evalFraction ${evalFraction}`}: no chat is held out of ${(other ?? given).rows} rows; expected at least one`,
    );

  const tokens = train.examples.reduce((n, { inputIds }) => n + inputIds.length, 0);
  const upTo = (n: number) => Math.ceil(n / padToMultipleOf) * padToMultipleOf;
  const packed = recipe.packing
    ? packExamples(train.examples, Math.min(maxLength, upTo(tokens)), endOfText)
    : undefined;
  const { perDeviceTrainBatchSize: atOnce } = recipe;
  const longest = (examples: readonly Example[]) => Math.max(...examples.map(({ inputIds }) => inputIds.length));
  const aloneInRow = (examples: readonly Example[]) =>
    batchOf(examples.map((example) => exampleRow(example, upTo(longest(examples)), endOfText)));
  const counted = ({ lossMask }: Example) => lossMask.reduce((n, m, t) => n + (m && t > 0 ? 1 : 0), 0);
  const rows = packed?.rows;
  const evaluator = heldOut && evaluatorOf(heldOut.examples);

  function evaluatorOf(examples: readonly Example[]) {
    const T = Math.max(longest(examples), Math.min(EVALUATION_ROW, config.maxPositionEmbeddings));
    const { rows, members } = packExamples(examples, T, endOfText);
    return makeChatEvaluator(config, { rows, languages: members.map((row) => row.map((i) => examples[i].language)) });
  }
  return {
    rows: given.rows + (other?.rows ?? 0),
    quarantined: [...given.quarantined, ...(other?.quarantined ?? [])],
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
            counted,
          ),
    lossFunction: sftLoss(config, lossOptionsOf(recipe)),
    evaluate: evaluator && ((progress) => evaluator.evaluate(parameters, progress)),
    best: { metric: "eval_loss", isBetter: (one, other) => (one.eval_loss as number) < (other.eval_loss as number) },
  };
}

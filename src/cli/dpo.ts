/** @file `marco dpo`: direct preference optimisation on people's own pairs (paper section 4.2). */
import { basename, join, resolve } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import type { Command } from "commander";
import { stringify } from "yaml";
import { targetsIn } from "../data/pack.ts";
import { type EncodedPair, encodePair, readPairRow } from "../data/tuning/pairs.ts";
import { renderChatText } from "../tokenizer/chatTemplate.ts";
import { loadVocabulary } from "../tokenizer/tokenizerFiles.ts";
import { microBatches } from "../train/batch.ts";
import { chosenShift, displacementAlarm } from "../train/displacement.ts";
import { dpoLoss, onlineReference, preferenceBatch } from "../train/dpo.ts";
import {
  type DpoRecipe,
  needsReference,
  parseDpoRecipe,
  preferenceOptionsOf,
  readDpoRecipe,
} from "../train/dpoRecipe.ts";
import { pairMetrics } from "../train/evaluatePairs.ts";
import {
  makePairScorer,
  type PairScores,
  type PairSequences,
  paddedLength,
  pairRows,
  referenceScores,
} from "../train/pairScores.ts";
import { lossOptionsOf } from "../train/tuningRecipe.ts";
import { UserError } from "../util/assert.ts";
import { openFolder } from "./answers.ts";
import { hashOf } from "./ownModel.ts";
import { type Prepared, runTuning, type Tuning, type TuningFlags, withTuningFlags } from "./tuning.ts";
import { readTuningData } from "./tuningData.ts";

interface Flags extends TuningFlags {
  reference?: string;
}

export const addDpoTrainingCommand = (program: Command) =>
  withTuningFlags(program.command("dpo"))
    .description(
      "direct preference optimisation on pairs of a better and a worse answer (what marco data preferences writes; TRL's prompt, chosen, rejected; LMSYS; UltraFeedback) against a frozen reference, evaluation by language",
    )
    .option("--reference <folder>", "the frozen model (default: --model as it is before training)")
    .action(async (flags: Flags) => {
      if (flags.printRecipe) return console.log(stringify(parseDpoRecipe({})).trimEnd());
      const recipe = flags.recipe ? readDpoRecipe(flags.recipe) : parseDpoRecipe({});
      if (flags.reference && !needsReference(recipe))
        throw new UserError(`--reference: lossType ${recipe.lossType} has no reference; leave it out`);
      await runTuning("dpo", flags, recipe, (tuning) => prepare(tuning, recipe, flags.reference));
    });

type Example = PairSequences & { language: string };

async function prepare(tuning: Tuning, recipe: DpoRecipe, referenceFolder?: string): Promise<Prepared> {
  const { flags, tokenizer, config, parameters, maxLength, defaultSystem, part, stop } = tuning;
  const padId = tokenizer.special.endOfText;
  const { truncation, seed, padToMultipleOf, beta } = recipe;
  const data = await readTuningData<EncodedPair>(
    tuning,
    recipe,
    "pair",
    (row, id) => {
      const pair = readPairRow(row, seed, id);
      if (typeof pair === "string") return pair;
      const encoded = encodePair(tokenizer, pair, { defaultSystem, maxLength, truncation });
      return { encoded, language: pair.language, question: renderChatText(pair.prompt, { defaultSystem: null }) };
    },
    ({ chosen, rejected }) => [chosen, rejected],
  );
  const { train, heldOut } = data;
  const all = [train, ...(heldOut ? [heldOut] : [])].flatMap(({ examples }) => examples);
  const promptIsNoPrefix = all.filter(({ promptIsPrefix }) => !promptIsPrefix).length;

  const options = preferenceOptionsOf(recipe);
  const reference = needsReference(recipe) ? await openReference(tuning, referenceFolder, recipe) : undefined;
  const scoring = { padToMultipleOf, padId, ldAlpha: recipe.ldAlpha };
  const none = (pairs: readonly Example[]): PairScores => ({
    chosen: pairs.map(() => 0),
    rejected: pairs.map(() => 0),
  });
  const ask = async (name: string, pairs: readonly Example[]): Promise<PairScores> => {
    if (!reference) return none(pairs);
    const asking = part(`reference of ${name}`);
    const scorer = makePairScorer(reference.config, scoring);
    const scored = await referenceScores(
      join(flags.out, "reference", `${name}.jsonl`),
      `${reference.name}${recipe.ldAlpha === undefined ? "" : `, ldAlpha ${recipe.ldAlpha}`}`,
      pairs,
      (some) => scorer.score(reference.parameters, some, { stop }),
      (done, total) => asking.update(done, total, "pairs"),
    );
    scorer.dispose();
    asking.end(`${pairs.length} pairs`);
    return scored;
  };
  const online = reference !== undefined && !recipe.precomputeRefLogProbs;
  const trainScores = online ? none(train.examples) : await ask("training", train.examples);
  const heldOutScores = heldOut && (await ask("evaluation", heldOut.examples));
  if (reference && !online && reference.parameters !== parameters) tf.dispose(reference.parameters);
  const policy = makePairScorer(config, scoring);

  const rowsOf = (i: number, T: number) => {
    const { chosen, rejected } = trainScores;
    return pairRows(train.examples[i], T, padId, [chosen[i], rejected[i]]);
  };
  const lengthOf = (some: readonly number[]) =>
    paddedLength(
      some.map((i) => train.examples[i]),
      padToMultipleOf,
    );
  return {
    rows: data.rows,
    quarantined: data.quarantined,
    notes: promptIsNoPrefix > 0 ? { promptIsNoPrefix } : {},
    train: train.summary,
    evaluation: heldOut?.summary,
    reference: reference?.name ?? null,
    count: train.examples.length,
    tokensOf: (i) => train.examples[i].chosen.inputIds.length + train.examples[i].rejected.inputIds.length,
    batchOf: (indices) =>
      microBatches(
        indices,
        recipe.perDeviceTrainBatchSize,
        (some, step) => {
          const T = lengthOf(some);
          const all = step.map((i) => rowsOf(i, lengthOf([i])));
          return preferenceBatch(
            some.map((i) => rowsOf(i, T)),
            all,
          );
        },
        () => 1,
      ),
    lossFunction: online
      ? onlineReference(config, reference.parameters, options, lossOptionsOf(recipe))
      : dpoLoss(config, options, lossOptionsOf(recipe)),
    evaluate:
      heldOut &&
      (async (onProgress) => {
        const scores = await policy.score(parameters, heldOut.examples, { onProgress });
        return pairMetrics({ pairs: heldOut.examples, policy: scores, reference: heldOutScores! }, options);
      }),
    best: {
      metric: "eval_rewards/accuracies",
      isBetter: (one, other) => {
        const [a, b] = [one, other].map((line) => line["eval_rewards/accuracies"] as number);
        return a > b || (a === b && (one.eval_loss as number) < (other.eval_loss as number));
      },
    },
    ...(reference && {
      observe: (indices, metrics) => ({
        chosen_logp_shift: chosenShift(
          metrics,
          beta,
          indices.map((i) => targetsIn(train.examples[i].chosen)),
        ),
      }),
      watch: (lines) => displacementAlarm(lines, recipe.chosenLogpAlarm),
    }),
  };
}

/** The frozen model: --reference, or the one that training begins from, as it is in its folder. */
async function openReference(
  { flags, parameters, config, modelName }: Tuning,
  folder: string | undefined,
  recipe: DpoRecipe,
) {
  const online = !recipe.precomputeRefLogProbs;
  if (folder === undefined && !online) return { name: modelName, parameters, config }; // asked before the first step
  const path = folder ?? flags.model;
  const opened = await openFolder(path, flags.engine, "--reference");
  const bytes = (directory: string) => Buffer.concat(loadVocabulary(directory).ranks.map((rank) => Buffer.from(rank)));
  if (folder && !bytes(folder).equals(bytes(flags.model)))
    throw new UserError(
      `--reference ${folder}: its tokenizer is not that of ${flags.model}; expected models of one tokenizer`,
    );
  if (online && JSON.stringify(opened.config) !== JSON.stringify(config))
    throw new UserError(
      `--reference ${path}: is of another configuration than ${flags.model}; precomputeRefLogProbs: true can use it`,
    );
  return { name: `${basename(resolve(path))}@${await hashOf(path)}`, ...opened };
}

/**
 * @file Chats from files to SFT data (paper section 4.1): each row by itself (prepare.ts), then what asks models, then
 * duplicates, best quality first. What is expensive is kept in work/, so that a run that was stopped goes on and writes the
 * same bytes.
 *
 * `out` holds sft.*, ledger.jsonl, summary.json, report.html, recipe.json, and work/ to go on from.
 */
import { join } from "node:path";
import type { ChatMessage } from "../../tokenizer/chatTemplate.ts";
import { Stopped } from "../../util/assert.ts";
import { quantile } from "../../util/quantile.ts";
import { writeCurationReport } from "../curate/report.ts";
import { claimFolder } from "../files/claimFolder.ts";
import type { ChatModel } from "../llm/chatModel.ts";
import { inOrder } from "../llm/inOrder.ts";
import type { Identify } from "../pairs/pairRules.ts";
import { inBlocks } from "../selection/blocks.ts";
import { type Candidate, openCandidates } from "../selection/candidates.ts";
import { dropAlike, dropEqual, dropNear, dropSimHash } from "../selection/duplicates.ts";
import { emptyColumn, makeSelection, type Selection, type SelectionSummary } from "../selection/selection.ts";
import { cosine, type Embedder, embedAll, embedInBlocks } from "../selection/vectors.ts";
import { type IfdModel, measureIfd } from "./ifd.ts";
import { comparable } from "./plainText.ts";
import { chatText, prepareChat, prepareFiles } from "./prepare.ts";
import { askQuality, NEUTRAL } from "./quality.ts";
import type { ChatsRecipe } from "./recipe.ts";
import { exchanges } from "./turns.ts";

export const CHAT_STAGES = [
  ...["turns", "equations", "quality", "similarity", "ifd"],
  ...["exact", "minHash", "simHash", "semantic"],
] as const;

export interface ChatsRun {
  inputs: readonly string[];
  out: string;
  recipe: ChatsRecipe;
  identify?: Identify;
  /** Judges quality; with a file of answers behind it (llm/session.ts), none is asked for twice. */
  judge?: ChatModel;
  ifdModel?: IfdModel;
  embedder?: Embedder;
  onProgress?: (step: string, done: number, total: number | null) => void;
  stop?: AbortSignal;
}

const messagesOf = ({ row }: Candidate) => row!.messages as ChatMessage[];

/** Runs the recipe; goes on from where an earlier run of the same recipe and inputs stopped. @throws Stopped */
export async function runChats(options: ChatsRun): Promise<SelectionSummary> {
  const { inputs, out, recipe, identify, judge, ifdModel, embedder, onProgress, stop } = options;
  const computers = { judge: judge?.name ?? null, model: ifdModel?.name ?? null, embedder: embedder?.name ?? null };
  const { budget: _, concurrency: __, retries: ___, ...decides } = recipe; // those may change before it goes on
  claimFolder({ out, inputs, settings: { recipe: decides, ...computers } });
  const candidates = await openCandidates(join(out, "work", "candidates.jsonl"), () =>
    prepareFiles(
      inputs,
      (source, item) => {
        if (stop?.aborted) throw new Stopped();
        return prepareChat(source, item, { recipe, identify });
      },
      (rows) => onProgress?.("read", rows, null),
    ),
  );
  try {
    const selection = makeSelection(candidates);
    const quality = await measureQuality(selection, options);
    await measureSimilarity(selection, options);
    await measureDifficulty(selection, options);

    // Best quality first; of equals, and where it was not measured, as they came.
    const rank = (i: number) => (Number.isNaN(quality[i]) ? NEUTRAL : quality[i]);
    const order = () => selection.alive().sort((a, b) => rank(b) - rank(a) || a - b);
    const textOf = (candidate: Candidate) => chatText(messagesOf(candidate));
    const instruction = (candidate: Candidate) => {
      const asked = messagesOf(candidate).filter(({ role }) => role === "user");
      return JSON.stringify(asked.map(({ content }) => comparable(content)));
    };
    onProgress?.("duplicates", 0, null);
    if (recipe.exact) dropEqual(selection, order(), instruction);
    if (recipe.minHash) dropNear(selection, order(), textOf, recipe.minHash);
    if (recipe.simHash) dropSimHash(selection, order(), textOf, recipe.simHash);
    if (!recipe.semantic) selection.skip("semantic", "off in the recipe");
    else if (!embedder) selection.skip("semantic", "no --embedder: nothing else tells meanings apart");
    else {
      const items = order();
      const textsOf = (i: number) => [textOf(candidates.read(i))];
      const progress = (done: number, total: number) => onProgress?.("embeddings", done, total);
      const vectors = await embedAll({ out, embedder, items, textsOf, onProgress: progress, stop });
      dropAlike(selection, items, vectors, recipe.semantic.below);
    }
    const summary = selection.finish({ out, name: "sft", kind: recipe.output, stages: CHAT_STAGES });
    await writeCurationReport(out, CHAT_STAGES);
    return summary;
  } finally {
    candidates.close();
  }
}

/** Deita's score, English only (section 4.1): the mean over the exchanges of a chat. */
async function measureQuality(
  selection: Selection,
  { recipe, judge, stop, onProgress }: ChatsRun,
): Promise<Float64Array> {
  const { candidates } = selection;
  const values = emptyColumn(candidates.count);
  if (!recipe.quality) selection.skip("quality", "off in the recipe");
  else if (!judge) selection.skip("quality", "no quality.model in the recipe");
  else {
    const { scorer, atLeast } = recipe.quality;
    const english = selection.alive().filter((i) => candidates.read(i).line.language === "en");
    const found = inOrder(english, 4 * recipe.concurrency, async (i) => {
      if (stop?.aborted) throw new Stopped();
      const asked = [...exchanges(messagesOf(candidates.read(i)))];
      return {
        i,
        scores: await Promise.all(asked.map(({ question, answer }) => askQuality(judge, question, answer, scorer))),
      };
    });
    let [done, neutral] = [0, 0];
    for await (const { i, scores } of found) {
      values[i] = scores.reduce((sum, { score }) => sum + score, 0) / scores.length;
      const failed = scores.find(({ how }) => how === "neutral");
      if (failed) {
        neutral++;
        selection.note(i, "quality", `neutral score of ${NEUTRAL}: ${failed.why}`);
      }
      onProgress?.("quality", ++done, english.length);
    }
    selection.tell("quality.judge", judge.name);
    selection.tell("quality.measured", english.length);
    selection.tell("quality.neutral", neutral);
    selection.decide({ stage: "quality", rule: "quality.deita", values, limit: atLeast, keep: "atLeast" });
  }
  return values;
}

/** Cosine of the first question and its answer. */
async function measureSimilarity(selection: Selection, { recipe, out, embedder, stop, onProgress }: ChatsRun) {
  const { candidates } = selection;
  if (!recipe.similarity) return selection.skip("similarity", "off in the recipe");
  if (!embedder) return selection.skip("similarity", "no --embedder: nothing else tells meanings apart");
  const values = emptyColumn(candidates.count);
  const items = selection.alive();
  const textsOf = (i: number) => {
    const [{ question, answer }] = exchanges(messagesOf(candidates.read(i)));
    return [question, answer];
  };
  const progress = (done: number, total: number) => onProgress?.("similarity", done, total);
  for await (const block of embedInBlocks({ out, embedder, items, textsOf, onProgress: progress, stop }))
    for (const { i, vector } of block) {
      const half = vector.length / 2;
      values[i] = cosine(vector.subarray(0, half), vector.subarray(half));
    }
  const { atLeast, lowestShare } = recipe.similarity;
  const limit =
    atLeast ??
    (items.length > 0
      ? quantile(
          values.filter((value) => !Number.isNaN(value)),
          lowestShare,
        )
      : 0);
  selection.tell("similarity.limit", limit);
  selection.decide({ stage: "similarity", rule: "similarity.questionAnswer", values, limit, keep: "atLeast" });
}

/** Chats that a model reads together. CHOSEN. */
const IFD_BLOCK = 16;

async function measureDifficulty(selection: Selection, { recipe, out, ifdModel, stop, onProgress }: ChatsRun) {
  const { candidates } = selection;
  if (!recipe.ifd) return selection.skip("ifd", "off in the recipe");
  if (!ifdModel) return selection.skip("ifd", "no --model");
  const names = ["ifd.ratio", "ifd.conditioned", "ifd.direct"] as const;
  const [ratio, conditioned, direct] = names.map(() => emptyColumn(candidates.count));
  const items = selection.alive();
  const reasons = new Map<number, string>();
  const read = (i: number) => messagesOf(candidates.read(i));
  const blocks = inBlocks({
    ...{ folder: join(out, "work", "ifd"), computer: `${ifdModel.name} ${ifdModel.contextLength}` },
    ...{ items, size: IFD_BLOCK, stop, onProgress: (done: number, total: number) => onProgress?.("ifd", done, total) },
    contentOf: (i) => JSON.stringify(read(i)),
    compute: async (block) => {
      const found = await measureIfd(ifdModel, block.map(read));
      return Float64Array.from(
        found.flatMap((one) =>
          typeof one === "string" ? [Number.NaN, Number.NaN, Number.NaN] : [one.ratio, one.conditioned, one.direct],
        ),
      );
    },
  });
  for await (const { items: block, numbers } of blocks)
    for (const [at, i] of block.entries()) [ratio[i], conditioned[i], direct[i]] = numbers.subarray(3 * at, 3 * at + 3);
  // Why a chat has none is told without the model: its log-likelihoods stand in as 0, which is no finite ratio.
  const without = items.filter((i) => Number.isNaN(ratio[i]));
  const told = await measureIfd({ ...ifdModel, loglikelihood: async (some) => some.map(() => 0) }, without.map(read));
  for (const [at, i] of without.entries()) reasons.set(i, told[at] as string);
  for (const [i, why] of reasons) selection.note(i, "ifd", why);

  const { atMost, lowestShare } = recipe.ifd;
  selection.decide({ stage: "ifd", rule: "ifd.conditioned", values: conditioned });
  selection.decide({ stage: "ifd", rule: "ifd.direct", values: direct });
  // Superfiltering's ratio is of perplexities: its logarithm is the difference of the losses.
  const difference = conditioned.map((loss, i) => loss - direct[i]);
  selection.decide({ stage: "ifd", rule: "ifd.logPerplexityRatio", values: difference });
  selection.decide({ stage: "ifd", rule: "ifd.ratio", values: ratio, limit: atMost, keep: "atMost" });
  const left = ratio.filter((value) => !Number.isNaN(value) && value <= atMost);
  const limit = left.length > 0 ? quantile(left, lowestShare) : 0;
  selection.tell("ifd.limit", limit);
  selection.tell("ifd.model", ifdModel.name);
  selection.tell("ifd.unmeasured", reasons.size);
  selection.decide({ stage: "ifd", rule: "ifd.tooEasy", values: ratio, limit, keep: "atLeast" });
}

/**
 * @file Parallel text from files to training text, with a ledger: rules and similarity block by block (pipeline.ts), each
 * block's result a file that is there whole or not at all, so that a run that was stopped goes on and writes the same.
 *
 * `out` holds kept.*, rendered.jsonl, swapped.tsv, ledger.jsonl, summary.json, recipe.json, and blocks/ to go on from.
 */
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../util/assert.ts";
import { makeRandom } from "../../util/random.ts";
import { writeWhole } from "../../util/runDir.ts";
import { claimFolder } from "../files/claimFolder.ts";
import { makeRowWriter, OUTPUT_KINDS } from "../files/writeRows.ts";
import { LANGUAGES } from "../languages.ts";
import { passes } from "../rules/measure.ts";
import { stopWordsOf } from "../rules/stopWords.ts";
import { type Embed, marginScorer } from "./embeddings.ts";
import { trainIbm1 } from "./ibm1.ts";
import { makePairReader } from "./inputs.ts";
import { lengthScorer } from "./lengths.ts";
import { ibm1Scorer } from "./lexicalScore.ts";
import type { Languages, PairItem, SentencePair } from "./pair.ts";
import type { Identify } from "./pairRules.ts";
import { measurePair, type PairCounts, type PairOutcome, type PairsOptions, pairsPipeline } from "./pipeline.ts";
import type { PairsRecipe } from "./recipe.ts";
import { renderSeeded } from "./render.ts";
import { calibrate } from "./scorer.ts";
import { primary } from "./text.ts";
import { TSV_LAYOUTS } from "./tsv.ts";

export interface PairsRun extends Languages {
  inputs: readonly string[];
  out: string;
  recipe: PairsRecipe;
  identify?: Identify;
  /** Vectors of a model in place of the lexical similarity; `name` tells models apart. */
  embedder?: { name: string; embed: Embed };
  onProgress?: (progress: { step: string; pairs: number; total: number | null; resumed: number }) => void;
  signal?: AbortSignal;
  /** Start again where `out` is of another recipe or of other inputs. */
  force?: boolean;
}

/** What a run writes into its folder. */
const RESULTS = [
  ...["blocks", "rendered.jsonl", "swapped.tsv", "ledger.jsonl", "summary.json"],
  ...["tsv", ...OUTPUT_KINDS].map((kind) => `kept.${kind}`),
];

export interface PairsSummary extends PairCounts, Languages {
  /** Limits of the similarities, given or derived from the sample. */
  similarity: { name: string; cut: number }[];
  rendered: number;
}

/** The pairs that a lexical similarity needs at least: with fewer it would be a lookup. CHOSEN. */
const LEAST_SAMPLE = 50;

/** Runs the recipe; goes on from where an earlier run of the same recipe and inputs stopped. */
export async function runPairs(options: PairsRun): Promise<PairsSummary> {
  const { inputs, out, recipe, embedder, sourceLanguage, targetLanguage, force, onProgress, signal } = options;
  for (const code of [sourceLanguage, targetLanguage])
    if (!LANGUAGES.some((one) => one === primary(code)))
      throw new UserError(`language "${code}": expected one of ${LANGUAGES.join(" ")}, whose names the templates need`);
  if (primary(sourceLanguage) === primary(targetLanguage))
    throw new UserError(`both languages are "${primary(sourceLanguage)}"; expected two`);
  const read = makePairReader(inputs, options, TSV_LAYOUTS[recipe.tsv]);
  const settings = { recipe, sourceLanguage, targetLanguage, embedder: embedder?.name ?? null };
  claimFolder({ out, inputs, settings, force, results: RESULTS });
  const rules = rulesOf(options);
  const stop = () => {
    if (signal?.aborted) throw new UserError("stopped; the same command goes on from here");
  };

  const { sample, total } = await drawSample(read(), rules, recipe, (pairs) => {
    stop();
    onProgress?.({ step: "read", pairs, total: null, resumed: 0 });
  });
  const similarity = await makeSimilarity(sample, options);

  mkdirSync(join(out, "blocks"), { recursive: true });
  let [pairs, resumed, blocks] = [0, 0, 0];
  for await (const items of inBlocks(read(), recipe.block)) {
    stop();
    const path = blockFile(out, blocks++);
    if (existsSync(path)) resumed += items.length;
    else {
      const outcomes: PairOutcome[] = [];
      const blockSize = items.length;
      for await (const outcome of pairsPipeline({ items, similarity, blockSize, ...rules })) outcomes.push(outcome);
      writeWhole(path, outcomes.map((outcome) => `${JSON.stringify(outcome)}\n`).join(""));
      await new Promise<void>((resolve) => setImmediate(resolve)); // so that Ctrl-C is seen
    }
    pairs += items.length;
    onProgress?.({ step: "decide", pairs, total, resumed });
  }
  const cuts = similarity.map(({ scorer, cut }) => ({ name: scorer.name, cut }));
  return writeResults(options, blocks, cuts);
}

function rulesOf({ recipe, identify }: PairsRun): Omit<PairsOptions, "items"> {
  return {
    heuristics: recipe.heuristics && {
      limits: Object.fromEntries(Object.entries(recipe.heuristics).filter(([, value]) => value !== undefined)),
      stopWords: (language) => stopWordsOf(primary(language)),
    },
    hardRules: recipe.hardRules ? {} : false,
    opusFilter: recipe.opusFilter,
    ...(recipe.identify && identify ? { identify } : {}),
  };
}

/** Counts the items, and draws pairs that pass the rules: each with the same chance, by the recipe's seed. */
async function drawSample(
  items: AsyncIterable<PairItem>,
  rules: Omit<PairsOptions, "items">,
  { similarity, seed }: PairsRecipe,
  seen: (count: number) => void,
) {
  const size = similarity ? similarity.sample : 0;
  const random = makeRandom(seed, "pairs", "sample");
  const sample: SentencePair[] = [];
  let total = 0;
  let passed = 0;
  for await (const item of items) {
    if (++total % 256 === 0) {
      seen(total);
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    if (size === 0 || !("pair" in item)) continue;
    const place = passed < size ? passed : random.int(passed + 1);
    passed++; // drawn first, judged after: a pair that is not drawn costs nothing
    if (place < size) sample[place] = item.pair;
  }
  return { sample: sample.filter((pair) => measurePair(pair, rules).every(passes)), total };
}

async function makeSimilarity(sample: SentencePair[], { recipe, embedder }: PairsRun) {
  if (!recipe.similarity) return [];
  if (embedder) return [{ scorer: marginScorer(embedder.embed), cut: recipe.similarity.margin }];
  if (sample.length < LEAST_SAMPLE)
    throw new UserError(
      `${sample.length} pairs pass the rules, fewer than the ${LEAST_SAMPLE} that the lexical similarity is trained on; add files, use --embedder, or set similarity: false in the recipe`,
    );
  const { seed } = recipe;
  const order = makeRandom(seed, "pairs", "calibration").shuffle(sample);
  const held = Math.max(10, Math.floor(order.length / 10));
  const [known, training] = [order.slice(0, held), order.slice(held)];
  const words = ibm1Scorer(trainIbm1(training));
  const length = lengthScorer(training);
  return [
    { scorer: words, cut: await calibrate(words, known, { seed }) },
    { scorer: length, cut: await calibrate(length, known, { seed, wrong: 0, good: 0.98 }) }, // chance has like lengths often
  ];
}

async function* inBlocks(items: AsyncIterable<PairItem>, size: number): AsyncGenerator<PairItem[]> {
  let block: PairItem[] = [];
  for await (const item of items) {
    block.push(item);
    if (block.length < size) continue;
    yield block;
    block = [];
  }
  if (block.length > 0) yield block;
}

const blockFile = (out: string, block: number) => join(out, "blocks", `${String(block).padStart(6, "0")}.jsonl`);

function* readBlocks(out: string, blocks: number): Generator<PairOutcome> {
  for (let block = 0; block < blocks; block++)
    for (const line of readFileSync(blockFile(out, block), "utf8").split("\n")) if (line) yield JSON.parse(line);
}

/** Code points of a side's beginning in the ledger. */
const START = 80;

function writeResults(options: PairsRun, blocks: number, similarity: PairsSummary["similarity"]): PairsSummary {
  const { out, recipe, sourceLanguage, targetLanguage } = options;
  const kept =
    recipe.output === "tsv" ? makeTsv(join(out, "kept.tsv")) : makeRowWriter(join(out, `kept.${recipe.output}`));
  const rendered = makeRowWriter(join(out, "rendered.jsonl"));
  const ledger = makeRowWriter(join(out, "ledger.jsonl"));
  const swapped = makeTsv(join(out, "swapped.tsv"));
  const counts: PairCounts = { in: 0, kept: 0, dropped: 0, quarantined: 0, reasons: {} };
  for (const outcome of readBlocks(out, blocks)) {
    counts.in++;
    if ("quarantine" in outcome) {
      counts.quarantined++;
      ledger.write({ outcome: "quarantined", ...outcome.quarantine });
      continue;
    }
    const { pair, measures, reason, fix } = outcome;
    const start = (text: string) => [...text.slice(0, 2 * START)].slice(0, START).join("");
    ledger.write({
      ...{ outcome: reason === null ? "kept" : "dropped", id: pair.id, reason, measures },
      ...{ source: start(pair.source), target: start(pair.target) },
    });
    if (fix) swapped.write({ ...fix });
    if (reason === null) {
      counts.kept++;
      kept.write({ ...pair });
      rendered.write({ ...renderSeeded(pair, recipe.seed) });
    } else {
      counts.dropped++;
      counts.reasons[reason] = (counts.reasons[reason] ?? 0) + 1;
    }
  }
  if (counts.in !== counts.kept + counts.dropped + counts.quarantined)
    throw new Error(`pairs are lost: ${JSON.stringify(counts)}`);
  for (const writer of [kept, rendered, ledger, swapped]) writer.close();
  const summary = { sourceLanguage, targetLanguage, ...counts, similarity, rendered: counts.kept };
  writeWhole(join(out, "summary.json"), `${JSON.stringify(summary, null, 1)}\n`);
  return summary;
}

/** Two columns; sides have no tabs or line breaks (cleanSide). */
function makeTsv(path: string) {
  const file = openSync(`${path}.partial`, "w");
  let lines: string[] = [];
  const flush = () => {
    writeSync(file, lines.join(""));
    lines = [];
  };
  return {
    write({ source, target }: Record<string, unknown>) {
      if (lines.push(`${source}\t${target}\n`) >= 1024) flush();
    },
    close() {
      flush();
      closeSync(file);
      renameSync(`${path}.partial`, path);
    },
  };
}

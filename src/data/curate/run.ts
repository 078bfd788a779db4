/**
 * @file Web text from files to documents by language, with the ledger: documents by themselves first (chunks.ts), then near
 * duplicates and repeated passages among those that are left, within each language, as the paper does (across.ts).
 *
 * `out` holds documents/LANGUAGE.jsonl, ledger.jsonl, summary.json, recipe.json, report.html, and chunks/ to go on from.
 * Memory for each document: its MinHash signature (896 bytes as datatrove has it), some numbers, and the identifier of a
 * document that others refer to; texts only one chunk at a time.
 */
import { rmSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import type { Tokenizer } from "../../tokenizer/bpe.ts";
import { UserError } from "../../util/assert.ts";
import { writeWhole } from "../../util/runDir.ts";
import { cutOut, isWorthKeeping } from "../dedup/substring.ts";
import { claimFolder } from "../files/claimFolder.ts";
import { makeRowWriter, type RowWriter } from "../files/writeRows.ts";
import type { PerplexityCutoff } from "../lm/perplexity.ts";
import { codePoints } from "../rules/pythonText.ts";
import { type Across, compareDocuments, PERPLEXITY } from "./across.ts";
import { type ChunkOptions, judgeChunks, type Progress, readChunks } from "./chunks.ts";
import { STAGES } from "./judge.ts";
import { type LedgerLine, makeStageCounter, type StageCounts } from "./ledger.ts";
import { filesOf, type Recipe } from "./recipe.ts";
import { writeCurationReport } from "./report.ts";

export interface CurateOptions extends Omit<ChunkOptions, "folder"> {
  out: string;
  /** Of which tokens repeated passages are made; UTF-8 bytes otherwise. */
  tokenizer?: Tokenizer;
  /** Start again where `out` is of another recipe or of other inputs. */
  force?: boolean;
}

export interface Summary {
  stages: Record<string, StageCounts>;
  languages: Record<string, { documents: number; characters: number }>;
  recipe: Recipe;
  inputs: { name: string; bytes: number }[];
  /** Perplexity limits that were derived from this run's documents. */
  perplexity?: Record<string, PerplexityCutoff>;
  /** Languages whose passages were compared in several parts: repeats between the parts stay. */
  parts?: Record<string, number>;
}

/** What a run writes into its folder. */
const RESULTS = ["chunks", "tokens", "documents", "ledger.jsonl", "summary.json", "report.html"];

/** Characters of a language's documents that are held before they are written. */
const HELD = 1 << 20;

/** Runs the recipe over the inputs; goes on from where an earlier run of the same recipe and inputs stopped. */
export async function curate({ out, tokenizer, force, ...options }: CurateOptions): Promise<Summary> {
  const { inputs, recipe, signal, onProgress } = options;
  claimFolder({ out, inputs, settings: { recipe }, files: filesOf(recipe), force, results: RESULTS });
  const total = await judgeChunks({ ...options, folder: out });

  const pause = async (phase: Progress["phase"], documents: number) => {
    if (phase !== "passages" && documents % 64 !== 0) return;
    await new Promise<void>((resolve) => setImmediate(resolve)); // so that Ctrl-C is seen
    if (signal?.aborted) throw new UserError("stopped; the same command goes on from here");
    onProgress?.({ phase, documents, resumed: 0, done: documents, total });
  };
  const across = await compareDocuments(out, recipe, pause, tokenizer);
  const summary = await writeResults(out, recipe, across, pause);
  summary.inputs = inputs.map((path) => ({ name: basename(path), bytes: statSync(path).size }));
  writeWhole(join(out, "summary.json"), `${JSON.stringify(summary, null, 1)}\n`);
  await writeCurationReport(out);
  return summary;
}

async function writeResults(
  out: string,
  recipe: Recipe,
  across: Across,
  pause: (phase: "writing", documents: number) => Promise<void>,
): Promise<Summary> {
  rmSync(join(out, "documents"), { recursive: true, force: true });
  const documents = new Map<string, RowWriter>();
  const writerOf = (language: string) => {
    const writer =
      documents.get(language) ?? makeRowWriter(join(out, "documents", `${language}.${recipe.output}`), HELD);
    documents.set(language, writer);
    return writer;
  };
  const ledger = makeRowWriter(join(out, "ledger.jsonl"), HELD);
  const counter = makeStageCounter(STAGES);
  const languages: Summary["languages"] = {};
  const names = new Map<number, string>(); // of documents that others refer to, which come before those
  let number = 0;
  let written = 0;
  for (const { line, text } of readChunks(out)) {
    await pause("writing", ++written);
    let kept = text;
    if (text !== null && line.language !== null) {
      const cutoff = across.cutoffs[line.language];
      const measure = cutoff && line.measures.find(({ rule }) => rule === PERPLEXITY);
      if (measure) measure.limit = cutoff.limit;
      if (across.isSurprising(line)) {
        Object.assign(line, { outcome: "dropped", stage: "perplexity", reason: PERPLEXITY });
        kept = null;
      } else kept = settle(number++, line, text, across, names);
    }
    if (kept !== null) {
      const { id, url } = line;
      const language = line.language!;
      writerOf(language).write({ id, text: kept, language, url });
      languages[language] ??= { documents: 0, characters: 0 };
      languages[language].documents++;
      languages[language].characters += codePoints(kept);
    }
    ledger.write({ ...line });
    counter.add(line);
  }
  for (const writer of documents.values()) writer.close();
  ledger.close();
  const several = Object.entries(across.parts).filter(([, parts]) => parts > 1);
  return {
    stages: counter.finish(),
    languages: Object.fromEntries(Object.entries(languages).sort()),
    recipe,
    inputs: [],
    ...(Object.keys(across.cutoffs).length > 0 ? { perplexity: across.cutoffs } : {}),
    ...(several.length > 0 ? { parts: Object.fromEntries(several) } : {}),
  };
}

/** What is left of a document beside the others; the ledger's line says so. */
function settle(
  number: number,
  line: LedgerLine,
  text: string,
  across: Across,
  names: Map<number, string>,
): string | null {
  if (across.referred.has(number)) names.set(number, line.id);
  const of = across.duplicateOf(number);
  if (of >= 0) {
    const duplicateOf = { id: names.get(of)!, ...across.similarity(number) };
    Object.assign(line, { outcome: "dropped", stage: "minHash", reason: "minHash.duplicate", duplicateOf });
    return null;
  }
  const passages = across.passages.get(number);
  if (!passages) return text;
  const found = cutOut(text, across.ends(text), passages);
  if (found.cuts.length === 0) return text;
  line.cuts = found.cuts.map(({ from, to, first }) => ({ from, to, firstIn: names.get(first.document)! }));
  if (isWorthKeeping(found)) return found.text;
  Object.assign(line, { outcome: "dropped", stage: "substring", reason: "substring.tooLittleLeft" });
  return null;
}

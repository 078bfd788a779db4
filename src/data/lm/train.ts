/** @file A language model of the documents in files: rows with `text`, or lines of plain text. */
import { closeSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { UserError } from "../../util/assert.ts";
import { readPieces } from "../files/bytes.ts";
import { readLines } from "../files/lines.ts";
import { isRowFile, readRows } from "../files/readRows.ts";
import { writeArpa } from "./arpa.ts";
import { makeKneserNeyTrainer, type TrainedModel } from "./kneserNey.ts";
import { ngramCounts } from "./ngramModel.ts";
import { tokenizerOf } from "./tokens.ts";

export interface TrainingSummary {
  documents: number;
  /** Rows and lines that could not be read, and the first reason. */
  quarantined: number;
  firstReason?: string;
  sentences: number;
  tokens: number;
  /** By order. */
  ngrams: number[];
  /** Orders whose discounts could not be estimated (KenLM's BadDiscountException): the fallback was taken. */
  fallback: number[];
}

export interface TrainArpaOptions {
  inputs: readonly string[];
  out: string;
  order: number;
  /** Decides what a token is; documents of other languages are left out where rows name theirs. */
  language: string;
  onProgress?: (documents: number) => void;
  signal?: AbortSignal;
}

/** Each line of a document is a sentence. The file is there whole or not at all. @throws UserError when nothing is read */
export async function trainArpa({ inputs, out, order, language, onProgress, signal }: TrainArpaOptions) {
  const trainer = makeKneserNeyTrainer({ order });
  const tokenize = tokenizerOf(language);
  const summary = { documents: 0, quarantined: 0, sentences: 0 } as TrainingSummary;
  const quarantine = (reason: string) => {
    summary.quarantined++;
    summary.firstReason ??= reason;
  };
  const addText = (text: string) => {
    summary.documents++;
    for (const line of text.split("\n")) {
      const tokens = tokenize(line);
      if (tokens.length === 0) continue;
      trainer.add(tokens);
      summary.sentences++;
    }
    if (summary.documents % 64 === 0) onProgress?.(summary.documents);
  };
  for (const path of inputs)
    for await (const { text, reason } of textsOf(path, language)) {
      if (summary.documents % 64 === 0) await new Promise<void>((resolve) => setImmediate(resolve));
      if (signal?.aborted) throw new UserError("stopped; nothing was written");
      if (text === null) quarantine(`${path}: ${reason}`);
      else addText(text);
    }
  if (summary.sentences === 0)
    throw new UserError(`${inputs.join(", ")}: no text in ${language}; expected at least one line`);
  const model = trainer.train();
  saveArpa(model, out);
  summary.tokens = model.tokens;
  summary.ngrams = ngramCounts(model);
  summary.fallback = model.discounts.flatMap(({ fallback }, i) => (fallback ? [i + 1] : []));
  return summary;
}

async function* textsOf(path: string, language: string): AsyncGenerator<{ text: string | null; reason?: string }> {
  if (isRowFile(path)) {
    for await (const item of readRows(path)) {
      if ("reason" in item) yield { text: null, reason: item.reason };
      else if (typeof item.row.text !== "string") yield { text: null, reason: 'no "text"' };
      else if (item.row.language === undefined || item.row.language === language) yield { text: item.row.text };
    }
  } else if (/\.txt(\.gz|\.zst)?$/.test(path)) yield* readLines({ name: path, open: () => readPieces(path) });
  else throw new UserError(`${path}: unknown kind of file; expected rows (.jsonl, .json, .parquet) or lines (.txt)`);
}

function saveArpa(model: TrainedModel, path: string) {
  const partial = `${path}.partial`;
  let file: number;
  try {
    file = openSync(partial, "w");
  } catch (error) {
    throw new UserError(`--out ${path}: cannot be written (${(error as NodeJS.ErrnoException).code})`);
  }
  try {
    for (const text of writeArpa(model)) {
      const bytes = Buffer.from(text);
      for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
    }
    closeSync(file);
  } catch (error) {
    closeSync(file);
    rmSync(partial, { force: true });
    throw error;
  }
  renameSync(partial, path);
}

/**
 * @file The files of a stream to one token file, each document followed by <|endoftext|>. An interrupted call goes on
 * after the last document that was written; a finished one is not done again unless its files or the tokenizer changed.
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { basename } from "node:path";
import type { Tokenizer } from "../../tokenizer/bpe.ts";
import { UserError } from "../../util/assert.ts";
import { hashFile } from "../../util/hashFile.ts";
import { writeWhole } from "../../util/runDir.ts";
import { readRows } from "../files/readRows.ts";
import type { StreamData } from "./plan.ts";
import { hasTokenFile, makeTokenFileWriter, openTokenFile } from "./tokenFile.ts";

/** in = documents + empty + quarantined. */
export interface StreamCounts extends StreamData {
  in: number;
  documents: number;
  empty: number;
  quarantined: number;
  /** The first things that could not be read. */
  problems: string[];
}

const PROBLEMS = 10;

export interface TokenizeOptions {
  files: readonly string[];
  /** `PREFIX_text_document.bin` and `.idx`, and PREFIX.json about them. */
  prefix: string;
  tokenizer: Tokenizer;
  onProgress?: (documents: number, place: string) => void;
  signal?: AbortSignal;
}

/** Rows need a `text`. @throws UserError when it is stopped: the same call goes on. */
export async function tokenizeStream(options: TokenizeOptions): Promise<StreamCounts> {
  const { files, prefix, tokenizer, onProgress, signal } = options;
  const about = `${prefix}.json`;
  const fingerprint = fingerprintOf(files, tokenizer);
  const before = existsSync(about) ? JSON.parse(readFileSync(about, "utf8")) : {};
  const same = before.fingerprint === fingerprint;
  if (same && before.counts && hasTokenFile(prefix)) return before.counts;
  if (!same) {
    rmSync(`${prefix}_text_document.idx`, { force: true });
    writeWhole(about, `${JSON.stringify({ fingerprint })}\n`);
  }
  const writer = makeTokenFileWriter(prefix, tokenizer.vocabSize, same);
  const counts = { in: 0, documents: 0, empty: 0, quarantined: 0, problems: [] as string[] };
  try {
    for (const file of files)
      for await (const item of readRows(file)) {
        if (signal?.aborted) throw new UserError("stopped; the same command goes on from here");
        counts.in++;
        const text = "row" in item ? item.row.text : undefined;
        if (typeof text !== "string") {
          counts.quarantined++;
          if (counts.problems.length < PROBLEMS)
            counts.problems.push(`${file}: row ${item.ordinal}: ${"reason" in item ? item.reason : 'no "text"'}`);
        } else if (text.trim() === "") counts.empty++;
        else if (++counts.documents > writer.resumed)
          writer.add([...tokenizer.encode(text), tokenizer.special.endOfText]);
        if (counts.in % 64 === 0) {
          onProgress?.(counts.documents, basename(file));
          await new Promise((resolve) => setImmediate(resolve)); // so that Ctrl-C is seen
        }
      }
  } catch (error) {
    writer.stop();
    throw error;
  }
  writer.close();
  const file = openTokenFile(prefix);
  file.close();
  const sha256 = hashFile(createHash("sha256"), `${prefix}_text_document.bin`).digest("hex");
  const whole: StreamCounts = { ...counts, tokens: file.tokens, sha256 };
  writeWhole(about, `${JSON.stringify({ fingerprint, counts: whole }, null, 1)}\n`);
  return whole;
}

/** Of the files and of all tokens. */
function fingerprintOf(files: readonly string[], tokenizer: Tokenizer): string {
  const hash = createHash("sha256");
  for (const file of files) hashFile(hash.update(`${basename(file)}\n`), file);
  for (let id = 0; id < tokenizer.vocabSize; id++) hash.update(tokenizer.tokenBytes(id)).update("\n");
  return hash.digest("hex");
}

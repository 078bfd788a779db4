/**
 * @file The rows that came in, read and cleaned, in one file on disk: a line of the ledger each, and the row that is written
 * if it is kept. Memory holds only where each begins.
 */
import { closeSync, existsSync, openSync, readSync } from "node:fs";
import type { LedgerLine } from "../curate/ledger.ts";
import type { Row } from "../files/readRows.ts";
import { makeRowWriter } from "../files/writeRows.ts";

/** A line of the ledger with what these commands know of a row besides. */
export interface SelectionLine extends LedgerLine {
  /** What is remarkable about its text, and a number that was given twice. */
  flags?: string[];
  /** How its turns were repaired, and how much each cleaner changed. */
  repairs?: string[];
  cleaned?: Record<string, number>;
  /** Equations of its answers: how many, and those that are wrong, with their derivation. */
  equations?: { right: number; wrong: number; unchecked: number; derivations: string[] };
  /** The words in a row that it shares with a benchmark, simplified, and the first benchmark that has them. */
  contamination?: { task: string; ngram: string };
  /** Numbers that no limit is set for. */
  values?: Record<string, number>;
  /** Why something was not measured, by stage. */
  notes?: Record<string, string>;
}

export interface Candidate {
  line: SelectionLine;
  /** Null where the line says why it is not kept. */
  row: Row | null;
}

export interface Candidates {
  readonly count: number;
  read(i: number): Candidate;
  close(): void;
}

const PIECE = 1 << 20;
const NEWLINE = 10;

/** Reads the file at `path`; makes it first where it is not there. It is there whole or not at all. */
export async function openCandidates(path: string, make: () => AsyncIterable<Candidate>): Promise<Candidates> {
  if (!existsSync(path)) {
    const writer = makeRowWriter(path);
    try {
      for await (const { line, row } of make()) writer.write({ line, row });
    } catch (error) {
      writer.discard();
      throw error;
    }
    writer.close();
  }
  const file = openSync(path, "r");
  const starts = [0];
  const piece = Buffer.allocUnsafe(PIECE);
  for (let offset = 0, length = PIECE; length > 0; offset += length) {
    length = readSync(file, piece, 0, PIECE, offset);
    for (let at = piece.indexOf(NEWLINE); at >= 0 && at < length; at = piece.indexOf(NEWLINE, at + 1))
      starts.push(offset + at + 1);
  }
  return {
    count: starts.length - 1,
    read: (i) => {
      const bytes = Buffer.allocUnsafe(starts[i + 1] - starts[i] - 1);
      readSync(file, bytes, 0, bytes.length, starts[i]);
      return JSON.parse(bytes.toString("utf8"));
    },
    close: () => closeSync(file),
  };
}

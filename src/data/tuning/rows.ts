/**
 * @file Rows of fine-tuning data from files. A row that is none is set aside with its file, row and reason, and never stops
 * the reading; the command decides how many are too many.
 */
import { createHash } from "node:crypto";
import { basename } from "node:path";
import { Stopped } from "../../util/assert.ts";
import type { LanguageTokens } from "../../util/trainingSummary.ts";
import { type Row, readRows } from "../files/readRows.ts";
import { IGNORE, type MaskedExample, type PackedRow, targetsIn } from "../pack.ts";

/** A row that could not be used. */
export interface Quarantined {
  file: string;
  /** From 1: the line of a .jsonl file without empty lines, the row of a Parquet file. */
  row: number;
  reason: string;
  /** Its beginning. */
  head: string;
}

export interface ReadOptions {
  onProgress?: (rows: number) => void;
  stop?: AbortSignal;
}

/**
 * What `read` makes of each row of the files, in order; where it gives a text, that is why the row cannot be used.
 * @throws UserError when a file cannot be read at all; Stopped after `stop`
 */
export async function readTuningRows<T extends object>(
  files: readonly string[],
  read: (row: Row, id: string) => T | string,
  { onProgress, stop }: ReadOptions = {},
): Promise<{ rows: number; items: T[]; quarantined: Quarantined[] }> {
  const items: T[] = [];
  const quarantined: Quarantined[] = [];
  let rows = 0;
  for (const path of files) {
    const file = basename(path);
    for await (const item of readRows(path)) {
      const found = "row" in item ? read(item.row, `${file}#${item.ordinal}`) : item.reason;
      if (typeof found !== "string") items.push(found);
      else {
        const head = "row" in item ? JSON.stringify(item.row).slice(0, 80) : item.head;
        quarantined.push({ file, row: item.ordinal + 1, reason: found, head });
      }
      if (++rows % 256 !== 0) continue;
      onProgress?.(rows);
      await new Promise<void>((resolve) => setImmediate(resolve)); // lets Ctrl-C in
      if (stop?.aborted) throw new Stopped();
    }
  }
  return { rows, items, quarantined };
}

/** The row's own `language` or `lang`; "und" (undetermined, as in ISO 639) where it has none. */
export function languageOf(row: Row): string {
  for (const name of [row.language, row.lang]) if (typeof name === "string" && name !== "") return name;
  return "und";
}

/**
 * Whether an example is held out for evaluation: by a hash of `key` (its question), never by its place, so that equal
 * questions are on one side, and a row keeps its side when others come or go. Of many keys about `fraction`, in [0, 1].
 */
export function isHeldOut(key: string, fraction: number, seed: number): boolean {
  return createHash("sha256").update(`${seed}\n${key}`).digest().readUIntBE(0, 6) / 2 ** 48 < fraction;
}

/** Counts by language, in the order of the names. An example's sequences (one chat, two answers) are counted together. */
export function countTokens(
  examples: readonly { language: string; sequences: readonly MaskedExample[] }[],
): Record<string, LanguageTokens> {
  const counts = new Map<string, LanguageTokens>();
  for (const { language, sequences } of examples) {
    const count = counts.get(language) ?? { examples: 0, tokens: 0, answerTokens: 0 };
    counts.set(language, count);
    count.examples++;
    for (const sequence of sequences) {
      count.tokens += sequence.inputIds.length;
      count.answerTokens += targetsIn(sequence);
    }
  }
  return Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** An example alone in a row of T tokens; what follows it is padding that belongs to no document. */
export function exampleRow({ inputIds, lossMask }: MaskedExample, T: number, padId: number): PackedRow {
  if (inputIds.length > T) throw new Error(`exampleRow: ${inputIds.length} tokens do not fit a row of ${T}`);
  return {
    inputIds: Int32Array.from({ length: T }, (_, t) => inputIds[t] ?? padId),
    labels: Int32Array.from({ length: T }, (_, t) => (lossMask[t] && t > 0 ? inputIds[t] : IGNORE)),
    documentIds: Int32Array.from({ length: T }, (_, t) => (t < inputIds.length ? 1 : 0)),
    positionIds: Int32Array.from({ length: T }, (_, t) => t),
  };
}

/**
 * @file A job that asks models about items: each item ends kept, dropped or quarantined, with its reason in the ledger;
 * files are put in their places when all of it is done. What a kill takes away is made again from the file of answers, so
 * the files are the same bytes as without it.
 */
import { basename, join } from "node:path";
import { Stopped } from "../../util/assert.ts";
import { type Row, readRows } from "../files/readRows.ts";
import { makeRowWriter, type OutputKind, type RowWriter } from "../files/writeRows.ts";
import { type Measure, passes } from "../rules/measure.ts";
import { AskError } from "./chatModel.ts";
import { inOrder } from "./inOrder.ts";

/** Where an item is from. */
export interface Place {
  /** Of the whole job, and the same in every run. */
  id: string;
  source: string;
  /** From 0; items of a source come in this order. */
  ordinal: number;
  offset: number;
}
export type Unreadable = Place & { reason: string; head: string };
export type InputRow = Place & { row: Row };

/** How an item ended; `row` goes into the output, `details` into its line of the ledger. */
export type Outcome =
  | { outcome: "kept"; row: Row; language?: string; measures?: Measure[]; details?: Row }
  | { outcome: "dropped"; reason: string; language?: string; measures?: Measure[]; details?: Row }
  | { outcome: "quarantined"; reason: string; head: string; language?: string };

export interface JobCounts {
  in: number;
  kept: number;
  dropped: number;
  quarantined: number;
  /** Why items were dropped or quarantined, and how many. */
  reasons: Record<string, number>;
  byLanguage: Record<string, { kept: number; dropped: number; quarantined: number }>;
}

export interface JobOptions<T extends Place> {
  /** Folder; `name`.`kind`, ledger.jsonl. */
  out: string;
  name: string;
  kind: OutputKind;
  items: AsyncIterable<T | Unreadable> | Iterable<T | Unreadable>;
  /** Several at once; an {@link AskError} in it quarantines the item. */
  work: (item: T) => Promise<Outcome>;
  /** One after the other, in the order of the items: what depends on the ones before. */
  settle?: (outcome: Outcome, item: T) => Outcome;
  /** Items under way at once: more than requests, so that a slow one does not hold up the others. */
  ahead: number;
  stop?: AbortSignal;
  onProgress?: (done: number) => void;
}

/** @throws when in = kept + dropped + quarantined does not hold, which is a fault of ours; Stopped after `stop`. */
export async function runJob<T extends Place>(options: JobOptions<T>): Promise<JobCounts> {
  const { out, name, kind, items, work, settle, ahead, stop, onProgress } = options;
  const counts: JobCounts = { in: 0, kept: 0, dropped: 0, quarantined: 0, reasons: {}, byLanguage: {} };
  const writers: RowWriter[] = [];
  const open = (path: string) => {
    writers.push(makeRowWriter(join(out, path)));
    return writers[writers.length - 1];
  };
  let read = 0;
  const counted = async function* () {
    for await (const item of items) {
      if (stop?.aborted) throw new Stopped();
      read++;
      yield item;
    }
  };
  try {
    const rows = open(`${name}.${kind}`);
    const ledger = open("ledger.jsonl");
    const last = new Map<string, Place>();
    const worked = inOrder(counted(), ahead, async (item) => ({ item, first: await attempt(item, work) }));
    for await (const { item, first } of worked) {
      const ended = settle && !isUnreadable(item) ? settle(first, item) : first;
      const before = last.get(item.source);
      if (before && (item.ordinal < before.ordinal || item.id === before.id))
        throw new Error(`job: ${item.id} is there twice`);
      last.set(item.source, item);
      counts.in++;
      counts[ended.outcome]++;
      const reason = ended.outcome === "kept" ? null : ended.reason;
      if (reason !== null) counts.reasons[reason] = (counts.reasons[reason] ?? 0) + 1;
      const language = ended.language ?? "und";
      counts.byLanguage[language] ??= { kept: 0, dropped: 0, quarantined: 0 };
      counts.byLanguage[language][ended.outcome]++;
      if (ended.outcome === "kept") rows.write(ended.row);
      ledger.write(ledgerLine(item, ended, reason));
      onProgress?.(counts.in);
    }
    if (read !== counts.in || counts.in !== counts.kept + counts.dropped + counts.quarantined)
      throw new Error(`job: ${read} items came in, ${JSON.stringify(counts)} came out`);
  } catch (error) {
    for (const writer of writers) writer.discard();
    throw error;
  }
  for (const writer of writers) writer.close();
  return counts;
}

const isUnreadable = (item: Place): item is Unreadable => "reason" in item;

async function attempt<T extends Place>(item: T | Unreadable, work: (item: T) => Promise<Outcome>): Promise<Outcome> {
  if (isUnreadable(item)) return { outcome: "quarantined", reason: item.reason, head: item.head };
  try {
    return await work(item);
  } catch (error) {
    if (!(error instanceof AskError)) throw error;
    return { outcome: "quarantined", reason: `no answer: ${error.message}`, head: "" };
  }
}

function ledgerLine({ id, source, ordinal, offset }: Place, ended: Outcome, reason: string | null): Row {
  const { outcome, language = "und" } = ended;
  const place = { id, source, ordinal, offset, language, outcome, reason };
  if (ended.outcome === "quarantined") return { ...place, head: ended.head };
  return { ...place, measures: ended.measures ?? [], ...ended.details };
}

/** The first rule that fails, without its set's name; null if all pass. */
export const failed = (measures: readonly Measure[]): string | null =>
  measures.find((measure) => !passes(measure))?.rule.replace(/^\w+\./, "") ?? null;

/** Rows of several files, one file after the other. A file is named by its base name where no two are the same. */
export async function* readInputs(paths: readonly string[]): AsyncGenerator<InputRow | Unreadable> {
  const names = paths.map((path) => basename(path));
  for (const [i, path] of paths.entries()) {
    const source = names.indexOf(names[i]) === names.lastIndexOf(names[i]) ? names[i] : `${i}/${names[i]}`;
    for await (const { ordinal, offset, ...rest } of readRows(path))
      yield { id: `${source}#${ordinal}`, source, ordinal, offset, ...rest };
  }
}

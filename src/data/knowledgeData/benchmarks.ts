/**
 * @file Benchmarks as people have them: rows {task, query, label} or {text}, for decontamination. A label may be a list of
 * right answers; without a task, the file's name is one.
 */
import { basename } from "node:path";
import { UserError } from "../../util/assert.ts";
import { plainText } from "../chats/plainText.ts";
import { type DecontaminationConfig, type Decontaminator, makeDecontaminator } from "../dedup/decontaminate.ts";
import { type Row, readRows } from "../files/readRows.ts";
import type { Identify } from "../pairs/pairRules.ts";

export interface Benchmarks {
  decontaminator: Decontaminator;
  items: number;
  /** Items of fewer words than an n-gram: they can never be found. */
  tooShort: number;
  ngrams: number;
}

/** @throws UserError for a row that is none: a benchmark that is half read would let the other half through. */
export async function readBenchmarks(
  paths: readonly string[],
  config: DecontaminationConfig,
  identify?: Identify,
): Promise<Benchmarks> {
  const decontaminator = makeDecontaminator(config);
  let [items, tooShort, ngrams] = [0, 0, 0];
  for (const path of paths)
    for await (const item of readRows(path)) {
      const where = `${path}: row ${item.ordinal}`;
      if ("reason" in item) throw new UserError(`${where}: ${item.reason}; expected {task, query, label} or {text}`);
      const { task, query, labels } = itemOf(item.row, where, basename(path));
      for (const label of labels) {
        const language =
          typeof item.row.language === "string" ? item.row.language : identify?.(`${query ?? ""} ${label}`).language;
        const count = decontaminator.add({ task, query, label, language: language ?? "und" });
        items++;
        ngrams += count;
        if (count === 0) tooShort++;
      }
    }
  return { decontaminator, items, tooShort, ngrams };
}

function itemOf(row: Row, where: string, file: string): { task: string; query?: string; labels: string[] } {
  const { task = file, query, label, text } = row;
  const labels = Array.isArray(label) ? label : [label ?? text];
  const isText = (value: unknown): value is string => typeof value === "string";
  if (
    !isText(task) ||
    !labels.every(isText) ||
    labels.length === 0 ||
    !(query === undefined || query === null || isText(query))
  )
    throw new UserError(
      `${where}: has keys ${Object.keys(row).join(", ")}; expected {task, query, label} or {text}, all text`,
    );
  const plain = (value: string) => plainText(value).text;
  return { task, labels: labels.map(plain), ...(isText(query) ? { query: plain(query) } : {}) };
}

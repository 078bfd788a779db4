/**
 * @file The reversed trie of n-grams that came in any order.
 *
 * A trie needs every n-gram without its first token to be there too. SRILM's pruning leaves some out; like KenLM, they
 * are put in with the probability that backing off gives them, so that no score changes.
 */
import type { UserError } from "../../util/assert.ts";
import { findChild, type NgramLevel } from "./ngramModel.ts";
import { radixSort } from "./suffixOrder.ts";

/** The n-grams of one order as they were read. */
export interface NgramTable {
  order: number;
  /** `order` ids for each n-gram, left to right; may be longer than that. */
  words: Int32Array;
  logProbs: number[];
  backoffs: number[];
  /** Number of the file's line that has the first. */
  firstLine: number;
}

/** An n-gram in suffix order: its row of the table, or -1 for one that was put in; and its ids. */
interface SortedTable {
  rows: Int32Array;
  words: Int32Array;
}

type Refuse = (line: number, problem: string, expected: string) => UserError;

export function buildTrie(tables: readonly NgramTable[], vocabularySize: number, refuse: Refuse): NgramLevel[] {
  const sorted = tables.map((table) => sortTable(table, vocabularySize, refuse));
  for (let k = tables.length; k > 2; k--) sorted[k - 2] = withSuffixes(sorted[k - 2], sorted[k - 1], k - 1);

  const levels: NgramLevel[] = [];
  for (const [index, table] of tables.entries()) {
    const k = index + 1;
    const { rows, words } = sorted[index];
    const level: NgramLevel = {
      words: new Int32Array(rows.length),
      logProbs: new Float32Array(rows.length),
      backoffs: new Float32Array(k < tables.length ? rows.length : 0),
      children: new Uint32Array(k < tables.length ? rows.length + 1 : 0),
    };
    let parent = 0;
    for (let node = 0; node < rows.length; node++) {
      const at = node * k;
      level.words[node] = words[at];
      let context = 0;
      if (k > 1) {
        while (compare(words, at + 1, sorted[index - 1].words, parent * (k - 1), k - 1) !== 0) parent++;
        levels[index - 1].children[parent + 1]++;
        context = find(levels, words, at, k - 1);
        if (context < 0 && rows[node] >= 0) {
          const line = table.firstLine + rows[node];
          throw refuse(line, `a ${k}-gram whose context is not there`, `its first ${k - 1} words as a ${k - 1}-gram`);
        }
      }
      if (rows[node] >= 0) {
        level.logProbs[node] = table.logProbs[rows[node]];
        if (k < tables.length) level.backoffs[node] = table.backoffs[rows[node]];
      } else {
        const backoff = context < 0 ? 0 : levels[index - 1].backoffs[context];
        level.logProbs[node] = levels[index - 1].logProbs[parent] + backoff;
      }
    }
    if (k > 1) {
      const { children } = levels[index - 1];
      for (let i = 1; i < children.length; i++) children[i] += children[i - 1];
    }
    levels.push(level);
  }
  return levels;
}

/** The table in suffix order; the same n-gram twice is refused. */
function sortTable({ order, words, logProbs, firstLine }: NgramTable, range: number, refuse: Refuse): SortedTable {
  const items = new Uint32Array(logProbs.length).map((_, row) => row);
  const rows = radixSort(items, order, range, (row, back) => words[(row + 1) * order - 1 - back]);
  const out = new Int32Array(rows.length * order);
  for (let i = 0; i < rows.length; i++) {
    out.set(words.subarray(rows[i] * order, (rows[i] + 1) * order), i * order);
    if (i > 0 && compare(out, i * order, out, (i - 1) * order, order) === 0) {
      throw refuse(firstLine + rows[i], `a ${order}-gram a second time`, "each n-gram once");
    }
  }
  return { rows: new Int32Array(rows), words: out };
}

/** `shorter` (n-grams of k tokens) and the last k tokens of each of `longer` that it lacks. */
function withSuffixes(shorter: SortedTable, longer: SortedTable, k: number): SortedTable {
  // Where in `longer` a suffix begins that is missing, and how many of `shorter` come before it.
  const missing: { at: number; before: number }[] = [];
  let before = 0;
  for (let i = 0; i < longer.rows.length; i++) {
    const at = i * (k + 1) + 1;
    if (i > 0 && compare(longer.words, at, longer.words, at - k - 1, k) === 0) continue;
    while (before < shorter.rows.length && compare(shorter.words, before * k, longer.words, at, k) < 0) before++;
    const found = before < shorter.rows.length && compare(shorter.words, before * k, longer.words, at, k) === 0;
    if (!found) missing.push({ at, before });
  }
  if (missing.length === 0) return shorter;

  const rows = new Int32Array(shorter.rows.length + missing.length);
  const words = new Int32Array(rows.length * k);
  let from = 0; // of shorter
  let to = 0;
  const copyUntil = (end: number) => {
    rows.set(shorter.rows.subarray(from, end), to);
    words.set(shorter.words.subarray(from * k, end * k), to * k);
    to += end - from;
    from = end;
  };
  for (const suffix of missing) {
    copyUntil(suffix.before);
    rows[to] = -1;
    words.set(longer.words.subarray(suffix.at, suffix.at + k), to * k);
    to++;
  }
  copyUntil(shorter.rows.length);
  return { rows, words };
}

/** Suffix order of k tokens: negative where the first come before. */
function compare(a: Int32Array, from: number, b: Int32Array, start: number, k: number): number {
  for (let i = k - 1; i >= 0; i--) {
    const difference = a[from + i] - b[start + i];
    if (difference !== 0) return difference;
  }
  return 0;
}

/** The node of the k tokens from `at`, or -1. */
function find(levels: readonly NgramLevel[], words: Int32Array, at: number, k: number): number {
  let node = words[at + k - 1];
  for (let level = 1; level < k && node >= 0; level++) node = findChild(levels, level, node, words[at + k - 1 - level]);
  return node;
}

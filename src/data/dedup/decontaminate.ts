/**
 * @file Decontamination by word n-grams, as datatrove does it: a document that shares n words in a row with a test item is
 * dropped, whatever the case, punctuation, numbers and diacritics, and the n-gram and the task are recorded.
 */
import { makeShingler } from "./shingles.ts";
import { simplifyText, wordsOf } from "./simplifyText.ts";

export interface DecontaminationConfig {
  /** Words in an n-gram: 13 in GPT-3 and NeMo, 12 in datatrove. */
  words: number;
  /** Also n-grams of the question alone. */
  query: boolean;
  /** Also n-grams that begin in the question and end in the answer. */
  overlap: boolean;
}

export const THIRTEEN_WORDS: DecontaminationConfig = { words: 13, query: false, overlap: true };
export const DATATROVE_NGRAMS: DecontaminationConfig = { words: 12, query: false, overlap: true };

/** An item of a test: its question and one right answer. */
export interface TestItem {
  task: string;
  language: string;
  query?: string;
  label: string;
}

export interface Contamination {
  /** The first task that was added with this n-gram. */
  task: string;
  /** As simplified. */
  ngram: string;
}

export interface Decontaminator {
  /** @returns how many n-grams the item has; an item with none, being too short, can never be found */
  add(item: TestItem): number;
  /** The first n-gram of the text that is in a test. */
  check(text: string, language: string): Contamination | undefined;
}

export function makeDecontaminator({ words: n, query, overlap }: DecontaminationConfig): Decontaminator {
  const shingler = makeShingler(n, "xxh64");
  const taskOf = makeHashTable();
  const tasks: string[] = [];

  /** Adds the n-grams `from` up to `to` of the words. */
  const addNgrams = (words: readonly string[], from: number, to: number, task: number) => {
    shingler.readWords(words);
    const hashes = shingler.hashes();
    for (let i = Math.max(0, from); i < Math.min(to, shingler.count); i++)
      taskOf.add(hashes[2 * i], hashes[2 * i + 1], task);
    return Math.max(0, Math.min(to, shingler.count) - Math.max(0, from));
  };

  return {
    add: (item) => {
      let task = tasks.indexOf(item.task);
      if (task < 0) task = tasks.push(item.task) - 1;
      const label = wordsOf(simplifyText(item.label), item.language);
      const question = item.query === undefined ? [] : wordsOf(simplifyText(item.query), item.language);
      const both = [...question, ...label];
      // The n-grams of both in a row: first those of the question, then those over the seam, then the label's.
      const seam = question.length - n + 1;
      let count = addNgrams(both, question.length, both.length, task);
      if (overlap) count += addNgrams(both, seam, question.length, task);
      if (query) count += addNgrams(both, 0, seam, task);
      return count;
    },
    check: (text, language) => {
      shingler.read(text, language);
      const hashes = shingler.hashes();
      for (let i = 0; i < shingler.count; i++) {
        const task = taskOf.get(hashes[2 * i], hashes[2 * i + 1]);
        if (task !== undefined) return { task: tasks[task], ngram: shingler.shingle(i) };
      }
      return undefined;
    },
  };
}

/** Numbers by 64-bit hash, in three arrays; what was added first stays. */
function makeHashTable() {
  let [keys, values, size] = [new Uint32Array(2048), new Int32Array(1024).fill(-1), 0];
  const slotOf = (low: number, high: number) => {
    const mask = values.length - 1;
    let slot = low & mask;
    while (values[slot] >= 0 && (keys[2 * slot] !== low || keys[2 * slot + 1] !== high)) slot = (slot + 1) & mask;
    return slot;
  };
  const add = (low: number, high: number, value: number) => {
    const slot = slotOf(low, high);
    if (values[slot] >= 0) return;
    keys[2 * slot] = low;
    keys[2 * slot + 1] = high;
    values[slot] = value;
    if (2 * ++size <= values.length) return;
    const [oldKeys, oldValues] = [keys, values];
    keys = new Uint32Array(2 * oldKeys.length);
    values = new Int32Array(2 * oldValues.length).fill(-1);
    size = 0;
    for (let i = 0; i < oldValues.length; i++)
      if (oldValues[i] >= 0) add(oldKeys[2 * i], oldKeys[2 * i + 1], oldValues[i]);
  };
  return {
    add,
    get: (low: number, high: number): number | undefined => {
      const value = values[slotOf(low, high)];
      return value < 0 ? undefined : value;
    },
  };
}

/** @file The different words of a document: what looks a word up in a list looks each one up once. */
import { makeTable, slotOf } from "./nGrams.ts";
import { type Words, wordAt } from "./words.ts";

export interface Vocabulary {
  /** By word of the text: its number in `words`. */
  ids: Int32Array;
  /** The different words, in the order of their first occurrence. */
  words: string[];
}

export function makeVocabulary(text: string, words: Words): Vocabulary {
  const { table, mask, base } = makeTable(words.count);
  const ids = new Int32Array(words.count);
  const firsts: number[] = [];
  for (let i = 0; i < words.count; i++) {
    let slot = slotOf(words.hash[i], mask);
    let id = table[slot] - base;
    while (id >= 0 && !sameWord(text, words, firsts[id], i)) {
      slot = (slot + 1) & mask;
      id = table[slot] - base;
    }
    if (id < 0) {
      id = firsts.push(i) - 1;
      table[slot] = base + id;
    }
    ids[i] = id;
  }
  return { ids, words: firsts.map((i) => wordAt(text, words, i)) };
}

function sameWord(text: string, words: Words, a: number, b: number) {
  let i = words.start[a];
  let j = words.start[b];
  const end = words.end[a];
  if (words.hash[a] !== words.hash[b] || end - i !== words.end[b] - j) return false;
  while (i < end) if (text.charCodeAt(i++) !== text.charCodeAt(j++)) return false;
  return true;
}

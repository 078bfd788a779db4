/**
 * Trains a byte-level BPE vocabulary (Sennrich et al. 2016, arXiv 1508.07909; bytes as in GPT-2 and Qwen2).
 * Marco-LLM keeps Qwen2's 151,643 tokens. deviation: the miniature learns a few thousand of its own, since Qwen2's
 * embedding alone would outweigh the whole small model.
 *
 * Merge rule, which makes the result a function of the texts alone: merge the adjacent pair of greatest weight; of
 * equals the one with the smaller left id, then the smaller right id. Weights are integers, hence exact in any order.
 */
import { UserError } from "../util/assert.ts";
import { SPECIAL_TOKENS } from "./bpe.ts";
import { normalize, pretokenize } from "./pretokenize.ts";

export interface TrainBpeOptions {
  /** Size of the vocabulary with the 256 bytes and the three control tokens. */
  vocabSize: number;
}

/** Sum of the weights of one language; 29 of them stay below 2^53, up to which a double counts exactly. */
const LANGUAGE_WEIGHT = 2 ** 47;

/**
 * The vocabulary's byte strings by rank: the 256 bytes, then one per merge. The control tokens come after them and
 * are not in the list. Every language has the same total weight, however many bytes it has.
 */
export function trainBpe(textsByLanguage: Record<string, readonly string[]>, options: TrainBpeOptions): Uint8Array[] {
  const mergeCount = options.vocabSize - 256 - SPECIAL_TOKENS.length;
  if (!Number.isInteger(mergeCount) || mergeCount < 0 || options.vocabSize > 65536)
    throw new UserError(`trainBpe: vocabSize is ${options.vocabSize}, expected an integer from 259 to 65536`);
  const merges = learnMerges(countPretokens(textsByLanguage), mergeCount);
  if (merges.length < mergeCount)
    throw new UserError(
      `trainBpe: the texts allow ${merges.length} merges, vocabSize ${options.vocabSize} needs ${mergeCount}: ` +
        "give more text or a smaller vocabSize",
    );
  return ranksOf(merges);
}

/** Weight of every distinct pre-token, each language's weights scaled to the same sum of bytes times weight. */
export function countPretokens(textsByLanguage: Record<string, readonly string[]>): Map<string, number> {
  const weights = new Map<string, number>();
  for (const language of Object.keys(textsByLanguage).sort()) {
    const counts = new Map<string, number>();
    let bytes = 0;
    for (const text of textsByLanguage[language]) {
      const normalized = normalize(text);
      bytes += Buffer.byteLength(normalized);
      for (const word of pretokenize(normalized)) counts.set(word, (counts.get(word) ?? 0) + 1);
    }
    const weight = Math.floor(LANGUAGE_WEIGHT / bytes);
    for (const [word, count] of counts) weights.set(word, (weights.get(word) ?? 0) + count * weight);
  }
  return weights;
}

/** Byte strings by rank of a list of merges, where merge i makes rank 256 + i. */
export function ranksOf(merges: readonly (readonly [number, number])[]): Uint8Array[] {
  const ranks = Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte));
  for (const [left, right] of merges) ranks.push(Uint8Array.from([...ranks[left], ...ranks[right]]));
  return ranks;
}

/** A pair of adjacent ids as one number; ids stay below 2^16. Keys are in the order of (left, right). */
const KEY_BASE = 65536;

/**
 * Up to `mergeCount` merges; fewer when every word has become one token. Rather than recount all words after each
 * merge, it keeps for every pair its weight and the words that hold it, and a heap of pairs whose weights may be out of
 * date: the weight of a known pair only falls, so a pair on top of the heap with its true weight is the greatest.
 */
export function learnMerges(wordWeights: ReadonlyMap<string, number>, mergeCount: number): [number, number][] {
  const words: number[][] = [];
  const weights: number[] = [];
  const pairWeight = new Map<number, number>();
  const pairWords = new Map<number, number[]>();

  /** Adds `weight` to each pair of word `w`, and notes the word at the pairs that hold `newId` (or at all). */
  const addPairs = (w: number, weight: number, newId?: number) => {
    const word = words[w];
    for (let i = 1; i < word.length; i++) {
      const key = word[i - 1] * KEY_BASE + word[i];
      pairWeight.set(key, (pairWeight.get(key) ?? 0) + weight);
      if (newId !== undefined && word[i - 1] !== newId && word[i] !== newId) continue;
      const holders = pairWords.get(key);
      if (holders === undefined) pairWords.set(key, [w]);
      else if (holders[holders.length - 1] !== w) holders.push(w);
    }
  };

  for (const [text, weight] of wordWeights) {
    words.push([...Buffer.from(text)]);
    weights.push(weight);
    addPairs(words.length - 1, weight);
  }
  const heap = new PairHeap();
  for (const [key, weight] of pairWeight) heap.push(weight, key);

  const merges: [number, number][] = [];
  while (merges.length < mergeCount && heap.size > 0) {
    const { weight, key } = heap.pop();
    const trueWeight = pairWeight.get(key) ?? 0;
    if (trueWeight !== weight) {
      if (trueWeight > 0) heap.push(trueWeight, key);
      continue;
    }
    const left = Math.floor(key / KEY_BASE);
    const right = key % KEY_BASE;
    const id = 256 + merges.length;
    merges.push([left, right]);
    const changed = new Set<number>();
    for (const w of pairWords.get(key)!) {
      const merged = mergePair(words[w], left, right, id);
      if (merged.length === words[w].length) continue; // noted twice, or another merge has taken its pair apart
      addPairs(w, -weights[w]);
      words[w] = merged;
      addPairs(w, weights[w], id);
      for (let i = 1; i < merged.length; i++)
        if (merged[i - 1] === id || merged[i] === id) changed.add(merged[i - 1] * KEY_BASE + merged[i]);
    }
    pairWords.delete(key);
    pairWeight.delete(key);
    for (const newKey of changed) heap.push(pairWeight.get(newKey)!, newKey);
  }
  return merges;
}

/** `word` with each `left, right` replaced by `id`, from left to right. */
export function mergePair(word: readonly number[], left: number, right: number, id: number): number[] {
  const out: number[] = [];
  for (let i = 0; i < word.length; i++) {
    if (word[i] === left && word[i + 1] === right) {
      out.push(id);
      i++;
    } else out.push(word[i]);
  }
  return out;
}

/** A binary heap: greatest weight first, then smallest key. */
class PairHeap {
  private weights: number[] = [];
  private keys: number[] = [];

  get size(): number {
    return this.keys.length;
  }

  push(weight: number, key: number): void {
    let i = this.keys.length;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!this.isBefore(weight, key, parent)) break;
      this.move(parent, i);
      i = parent;
    }
    this.weights[i] = weight;
    this.keys[i] = key;
  }

  pop(): { weight: number; key: number } {
    const top = { weight: this.weights[0], key: this.keys[0] };
    const weight = this.weights.pop()!;
    const key = this.keys.pop()!;
    const n = this.keys.length;
    if (n === 0) return top;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= n) break;
      if (child + 1 < n && this.isBefore(this.weights[child + 1], this.keys[child + 1], child)) child++;
      if (this.isBefore(weight, key, child)) break;
      this.move(child, i);
      i = child;
    }
    this.weights[i] = weight;
    this.keys[i] = key;
    return top;
  }

  private isBefore(weight: number, key: number, i: number): boolean {
    return weight > this.weights[i] || (weight === this.weights[i] && key < this.keys[i]);
  }

  private move(from: number, to: number): void {
    this.weights[to] = this.weights[from];
    this.keys[to] = this.keys[from];
  }
}

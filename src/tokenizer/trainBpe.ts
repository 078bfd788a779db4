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
import { PairHeap } from "./heap.ts";
import { normalize, pretokenize } from "./pretokenize.ts";

export interface TrainBpeOptions {
  /** Size of the vocabulary with the 256 bytes and the three control tokens. */
  vocabSize: number;
}

/**
 * The vocabulary's byte strings by rank: the 256 bytes, then one per merge. The control tokens come after them and
 * are not in the list. Every language counts as much as every other, however many bytes it has.
 */
export function trainBpe(textsByLanguage: Record<string, readonly string[]>, options: TrainBpeOptions): Uint8Array[] {
  const mergeCount = options.vocabSize - 256 - SPECIAL_TOKENS.length;
  if (!Number.isInteger(mergeCount) || mergeCount < 0 || options.vocabSize > KEY_BASE)
    throw new UserError(`trainBpe: vocabSize is ${options.vocabSize}, expected an integer from 259 to ${KEY_BASE}`);
  const merges = learnMerges(weighPretokens(textsByLanguage), mergeCount);
  if (merges.length < mergeCount)
    throw new UserError(
      `trainBpe: the texts allow ${merges.length} merges, but vocabSize ${options.vocabSize} needs ${mergeCount}: ` +
        "give more text or a smaller vocabSize",
    );
  return ranksOf(merges);
}

/**
 * The weight of every distinct pre-token: its count in each language times the language's integer weight, which gives
 * all languages the same sum of bytes times weight. All weights together stay below 2^53, where a double is exact.
 *
 * Why equal bytes: with a vocabulary of 4096 trained on the committed corpus, the Universal Declaration in 29 languages
 * takes (in all; in the language that takes most) natural counts 128.4k; 6,208 tokens, equal bytes 126.5k; 6,186, bytes
 * to the power -0.5 127.0k; 6,001, equal characters 126.9k; 5,902. The rules hardly differ; equal bytes is best in all,
 * needs no parameter and does not depend on how much text of a language is at hand.
 */
export function weighPretokens(textsByLanguage: Record<string, readonly string[]>): Map<string, number> {
  const languages = Object.keys(textsByLanguage).sort();
  const weights = new Map<string, number>();
  for (const language of languages) {
    const counts = new Map<string, number>();
    let bytes = 0;
    for (const text of textsByLanguage[language]) {
      const normalized = normalize(text);
      bytes += Buffer.byteLength(normalized);
      for (const word of pretokenize(normalized)) counts.set(word, (counts.get(word) ?? 0) + 1);
    }
    const weight = Math.floor(2 ** 53 / languages.length / bytes);
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
  // All words in one array: word w is symbols[starts[w]] up to symbols[starts[w] + lengths[w] - 1].
  const texts = [...wordWeights.keys()];
  const weights = Float64Array.from(wordWeights.values());
  const symbols = Uint16Array.from(Buffer.from(texts.join("")));
  const lengths = Int32Array.from(texts, (text) => Buffer.byteLength(text));
  const starts = new Int32Array(texts.length);
  for (let w = 1; w < texts.length; w++) starts[w] = starts[w - 1] + lengths[w - 1];

  const pairs = new Map<number, Pair>();
  const addWeight = (key: number, weight: number): Pair => {
    let pair = pairs.get(key);
    if (pair === undefined) {
      pair = { weight: 0, words: [] };
      pairs.set(key, pair);
    }
    pair.weight += weight;
    return pair;
  };
  for (let w = 0; w < texts.length; w++)
    for (let i = starts[w] + 1; i < starts[w] + lengths[w]; i++)
      addWeight(symbols[i - 1] * KEY_BASE + symbols[i], weights[w]).words.push(w);
  const heap = new PairHeap();
  for (const [key, { weight }] of pairs) heap.push(weight, key);

  const merges: [number, number][] = [];
  while (merges.length < mergeCount && heap.size > 0) {
    const { weight, key } = heap.pop();
    const pair = pairs.get(key)!;
    if (pair.weight !== weight) {
      if (pair.weight > 0) heap.push(pair.weight, key);
      continue;
    }
    const left = Math.floor(key / KEY_BASE);
    const right = key % KEY_BASE;
    const id = 256 + merges.length;
    merges.push([left, right]);

    // Each merge turns `x left right y` into `x id y`: collect what pairs lose and gain by x and by y.
    const before = new Map<number, Pair>(); // x -> weight that goes from (x, left) to (x, id)
    const after = new Map<number, Pair>(); // y -> weight that goes from (right, y) to (id, y)
    for (const w of pair.words) {
      const end = starts[w] + lengths[w];
      let out = starts[w];
      for (let i = starts[w]; i < end; i++) {
        if (symbols[i] !== left || i + 1 === end || symbols[i + 1] !== right) {
          symbols[out++] = symbols[i];
          continue;
        }
        if (out > starts[w]) collect(before, symbols[out - 1], weights[w], w);
        if (i + 2 < end) collect(after, symbols[i + 2], weights[w], w);
        symbols[out++] = id;
        i++;
      }
      lengths[w] = out - starts[w]; // unchanged where w is noted twice, or another merge took its pair apart
    }
    const made = new Set<number>();
    const move = (from: number, to: number, moved: Pair) => {
      addWeight(from, -moved.weight);
      const gains = addWeight(to, moved.weight);
      for (const w of moved.words) gains.words.push(w);
      made.add(to);
    };
    for (const [y, moved] of after) move(right * KEY_BASE + y, id * KEY_BASE + y, moved);
    for (const [x, moved] of before) move(x * KEY_BASE + left, x * KEY_BASE + id, moved);
    pairs.delete(key);
    for (const newKey of made) {
      const { weight: gained } = pairs.get(newKey)!;
      if (gained > 0) heap.push(gained, newKey); // (id, left) is gained and lost again where matches touch
    }
  }
  return merges;
}

/** An adjacent pair: the sum of its occurrences' weights, and words that hold it or once did. */
interface Pair {
  weight: number;
  words: number[];
}

function collect(pairs: Map<number, Pair>, neighbour: number, weight: number, word: number): void {
  const pair = pairs.get(neighbour);
  if (pair === undefined) pairs.set(neighbour, { weight, words: [word] });
  else {
    pair.weight += weight;
    if (pair.words[pair.words.length - 1] !== word) pair.words.push(word);
  }
}

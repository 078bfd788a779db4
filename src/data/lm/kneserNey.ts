/**
 * @file Estimates an interpolated modified Kneser-Ney model, as KenLM's `lmplz --discount_fallback` does, to its
 * probabilities (compared in test/data/lm). Every number below has its name there.
 *
 * Chen and Goodman, An Empirical Study of Smoothing Techniques (1998), section 4.1.6; Heafield et al., Scalable Modified
 * Kneser-Ney Language Model Estimation (2013). The text is held as token ids, and its n-grams come out of one sort of
 * its positions: about 21 bytes a token and 32 an n-gram while it runs.
 */
import { UserError } from "../../util/assert.ts";
import { BOS, EOS, type NgramLevel, type NgramModel, SPECIAL_WORDS } from "./ngramModel.ts";
import { radixSort } from "./suffixOrder.ts";

/** What is taken off each count before division, by the count: 1, 2, 3 or more. */
export interface Discounts {
  /** discounts[0] is 0, for counts of none. */
  discounts: [number, number, number, number];
  /** Too few n-grams to estimate them (KenLM's BadDiscountException): these are {@link FALLBACK}. */
  fallback: boolean;
}

/** lmplz' `--discount_fallback`. */
export const FALLBACK: Discounts["discounts"] = [0, 0.5, 1, 1.5];

export interface TrainedModel extends NgramModel {
  /** By order. A fallback is not an error, but a user should see it: the text is small or artificial. */
  discounts: Discounts[];
  /** Tokens read, without `</s>`. */
  tokens: number;
}

export const DEFAULT_ORDER = 5;
const MAX_ORDER = 255; // a match's length is a byte

/**
 * The model of `sentences` (tokens of each, without `<s>` and `</s>`). Tokens spelled like one of the special three are
 * left out, as `--skip_symbols` does: they would be control tokens.
 */
export function trainKneserNey(sentences: Iterable<readonly string[]>, options: { order?: number } = {}): TrainedModel {
  const trainer = makeKneserNeyTrainer(options);
  for (const sentence of sentences) trainer.add(sentence);
  return trainer.train();
}

export interface KneserNeyTrainer {
  add(sentence: readonly string[]): void;
  /** Once, after the last sentence. */
  train(): TrainedModel;
}

/** {@link trainKneserNey} for sentences that come one by one. */
export function makeKneserNeyTrainer({ order = DEFAULT_ORDER }: { order?: number } = {}): KneserNeyTrainer {
  if (!Number.isInteger(order) || order < 1 || order > MAX_ORDER) {
    throw new UserError(`The n-gram order is ${order}; expected a whole number from 1 to ${MAX_ORDER}`);
  }
  const vocabulary: string[] = [...SPECIAL_WORDS];
  const ids = new Map(vocabulary.map((word, id) => [word, id]));
  // The sentences as ids in one run, each after order - 1 times `<s>`.
  let room = new Int32Array(1 << 16);
  let length = 0;
  let tokens = 0;
  let count = 0;
  return {
    add(sentence) {
      const needed = length + sentence.length + order;
      if (needed > room.length) {
        const larger = new Int32Array(Math.max(needed, 2 * room.length));
        larger.set(room);
        room = larger;
      }
      for (let i = 1; i < order; i++) room[length++] = BOS;
      for (const token of sentence) {
        let id = ids.get(token);
        if (id === undefined) {
          id = vocabulary.length;
          ids.set(token, id);
          vocabulary.push(token);
        }
        if (id <= EOS) continue;
        room[length++] = id;
        tokens++;
      }
      room[length++] = EOS;
      count++;
    },
    train() {
      if (count === 0) throw new UserError("No sentence to train an n-gram model on; expected at least one");
      const text = room.subarray(0, length);
      const positions = new Uint32Array(tokens + count);
      for (let i = 0, n = 0; i < length; i++) if (text[i] !== BOS) positions[n++] = i;
      const sorted = radixSort(positions, order, vocabulary.length, (position, back) => text[position - back]);
      const counted = countNgrams(text, sorted, order, vocabulary.length);
      const { counts, statistics } = adjustCounts(counted, text, sorted);
      const discounts = statistics.map(estimateDiscounts);
      const levels = interpolate(counted, counts, discounts, vocabulary.length);
      return { order, vocabulary, ids, levels, discounts, tokens };
    },
  };
}

/** The distinct n-grams of one order, in suffix order. */
interface CountedLevel {
  words: Int32Array;
  children: Uint32Array;
  occurrences: Uint32Array;
  /** The n-gram of the order below without the last token: the context. */
  contexts: Uint32Array;
  /** The n-gram of the order below without the first token. */
  parents: Uint32Array;
}

/** The distinct n-grams of every order up to `order`, from the positions of their last tokens in suffix order. */
function countNgrams(text: Int32Array, sorted: Uint32Array, order: number, vocabularySize: number): CountedLevel[] {
  const common = commonLengths(text, sorted, order);
  /** Whether k tokens end there without more than one `<s>`: more is padding. */
  const exists = (position: number, k: number) => k === 1 || text[position - k + 2] !== BOS;

  const unigrams: CountedLevel = {
    words: Int32Array.from({ length: vocabularySize }, (_, id) => id),
    children: new Uint32Array(0),
    occurrences: new Uint32Array(vocabularySize),
    contexts: new Uint32Array(0),
    parents: new Uint32Array(0),
  };
  for (const position of sorted) unigrams.occurrences[text[position]]++;
  const levels = [unigrams];

  // The n-gram of the order below that ends at each position of the text.
  let below = Uint32Array.from(text);
  for (let k = 2; k <= order; k++) {
    let nodes = 0;
    for (let i = 0; i < sorted.length; i++) if (common[i] < k && exists(sorted[i], k)) nodes++;
    const level: CountedLevel = {
      words: new Int32Array(nodes),
      children: new Uint32Array(0),
      occurrences: new Uint32Array(nodes),
      contexts: new Uint32Array(nodes),
      parents: new Uint32Array(nodes),
    };
    const children = new Uint32Array(levels[k - 2].words.length + 1);
    const ending = new Uint32Array(text.length);
    let node = -1;
    for (let i = 0; i < sorted.length; i++) {
      const position = sorted[i];
      if (!exists(position, k)) continue;
      if (common[i] < k) {
        node++;
        level.words[node] = text[position - k + 1];
        level.contexts[node] = below[position - 1];
        level.parents[node] = below[position];
        children[below[position] + 1]++;
      }
      level.occurrences[node]++;
      ending[position] = node;
    }
    for (let i = 1; i < children.length; i++) children[i] += children[i - 1];
    levels[k - 2].children = children;
    levels.push(level);
    below = ending;
  }
  return levels;
}

/** How many tokens, from the last, each position shares with the one sorted before it; at most `order`. */
function commonLengths(text: Int32Array, sorted: Uint32Array, order: number): Uint8Array {
  const common = new Uint8Array(sorted.length);
  for (let i = 1; i < sorted.length; i++) {
    let length = 0;
    while (length < order && text[sorted[i] - length] === text[sorted[i - 1] - length]) length++;
    common[i] = length;
  }
  return common;
}

/** The number of n-grams of one order whose count is 1, 2, 3 and 4 (index 0 is not used). */
type CountStatistics = number[];

/**
 * Kneser-Ney's counts: below the highest order, an n-gram counts the different tokens before it, not its occurrences.
 * One that starts with `<s>` has nothing before it and keeps its occurrences.
 */
function adjustCounts(levels: readonly CountedLevel[], text: Int32Array, sorted: Uint32Array) {
  const order = levels.length;
  const counts = levels.map(({ occurrences, children, words }, level) => {
    if (level === order - 1) return occurrences;
    return occurrences.map((n, i) => (level > 0 && words[i] === BOS ? n : children[i + 1] - children[i]));
  });
  const statistics: CountStatistics[] = counts.map((ofLevel) => {
    const numbers = [0, 0, 0, 0, 0];
    for (const count of ofLevel) if (count < 5) numbers[count]++;
    return numbers;
  });
  // lmplz counts the very last n-gram of every lower order in these numbers by its occurrences (AdjustCounts::Run, after
  // its loop). On small text that moves the discounts, and they are meant to be equal.
  const last = sorted[sorted.length - 1];
  for (let k = 1; k < order; k++) {
    if (k > 1 && text[last - k + 2] === BOS) break;
    const node = counts[k - 1].length - 1;
    const { occurrences } = levels[k - 1];
    if (counts[k - 1][node] < 5) statistics[k - 1][counts[k - 1][node]]--;
    if (occurrences[node] < 5) statistics[k - 1][occurrences[node]]++;
  }
  return { counts, statistics };
}

/** Equation (26) of Chen and Goodman: D(j) = j - (j + 1) Y n(j+1) / n(j), with Y = n1 / (n1 + 2 n2). */
export function estimateDiscounts(n: CountStatistics): Discounts {
  const y = n[1] / (n[1] + 2 * n[2]);
  const discounts = [0, ...[1, 2, 3].map((j) => j - ((j + 1) * y * n[j + 1]) / n[j])] as Discounts["discounts"];
  const bad = discounts.some((discount, j) => !(discount >= 0 && discount <= j)) || n.slice(1, 4).includes(0);
  return bad ? { discounts: FALLBACK, fallback: true } : { discounts, fallback: false };
}

/** p(w | c) = (count(c w) - D) / sum(c) + gamma(c) p(w | shorter c), down to one over the vocabulary without `<s>`. */
function interpolate(
  levels: readonly CountedLevel[],
  counts: readonly Uint32Array[],
  discounts: readonly Discounts[],
  vocabularySize: number,
): NgramLevel[] {
  const model: NgramLevel[] = [];
  let shorter = Float64Array.of(1 / (vocabularySize - 1)); // probabilities of the order below
  for (const [level, { words, children, contexts, parents }] of levels.entries()) {
    const [, d1, d2, d3] = discounts[level].discounts;
    const discountOf = (count: number) => (count > 2 ? d3 : count === 2 ? d2 : count === 1 ? d1 : 0);
    // Sum of the counts after each context, and of what is taken off them. The unigrams have one context, the empty one.
    const totals = new Float64Array(shorter.length);
    const gammas = new Float64Array(shorter.length);
    for (let i = 0; i < words.length; i++) {
      const context = level === 0 ? 0 : contexts[i];
      totals[context] += counts[level][i];
      gammas[context] += discountOf(counts[level][i]);
    }
    for (let c = 0; c < totals.length; c++) gammas[c] = totals[c] > 0 ? gammas[c] / totals[c] : 1; // 1: no context
    const probs = new Float64Array(words.length);
    for (let i = 0; i < words.length; i++) {
      const context = level === 0 ? 0 : contexts[i];
      const count = counts[level][i];
      const kept = (count - discountOf(count)) / totals[context];
      probs[i] = kept + gammas[context] * shorter[level === 0 ? 0 : parents[i]];
    }
    if (level === 0)
      probs[BOS] = 1; // never predicted; lmplz writes a log probability of 0
    else model[level - 1].backoffs = Float32Array.from(gammas, Math.log10);
    const logProbs = Float32Array.from(probs, (p) => Math.min(0, Math.log10(p)));
    model.push({ words, logProbs, backoffs: new Float32Array(0), children });
    shorter = probs;
  }
  return model;
}

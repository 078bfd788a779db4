/**
 * @file A back-off n-gram model in memory, and the score of a sentence under it, as KenLM defines both.
 *
 * The n-grams lie in a reversed trie, as in KenLM's `trie` models: a node of level k is an n-gram of k tokens, its
 * children are the n-grams with one more token on the left, so the longest match of a token and its history is one walk.
 * 16 bytes an n-gram (8 at the highest order), all in typed arrays; strings are kept only for the vocabulary.
 *
 * Heafield, KenLM: Faster and Smaller Language Model Queries (2011).
 */

/** Ids of the three tokens that every model has, in lmplz' order. */
export const UNK = 0;
export const BOS = 1;
export const EOS = 2;
export const SPECIAL_WORDS = ["<unk>", "<s>", "</s>"] as const;

/** The n-grams of one order, in suffix order: sorted by last token, then the one before it, and so on. */
export interface NgramLevel {
  /** The leftmost token of each n-gram, which its parent (the n-gram without it) does not have. */
  words: Int32Array;
  /** log10 of the probability of the last token after the others. */
  logProbs: Float32Array;
  /** log10 of the weight with which a shorter context is asked, when this n-gram is the context. None at the highest order. */
  backoffs: Float32Array;
  /** Node i's children are the nodes children[i] to children[i + 1] of the next level. None at the highest order. */
  children: Uint32Array;
}

export interface NgramModel {
  order: number;
  vocabulary: readonly string[];
  /** Id of each token of the vocabulary. */
  ids: ReadonlyMap<string, number>;
  /** levels[k - 1] holds the n-grams of k tokens; a node of level 1 is a token's id. */
  levels: readonly NgramLevel[];
}

export interface SentenceScore {
  /** log10 of the probability of the tokens and `</s>` after `<s>`. */
  logProb: number;
  /** Tokens that the model does not know; they are scored as `<unk>`. */
  unknown: number;
}

/** What one token added: its log10 probability, and how long an n-gram the model had for it. */
export type VisitToken = (logProb: number, ngramLength: number, id: number) => void;

/** Score of one sentence. Text that spells `<s>` or `</s>` is an unknown token: as KenLM reads it, it would be free. */
export function scoreSentence(model: NgramModel, tokens: readonly string[], visit?: VisitToken): SentenceScore {
  const sentence = new Int32Array(tokens.length + 2);
  sentence[0] = BOS;
  let unknown = 0;
  for (let i = 0; i < tokens.length; i++) {
    const id = model.ids.get(tokens[i]) ?? UNK;
    sentence[i + 1] = id === BOS || id === EOS ? UNK : id;
    if (sentence[i + 1] === UNK) unknown++;
  }
  sentence[tokens.length + 1] = EOS;
  return { logProb: scoreIds(model, sentence, visit), unknown };
}

/** log10 of the probability of all ids after the first, which is only context. */
function scoreIds({ order, levels }: NgramModel, ids: Int32Array, visit?: VisitToken): number {
  // The nodes of the n-grams that end in a token, shortest first: the next token's contexts.
  let context = new Int32Array(order);
  let path = new Int32Array(order);
  context[0] = ids[0];
  let contexts = 1;
  let total = 0;
  for (let i = 1; i < ids.length; i++) {
    path[0] = ids[i];
    let length = 1;
    // No longer an n-gram than the token before it ended, and this token: the contexts of all n-grams are in the model.
    while (length < order && length <= contexts) {
      const child = findChild(levels, length, path[length - 1], ids[i - length]);
      if (child < 0) break;
      path[length++] = child;
    }
    let logProb = levels[length - 1].logProbs[path[length - 1]];
    for (let k = length; k <= contexts && k < order; k++) logProb += levels[k - 1].backoffs[context[k - 1]];
    total += logProb;
    visit?.(logProb, length, ids[i]);
    contexts = length;
    [context, path] = [path, context];
  }
  return total;
}

/** The child of a node of level `level` (1 and up) that has `word` on the left, or -1. */
export function findChild(levels: readonly NgramLevel[], level: number, node: number, word: number): number {
  const { children } = levels[level - 1];
  const { words } = levels[level];
  let low = children[node];
  const end = children[node + 1];
  let high = end;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (words[middle] < word) low = middle + 1;
    else high = middle;
  }
  return low < end && words[low] === word ? low : -1;
}

/** How many n-grams of each order the model has. */
export const ngramCounts = ({ levels }: NgramModel) => levels.map(({ words }) => words.length);

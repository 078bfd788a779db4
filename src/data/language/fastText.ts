/**
 * @file What a supervised fastText model says of a text: labels with their probabilities, as `predict` of the Python
 * package gives them. For language identification with a model that the user brings, such as lid.176.bin or GlotLID.
 *
 * Joulin et al., Bag of Tricks for Efficient Text Classification (2016). A text is the mean of the rows of its words,
 * their character n-grams, the word n-grams (both hashed) and the end of the line; one linear layer gives the labels.
 */
import { UserError } from "../../util/assert.ts";
import { END_OF_LINE, type FastTextModel, FNV_START, findWord, fnv } from "./fastTextFile.ts";

export { type FastTextModel, loadFastText } from "./fastTextFile.ts";

export interface LabelProbability {
  /** As in the model, e.g. `__label__eng_Latn`. */
  label: string;
  /** fastText adds 1e-5 to every probability before it takes the logarithm, so the surest is 1.00001. */
  probability: number;
}

/** A longer text is judged by its beginning (CHOSEN): the time is bounded, and a language does not change after 1 MiB. */
const MAX_BYTES = 1 << 20;
const LABEL_PREFIX = new TextEncoder().encode("__label__");
/** fastText's `std_log`. */
const safeLog = (x: number) => Math.log(x + 1e-5);

/**
 * The `k` most probable labels, best first; those under `threshold` are left out. Line breaks count as spaces. Two things
 * are not as fastText has them: `</s>` written in the text does not end it, and of a text over `maxBytes` the rest is not
 * read.
 */
export function predictLabels(
  model: FastTextModel,
  text: string,
  { k = 1, threshold = 0, maxBytes = MAX_BYTES }: { k?: number; threshold?: number; maxBytes?: number } = {},
): LabelProbability[] {
  const mean = textVector(model, text, maxBytes);
  if (!mean) return [];
  const logProbs = model.hierarchical ? hierarchicalSoftmax(model, mean) : softmax(model, mean);
  if (logProbs.some(Number.isNaN))
    throw new UserError("The fastText model has weights that are not numbers; get it again");
  const least = safeLog(threshold);
  return Array.from(logProbs, (logProb, i) => ({ label: model.labels[i], probability: Math.exp(logProb) }))
    .filter((_, i) => logProbs[i] >= least)
    .sort((a, b) => b.probability - a.probability)
    .slice(0, k);
}

/** The mean of the rows of all features, [dim]; null when there is none. */
function textVector(model: FastTextModel, text: string, maxBytes: number): Float32Array | null {
  const { wordNgrams, maxn, bucket, words, endOfLine } = model;
  const rows: number[] = [];
  const addHashed = (hash: number) => void rows.push(words.count + (hash % bucket));

  // "<" before the word and ">" after it are written over the white space around it.
  const buffer = new Uint8Array(Math.min(3 * text.length, maxBytes) + 2);
  const { written } = new TextEncoder().encodeInto(text, buffer.subarray(1, buffer.length - 1));
  const hashes: number[] = [];
  for (let at = 1; at <= written; at++) {
    if (isSpace(buffer[at])) continue;
    const from = at;
    let hash = FNV_START;
    while (at <= written && !isSpace(buffer[at])) hash = fnv(hash, buffer[at++]);
    if (startsWith(buffer, from, at, LABEL_PREFIX)) continue; // a label is not a word of the text
    if (at - from === END_OF_LINE.length && startsWith(buffer, from, at, END_OF_LINE)) continue;
    hashes.push(hash);
    const word = findWord(words, buffer, from, at, hash);
    if (word >= 0) rows.push(word);
    if (maxn > 0) addSubwords(model, buffer, from - 1, at + 1, addHashed);
  }
  hashes.push(END_OF_LINE.reduce(fnv, FNV_START));
  if (endOfLine >= 0) rows.push(endOfLine);
  if (wordNgrams > 1) addWordNgrams(hashes, wordNgrams, bucket, (row) => rows.push(words.count + row));
  return rows.length === 0 ? null : meanOfRows(model, rows);
}

/** Four rows at a time, for one write of the sum instead of four: this is where the time goes. */
function meanOfRows({ dim, input }: FastTextModel, rows: readonly number[]): Float32Array {
  const sum = new Float64Array(dim);
  const whole = rows.length - (rows.length % 4);
  for (let r = 0; r < whole; r += 4) {
    const a = rows[r] * dim;
    const b = rows[r + 1] * dim;
    const c = rows[r + 2] * dim;
    const d = rows[r + 3] * dim;
    for (let i = 0; i < dim; i++) sum[i] += input[a + i] + input[b + i] + (input[c + i] + input[d + i]);
  }
  for (let r = whole; r < rows.length; r++) {
    for (let i = 0, at = rows[r] * dim; i < dim; i++) sum[i] += input[at + i];
  }
  return Float32Array.from(sum, (x) => x / rows.length);
}

/** fastText splits words at these bytes only: no-break spaces and the like are letters to it. */
const isSpace = (byte: number) => byte === 0x20 || (byte >= 0x09 && byte <= 0x0d) || byte === 0;

function startsWith(bytes: Uint8Array, from: number, to: number, prefix: Uint8Array): boolean {
  if (to - from < prefix.length) return false;
  for (let i = 0; i < prefix.length; i++) if (bytes[from + i] !== prefix[i]) return false;
  return true;
}

/** Every run of minn to maxn characters of `<word>`, except `<` and `>` alone. The word lies between from and to - 1. */
function addSubwords(
  { minn, maxn }: FastTextModel,
  bytes: Uint8Array,
  from: number,
  to: number,
  addHashed: (hash: number) => void,
): void {
  const isInside = (byte: number) => (byte & 0xc0) === 0x80; // of a character
  const before = bytes[from];
  const after = bytes[to - 1];
  bytes[from] = 0x3c; // <
  bytes[to - 1] = 0x3e; // >
  for (let start = from; start < to; start++) {
    if (isInside(bytes[start])) continue;
    let hash = FNV_START;
    let at = start;
    for (let n = 1; n <= maxn && at < to; n++) {
      do hash = fnv(hash, bytes[at++]);
      while (at < to && isInside(bytes[at]));
      if (n >= minn && !(n === 1 && (start === from || at === to))) addHashed(hash >>> 0);
    }
  }
  bytes[from] = before;
  bytes[to - 1] = after;
}

/**
 * The runs of 2 to `longest` words: h = h * 116049371 + hash, in 64 bits, of hashes extended by their sign; row h % bucket.
 * 64 bits as two halves: JavaScript's numbers hold 53, and BigInt is slow.
 */
function addWordNgrams(hashes: readonly number[], longest: number, bucket: number, add: (row: number) => void): void {
  for (let i = 0; i < hashes.length; i++) {
    let low = hashes[i] >>> 0;
    let high = hashes[i] >> 31; // the sign
    for (let j = i + 1; j < hashes.length && j < i + longest; j++) {
      const product = timesFactor(low);
      const sum = product.low + (hashes[j] >>> 0);
      high = (Math.imul(high, FACTOR) + product.high + (hashes[j] >> 31) + (sum > 0xffffffff ? 1 : 0)) | 0;
      low = sum >>> 0;
      add(remainder(high >>> 0, low, bucket));
    }
  }
}

const FACTOR = 116049371;

/** x * FACTOR of an unsigned 32-bit x, as two unsigned halves. */
function timesFactor(x: number): { low: number; high: number } {
  const small = (x & 0xffff) * FACTOR; // under 2^43
  const large = (x >>> 16) * FACTOR; // times 2^16
  const middle = large + Math.floor(small / 0x10000); // under 2^44
  return { low: ((middle & 0xffff) * 0x10000 + (small & 0xffff)) >>> 0, high: Math.floor(middle / 0x10000) };
}

/** (high * 2^32 + low) % bucket; sixteen bits at a time, so that no step is over 2^47. */
function remainder(high: number, low: number, bucket: number): number {
  let rest = high % bucket;
  rest = (rest * 0x10000 + (low >>> 16)) % bucket;
  return (rest * 0x10000 + (low & 0xffff)) % bucket;
}

/** Log probability of each label. */
function softmax({ labels, output, dim }: FastTextModel, mean: Float32Array): Float64Array {
  const logits = new Float64Array(labels.length);
  for (let i = 0; i < logits.length; i++) logits[i] = Math.fround(dot(output, i * dim, mean));
  const max = logits.reduce((a, b) => Math.max(a, b));
  const exps = logits.map((x) => Math.exp(x - max));
  const sum = exps.reduce((a, b) => a + b);
  return exps.map((x) => safeLog(x / sum));
}

/**
 * Log probability of each label as the path to it from the root: at every inner node, to the right with the sigmoid of
 * the node's row. The leaves are the labels; an inner node has a higher number than its children.
 */
function hierarchicalSoftmax(model: FastTextModel, mean: Float32Array): Float64Array {
  const { labels, output, dim } = model;
  const { left, right } = huffmanTree(model);
  const scores = new Float64Array(2 * labels.length - 1);
  for (let node = scores.length - 1; node >= labels.length; node--) {
    const inner = node - labels.length;
    const toRight = 1 / (1 + Math.exp(-dot(output, inner * dim, mean)));
    scores[left[inner]] = scores[node] + safeLog(1 - toRight);
    scores[right[inner]] = scores[node] + safeLog(toRight);
  }
  return scores.subarray(0, labels.length);
}

const trees = new WeakMap<FastTextModel, { left: Int32Array; right: Int32Array }>();

/** The children of each inner node. The counts fall, as fastText's dictionary has them. */
function huffmanTree(model: FastTextModel) {
  const known = trees.get(model);
  if (known) return known;
  const leaves = model.labels.length;
  const counts = new Float64Array(2 * leaves - 1).fill(1e15);
  counts.set(model.labelCounts);
  const tree = { left: new Int32Array(leaves - 1), right: new Int32Array(leaves - 1) };
  let leaf = leaves - 1;
  let inner = leaves;
  const rarest = () => (leaf >= 0 && counts[leaf] < counts[inner] ? leaf-- : inner++);
  for (let node = leaves; node < counts.length; node++) {
    tree.left[node - leaves] = rarest();
    tree.right[node - leaves] = rarest();
    counts[node] = counts[tree.left[node - leaves]] + counts[tree.right[node - leaves]];
  }
  trees.set(model, tree);
  return tree;
}

function dot(matrix: Float32Array, at: number, vector: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < vector.length; i++) sum += matrix[at + i] * vector[i];
  return sum;
}

/**
 * @file Reads the `.bin` files of fastText's supervised models: settings, dictionary and the two matrices, not quantised.
 *
 * In memory a model takes what its file takes: 126 MB for lid.176.bin, 1.7 GB for GlotLID. The matrices are read straight
 * into their arrays, the words lie in one run of bytes with a hash table over it (8 to 16 bytes a word).
 *
 * fastText 0.9.3: `FastText::loadModel`, `Args::load`, `Dictionary::load`, `DenseMatrix::load`.
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { UserError } from "../../util/assert.ts";

const MAGIC = 793712314;
const VERSION = 12;
/** The last version before 12; its supervised models have no character n-grams, whatever their settings say. */
const VERSION_WITHOUT_SUBWORDS = 11;
const SUPERVISED = 3;
const HIERARCHICAL_SOFTMAX = 1;
const SOFTMAX = 3;
const LABEL_ENTRY = 1;
/** `</s>`: the word that every line ends with. */
export const END_OF_LINE = new TextEncoder().encode("</s>");

export interface FastTextModel {
  dim: number;
  wordNgrams: number;
  /** Lengths, in characters, of the n-grams inside a word; maxn is 0 where there are none. */
  minn: number;
  maxn: number;
  /** How many rows the hashed n-grams share. */
  bucket: number;
  hierarchical: boolean;
  words: WordTable;
  /** Row of `</s>`, or -1. */
  endOfLine: number;
  labels: readonly string[];
  labelCounts: readonly number[];
  /** [words + bucket, dim], row by row. */
  input: Float32Array;
  /** [labels, dim]. */
  output: Float32Array;
}

/** The words' UTF-8 bytes, one after the other, and an open hash table from a word to its number. */
export interface WordTable {
  count: number;
  bytes: Uint8Array;
  /** Word i is bytes[starts[i]] to bytes[starts[i + 1]]. */
  starts: Uint32Array;
  /** Number of the word at each place, -1 for none; a power of two long, at most half full. */
  slots: Int32Array;
}

/** FNV-1a of 32 bits as fastText has it: each byte is extended by its sign before it is mixed in. */
export const FNV_START = 2166136261 | 0;
export const fnv = (hash: number, byte: number) => Math.imul(hash ^ ((byte << 24) >> 24), 16777619);

/** The number of the word at bytes[from..to), whose hash is known, or -1. */
export function findWord(table: WordTable, bytes: Uint8Array, from: number, to: number, hash: number): number {
  const { slots, starts } = table;
  const mask = slots.length - 1;
  for (let slot = hash & mask; slots[slot] >= 0; slot = (slot + 1) & mask) {
    const start = starts[slots[slot]];
    if (starts[slots[slot] + 1] - start !== to - from) continue;
    let same = 0;
    while (same < to - from && table.bytes[start + same] === bytes[from + same]) same++;
    if (same === to - from) return slots[slot];
  }
  return -1;
}

/** The model in the file, or a UserError in one line. */
export function loadFastText(path: string): FastTextModel {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch (error) {
    throw new UserError(
      `${path}: cannot be opened (${(error as NodeJS.ErrnoException).code}); expected a fastText .bin`,
    );
  }
  try {
    return readModel(new BinaryReader(file, path));
  } finally {
    closeSync(file);
  }
}

function readModel(reader: BinaryReader): FastTextModel {
  const check = (good: boolean, found: string, expected: string) => {
    if (!good) throw reader.error(found, expected);
  };
  check(reader.left >= 8 && reader.int32() === MAGIC, "it does not start as one", "fastText's .bin");
  const version = reader.int32();
  check(version === VERSION || version === VERSION_WITHOUT_SUBWORDS, `version ${version}`, `version ${VERSION}`);
  const [dim, , , , , wordNgrams, loss, kind, bucket, minn, savedMaxn] = Array.from({ length: 12 }, () =>
    reader.int32(),
  );
  reader.skip(8); // the sampling threshold
  const maxn = version === VERSION ? savedMaxn : 0;
  check(kind === SUPERVISED, "a model of word vectors", "a supervised one, which has labels");
  check(loss === SOFTMAX || loss === HIERARCHICAL_SOFTMAX, `loss ${loss}`, "softmax or hierarchical softmax");
  const hashes = maxn > 0 || wordNgrams > 1;
  check(
    dim > 0 && wordNgrams > 0 && bucket >= 0 && maxn >= 0 && (!hashes || bucket > 0),
    "settings out of range",
    "others",
  );

  const entries = reader.int32();
  const wordCount = reader.int32();
  const labelCount = reader.int32();
  reader.skip(8); // tokens
  const pruned = reader.int64();
  const counted = wordCount >= 0 && labelCount > 0 && wordCount + labelCount === entries && entries * 10 <= reader.left;
  check(counted, `a dictionary of ${wordCount} words and ${labelCount} labels`, "counts that fit the file");
  const { words, labels, labelCounts } = readDictionary(reader, wordCount, labelCount);
  const isPlain = pruned < 0 && reader.byte() === 0;
  check(isPlain, "it is quantised", "an unquantised .bin: the .ftz files are smaller and cannot be read");

  const input = reader.matrix(dim);
  const rows = input.length / dim;
  check(rows >= wordCount + (hashes ? bucket : 0), `${rows} input rows`, `${wordCount} words and ${bucket} buckets`);
  check(reader.byte() === 0, "its output is quantised", "an unquantised .bin");
  const output = reader.matrix(dim);
  check(output.length === labelCount * dim, `${output.length / dim} output rows`, `${labelCount}, one for each label`);

  const hash = END_OF_LINE.reduce(fnv, FNV_START);
  const endOfLine = findWord(words, END_OF_LINE, 0, END_OF_LINE.length, hash);
  const hierarchical = loss === HIERARCHICAL_SOFTMAX;
  return { dim, wordNgrams, minn, maxn, bucket, hierarchical, words, endOfLine, labels, labelCounts, input, output };
}

/** Words first, then labels, as fastText writes them. */
function readDictionary(reader: BinaryReader, wordCount: number, labelCount: number) {
  let slotCount = 2;
  while (slotCount < 2 * wordCount) slotCount *= 2;
  const starts = new Uint32Array(wordCount + 1);
  const slots = new Int32Array(slotCount).fill(-1);
  let bytes = new Uint8Array(1 << 16);
  const labels: string[] = [];
  const labelCounts: number[] = [];
  for (let i = 0; i < wordCount + labelCount; i++) {
    const word = reader.zeroEnded();
    const count = reader.int64();
    if ((reader.byte() === LABEL_ENTRY) !== i >= wordCount)
      throw reader.error("a label among the words", "words first");
    if (i >= wordCount) {
      labels.push(new TextDecoder().decode(word));
      labelCounts.push(count);
      continue;
    }
    const end = starts[i] + word.length;
    if (end > bytes.length) {
      const larger = new Uint8Array(2 * end);
      larger.set(bytes);
      bytes = larger;
    }
    bytes.set(word, starts[i]);
    starts[i + 1] = end;
    let slot = word.reduce(fnv, FNV_START) & (slotCount - 1);
    while (slots[slot] >= 0) slot = (slot + 1) & (slotCount - 1);
    slots[slot] = i;
  }
  const words: WordTable = { count: wordCount, bytes: bytes.slice(0, starts[wordCount]), starts, slots };
  return { words, labels, labelCounts };
}

const BUFFER_BYTES = 1 << 20;
const MAX_WORD_BYTES = 1 << 16;

/** Little-endian values from a file, through a buffer; past its end is a UserError. */
class BinaryReader {
  private readonly buffer = Buffer.alloc(BUFFER_BYTES);
  private at = 0;
  private end = 0;
  /** Bytes of the file that are not read yet. */
  left: number;

  constructor(
    private readonly file: number,
    private readonly path: string,
  ) {
    this.left = fstatSync(file).size;
  }

  error(found: string, expected: string): UserError {
    return new UserError(`${this.path}: not a model to identify languages with: ${found}; expected ${expected}`);
  }

  /** Where the next `count` bytes are in the buffer. */
  private take(count: number): number {
    if (count > this.left) throw this.error("the file ends too early", "all of it: download it again");
    if (this.end - this.at < count) {
      this.buffer.copyWithin(0, this.at, this.end);
      this.end -= this.at;
      this.at = 0;
      while (this.end < count) {
        const got = readSync(this.file, this.buffer, this.end, BUFFER_BYTES - this.end, null);
        if (got === 0) throw this.error("the file became shorter", "one that nothing writes to");
        this.end += got;
      }
    }
    this.left -= count;
    this.at += count;
    return this.at - count;
  }

  byte = () => this.buffer[this.take(1)];
  int32 = () => this.buffer.readInt32LE(this.take(4));
  int64 = () => Number(this.buffer.readBigInt64LE(this.take(8)));
  skip = (count: number) => void this.take(count);

  /** The bytes up to the next 0; good until the next read. */
  zeroEnded(): Uint8Array {
    const word: number[] = [];
    for (let byte = this.byte(); byte !== 0; byte = this.byte()) {
      if (word.push(byte) > MAX_WORD_BYTES) throw this.error(`a word of over ${MAX_WORD_BYTES} bytes`, "shorter ones");
    }
    return Uint8Array.from(word);
  }

  /** A matrix of `columns` columns: its size, then its floats. */
  matrix(columns: number): Float32Array {
    const rows = this.int64();
    const found = this.int64();
    const size = rows * columns * 4;
    if (found !== columns) throw this.error(`a matrix of ${found} columns`, `${columns}`);
    if (!(rows >= 0 && size <= this.left)) throw this.error(`a matrix of ${rows} rows`, "rows that fit the file");
    const values = new Float32Array(rows * columns);
    const bytes = new Uint8Array(values.buffer);
    let filled = Math.min(size, this.end - this.at);
    bytes.set(this.buffer.subarray(this.at, this.at + filled));
    this.at += filled;
    while (filled < size) {
      const got = readSync(this.file, bytes, filled, Math.min(size - filled, 1 << 30), null);
      if (got === 0) throw this.error("the file became shorter", "one that nothing writes to");
      filled += got;
    }
    this.left -= size;
    return values;
  }
}

/**
 * @file A text as the 64-bit hashes of its shingles: runs of n words of the simplified text with one space between
 * them, hashed as datatrove hashes them. The work happens in one WebAssembly memory that grows to the longest text.
 */
import { LANES, makeHashKernels } from "./kernels.ts";
import { SCRATCH } from "./sha1.ts";
import { type WordRoom, writeEach, writeWords } from "./wordBytes.ts";

/** `xxh64` and `sha1-64` as datatrove has them; `sha1-32`, the first 32 bits, is datasketch's. */
export type ShingleHash = "xxh64" | "sha1-64" | "sha1-32";

export interface Shingler {
  /** Reads a text; what the other members give is of this text, until the next. */
  read(text: string, language: string): void;
  /** The same for words of texts that are simplified already. */
  readWords(words: readonly string[]): void;
  /** Words of the text. */
  readonly words: number;
  /** Shingles of the text: none if it has fewer words than a shingle. */
  readonly count: number;
  /** Hash i is at 2 i (low half) and 2 i + 1. A view: the next text overwrites it. */
  hashes(): Uint32Array;
  /** The words of shingle i. */
  shingle(i: number): string;
  /** A key that two texts share when their words are the same. */
  key(): string;
  /** Minimum over the shingles for each of the permutations that were given to {@link makeShingler}, 2 places each. */
  minima(mask: bigint): Uint32Array;
}

/** Shingles of `n` words. `permutations`: a and b in turn, each below 2^64. */
export function makeShingler(n: number, hash: ShingleHash, permutations: readonly bigint[] = []): Shingler {
  const number = Math.ceil(permutations.length / 2 / LANES) * LANES; // the last ones unused
  const [minimaAt, scratchAt, startsAt] = [16 * number, 24 * number, 24 * number + SCRATCH];
  const memory = new WebAssembly.Memory({ initial: 1 });
  const kernels = makeHashKernels(memory);
  const grow = (bytes: number) => {
    const missing = bytes - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / 65536));
  };
  grow(startsAt);
  new BigUint64Array(memory.buffer, 0, permutations.length).set(permutations);

  let [bytesAt, hashesAt, words, count] = [0, 0, 0, 0];
  const room = (bytes: number, starts: number): WordRoom => {
    bytesAt = startsAt + 4 * starts;
    grow(bytesAt + bytes);
    return { bytes: new Uint8Array(memory.buffer, bytesAt, bytes), starts: startsView(starts) };
  };
  const startsView = (length: number) => new Int32Array(memory.buffer, startsAt, length);
  const bytesView = (from: number, to: number) => new Uint8Array(memory.buffer, bytesAt + from, Math.max(0, to - from));
  const decoder = new TextDecoder();

  const hashAll = () => {
    count = Math.max(0, words - n + 1);
    const end = startsView(words + 1)[words];
    hashesAt = Math.ceil((bytesAt + end) / 8) * 8;
    grow(hashesAt + 8 * count);
    const each = hash === "xxh64" ? kernels.xxh64Shingles : kernels.sha1Shingles;
    each(bytesAt, startsAt, count, n, hashesAt, scratchAt);
    if (hash === "sha1-32") {
      const out = new Uint32Array(memory.buffer, hashesAt, 2 * count);
      for (let i = 0; i < count; i++) out[2 * i + 1] = 0;
    }
  };
  return {
    read: (text, language) => {
      words = writeWords(text, language, room);
      hashAll();
    },
    readWords: (list) => {
      words = writeEach(list, room);
      hashAll();
    },
    get words() {
      return words;
    },
    get count() {
      return count;
    },
    hashes: () => new Uint32Array(memory.buffer, hashesAt, 2 * count),
    shingle: (i) => {
      const starts = startsView(words + 1);
      return decoder.decode(bytesView(starts[i], starts[i + n] - 1));
    },
    key: () => decoder.decode(bytesView(0, startsView(words + 1)[words] - 1)),
    minima: (mask) => {
      kernels.minima(hashesAt, count, 0, number, mask, minimaAt);
      return new Uint32Array(memory.buffer, minimaAt, permutations.length);
    },
  };
}

/** 53 of a hash's 64 bits as one number: for sets of the hashes of a text or two, where big integers are slow. */
export const hashKey = (low: number, high: number) => (high & 0x1fffff) * 2 ** 32 + low;

/** xxHash64 of some bytes with seed 0, for single values. */
export function xxh64(bytes: Uint8Array): bigint {
  const memory = new WebAssembly.Memory({ initial: Math.ceil((bytes.length + 1) / 65536) });
  new Uint8Array(memory.buffer).set(bytes);
  return BigInt.asUintN(64, makeHashKernels(memory).xxh64(0, bytes.length));
}

/**
 * @file Tokenised documents on disk in Megatron-LM's indexed format: `NAME_text_document.bin` holds the ids back to back,
 * `.idx` the documents' lengths and places. Documents are appended; a writer that was killed goes on after the last whole one.
 */
import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { UserError } from "../../util/assert.ts";
import { writeWhole } from "../../util/runDir.ts";

const MAGIC = "MMIDIDX\0\0";
const HEADER = 34; // magic 9, version 8, type 1, sequences 8, documents 8
/** Megatron's codes of the two types that it chooses between (`DType.optimal_dtype`). */
const UINT16 = { code: 8, bytes: 2 };
const INT32 = { code: 4, bytes: 4 };
/** Ids of larger vocabularies are int32, as in Megatron-LM. */
const UINT16_VOCABULARY = 65_500;

const binOf = (prefix: string) => `${prefix}_text_document.bin`;
const idxOf = (prefix: string) => `${prefix}_text_document.idx`;

export interface TokenFileWriter {
  /** Documents that an earlier, interrupted writer had finished. */
  readonly resumed: number;
  /** @throws RangeError for an id that the vocabulary does not have. */
  add(ids: ArrayLike<number>): void;
  /** Writes the index; then the file is whole. */
  close(): void;
  /** Keeps what is there, to go on from. */
  stop(): void;
}

/** Bytes that are held before they are written. */
const HELD = 4 << 20;

/** Appends to `PREFIX_text_document.bin.partial`; `resume`: after what is there already. */
export function makeTokenFileWriter(prefix: string, vocabSize: number, resume = false): TokenFileWriter {
  const type = vocabSize < UINT16_VOCABULARY ? UINT16 : INT32;
  mkdirSync(dirname(prefix), { recursive: true });
  const flags = resume && existsSync(`${binOf(prefix)}.partial`) ? "r+" : "w+";
  const bin = openSync(`${binOf(prefix)}.partial`, flags);
  const sizes = openSync(`${prefix}.lengths.partial`, existsSync(`${prefix}.lengths.partial`) ? flags : "w+");
  const lengths = wholeDocuments(sizes, fstatSync(bin).size / type.bytes);
  let bytes = type.bytes * lengths.reduce((sum, length) => sum + length, 0);
  ftruncateSync(bin, bytes);
  ftruncateSync(sizes, 4 * lengths.length);
  const resumed = lengths.length;
  let flushed = resumed;
  let held: Buffer[] = [];
  let heldBytes = 0;

  const flush = () => {
    for (const buffer of held) {
      writeAll(bin, buffer, bytes);
      bytes += buffer.length;
    }
    writeAll(sizes, Buffer.from(Int32Array.from(lengths.slice(flushed)).buffer), 4 * flushed); // after what they count
    flushed = lengths.length;
    held = [];
    heldBytes = 0;
  };
  const end = () => {
    flush();
    for (const file of [bin, sizes]) {
      fsyncSync(file);
      closeSync(file);
    }
  };
  return {
    resumed,
    add(ids) {
      const buffer = Buffer.allocUnsafe(ids.length * type.bytes);
      for (let i = 0; i < ids.length; i++) {
        const id = ids[i];
        if (!Number.isInteger(id) || id < 0 || id >= vocabSize)
          throw new RangeError(`token id ${id}: expected 0 to ${vocabSize - 1}, the vocabulary`);
        if (type === UINT16) buffer.writeUInt16LE(id, 2 * i);
        else buffer.writeInt32LE(id, 4 * i);
      }
      held.push(buffer);
      lengths.push(ids.length);
      heldBytes += buffer.length;
      if (heldBytes >= HELD) flush();
    },
    close() {
      end();
      renameSync(`${binOf(prefix)}.partial`, binOf(prefix));
      writeWhole(idxOf(prefix), indexOf(lengths, type)); // last: with it the documents are there
      rmSync(`${prefix}.lengths.partial`);
    },
    stop: end,
  };
}

/** Lengths of the documents that are in the file of ids as a whole. */
function wholeDocuments(sizes: number, tokens: number): number[] {
  const bytes = Buffer.alloc(fstatSync(sizes).size);
  readSync(sizes, bytes, 0, bytes.length, 0);
  const lengths: number[] = [];
  let sum = 0;
  for (let at = 0; at + 4 <= bytes.length; at += 4) {
    sum += bytes.readInt32LE(at);
    if (sum > tokens) break;
    lengths.push(bytes.readInt32LE(at));
  }
  return lengths;
}

function writeAll(file: number, bytes: Uint8Array, position: number) {
  for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done, bytes.length - done, position + done);
}

/** The `.idx` of documents of one sequence each. */
function indexOf(lengths: readonly number[], type: { code: number; bytes: number }): Buffer {
  const n = lengths.length;
  const index = Buffer.alloc(HEADER + 4 * n + 8 * n + 8 * (n + 1));
  index.write(MAGIC, "latin1");
  index.writeBigUInt64LE(1n, 9);
  index.writeUInt8(type.code, 17);
  index.writeBigUInt64LE(BigInt(n), 18);
  index.writeBigUInt64LE(BigInt(n + 1), 26); // the number of boundaries, as Megatron-LM counts
  let place = 0;
  for (const [i, length] of lengths.entries()) {
    index.writeInt32LE(length, HEADER + 4 * i);
    index.writeBigInt64LE(BigInt(place), HEADER + 4 * n + 8 * i);
    place += length * type.bytes;
  }
  for (let i = 0; i <= n; i++) index.writeBigInt64LE(BigInt(i), HEADER + 12 * n + 8 * i);
  return index;
}

export interface TokenFile {
  /** Tokens of each document. */
  lengths: Int32Array;
  tokens: number;
  /** Tokens `from` to `to` of the whole file. */
  read(from: number, to: number): Int32Array;
  close(): void;
}

export const hasTokenFile = (prefix: string) => existsSync(idxOf(prefix));

/** @throws UserError that names the file when it is not a whole Megatron-LM file of one sequence for each document. */
export function openTokenFile(prefix: string): TokenFile {
  const path = idxOf(prefix);
  const refuse = (problem: string) =>
    new UserError(`${path}: ${problem}; expected a .idx and a .bin of Megatron-LM: write them again`);
  let index: Buffer;
  let size: number;
  try {
    index = readFileSync(path);
    size = statSync(binOf(prefix)).size;
  } catch (error) {
    throw refuse(`cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
  if (index.length < HEADER || index.toString("latin1", 0, 9) !== MAGIC) throw refuse("does not begin as an index");
  if (index.readBigUInt64LE(9) !== 1n) throw refuse(`has version ${index.readBigUInt64LE(9)}, expected 1`);
  const type = [UINT16, INT32].find(({ code }) => code === index[17]);
  if (!type) throw refuse(`has ids of type ${index[17]}, expected ${UINT16.code} (uint16) or ${INT32.code} (int32)`);
  const n = Number(index.readBigUInt64LE(18));
  if (index.length !== HEADER + 20 * n + 8) throw refuse(`has ${index.length} bytes, expected ${HEADER + 20 * n + 8}`);
  const lengths = Int32Array.from({ length: n }, (_, i) => index.readInt32LE(HEADER + 4 * i));
  const tokens = lengths.reduce((sum, length) => sum + length, 0);
  if (lengths.some((length) => length < 0) || size !== tokens * type.bytes)
    throw refuse(`counts ${tokens} tokens, but the .bin has ${size} bytes`);
  const file = openSync(binOf(prefix), "r");
  return {
    lengths,
    tokens,
    read(from, to) {
      const bytes = Buffer.alloc((to - from) * type.bytes);
      for (let done = 0; done < bytes.length; )
        done += readSync(file, bytes, done, bytes.length - done, from * type.bytes + done);
      return Int32Array.from({ length: to - from }, (_, i) =>
        type === UINT16 ? bytes.readUInt16LE(2 * i) : bytes.readInt32LE(4 * i),
      );
    },
    close: () => closeSync(file),
  };
}

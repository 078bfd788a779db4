/**
 * @file The bytes of a file, decompressed piece by piece in bounded memory. What is damaged is told and passed over: gzip
 * goes on at the next member, as WARC files have one for each record.
 */
import { closeSync, openSync, readSync } from "node:fs";
import { Readable } from "node:stream";
import * as zlib from "node:zlib";
import { Decompress } from "fzstd";

/** Something that cannot be read. Offsets are of the file as it is, compressed or not. */
export interface Damage {
  offset: number;
  reason: string;
  /** The first bytes of it, at most 80. */
  head: Uint8Array;
}

/** Bytes that follow the last ones, or damage, after which they do not. `offset`: where in the file they are from. */
export type Piece = { bytes: Uint8Array; offset: number } | { damage: Damage };

const PIECE = 1 << 20;
/** Compressed bytes of a member that are decompressed at once; longer ones are streamed. */
const WHOLE = 8 << 20;
const HELD = 4 * WHOLE;
/** Output for each byte of input beyond which a member is taken for a bomb. */
const MAX_RATIO = 1000;
const HEAD = 80;

/** The file at `path` from `offset` on (where a piece began); gzip, zstd, or plain, by its first bytes. */
export async function* readPieces(path: string, offset = 0): AsyncGenerator<Piece> {
  const file = openSync(path, "r");
  try {
    const magic = readAt(file, 0, 4);
    if (magic[0] === 0x1f && magic[1] === 0x8b) yield* readGzip(file, offset);
    else if (magic.length === 4 && magic.readUInt32LE(0) === 0xfd2fb528) yield* readZstd(file);
    else yield* readPlain(file, offset);
  } finally {
    closeSync(file);
  }
}

function readAt(file: number, offset: number, length: number): Buffer {
  const buffer = Buffer.allocUnsafe(length);
  let read = 0;
  while (read < length) {
    const n = readSync(file, buffer, read, length - read, offset + read);
    if (n === 0) break;
    read += n;
  }
  return buffer.subarray(0, read);
}

function* readPlain(file: number, offset: number): Generator<Piece> {
  for (let bytes = readAt(file, offset, PIECE); bytes.length > 0; bytes = readAt(file, offset, PIECE)) {
    yield { bytes, offset };
    offset += bytes.length;
  }
}

function* readZstd(file: number): Generator<Piece> {
  let out: Uint8Array[] = [];
  const stream = new Decompress((bytes) => {
    out.push(bytes);
  });
  let offset = 0;
  for (let bytes = readAt(file, 0, PIECE); bytes.length > 0; bytes = readAt(file, offset, PIECE)) {
    const last = bytes.length < PIECE;
    try {
      stream.push(bytes, last);
    } catch (error) {
      yield { damage: { offset, reason: `zstd: ${(error as Error).message}`, head: bytes.subarray(0, HEAD) } };
      return;
    }
    for (const piece of out) yield { bytes: piece, offset };
    out = [];
    offset += bytes.length;
  }
}

/** The file by offset, a piece of it in memory: members of WARC files are short and follow each other. */
function makeWindow(file: number) {
  let from = 0;
  let held: Buffer = Buffer.alloc(0);
  /** At least `length` bytes from `offset` on, or up to the end of the file. */
  return (offset: number, length: number): Buffer => {
    if (offset < from || offset + length > from + held.length) {
      held = readAt(file, offset, Math.max(length, PIECE));
      from = offset;
    }
    return held.subarray(offset - from, offset - from + length);
  };
}
type Window = ReturnType<typeof makeWindow>;

/** One member after the other; after a damaged one, from the next place that looks like the start of one. */
async function* readGzip(file: number, offset: number): AsyncGenerator<Piece> {
  const window = makeWindow(file);
  for (;;) {
    const start = window(offset, 1 << 16);
    if (start.length === 0) return;
    const header = gzipHeader(start);
    if (header === null) {
      if (!start.every((byte) => byte === 0))
        yield { damage: damageAt(offset, "not the start of a gzip member", start) };
      const next = findMember(file, offset + 1);
      if (next === null) return;
      offset = next;
      continue;
    }
    const run = inflateRun(window, offset);
    if (run) {
      yield* run.pieces;
      offset = run.end;
      continue;
    }
    const member = inflateAtOnce(window, offset, header);
    if (member) {
      yield { bytes: member.bytes, offset };
      offset = member.end;
      continue;
    }
    const end = yield* inflateStreamed(file, offset, header);
    if (end !== null) {
      offset = end;
      continue;
    }
    const next = findMember(file, offset + 1);
    if (next === null) return;
    offset = next;
  }
}

/** Bytes of a gzip header (RFC 1952, 2.3), or null where there is none. */
function gzipHeader(bytes: Buffer): number | null {
  if (bytes.length < 18 || bytes[0] !== 0x1f || bytes[1] !== 0x8b || bytes[2] !== 8 || bytes[3] & 0xe0) return null;
  const flags = bytes[3];
  let at = 10;
  if (flags & 4) at += 2 + bytes.readUInt16LE(at);
  for (const flag of [8, 16])
    if (flags & flag) {
      const zero = bytes.indexOf(0, at);
      if (zero < 0) return null;
      at = zero + 1;
    }
  if (flags & 2) at += 2;
  return at < bytes.length ? at : null;
}

/** Compressed bytes in which whole members are looked for. */
const RUN = 1 << 18;

/**
 * Several members in one call, as one call for each takes longer to set up than to decompress. They are cut apart where
 * one seems to begin; if one of these is no start, the lengths before them do not add up. Null: one by one, then.
 */
function inflateRun(read: Window, offset: number): { pieces: Piece[]; end: number } | null {
  const bytes = read(offset, RUN);
  const starts: number[] = [];
  for (let at = 0; at >= 0 && at + 18 <= bytes.length; at = bytes.indexOf("\x1f\x8b\x08", at + 1, "latin1"))
    if ((bytes[at + 3] & 0xe0) === 0) starts.push(at);
  if (starts.length < 3) return null;
  const end = starts.pop()!; // the member there may not be whole
  let out: Buffer;
  try {
    out = zlib.gunzipSync(bytes.subarray(0, end), { maxOutputLength: HELD }); // looks at the checksums
  } catch {
    return null;
  }
  const pieces: Piece[] = [];
  let at = 0;
  for (const [i, start] of starts.entries()) {
    const length = bytes.readUInt32LE((starts[i + 1] ?? end) - 4);
    pieces.push({ bytes: out.subarray(at, at + length), offset: offset + start });
    at += length;
  }
  return at === out.length ? { pieces, end: offset + end } : null;
}

/** A member that is whole, small and right; null otherwise. */
function inflateAtOnce(read: Window, offset: number, header: number): { bytes: Buffer; end: number } | null {
  for (let size = 1 << 16; size <= WHOLE; size *= 8) {
    const window = read(offset + header, size);
    try {
      const options = { info: true, maxOutputLength: HELD } as object;
      const result = zlib.inflateRawSync(window, options) as unknown as {
        buffer: Buffer;
        engine: { bytesWritten: number };
      };
      const { buffer, engine } = result;
      const trailer = read(offset + header + engine.bytesWritten, 8);
      if (trailer.length < 8 || trailer.readUInt32LE(0) !== crc32(buffer)) return null;
      return { bytes: buffer, end: offset + header + engine.bytesWritten + 8 };
    } catch {
      if (window.length < size) return null; // the file ends here
    }
  }
  return null;
}

/**
 * A member that is long or damaged; returns where the next begins, or null after damage. What it holds is given out when
 * the checksum has been seen, or when it is cut off, for then it is right as far as it goes; only of members of more
 * than {@link HELD} bytes the beginning is given out before.
 */
async function* inflateStreamed(file: number, offset: number, header: number): AsyncGenerator<Piece, number | null> {
  function* input() {
    for (const piece of readPlain(file, offset + header)) if ("bytes" in piece) yield piece.bytes;
  }
  const inflate = zlib.createInflateRaw({ chunkSize: PIECE });
  const source = Readable.from(input()).on("error", (error) => inflate.destroy(error));
  source.pipe(inflate);
  let made = 0;
  let checksum = 0;
  let reason: string | null = null;
  let held: Piece[] = [];
  try {
    for await (const bytes of inflate as AsyncIterable<Buffer>) {
      made += bytes.length;
      checksum = crc32(bytes, checksum);
      held.push({ bytes, offset });
      if (made > HELD) {
        yield* held;
        held = [];
      }
      if (made > PIECE && made > MAX_RATIO * inflate.bytesWritten) {
        reason = `more than ${MAX_RATIO} bytes for each byte of gzip`;
        break;
      }
    }
  } catch (error) {
    reason = `gzip: ${(error as Error).message}`;
  }
  source.destroy();
  const end = offset + header + inflate.bytesWritten;
  const trailer = readAt(file, end, 8);
  if (reason === null && trailer.length < 8) reason = "the gzip member is cut off";
  if (reason === null && trailer.readUInt32LE(0) !== checksum) reason = "the gzip member has another checksum";
  if (reason === null || /cut off|unexpected end of file/.test(reason)) yield* held;
  if (reason === null) return end + 8;
  yield { damage: damageAt(offset, reason, readAt(file, offset, HEAD)) };
  return null;
}

/** Where the next gzip member may start. */
function findMember(file: number, from: number): number | null {
  for (let offset = from; ; ) {
    const bytes = readAt(file, offset, PIECE);
    for (
      let at = bytes.indexOf("\x1f\x8b\x08", 0, "latin1");
      at >= 0;
      at = bytes.indexOf("\x1f\x8b\x08", at + 1, "latin1")
    )
      if (bytes.length - at < 18 || gzipHeader(bytes.subarray(at)) !== null) return offset + at;
    if (bytes.length < PIECE) return null;
    offset += bytes.length - 17; // one that is cut by the border is found whole
  }
}

const damageAt = (offset: number, reason: string, bytes: Buffer): Damage => ({
  offset,
  reason,
  head: Uint8Array.from(bytes.subarray(0, HEAD)),
});

const CRC_TABLE = Int32Array.from({ length: 256 }, (_, n) => {
  for (let bit = 0; bit < 8; bit++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n;
});

/** CRC-32 of RFC 1952: node:zlib's, which it has from Node 20.15 on, or else a table's. */
export const crc32: (bytes: Uint8Array, before?: number) => number =
  (zlib as unknown as { crc32?: typeof tableCrc32 }).crc32 ?? tableCrc32;

function tableCrc32(bytes: Uint8Array, before = 0): number {
  let c = ~before;
  for (let i = 0; i < bytes.length; i++) c = CRC_TABLE[(c ^ bytes[i]) & 0xff] ^ (c >>> 8);
  return ~c >>> 0;
}

/**
 * @file WARC records (ISO 28500) one by one. Damage costs the records that it hits and no other: reading goes on at the
 * next line that starts a record. (warcio, which is exact on whole files, passes over cut ones in silence and stops at
 * the first bad record; test/data/web/warc.test.ts compares the two.)
 */
import type { Damage, Piece } from "../files/bytes.ts";

export interface WarcRecord {
  /** Where in the file: the start of its gzip member, or its own. */
  offset: number;
  /** response, conversion, resource, request, metadata, warcinfo, ... */
  type: string;
  id: string | null;
  url: string | null;
  date: string | null;
  /** All header fields, names in lower case. */
  headers: Map<string, string>;
  /** The block: of a response, HTTP headers and body. */
  block: Uint8Array;
  /** The block's length is not what the header says; it was taken up to the next record. */
  wrongLength: boolean;
}

export const isDamage = (x: WarcRecord | Damage): x is Damage => "reason" in x;

const MAX_HEADER = 1 << 20;
const HEAD = 80;
const VERSION = "WARC/";

/**
 * The records of a file's pieces; damaged places come as {@link Damage}, in order. A record whose block is longer than
 * `maxBlock` is passed over as damage.
 */
export async function* readWarc(
  pieces: AsyncIterable<Piece>,
  maxBlock = 32 << 20,
): AsyncGenerator<WarcRecord | Damage> {
  let buffer: Buffer = Buffer.alloc(0);
  /** From which byte of `buffer` on which offset of the file holds. */
  let origins: { at: number; offset: number }[] = [];
  let first = true;
  let skip = 0; // bytes of a block that is too long

  const originOf = (at: number) => origins.findLast((origin) => origin.at <= at)?.offset ?? 0;
  const consume = (n: number) => {
    const offset = originOf(n);
    buffer = buffer.subarray(n);
    origins = [
      { at: 0, offset },
      ...origins.filter(({ at }) => at > n).map(({ at, offset }) => ({ at: at - n, offset })),
    ];
  };
  const damage = (reason: string, at = 0): Damage => ({
    offset: originOf(at),
    reason,
    head: Uint8Array.from(buffer.subarray(at, at + HEAD)),
  });

  /** Whole records at the buffer's start; `end`: nothing follows; `damaged`: nothing that follows can be read. */
  function* take(end: boolean, damaged = false): Generator<WarcRecord | Damage> {
    for (;;) {
      if (skip > 0) {
        const n = Math.min(skip, buffer.length);
        consume(n);
        skip -= n;
        if (skip > 0) return;
      }
      const start = skipNewlines(buffer);
      if (start > 0) consume(start);
      if (buffer.length === 0 || (buffer.length < VERSION.length && !end)) return;
      if (!startsRecord(buffer, 0)) {
        const next = findRecord(buffer, 1);
        if (next < 0 && !end) {
          if (buffer.length > MAX_HEADER) {
            yield damage("not the start of a WARC record");
            consume(buffer.length - VERSION.length - 2);
          }
          return;
        }
        yield damage(first ? notWarc(buffer) : "not the start of a WARC record");
        if (first || next < 0) return consume(buffer.length);
        consume(next);
        continue;
      }
      first = false;
      const headerEnd = findHeaderEnd(buffer);
      if (headerEnd < 0) {
        if (!end && buffer.length <= MAX_HEADER) return;
        yield damage(end ? "the record is cut off in its header" : "the header of the record has no end");
        consume(Math.max(findRecord(buffer, 1), 0) || buffer.length);
        continue;
      }
      const { headers, bodyStart } = parseHeaders(buffer, headerEnd);
      const length = Number(headers.get("content-length") ?? Number.NaN);
      if (!Number.isSafeInteger(length) || length < 0) {
        yield damage(`Content-Length is ${headers.get("content-length") ?? "missing"}`);
        const next = findRecord(buffer, bodyStart);
        if (next < 0 && !end) return;
        consume(next < 0 ? buffer.length : next);
        continue;
      }
      if (length > maxBlock) {
        yield damage(`the record has ${length} bytes, more than ${maxBlock}`);
        consume(bodyStart);
        skip = length;
        continue;
      }
      // what follows the block must be seen: the next record, or the end
      const after = bodyStart + length;
      const seen = skipNewlines(buffer, after);
      if (buffer.length < after || (buffer.length < seen + VERSION.length && !end)) {
        if (!end) return;
        if (buffer.length < after) {
          const next = findRecord(buffer, bodyStart);
          yield damage("the record is cut off");
          consume(next < 0 ? buffer.length : next);
          continue;
        }
      }
      let blockEnd = after;
      const fits = seen >= buffer.length || startsRecord(buffer, seen);
      if (!fits) {
        const next = findRecord(buffer, bodyStart);
        if (next < 0 && !end) {
          if (buffer.length < after + maxBlock) return;
        }
        blockEnd = next < 0 ? buffer.length : trimNewlines(buffer, next);
        if (damaged && next < 0) {
          yield damage("the record is damaged");
          return consume(buffer.length);
        }
      }
      yield {
        offset: originOf(0),
        type: headers.get("warc-type") ?? "",
        id: headers.get("warc-record-id") ?? null,
        url: uriOf(headers),
        date: headers.get("warc-date") ?? null,
        headers,
        block: Uint8Array.prototype.slice.call(buffer, bodyStart, blockEnd), // Uint8Array.from goes byte by byte
        wrongLength: !fits,
      };
      consume(fits ? after : blockEnd);
    }
  }

  for await (const piece of pieces) {
    if ("damage" in piece) {
      yield* take(true, true);
      buffer = Buffer.alloc(0);
      origins = [];
      skip = 0;
      yield piece.damage;
      continue;
    }
    origins.push({ at: buffer.length, offset: piece.offset });
    const { bytes } = piece;
    const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    buffer = buffer.length === 0 ? view : Buffer.concat([buffer, view]);
    yield* take(false);
  }
  yield* take(true);
}

const startsRecord = (buffer: Buffer, at: number) => buffer.toString("latin1", at, at + VERSION.length) === VERSION;

/** Where a line that starts a record is, from `from` on; -1 if nowhere. */
function findRecord(buffer: Buffer, from: number): number {
  for (let at = buffer.indexOf(VERSION, from, "latin1"); at >= 0; at = buffer.indexOf(VERSION, at + 1, "latin1"))
    if (at === 0 || buffer[at - 1] === 10) return at;
  return -1;
}

function skipNewlines(buffer: Buffer, from = 0): number {
  let at = from;
  while (buffer[at] === 13 || buffer[at] === 10) at++;
  return at;
}

/** The two line breaks that end a block are not part of it. */
function trimNewlines(buffer: Buffer, end: number): number {
  for (let line = 0; line < 2; line++) if (buffer[end - 1] === 10) end -= buffer[end - 2] === 13 ? 2 : 1;
  return end;
}

function findHeaderEnd(buffer: Buffer): number {
  const crlf = buffer.indexOf("\r\n\r\n", 0, "latin1");
  const lf = buffer.subarray(0, crlf < 0 ? undefined : crlf).indexOf("\n\n", 0, "latin1");
  return lf >= 0 ? lf : crlf;
}

/** Names in lower case; lines that start with white space go on with the one before. */
function parseHeaders(buffer: Buffer, headerEnd: number): { headers: Map<string, string>; bodyStart: number } {
  const headers = new Map<string, string>();
  let last = "";
  for (const line of buffer.toString("utf8", 0, headerEnd).split(/\r?\n/).slice(1)) {
    if (/^[ \t]/.test(line) && last) headers.set(last, `${headers.get(last)} ${line.trim()}`);
    const colon = line.indexOf(":");
    if (colon <= 0 || /^[ \t]/.test(line)) continue;
    last = line.slice(0, colon).trim().toLowerCase();
    headers.set(last, line.slice(colon + 1).trim());
  }
  return { headers, bodyStart: headerEnd + (buffer[headerEnd] === 13 ? 4 : 2) };
}

/** Old files say `uri`, some put the address in angle brackets. */
function uriOf(headers: Map<string, string>): string | null {
  const uri = headers.get("warc-target-uri") ?? headers.get("uri");
  return uri?.replace(/^<(.*)>$/, "$1") || null;
}

const notWarc = (buffer: Buffer) =>
  `not a WARC file: it starts with ${JSON.stringify(buffer.toString("utf8", 0, HEAD).split("\n")[0])}`;

/**
 * @file Lines of a file in bounded memory: a line that is too long, or not UTF-8, or cut by damage to the compressed
 * file, is told and passed over. Only "\n" (and "\r\n") ends a line: line-aligned files are aligned by it.
 */
import { isUtf8 } from "node:buffer";
import { UserError } from "../../util/assert.ts";
import type { Piece } from "./bytes.ts";

/** A file to read: `open` gives its bytes from the start, decompressed, each time it is called. */
export interface SourceFile {
  /** For messages and ids. */
  name: string;
  open: () => AsyncIterable<Piece>;
}

export interface Line {
  /** From 1. */
  number: number;
  offset: number;
  /** Bytes without the line's end. */
  length: number;
  /** Null where the line cannot be used, for `reason`. */
  text: string | null;
  reason?: string;
  head?: string;
  /** Lines are missing before or after this one: numbers from here on mean nothing. */
  damaged?: boolean;
}

export const MAX_LINE_BYTES = 1 << 20;
const NEWLINE = 10;
const RETURN = 13;

export async function* readLines(file: SourceFile, maxBytes = MAX_LINE_BYTES): AsyncGenerator<Line> {
  let number = 1;
  let offset = 0; // of the line's first byte
  let length = 0; // of the line so far
  let held: Uint8Array[] = []; // its first `maxBytes` bytes or a little more
  let kept = 0;
  let damage: string | undefined; // the line began in a damaged place

  const take = (bytes: Uint8Array): Line => {
    let whole = held.length === 0 ? bytes : Buffer.concat([...held, bytes]);
    length += bytes.length;
    if (whole.length > 0 && whole[whole.length - 1] === RETURN && length <= maxBytes) whole = whole.subarray(0, -1);
    if (number === 1 && whole[0] === 0xef && whole[1] === 0xbb && whole[2] === 0xbf) whole = whole.subarray(3);
    const line = { number, offset, length };
    const refuse = (reason: string): Line => ({ ...line, text: null, reason, head: headOf(whole) });
    if (damage !== undefined) return { ...refuse(damage), damaged: true };
    if (length > maxBytes) return refuse(`a line of more than ${maxBytes} bytes`);
    const text = decodeUtf8(whole);
    return text === null ? refuse("not UTF-8") : { ...line, text };
  };
  const next = () => {
    number++;
    offset += length + 1;
    length = 0;
    held = [];
    kept = 0;
    damage = undefined;
  };

  let first = true;
  for await (const piece of file.open()) {
    if ("damage" in piece) {
      const reason = `${piece.damage.reason} (at byte ${piece.damage.offset} of the file)`;
      yield { number, offset, length, text: null, reason, head: headOf(piece.damage.head), damaged: true };
      held = [];
      kept = 0;
      damage = "the line's beginning is lost in the damage before it";
      continue;
    }
    const { bytes } = piece;
    if (first && bytes.length >= 2 && (bytes[0] << 8 === 0xfe00 || bytes[0] << 8 === 0xff00)) {
      const mark = (bytes[0] << 8) | bytes[1];
      if (mark === 0xfffe || mark === 0xfeff)
        throw new UserError(
          `${file.name} is UTF-16, expected UTF-8; iconv -f UTF-16 -t UTF-8 ${file.name} converts it`,
        );
    }
    first = first && bytes.length === 0;
    let start = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
      yield take(bytes.subarray(start, end));
      next();
      start = end + 1;
    }
    const rest = bytes.subarray(start);
    if (rest.length > 0 && kept <= maxBytes) {
      held.push(Uint8Array.from(rest.subarray(0, maxBytes + 1 - kept)));
      kept += Math.min(rest.length, maxBytes + 1 - kept);
    }
    length += rest.length;
  }
  if (length > 0) yield take(new Uint8Array(0)); // the last line may have no "\n"
}

const HEAD = 80;

/** The first bytes as text for people: at most 80 bytes, control characters shown as spaces. */
export const headOf = (bytes: Uint8Array) =>
  new TextDecoder()
    .decode(bytes.subarray(0, HEAD))
    .replace(/\p{Cc}/gu, " ")
    .replace(/\uFFFD$/, "");

/** The text of these bytes, or null where they are not UTF-8. */
export const decodeUtf8 = (bytes: Uint8Array): string | null =>
  isUtf8(bytes) ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8") : null;

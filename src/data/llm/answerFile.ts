/**
 * @file The answers that were paid for, on disk: a line for each, appended and flushed before anyone sees it, so that a
 * kill loses at most what was under way. Failed requests that may have been charged have a line too, for the budget. In
 * memory are only the places of the answers.
 */
import { closeSync, existsSync, fsyncSync, ftruncateSync, mkdirSync, openSync, readSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { UserError } from "../../util/assert.ts";
import type { ChatAnswer } from "./chatModel.ts";

/** What requests cost. `money` in the unit of the prices. */
export interface Spent {
  requests: number;
  tokens: number;
  money: number;
}

interface Line extends Spent {
  /** The request's hash, of an answer. */
  key?: string;
  answer?: Omit<ChatAnswer, "cached">;
  /** Why there was none. */
  failed?: string;
  model: string;
  at: string;
}

export interface AnswerFile {
  get(key: string): ChatAnswer | undefined;
  /** @throws UserError where the disk is full. */
  add(line: Omit<Line, "at">): void;
  /** Of all lines, those of earlier runs too. */
  readonly spent: Readonly<Spent>;
  /** Answers that are there. */
  readonly size: number;
  close(): void;
}

const NEWLINE = 10;
const PIECE = 1 << 20;

/** Opens or makes the file. A last line without its end, as a kill leaves it, is taken away. */
export function openAnswerFile(path: string): AnswerFile {
  let file: number;
  try {
    mkdirSync(dirname(path), { recursive: true });
    file = openSync(path, existsSync(path) ? "r+" : "w+");
  } catch (error) {
    throw new UserError(`${path}: cannot be opened (${(error as NodeJS.ErrnoException).code}); choose another --out`);
  }
  const places = new Map<string, { offset: number; length: number }>();
  const spent: Spent = { requests: 0, tokens: 0, money: 0 };
  const read = (offset: number, length: number) => {
    const buffer = Buffer.allocUnsafe(length);
    return buffer.subarray(0, readSync(file, buffer, 0, length, offset));
  };
  const take = (bytes: Buffer, offset: number) => {
    let line: Line;
    try {
      line = JSON.parse(bytes.toString("utf8"));
    } catch {
      throw new UserError(
        `${path}: byte ${offset} begins a line that is not JSON; take that line away, or the file (its answers are asked again)`,
      );
    }
    if (line.key !== undefined && !places.has(line.key)) places.set(line.key, { offset, length: bytes.length });
    spent.requests += line.requests;
    spent.tokens += line.tokens;
    spent.money += line.money;
  };

  let end = 0; // of the last whole line
  let held: Buffer[] = [];
  for (let offset = 0, bytes = read(0, PIECE); bytes.length > 0; offset += bytes.length, bytes = read(offset, PIECE)) {
    let from = 0;
    for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, from)) {
      const line = Buffer.concat([...held, bytes.subarray(from, at)]);
      take(line, end);
      end += line.length + 1;
      held = [];
      from = at + 1;
    }
    if (from < bytes.length) held.push(Buffer.from(bytes.subarray(from)));
  }
  ftruncateSync(file, end);

  return {
    spent,
    get size() {
      return places.size;
    },
    get(key) {
      const place = places.get(key);
      if (!place) return undefined;
      const { answer } = JSON.parse(read(place.offset, place.length).toString("utf8")) as Line;
      return { ...answer!, cached: true };
    },
    add(line) {
      const bytes = Buffer.from(`${JSON.stringify({ ...line, at: new Date().toISOString() })}\n`);
      try {
        for (let written = 0; written < bytes.length; )
          written += writeSync(file, bytes, written, bytes.length - written, end + written);
        fsyncSync(file);
      } catch (error) {
        ftruncateSync(file, end);
        throw new UserError(
          `${path}: cannot be written (${(error as NodeJS.ErrnoException).code}); make room, run again`,
        );
      }
      take(bytes.subarray(0, -1), end);
      end += bytes.length;
    },
    close: () => closeSync(file),
  };
}

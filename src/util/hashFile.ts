/** @file The content of a file as a part of a hash. */
import type { Hash } from "node:crypto";
import { closeSync, openSync, readSync } from "node:fs";
import { UserError } from "./assert.ts";

/** Adds the file's bytes, in bounded memory. @throws UserError when it cannot be read */
export function hashFile(hash: Hash, path: string): Hash {
  const buffer = Buffer.allocUnsafe(1 << 20);
  try {
    const file = openSync(path, "r");
    try {
      for (let n = readSync(file, buffer); n > 0; n = readSync(file, buffer)) hash.update(buffer.subarray(0, n));
    } finally {
      closeSync(file);
    }
  } catch (error) {
    throw new UserError(`${path}: cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
  return hash;
}

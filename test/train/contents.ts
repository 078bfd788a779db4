/** @file Where runs are written that must not differ, and what they are compared by. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A new folder, in memory where the machine has such a place: checkpoints wait until they are on the disk. */
export const quickFolder = (name: string) => mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), name));

/** The path of every file below a folder, and its bytes (one character each). */
export const contents = (folder: string): Record<string, string> =>
  Object.fromEntries(
    (readdirSync(folder, { recursive: true }) as string[])
      .filter((name) => statSync(join(folder, name)).isFile())
      .sort()
      .map((name) => [`/${name}`, readFileSync(join(folder, name), "latin1")]),
  );

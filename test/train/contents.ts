/** @file What two runs that must not differ are compared by. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

/** The path of every file below a folder, and its bytes (one character each). */
export const contents = (folder: string): Record<string, string> =>
  Object.fromEntries(
    (readdirSync(folder, { recursive: true }) as string[])
      .filter((name) => statSync(join(folder, name)).isFile())
      .sort()
      .map((name) => [`/${name}`, readFileSync(join(folder, name), "latin1")]),
  );

/**
 * @file An --out folder belongs to one recipe and one list of inputs, so that the same command goes on from where it was
 * stopped, and another one does not mix its results in.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { UserError } from "../../util/assert.ts";
import { writeWhole } from "../../util/runDir.ts";

/** Makes the folder, or finds its recipe.json. @throws UserError for another's, or when inputs cannot be read. */
export function claimFolder(out: string, inputs: readonly string[], settings: Record<string, unknown>) {
  const sizes = inputs.map((path) => {
    try {
      return `${basename(path)} ${statSync(path).size}`;
    } catch (error) {
      throw new UserError(`${path}: cannot be read (${(error as NodeJS.ErrnoException).code})`);
    }
  });
  if (new Set(inputs.map((path) => basename(path))).size < inputs.length)
    throw new UserError("two inputs have the same file name; rename one: documents are named after their file");
  const fingerprint = createHash("sha256")
    .update(JSON.stringify({ settings, inputs: sizes }))
    .digest("hex");
  const path = join(out, "recipe.json");
  if (existsSync(path)) {
    const found = JSON.parse(readFileSync(path, "utf8")) as { fingerprint: string };
    if (found.fingerprint !== fingerprint)
      throw new UserError(`--out ${out}: holds a run of another recipe or other inputs; choose another folder`);
    return;
  }
  if (existsSync(out) && !statSync(out).isDirectory())
    throw new UserError(`--out ${out}: is a file; expected a folder`);
  mkdirSync(out, { recursive: true });
  writeWhole(path, `${JSON.stringify({ fingerprint, inputs: sizes, ...settings }, null, 1)}\n`);
}

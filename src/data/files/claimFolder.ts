/**
 * @file A folder is of one recipe and one list of inputs, by what is in them: a run that goes on must not mix two (row 38).
 * Nor two versions of Unicode and ICU, by which letters are classed and words cut (row 41).
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { UserError } from "../../util/assert.ts";
import { hashFile } from "../../util/hashFile.ts";
import { writeWhole } from "../../util/runDir.ts";

export interface Claim {
  out: string;
  inputs: readonly string[];
  /** Whatever decides the results: the recipe, languages. */
  settings: Record<string, unknown>;
  /** Files that the settings name. */
  files?: readonly string[];
  /** What a run writes into the folder, for `force`: throw away what is of another recipe or of other inputs. */
  results?: readonly string[];
  force?: boolean;
}

/**
 * Makes the folder, or checks that it is of these inputs and this recipe, list files and models included; all are read
 * once for their hashes. @throws UserError for another's folder, or when a file cannot be read
 */
export function claimFolder({ out, inputs, settings, files: named = [], force, results }: Claim) {
  const names = new Set(inputs.map((path) => basename(path)));
  if (names.size < inputs.length)
    throw new UserError("two inputs have the same file name; rename one: documents are named after their file");
  const files = [...inputs, ...named].map((path) => ({
    name: basename(path),
    sha256: hashFile(createHash("sha256"), path).digest("hex"),
  }));
  const { unicode, icu } = process.versions;
  const fingerprint = createHash("sha256")
    .update(JSON.stringify({ ...settings, files, unicode, icu }))
    .digest("hex");
  const path = join(out, "recipe.json");
  if (existsSync(out) && !statSync(out).isDirectory())
    throw new UserError(`--out ${out}: is a file; expected a folder`);
  if (existsSync(path)) {
    const found = JSON.parse(readFileSync(path, "utf8")) as {
      fingerprint: string;
      files?: typeof files;
      unicode?: string;
      icu?: string;
    };
    if (found.fingerprint === fingerprint) return;
    const edited = files.find(({ name, sha256 }) => found.files?.some((f) => f.name === name && f.sha256 !== sha256));
    const drift =
      found.icu !== icu && `made with Unicode ${found.unicode}, ICU ${found.icu}; this is ${unicode}, ${icu}`;
    const why = edited ? `${edited.name} has changed` : drift;
    if (!force)
      throw new UserError(
        `--out ${out}: holds a run of another recipe or other inputs${why ? ` (${why})` : ""}; choose another folder${results ? ", or --force to throw that run away" : ""}`,
      );
    for (const name of [...(results ?? []), "recipe.json"]) rmSync(join(out, name), { recursive: true, force: true });
  }
  mkdirSync(out, { recursive: true });
  writeWhole(path, `${JSON.stringify({ fingerprint, unicode, icu, files, ...settings }, null, 1)}\n`);
}

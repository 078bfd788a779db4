/**
 * @file A folder is of one recipe and one list of inputs, by what is in them: a run that goes on must not mix two (row 38).
 */
import { createHash } from "node:crypto";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, readSync, rmSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { UserError } from "../../util/assert.ts";
import { writeWhole } from "../../util/runDir.ts";
import { filesOf, type Recipe } from "./recipe.ts";

export interface Claim {
  out: string;
  inputs: readonly string[];
  recipe: Recipe;
  /** Throw away what the folder has of another recipe or of other inputs. */
  force?: boolean;
}

/** What a run writes into its folder. */
const RESULTS = ["chunks", "tokens", "documents", "ledger.jsonl", "summary.json", "report.html", "recipe.json"];

/**
 * Makes the folder, or checks that it is of these inputs and this recipe, list files and models included; all are read
 * once for their hashes. @throws UserError for another's folder, or when a file cannot be read
 */
export function claimFolder({ out, inputs, recipe, force }: Claim) {
  const names = new Set(inputs.map((path) => basename(path)));
  if (names.size < inputs.length)
    throw new UserError("two inputs have the same file name; rename one: documents are named after their file");
  const files = [...inputs, ...filesOf(recipe)].map((path) => ({ name: basename(path), sha256: hashOf(path) }));
  const fingerprint = createHash("sha256").update(JSON.stringify({ recipe, files })).digest("hex");
  const path = join(out, "recipe.json");
  if (existsSync(out) && !statSync(out).isDirectory())
    throw new UserError(`--out ${out}: is a file; expected a folder`);
  if (existsSync(path)) {
    const found = JSON.parse(readFileSync(path, "utf8")) as { fingerprint: string; files?: typeof files };
    if (found.fingerprint === fingerprint) return;
    const edited = files.find(({ name, sha256 }) => found.files?.some((f) => f.name === name && f.sha256 !== sha256));
    if (!force)
      throw new UserError(
        `--out ${out}: holds a run of another recipe or other inputs${edited ? ` (${edited.name} has changed)` : ""}; choose another folder, or --force to throw that run away`,
      );
    for (const name of RESULTS) rmSync(join(out, name), { recursive: true, force: true });
  }
  mkdirSync(out, { recursive: true });
  writeWhole(path, `${JSON.stringify({ fingerprint, files, recipe }, null, 1)}\n`);
}

function hashOf(path: string): string {
  const hash = createHash("sha256");
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
  return hash.digest("hex");
}

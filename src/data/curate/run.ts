/**
 * @file Web text from files to documents by language, with the ledger: documents by themselves first (chunks.ts), then near
 * duplicates and repeated passages among those that are left, within each language, as the paper does.
 *
 * `out` holds documents/LANGUAGE.jsonl, ledger.jsonl, summary.json, recipe.json, report.html, and chunks/ to go on from.
 */
import { createHash } from "node:crypto";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { basename, join } from "node:path";
import type { Tokenizer } from "../../tokenizer/bpe.ts";
import { UserError } from "../../util/assert.ts";
import { writeWhole } from "../../util/runDir.ts";
import { makeDuplicateFinder } from "../dedup/duplicates.ts";
import { cutRepeats, isWorthKeeping, tokenEnds } from "../dedup/substring.ts";
import { codePoints } from "../rules/pythonText.ts";
import { type ChunkOptions, judgeChunks, readChunks } from "./chunks.ts";
import { STAGES } from "./judge.ts";
import { countStages, type LedgerLine } from "./ledger.ts";
import type { Recipe } from "./recipe.ts";
import { writeCurationReport } from "./report.ts";

export interface CurateOptions extends Omit<ChunkOptions, "folder"> {
  out: string;
  /** Of which tokens repeated passages are made; UTF-8 bytes otherwise. */
  tokenizer?: Tokenizer;
}

export interface Summary {
  stages: ReturnType<typeof countStages>;
  languages: Record<string, { documents: number; characters: number }>;
  recipe: Recipe;
  inputs: { name: string; bytes: number }[];
}

/** Runs the recipe over the inputs; goes on from where an earlier run of the same recipe and inputs stopped. */
export async function curate({ out, tokenizer, ...options }: CurateOptions): Promise<Summary> {
  const { inputs, recipe } = options;
  claimFolder(out, inputs, recipe);
  const chunks = await judgeChunks({ ...options, folder: out });

  const dropped = findDuplicates(out, chunks, recipe);
  const cut = cutPassages(out, chunks, recipe, dropped, tokenizer);
  const documents = new Files(join(out, "documents"), recipe.languages);
  const ledger = new Files(out, ["ledger"]);
  const languages: Summary["languages"] = {};
  const lines: LedgerLine[] = [];
  let number = 0;
  for (const { line, text } of readChunks(out, chunks)) {
    let kept = text;
    if (text !== null) {
      const duplicate = dropped.get(number);
      const passages = cut.get(number);
      if (duplicate) {
        Object.assign(line, {
          outcome: "dropped",
          stage: "minHash",
          reason: "minHash.duplicate",
          duplicateOf: duplicate,
        });
        kept = null;
      } else if (passages) {
        line.cuts = passages.cuts;
        kept = passages.text;
        if (kept === null)
          Object.assign(line, { outcome: "dropped", stage: "substring", reason: "substring.tooLittleLeft" });
      }
      number++;
    }
    if (kept !== null) {
      const { id, url, language } = line;
      documents.write(language!, JSON.stringify({ id, text: kept, language, url }));
      languages[language!] ??= { documents: 0, characters: 0 };
      languages[language!].documents++;
      languages[language!].characters += codePoints(kept);
    }
    ledger.write("ledger", JSON.stringify(line));
    lines.push({ ...line, measures: [] });
  }
  documents.close();
  ledger.close();
  const summary: Summary = {
    stages: countStages(lines, STAGES),
    languages: Object.fromEntries(Object.entries(languages).sort()),
    recipe,
    inputs: inputs.map((path) => ({ name: basename(path), bytes: statSync(path).size })),
  };
  writeWhole(join(out, "summary.json"), `${JSON.stringify(summary, null, 1)}\n`);
  writeCurationReport(out);
  return summary;
}

/** A folder is of one recipe and one list of inputs. @throws UserError for another's, or when files cannot be read. */
function claimFolder(out: string, inputs: readonly string[], recipe: Recipe) {
  const sizes = inputs.map((path) => {
    try {
      return `${basename(path)} ${statSync(path).size}`;
    } catch (error) {
      throw new UserError(`${path}: cannot be read (${(error as NodeJS.ErrnoException).code})`);
    }
  });
  const names = new Set(inputs.map((path) => basename(path)));
  if (names.size < inputs.length)
    throw new UserError("two inputs have the same file name; rename one: documents are named after their file");
  const text = JSON.stringify({ recipe, inputs: sizes }, null, 1);
  const fingerprint = createHash("sha256").update(text).digest("hex");
  const path = join(out, "recipe.json");
  if (!existsSync(path)) {
    if (existsSync(out) && statSync(out).isDirectory() === false)
      throw new UserError(`--out ${out}: is a file; expected a folder`);
    mkdirSync(out, { recursive: true });
    writeWhole(path, `${JSON.stringify({ fingerprint, inputs: sizes, recipe }, null, 1)}\n`);
    return;
  }
  const found = JSON.parse(readFileSync(path, "utf8")) as { fingerprint: string };
  if (found.fingerprint !== fingerprint)
    throw new UserError(`--out ${out}: holds a run of another recipe or other inputs; choose another folder`);
}

/** The documents that have a text after the stages of chunks.ts, numbered. */
function* keptSoFar(folder: string, chunks: number): Generator<{ number: number; line: LedgerLine; text: string }> {
  let number = 0;
  for (const { line, text } of readChunks(folder, chunks)) if (text !== null) yield { number: number++, line, text };
}

type Dropped = Map<number, NonNullable<LedgerLine["duplicateOf"]>>;

/** By the document's number among those that were kept so far. */
function findDuplicates(folder: string, chunks: number, { minHash }: Recipe): Dropped {
  const dropped: Dropped = new Map();
  if (!minHash) return dropped;
  const finder = makeDuplicateFinder({ ...minHash, hash: "xxh64", draw: "allThenAll" });
  const ids: string[] = [];
  for (const { line, text } of keptSoFar(folder, chunks)) {
    finder.add(text, line.language!);
    ids.push(line.id);
  }
  for (const { document, of, similarity, how } of finder.find())
    dropped.set(document, { id: ids[of], similarity, how });
  return dropped;
}

interface CutDocument {
  /** Null: too little is left. */
  text: string | null;
  cuts: NonNullable<LedgerLine["cuts"]>;
}

function cutPassages(folder: string, chunks: number, recipe: Recipe, dropped: Dropped, tokenizer?: Tokenizer) {
  const result = new Map<number, CutDocument>();
  if (!recipe.substring) return result;
  const languages = new Set<string>();
  for (const { line } of keptSoFar(folder, chunks)) languages.add(line.language!);
  for (const language of languages) {
    const documents: { number: number; id: string; text: string }[] = [];
    for (const { number, line, text } of keptSoFar(folder, chunks))
      if (line.language === language && !dropped.has(number)) documents.push({ number, id: line.id, text });
    const tokenized = documents.map(({ text }) => {
      const ids = tokenizer ? tokenizer.encode(text) : [...Buffer.from(text)];
      const ends = tokenizer ? tokenEnds(ids, tokenizer.tokenBytes) : Uint32Array.from(ids, (_, i) => i + 1);
      return { text, ids, ends };
    });
    cutRepeats(tokenized, recipe.substring).forEach((found, i) => {
      if (found.cuts.length === 0) return;
      const cuts = found.cuts.map(({ from, to, first }) => ({ from, to, firstIn: documents[first.document].id }));
      result.set(documents[i].number, { text: isWorthKeeping(found) ? found.text : null, cuts });
    });
  }
  return result;
}

/** Files of lines that are written beside their places and renamed together at the end. */
class Files {
  private readonly open = new Map<string, { file: number; lines: string[] }>();
  constructor(
    private readonly folder: string,
    names: readonly string[],
  ) {
    mkdirSync(folder, { recursive: true });
    for (const name of names) rmSync(this.path(name), { force: true });
  }

  private path = (name: string) => join(this.folder, `${name}.jsonl`);

  write(name: string, line: string) {
    const entry = this.open.get(name) ?? { file: openSync(`${this.path(name)}.partial`, "w"), lines: [] };
    this.open.set(name, entry);
    entry.lines.push(`${line}\n`);
    if (entry.lines.length >= 256) this.flush(entry);
  }

  private flush(entry: { file: number; lines: string[] }) {
    writeSync(entry.file, entry.lines.join(""));
    entry.lines = [];
  }

  close() {
    for (const [name, entry] of this.open) {
      this.flush(entry);
      closeSync(entry.file);
      renameSync(`${this.path(name)}.partial`, this.path(name));
    }
  }
}

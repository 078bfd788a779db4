/**
 * The committed corpus: real text in the 29 languages from packages on npm, with its manifest and its facts.
 * Built by `npm run corpus:build` (scripts/corpus); described in docs/corpus.md, licences in corpus/NOTICE.md.
 *
 *     const records = loadCorpus().filter((record) => record.split === "train");
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliDecompressSync, constants } from "node:zlib";
import { UserError } from "../util/assert.ts";
import type { CorpusRecord, Split } from "./document.ts";
import type { Language } from "./languages.ts";

/** Where the committed corpus lies: next to `src/`. */
export const CORPUS_DIRECTORY = new URL("../../corpus/", import.meta.url);

export const CORPUS_FORMAT_VERSION = 1;

/** One file of the corpus; a compressed one (`.br`) also has the hash of what is inside. */
export interface CorpusFile {
  path: string;
  bytes: number;
  sha256: string;
  uncompressed?: { bytes: number; sha256: string };
  records?: number;
}

export interface CorpusSource {
  package: string;
  version: string;
  /** SPDX identifier. */
  licence: string;
  file: string;
  records: number;
  characters: number;
}

export interface TextCounts {
  records: number;
  /** Unicode code points. */
  characters: number;
  /** Messages, article paragraphs and generated texts whose English has at least four words. */
  sentences: number;
}

export interface CorpusManifest {
  formatVersion: number;
  files: CorpusFile[];
  sources: CorpusSource[];
  languages: Record<Language, Record<Split, TextCounts>>;
  /** How many texts (or records) were left out, by reason. */
  dropped: Record<string, number>;
}

/** What is true of one territory; codes are those of the CLDR keys (`currency/JPY`, `language/ja`). */
export interface TerritoryFacts {
  /** The only currency in use; absent where there are several. */
  currency?: string;
  officialLanguages: string[];
  /** `names` holds translations that differ from the English name; `zone` is the key `city/<zone>` in the corpus. */
  capital?: { english: string; zone?: string; names?: Partial<Record<Language, string>> };
}

export interface Facts {
  formatVersion: number;
  sources: { package: string; version: string; licence: string }[];
  territories: Record<string, TerritoryFacts>;
}

/** All records of the corpus in `directory`, verified against its manifest; sorted by source and key in each file. */
export function loadCorpus(directory: string | URL = CORPUS_DIRECTORY): CorpusRecord[] {
  const shards = loadManifest(directory).files.filter((file) => file.uncompressed);
  return shards.flatMap((shard) => readLines(readVerified(directory, shard).toString("utf8")));
}

/** The facts about territories (currency, capital, official languages) that go with the CLDR names. */
export function loadFacts(directory: string | URL = CORPUS_DIRECTORY): Facts {
  const file = loadManifest(directory).files.find(({ path }) => path === "facts.json");
  if (!file) throw corpusError("facts.json", "is not in the manifest", "an entry for it");
  return JSON.parse(readVerified(directory, file).toString("utf8"));
}

export function loadManifest(directory: string | URL = CORPUS_DIRECTORY): CorpusManifest {
  const path = pathOf(directory, "manifest.json");
  if (!existsSync(path)) throw corpusError(path, "is missing", "the manifest of the corpus");
  let manifest: CorpusManifest;
  try {
    manifest = JSON.parse(readFileSync(path, "utf8"));
  } catch {
    throw corpusError(path, "is not JSON", "the manifest of the corpus");
  }
  if (manifest.formatVersion !== CORPUS_FORMAT_VERSION) {
    throw corpusError(path, `has format version ${manifest.formatVersion}`, `version ${CORPUS_FORMAT_VERSION}`);
  }
  return manifest;
}

/** SPDX identifier of the licence that the texts of `source` (a record's `source`) are under. */
export function licenceOf(source: string, manifest: CorpusManifest = loadManifest()): string {
  const entry = manifest.sources.find((candidate) => candidate.package === source);
  if (!entry) throw new UserError(`Unknown corpus source "${source}": expected one of the packages in manifest.json`);
  return entry.licence;
}

/** The (decompressed) content of one file, or a UserError if it is not what the manifest says. */
function readVerified(directory: string | URL, file: CorpusFile): Buffer {
  const path = pathOf(directory, file.path);
  if (!existsSync(path)) throw corpusError(path, "is missing", `${file.bytes} bytes`);
  const raw = readFileSync(path);
  if (raw.length !== file.bytes) throw corpusError(path, `has ${raw.length} bytes`, `${file.bytes}`);
  const found = sha256(raw);
  if (found !== file.sha256) throw corpusError(path, `is corrupted: sha256 ${found}`, file.sha256);
  if (!file.uncompressed) return raw;
  const content = brotliDecompressSync(raw, { params: { [constants.BROTLI_DECODER_PARAM_LARGE_WINDOW]: 1 } });
  const inside = sha256(content);
  if (inside !== file.uncompressed.sha256) {
    throw corpusError(path, `decompresses to sha256 ${inside}`, file.uncompressed.sha256);
  }
  return content;
}

function readLines(jsonl: string): CorpusRecord[] {
  return jsonl
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}

const sha256 = (data: Buffer) => createHash("sha256").update(data).digest("hex");

const pathOf = (directory: string | URL, file: string) =>
  join(directory instanceof URL ? fileURLToPath(directory) : directory, file);

const corpusError = (path: string, problem: string, expected: string) =>
  new UserError(
    `Corpus: ${path} ${problem}, expected ${expected}; restore it (git checkout corpus) or npm run corpus:build`,
  );

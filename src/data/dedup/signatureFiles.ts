/**
 * @file MinHash signatures in datatrove's files, and duplicates from them with the memory of one band: for each band a
 * folder `bucket_000` with a file `00000.minhash.sig` for each source (rank), whose records (the band's values, then the
 * document's number in its source, little-endian) are sorted. datatrove's later stages read ours, and ours its.
 * Use one folder for each language.
 */
import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, writeSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../util/assert.ts";
import { eachCandidate, makeClusters } from "./lsh.ts";
import { type MinHashConfig, makeMinHasher, wordsPerValue } from "./minHash.ts";

const digits = (n: number, width: number) => String(n).padStart(width, "0");
const fileOf = (folder: string, band: number, rank: number) =>
  join(folder, `bucket_${digits(band, 3)}`, `${digits(rank, 5)}.minhash.sig`);

/** 32-bit words of records that are held before they are written to the files of their bands. */
const HELD = 2 ** 20;

export interface SignatureWriter {
  /** @returns undefined, or for a text without a signature the key of {@link MinHasher.sign}. */
  add(text: string, language: string): string | undefined;
  /** Sorts the records and puts the files in their places. */
  close(): void;
}

/** Writes the signatures of the documents of one source. A file that is there is whole: it is renamed when it is. */
export function writeSignatures(folder: string, rank: number, config: MinHashConfig): SignatureWriter {
  const hasher = makeMinHasher(config);
  const signature = new Uint32Array(hasher.length);
  const values = config.rows * wordsPerValue(config.hash);
  const record = values + 1;
  const batch = Math.max(1, Math.floor(HELD / (config.bands * record))); // documents
  const bands = Array.from({ length: config.bands }, (_, band) => {
    mkdirSync(join(folder, `bucket_${digits(band, 3)}`), { recursive: true });
    const path = fileOf(folder, band, rank);
    return { path, file: openSync(`${path}.partial`, "w+"), records: new Uint32Array(batch * record) };
  });
  let [document, held] = [0, 0];
  const flush = () => {
    for (const { file, records } of bands) writeAll(file, records.subarray(0, held * record));
    held = 0;
  };
  return {
    add: (text, language) => {
      const key = hasher.sign(text, language, signature, 0);
      if (key === undefined) {
        bands.forEach(({ records }, band) => {
          records.set(signature.subarray(band * values, (band + 1) * values), held * record);
          records[held * record + values] = document;
        });
        if (++held === batch) flush();
      }
      document++;
      return key;
    },
    close: () => {
      flush();
      for (const { path, file } of bands) {
        const sorted = sortRecords(readRecords(`${path}.partial`, record), record, wordsPerValue(config.hash));
        writeAll(file, sorted, 0);
        fsyncSync(file);
        closeSync(file);
        renameSync(`${path}.partial`, path);
      }
    },
  };
}

function writeAll(file: number, data: Uint32Array, position: number | null = null): void {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  let at = 0;
  while (at < bytes.length)
    at += writeSync(file, bytes, at, bytes.length - at, position === null ? null : position + at);
}

function readRecords(path: string, record: number): Uint32Array {
  const bytes = readFileSync(path);
  if (bytes.length % (4 * record) !== 0)
    throw new UserError(
      `${path}: has ${bytes.length} bytes, expected a multiple of ${4 * record}; it was cut off: remove it and sign its source again`,
    );
  return new Uint32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}

/** Sorted by the values, then the document: as numpy sorts structures of unsigned numbers. */
function sortRecords(data: Uint32Array, record: number, valueWords: number): Uint32Array {
  const order = Uint32Array.from({ length: data.length / record }, (_, i) => i);
  order.sort((a, b) => {
    const [x, y] = [a * record, b * record];
    for (let i = 0; i < record - 1; i += valueWords)
      for (let word = valueWords - 1; word >= 0; word--)
        if (data[x + i + word] !== data[y + i + word]) return data[x + i + word] - data[y + i + word];
    return a - b; // records are written in the order of their documents
  });
  const out = new Uint32Array(data.length);
  order.forEach((from, to) => {
    out.set(data.subarray(from * record, (from + 1) * record), to * record);
  });
  return out;
}

/** The rows of a file in the order of their documents' numbers, each of which is there once. */
function byDocument(data: Uint32Array, record: number): Int32Array {
  let most = -1;
  for (let at = record - 1; at < data.length; at += record) if (data[at] > most) most = data[at];
  const rowOf = new Int32Array(most + 1).fill(-1);
  for (let at = record - 1; at < data.length; at += record) rowOf[data[at]] = (at + 1) / record - 1;
  return rowOf.filter((row) => row >= 0);
}

/** A document of a source. */
export interface SourceDocument {
  rank: number;
  document: number;
}

export type SourceDuplicate = { document: SourceDocument; of: SourceDocument; similarity: number };

/**
 * The duplicates in a folder of signatures; the survivor is the first document of the lowest rank. Reads each band
 * twice: for the clusters and, where there are duplicates, for their similarity.
 */
export function findInFiles(folder: string, config: MinHashConfig): SourceDuplicate[] {
  const record = config.rows * wordsPerValue(config.hash) + 1;
  const ranks = readdirSync(join(folder, "bucket_000"))
    .flatMap((name) => /^(\d+)\.minhash\.sig$/.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);
  /** All records of one band in the order of rank and document. */
  const readBand = (band: number) => {
    const files = ranks.map((rank) => {
      const data = readRecords(fileOf(folder, band, rank), record);
      const order = byDocument(data, record);
      if (order.length !== data.length / record)
        throw new UserError(`${fileOf(folder, band, rank)}: has a document twice; remove it and sign its source again`);
      return { data, order };
    });
    const all = new Uint32Array(files.reduce((sum, { data }) => sum + data.length, 0));
    let at = 0;
    for (const { data, order } of files)
      for (const row of order) for (let i = row * record; i < (row + 1) * record; i++) all[at++] = data[i]; // a view for each takes longer
    return { all, counts: files.map(({ data }) => data.length / record) };
  };

  const { all, counts } = readBand(0);
  const count = all.length / record;
  const documents = Uint32Array.from({ length: count }, (_, i) => all[(i + 1) * record - 1]);
  const rankOf = counts.flatMap((n, i) => Array<number>(n).fill(ranks[i]));
  const clusters = makeClusters(count);
  for (let band = 0; band < config.bands; band++) {
    const { all: data, counts: found } = readBand(band);
    if (found.some((n, i) => n !== counts[i]))
      throw new UserError(`${folder}: bucket ${band} has ${found} records, bucket 0 ${counts}; sign the sources again`);
    eachCandidate({ data, offset: 0, stride: record, words: record - 1, count }, (earlier, later) => {
      clusters.join(earlier, later);
      return true;
    });
  }
  const dropped = Array.from({ length: count }, (_, i) => i).filter((i) => clusters.find(i) !== i);
  const equal = new Uint32Array(dropped.length);
  for (let band = 0; band < config.bands && dropped.length > 0; band++) {
    const { all: data } = readBand(band);
    const step = wordsPerValue(config.hash);
    dropped.forEach((i, at) => {
      const [x, y] = [i * record, clusters.find(i) * record];
      for (let j = 0; j < record - 1; j += step)
        if (data[x + j] === data[y + j] && (step === 1 || data[x + j + 1] === data[y + j + 1])) equal[at]++;
    });
  }
  const named = (i: number): SourceDocument => ({ rank: rankOf[i], document: documents[i] });
  return dropped.map((i, at) => ({
    document: named(i),
    of: named(clusters.find(i)),
    similarity: equal[at] / (config.bands * config.rows),
  }));
}

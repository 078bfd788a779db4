/** @file What the tests of deduplication share: golden values and texts of the committed corpus. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { brotliDecompressSync, constants } from "node:zlib";
import { CORPUS_DIRECTORY } from "../../../src/data/corpus.ts";
import type { CorpusRecord } from "../../../src/data/document.ts";

const read = (name: string) =>
  JSON.parse(readFileSync(new URL(`../../fixtures/data/dedup/${name}.json`, import.meta.url), "utf8"));

/** Public vectors. */
export const vectors = read("vectors");
/** What datatrove and datasketch give for texts of the corpus (make.py). */
export const golden = read("datatrove");

export const sha256 = (data: string | Uint8Array) => createHash("sha256").update(data).digest("hex");

/** One file of the corpus: all of it takes longer than some of these tests. */
export function recordsIn(file: string): CorpusRecord[] {
  const params = { [constants.BROTLI_DECODER_PARAM_LARGE_WINDOW]: 1 };
  const text = brotliDecompressSync(readFileSync(new URL(file, CORPUS_DIRECTORY)), { params }).toString("utf8");
  return text.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line)]));
}

/** [source, key, language, text] of every long text, in the order of the corpus. */
export const longTexts = recordsIn("records-documents.jsonl.br").flatMap(({ source, key, text }) =>
  Object.entries(text).map(([language, one]) => [source, key, language, one] as const),
);
export const english = longTexts.filter(([, , language]) => language === "en").map(([, , , text]) => text);
export const longText = (source: string, key: string, language: string) =>
  longTexts.find((text) => text[0] === source && text[1] === key && text[2] === language)![3];

/** @file What the tests of deduplication share: golden values and texts of the committed corpus. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { loadCorpus } from "../../../src/data/corpus.ts";

const read = (name: string) =>
  JSON.parse(readFileSync(new URL(`../../fixtures/data/dedup/${name}.json`, import.meta.url), "utf8"));

/** Public vectors. */
export const vectors = read("vectors");
/** What datatrove and datasketch give for texts of the corpus (make.py). */
export const golden = read("datatrove");

export const sha256 = (data: string | Uint8Array) => createHash("sha256").update(data).digest("hex");

export const records = loadCorpus();
/** [source, key, language, text] of every long text, in the order of the corpus. */
export const longTexts = records
  .filter(({ kind }) => kind === "document")
  .flatMap(({ source, key, text }) => Object.entries(text).map(([lang, one]) => [source, key, lang, one] as const));
export const english = longTexts.filter(([, , language]) => language === "en").map(([, , , text]) => text);
export const longText = (source: string, key: string, language: string) =>
  longTexts.find((text) => text[0] === source && text[1] === key && text[2] === language)![3];

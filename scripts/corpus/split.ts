/**
 * Which split a record is in, and what must leave the held-out splits because training has it. Pure functions.
 */
import { createHash } from "node:crypto";
import type { CorpusRecord, RecordKind, Split } from "../../src/data/document.ts";
import type { Language } from "../../src/data/languages.ts";
import { gist } from "./clean.ts";

/** A cleaned record that does not know its split yet. */
export type Unsplit = Omit<CorpusRecord, "split"> & { group?: string };

/** Share of the keys in validation, and as much again in test. */
export const HELD_OUT_RATIO = 0.03;

/** Share of the Declaration's paragraphs in validation, and as much again in test. */
export const HELD_OUT_ARTICLE_RATIO = 0.1;

/** Uniform in [0, 1), a function of `text` alone. */
export const hashRatio = (text: string): number => createHash("sha256").update(text).digest().readUInt32BE(0) / 2 ** 32;

/**
 * Gives every record a split, by hash and never by order. Records of one kind whose English texts have the same gist
 * and records of one group are linked, and linked records get the same split, by the hash of the first of their names.
 */
export function assignSplits(records: Unsplit[]): CorpusRecord[] {
  const links = new Map<string, string>();
  const root = (name: string): string => {
    let at = name;
    while (links.has(at)) at = links.get(at)!;
    return at;
  };
  const names = records.map((record) => {
    const english = `${record.kind} ${gist(record.text.en!)}`;
    const group = record.group ? `${record.kind} group ${record.group}` : english;
    const [first, second] = [root(english), root(group)].sort();
    if (first !== second) links.set(second, first);
    return english;
  });
  const articles = articleSplits(names.filter((_, i) => isArticle(records[i])).map(root));
  return records.map(({ group: _, ...record }, i) => {
    const name = root(names[i]);
    const split = record.kind === "article" ? (articles.get(name) ?? "train") : splitAt(hashRatio(name));
    return { ...record, split };
  });
}

const isArticle = (record: Unsplit) => record.kind === "article" && record.key.startsWith("article/");

/**
 * Splits of articles, given the article of each paragraph: in the order of their hashes, articles go to test or else to
 * validation as long as its share of the paragraphs has room for them; the rest is for training.
 */
function articleSplits(paragraphs: string[]): Map<string, Split> {
  const share = Math.round(HELD_OUT_ARTICLE_RATIO * paragraphs.length);
  const room = { test: share, validation: share };
  const splits = new Map<string, Split>();
  for (const article of [...new Set(paragraphs)].sort((a, b) => hashRatio(a) - hashRatio(b))) {
    const size = paragraphs.filter((paragraph) => paragraph === article).length;
    const split = (["test", "validation"] as const).find((candidate) => size <= room[candidate]);
    if (!split) continue;
    room[split] -= size;
    splits.set(article, split);
  }
  return splits;
}

function splitAt(ratio: number): Split {
  if (ratio < HELD_OUT_RATIO) return "test";
  return ratio < 2 * HELD_OUT_RATIO ? "validation" : "train";
}

/**
 * Removes from the held-out records what training has in the same language: from documents the lines, from messages,
 * articles and generated texts the whole text. Names stay: their truth is by key. Counts what it removed in `drop`.
 */
export function removeLeaks(records: CorpusRecord[], drop: (reason: string) => void): CorpusRecord[] {
  const seen = new Set<string>();
  for (const record of records) {
    if (record.split === "train") for (const [language, text] of texts(record)) addLines(seen, language, text);
  }
  return records.flatMap((record) => {
    if (record.split === "train" || record.kind === "name") return [record];
    const kept: CorpusRecord["text"] = {};
    for (const [language, text] of texts(record)) {
      const lines = text.split("\n");
      const fresh = lines.filter((line) => !seen.has(`${language} ${gist(line)}`));
      if (fresh.length < lines.length)
        drop(record.kind === "document" ? "held-out line is in train" : "held-out text is in train");
      if (fresh.length === lines.length || (record.kind === "document" && fresh.length > 0)) {
        kept[language] = fresh.join("\n");
      }
    }
    return kept.en && Object.keys(kept).length > 1 ? [{ ...record, text: kept }] : [];
  });
}

function addLines(seen: Set<string>, language: Language, text: string): void {
  for (const line of text.split("\n")) seen.add(`${language} ${gist(line)}`);
}

export const texts = (record: { text: CorpusRecord["text"] }) => Object.entries(record.text) as [Language, string][];

/** Removes texts that an earlier record of the same kind and English text already has; names are exempt. */
export function removeDuplicates(records: Unsplit[], drop: (reason: string) => void): Unsplit[] {
  const seen = new Set<string>();
  return records.flatMap((record) => {
    if (record.kind === "name" || record.kind === "generated") return [record];
    const english = `${record.kind} ${gist(record.text.en!)}`;
    const kept: CorpusRecord["text"] = { en: record.text.en };
    for (const [language, text] of texts(record)) {
      const pair = `${english} ${language} ${text}`;
      if (language === "en") continue;
      if (seen.has(pair)) drop("duplicate translation");
      else kept[language] = text;
      seen.add(pair);
    }
    return Object.keys(kept).length > 1 ? [{ ...record, text: kept }] : [];
  });
}

export const isSentence = (kind: RecordKind, english: string): boolean =>
  kind !== "name" && kind !== "document" && english.split(/\s+/).length >= 4;

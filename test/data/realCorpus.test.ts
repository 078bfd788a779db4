import { beforeAll, describe, expect, it } from "vitest";
import { loadCorpus, loadFacts } from "../../src/data/corpus.ts";
import type { CorpusRecord, Document } from "../../src/data/document.ts";
import { itemText, makeKnowledgeItems } from "../../src/data/knowledge.ts";
import { LANGUAGES } from "../../src/data/languages.ts";
import { STREAM_NAMES, type StreamName } from "../../src/data/mixture.ts";
import { makePreferences } from "../../src/data/preferences.ts";
import { makeChatExamples } from "../../src/data/sft.ts";
import { makeStreams } from "../../src/data/streams.ts";
import { makeMultipleChoice, translationPairs } from "../../src/eval/tasks/index.ts";
import { groupBy } from "../../src/util/arrays.ts";

describe("the committed corpus", () => {
  const facts = loadFacts();
  let records: CorpusRecord[];
  let streams: Record<StreamName, Document[]>;
  let lines: Set<string>;

  beforeAll(() => {
    records = loadCorpus();
    streams = makeStreams(records, facts, { seed: 1 });
    lines = new Set(STREAM_NAMES.flatMap((name) => streams[name].flatMap(({ text }) => text.split("\n"))));
  }, 60_000);

  it("fills every stream", () => {
    for (const name of STREAM_NAMES) {
      const characters = streams[name].reduce((n, { text }) => n + text.length, 0);
      expect(characters, name).toBeGreaterThan(50_000);
    }
  });

  it("is not contaminated: no test item and no side of a translation pair is a line of a stream", () => {
    const seen = makeKnowledgeItems(records, facts, "test").filter((item) => lines.has(itemText(item)));
    expect(seen).toEqual([]);
    const directions = LANGUAGES.filter((language) => language !== "en").map((language) => ["en", language] as const);
    for (const { target, pairs } of translationPairs(records, directions, 50, 1)) {
      expect(pairs.length, target).toBeGreaterThan(5);
      for (const { source, reference } of pairs) {
        expect(lines.has(source), source).toBe(false);
        expect(lines.has(reference), reference).toBe(false);
      }
    }
  });

  it("gives questions in every language, with a right answer among different choices", () => {
    const items = makeMultipleChoice(records, facts, { seed: 1, perLanguage: 20, shots: 2 });
    expect(new Set(items.map(({ language }) => language)).size).toBe(29);
    for (const [task, group] of groupBy(items, (item) => item.task)) {
      if (task !== "capital")
        expect(new Set(group.map(({ language }) => language)).size, task).toBeGreaterThanOrEqual(23);
      for (const { choices, answer } of group) {
        expect(new Set(choices).size).toBe(choices.length);
        expect(choices[answer]).toBeDefined();
      }
    }
  });

  it("gives chat examples and preference pairs in every language", () => {
    const examples = makeChatExamples(records, facts, { seed: 1, split: "train", perTaskAndLanguage: 10 });
    expect(new Set(examples.map(({ language }) => language)).size).toBe(29);
    const pairs = makePreferences(records, facts, { seed: 1, split: "train", perCorruptionAndLanguage: 4 });
    expect(pairs.filter(({ chosen, rejected }) => chosen === rejected || rejected === "")).toEqual([]);
    const byCorruption = groupBy(pairs, ({ corruption }) => corruption);
    for (const group of byCorruption.values()) expect(group.length).toBeGreaterThanOrEqual(28 * 4 - 20);
  });
});

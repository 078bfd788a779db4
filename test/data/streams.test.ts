import { describe, expect, it } from "vitest";
import { itemText, makeKnowledgeItems } from "../../src/data/knowledge.ts";
import { STREAM_NAMES } from "../../src/data/mixture.ts";
import { makeMonolingualDocuments, makeStreams } from "../../src/data/streams.ts";
import { miniCorpus, miniFacts } from "./miniCorpus.ts";

const streams = makeStreams(miniCorpus, miniFacts, { seed: 1 });

describe("streams", () => {
  it("are all there and the same for the same seed", () => {
    expect(Object.keys(streams).sort()).toEqual([...STREAM_NAMES].sort());
    for (const name of STREAM_NAMES) expect(streams[name].length).toBeGreaterThan(0);
    expect(makeStreams(miniCorpus, miniFacts, { seed: 1 })).toEqual(streams);
  });

  it("hold no text of a validation or test record", () => {
    const lines = new Set(STREAM_NAMES.flatMap((name) => streams[name].flatMap(({ text }) => text.split("\n"))));
    const text = [...lines].join("\n");
    for (const record of miniCorpus) {
      if (record.split === "train" || record.kind === "name" || record.kind === "generated") continue;
      for (const held of Object.values(record.text)) expect(text.includes(held)).toBe(false);
    }
  });

  it("hold no line of the test items", () => {
    const lines = new Set(STREAM_NAMES.flatMap((name) => streams[name].flatMap(({ text }) => text.split("\n"))));
    const seen = makeKnowledgeItems(miniCorpus, miniFacts, "test").filter((item) => lines.has(itemText(item)));
    expect(seen).toEqual([]);
  });

  it("keep to the bound of characters", () => {
    const bounded = makeStreams(miniCorpus, miniFacts, { seed: 1, maxCharacters: 2000 });
    for (const name of STREAM_NAMES) {
      expect(bounded[name]).toEqual(streams[name].slice(0, bounded[name].length));
      expect(bounded[name].reduce((n, { text }) => n + text.length, 0)).toBeLessThanOrEqual(2000);
    }
  });
});

describe("monolingual documents", () => {
  it("join neighbouring messages of a source until they have 600 characters, prose and names in turn", () => {
    const train = miniCorpus.filter(({ split }) => split === "train");
    const documents = makeMonolingualDocuments(train, "de", 1);
    const messages = documents.filter(({ id }) => id.startsWith("de/app/"));
    const first = messages.find(({ id }) => id === "de/app/0")!.text.split("\n");
    expect(first[0]).toBe("Please open face0de and then read many files of part 0 in de");
    expect(first[1]).toBe("Please open face1de and then read {count} files of part 1 in de");
    expect(first.join("").length).toBeGreaterThanOrEqual(600);
    expect(first.slice(0, -1).join("").length).toBeLessThan(600);
    // 72 of the 120 messages are for training, and none is lost
    expect(messages.flatMap(({ text }) => text.split("\n"))).toHaveLength(72);
    expect(documents.slice(0, 4).map(({ id }) => /cldr/.test(id))).toEqual([false, true, false, true]);
  });
});

import { describe, expect, it } from "vitest";
import { CORRUPTIONS, makePreferences } from "../../src/data/preferences.ts";
import { makeChatExamples } from "../../src/data/sft.ts";
import { groupBy } from "../../src/util/arrays.ts";
import { miniCorpus, miniFacts } from "./miniCorpus.ts";

const splitOf = new Map(miniCorpus.map(({ source, key, split }) => [`${source}/${key}`, split]));

describe("chat examples", () => {
  const make = (split: "train" | "test") =>
    makeChatExamples(miniCorpus, miniFacts, { seed: 3, split, perTaskAndLanguage: 4 });
  const examples = make("train");

  it("ask in English and answer with the reference", () => {
    const texts = (task: string) =>
      examples.filter((e) => e.task === task && e.language === "de").map((e) => e.messages.map((m) => m.content));
    for (const [question, answer] of texts("numbers")) {
      const number = /^Write this number in words in German: (\d+)$/.exec(question)![1];
      expect(answer).toBe(`number ${number} de`);
    }
    for (const [question, answer] of texts("completion")) {
      const start = question.replace("Complete this sentence in German: ", "");
      expect(miniCorpus.some(({ text }) => text.de === `${start} ${answer}`)).toBe(true);
    }
    for (const [question, answer] of texts("translation")) {
      const [, source, target, input] = /^Translate the text from (\w+) to (\w+):\n(.*)$/.exec(question)!;
      expect([source, target].sort()).toEqual(["English", "German"]);
      const [from, to] = source === "German" ? (["de", "en"] as const) : (["en", "de"] as const);
      expect(miniCorpus.find(({ text }) => text[from] === input)!.text[to]).toBe(answer);
    }
  });

  it("are balanced: at most four of a task in a language, tasks and languages in turn", () => {
    const groups = groupBy(examples, ({ task, language }) => `${task}/${language}`);
    for (const group of groups.values()) expect(group.length).toBe(4);
    expect(groups.size).toBe(29 * 4 + 28 + 10 * 3); // numbers cron emoji completion, translation, facts in HR
    expect(new Set(examples.slice(0, groups.size).map(({ task, language }) => `${task}/${language}`)).size).toBe(
      groups.size,
    );
  });

  it("come from keys of their split only", () => {
    for (const [split, some] of [
      ["train", examples],
      ["test", make("test")],
    ] as const) {
      for (const { task, key } of some) {
        if (task === "translation" || task === "completion") expect(splitOf.get(key)).toBe(split);
        if (task === "numbers") expect(splitOf.get(`n2words/${key}`)).toBe(split);
      }
    }
  });
});

describe("preference pairs", () => {
  const pairs = makePreferences(miniCorpus, miniFacts, { seed: 3, split: "train", perCorruptionAndLanguage: 3 });

  it("are three of each corruption in each language, where it exists, each question once", () => {
    for (const [name, group] of groupBy(pairs, ({ corruption, language }) => `${corruption}/${language}`)) {
      expect([name, group.length]).toEqual([name, 3]);
    }
    expect(new Set(pairs.map(({ corruption }) => corruption))).toEqual(new Set(CORRUPTIONS));
    const english = pairs.filter(({ language }) => language === "en").map(({ corruption }) => corruption);
    expect(new Set(english)).toEqual(new Set(["wrongLanguage", "neighbour", "truncated"])); // translations count elsewhere
    expect(new Set(pairs.map(({ prompt, language }) => language + prompt[0].content)).size).toBe(pairs.length);
  });

  it("reject what the corruption says", () => {
    for (const { corruption, chosen, rejected, prompt } of pairs) {
      expect(rejected).not.toBe(chosen);
      expect(rejected).not.toBe("");
      if (corruption === "truncated") expect(chosen.startsWith(rejected)).toBe(true);
      if (corruption === "untranslated") expect(prompt[0].content.endsWith(`\n${rejected}`)).toBe(true);
      if (corruption === "brokenPlaceholder") {
        expect(chosen).toContain("{count}");
        expect(rejected).toBe(chosen.replace("{count}", "{count"));
      }
      // Texts of the made-up corpus end in their language: another one is rejected
      if (corruption === "wrongLanguage") expect(rejected.slice(-2)).not.toBe(chosen.slice(-2));
    }
  });

  it("are the same for the same seed", () => {
    const again = (seed: number) =>
      makePreferences(miniCorpus, miniFacts, { seed, split: "train", perCorruptionAndLanguage: 3 });
    expect(again(3)).toEqual(pairs);
    expect(again(4)).not.toEqual(pairs);
  });
});

import { describe, expect, it } from "vitest";
import { makeStreams } from "../../src/data/streams.ts";
import { differingFields } from "../../src/eval/tasks/cron.ts";
import { givesAway } from "../../src/eval/tasks/facts.ts";
import { makeHeldOutTexts, makeMultipleChoice, translationPairs } from "../../src/eval/tasks/index.ts";
import { differingDigits } from "../../src/eval/tasks/numbers.ts";
import { groupBy } from "../../src/util/arrays.ts";
import { miniCorpus, miniFacts } from "../data/miniCorpus.ts";

const options = { seed: 5, perLanguage: 8, shots: 1 };
const items = makeMultipleChoice(miniCorpus, miniFacts, options);
const inLanguage = (task: string, language: string) =>
  items.filter((item) => item.task === task && item.language === language);

describe("multiple choice", () => {
  it("has one solved line before the question, in the training format", () => {
    const item = inLanguage("numbers", "ne")[0];
    expect(item.context).toMatch(/^(\d+) = number \1 ne\n(\d+) =$/);
    const number = item.context.split("\n")[1].replace(" =", "");
    expect(item.choices[item.answer]).toBe(`number ${number} ne`);
    const trained = new Set(miniCorpus.filter(({ split }) => split === "train").map((record) => record.text.ne));
    for (const choice of item.choices) expect(trained.has(choice)).toBe(false);
  });

  it("offers different choices in the item's language, and one right fact", () => {
    for (const item of items) expect(new Set(item.choices).size).toBe(item.task === "association" ? 2 : 4);
    expect(inLanguage("officialLanguage", "uk")).toHaveLength(8);
    for (const item of inLanguage("officialLanguage", "uk")) {
      const territory = Number(/Place (\d+) uk, official language =$/.exec(item.context)![1]);
      const right = [`Language ${territory} uk`, `Language ${(territory + 1) % 24} uk`]; // the second is official, too
      expect(item.choices.filter((choice) => right.includes(choice))).toEqual([right[0]]);
    }
  });

  it("balances the positions of the answers", () => {
    for (const [name, group] of groupBy(items, ({ task, language }) => `${task}/${language}`)) {
      const counts = group[0].choices.map((_, position) => group.filter(({ answer }) => answer === position).length);
      expect([name, Math.max(...counts) - Math.min(...counts)]).toEqual([name, group.length % counts.length ? 1 : 0]);
    }
  });

  it("tests each fact in LR languages, and no question of a demonstration", () => {
    expect(inLanguage("currency", "kk")).toHaveLength(8);
    const capitals = inLanguage("capital", "th");
    const [demonstration] = capitals[0].context.split("\n");
    for (const item of capitals) {
      expect(item.context.startsWith(`${demonstration}\n`)).toBe(true);
      expect(demonstration.startsWith(item.context.split("\n")[1])).toBe(false);
    }
  });

  it("never occurs in the training streams", () => {
    const streams = Object.values(makeStreams(miniCorpus, miniFacts, { seed: 1 }));
    const lines = new Set(streams.flatMap((documents) => documents.flatMap(({ text }) => text.split("\n"))));
    for (const { context, choices, answer } of items) {
      for (const line of `${context} ${choices[answer]}`.split("\n")) expect(lines.has(line)).toBe(false);
    }
  });

  it("is the same for the same seed", () => {
    expect(makeMultipleChoice(miniCorpus, miniFacts, options)).toEqual(items);
  });

  it("has every fact's answer right once in a language, so that its frequency does not help", () => {
    const facts = items.filter(({ task }) => /^(currency|capital|officialLanguage)$/.test(task));
    const right = facts.map(({ task, language, choices, answer }) => `${task}/${language}/${choices[answer]}`);
    expect(new Set(right).size).toBe(right.length);
  });

  it("asks no fact that gives itself away", () => {
    expect(givesAway("Japan", "Japanese yen")).toBe(true);
    expect(givesAway("日本", "日元")).toBe(true);
    expect(givesAway("Vanuatu", "vatu")).toBe(true); // "atu"
    expect(givesAway("Austria", "euro")).toBe(false);
    expect(givesAway("Südafrika", "Euro")).toBe(false);
  });

  it("counts the digits in which numbers differ", () => {
    expect(differingDigits("407", "417")).toBe(1);
    expect(differingDigits("407", "7")).toBe(2);
    expect(differingDigits("12", "120")).toBe(3);
  });

  it("asks for the ending of a held-out sentence, with endings of other held-out sentences", () => {
    const [item] = inLanguage("continuation", "de");
    expect(item).toBeDefined();
    const held = miniCorpus.filter(({ split }) => split === "test").map(({ text }) => text.de ?? "");
    expect(held).toContain(`${item.context} ${item.choices[item.answer]}`);
    for (const choice of item.choices) expect(held.some((text) => text.endsWith(choice))).toBe(true);
  });

  it("counts the fields in which cron expressions differ", () => {
    expect(differingFields("0 9 * * 1-5", "0 9 1 * *")).toBe(2);
  });
});

describe("translation and held-out text", () => {
  it("pairs test records, articles and messages in turn", () => {
    const [enDe, zhEn] = translationPairs(
      miniCorpus,
      [
        ["en", "de"],
        ["zh", "en"],
      ],
      6,
      1,
    );
    expect(enDe.pairs.map(({ key }) => key.split("/")[0])).toEqual(["udhr", "app", "udhr", "app", "udhr", "app"]);
    expect(zhEn.source).toBe("zh");
    for (const { source, reference, key } of zhEn.pairs) {
      const record = miniCorpus.find((r) => `${r.source}/${r.key}` === key)!;
      expect([record.split, record.text.zh, record.text.en]).toEqual(["test", source, reference]);
    }
  });

  it("holds out prose of the test split up to the bound", () => {
    const texts = makeHeldOutTexts(miniCorpus, 1500, 1);
    expect(Object.keys(texts)).toHaveLength(29);
    const [one] = texts.de!;
    for (const line of one.split("\n")) {
      expect(miniCorpus.find(({ text }) => text.de === line)!.split).toBe("test");
    }
    expect(texts.de!.join("").length).toBeLessThanOrEqual(1500);
  });
});

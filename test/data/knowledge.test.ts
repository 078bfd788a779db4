import { describe, expect, it } from "vitest";
import { heldOutLanguages, itemText, makeKnowledgeDocuments, makeKnowledgeItems } from "../../src/data/knowledge.ts";
import { HR_LANGUAGES, LR_LANGUAGES } from "../../src/data/languages.ts";
import { miniCorpus, miniFacts } from "./miniCorpus.ts";

const train = makeKnowledgeItems(miniCorpus, miniFacts, "train");
const test = makeKnowledgeItems(miniCorpus, miniFacts, "test");
const find = (task: string, key: string, language: string) =>
  [...train, ...test].filter((item) => item.task === task && item.key === key && item.language === language);

describe("knowledge items", () => {
  it("have one format: context, equals sign, answer", () => {
    expect(find("numbers", "7", "de").map(itemText)).toEqual(["7 = number 7 de"]);
    expect(find("cron", "2 0 * * *", "vi").map(itemText)).toEqual(["2 0 * * * = at 2 vi"]);
    expect(find("emoji", "1F600", "en").map(itemText)).toEqual(["😀 = face0en"]);
    expect(find("association", "1F600", "en").map(itemText)).toEqual(["key0aen, key0ben, key0cen = face0en"]); // not its name
  });

  it("share no task, key and language between train and test", () => {
    const id = (item: (typeof train)[number]) => `${item.task}/${item.key}/${item.language}`;
    const trained = new Set(train.map(id));
    expect(test.length).toBeGreaterThan(1000);
    expect(test.filter((item) => trained.has(id(item)))).toEqual([]);
    const texts = new Set(train.map(itemText));
    expect(test.filter((item) => texts.has(itemText(item)))).toEqual([]);
  });

  it("train a fact in eight HR languages and test it in the other two and in all LR languages", () => {
    const facts = (items: typeof train) => items.filter(({ task, key }) => task === "currency" && key === "T3");
    const heldOut = heldOutLanguages({ relation: "currency", territory: "T3" });
    expect(heldOut).toHaveLength(2);
    expect(facts(train).map((item) => item.language)).toEqual(HR_LANGUAGES.filter((l) => !heldOut.includes(l)));
    expect(facts(test).map((item) => item.language)).toEqual([
      ...HR_LANGUAGES.filter((l) => heldOut.includes(l)),
      ...LR_LANGUAGES,
    ]);
    expect(find("capital", "T3", "ne").map(itemText)).toEqual(["Place 3 ne, capital = City 3 ne"]);
    expect(find("officialLanguage", "T3", "ne").map(itemText)).toEqual([
      "Place 3 ne, official language = Language 3 ne",
    ]);
  });

  it("ask no fact about a name that is not in the training split", () => {
    expect([...train, ...test].filter(({ key }) => key === "T0")).toEqual([]);
  });
});

describe("knowledge documents", () => {
  const documents = makeKnowledgeDocuments(train, { seed: 1, documentsPerTask: 58, itemsPerDocument: 4 });

  it("give each task the same number, of one task and language each, in turn", () => {
    expect(documents).toHaveLength(7 * 58);
    const tasks = documents.map(({ id }) => id.split("/")[0]);
    for (let i = 0; i < documents.length; i += 7) expect(new Set(tasks.slice(i, i + 7)).size).toBe(7);
    const numbers = documents.filter(({ id }) => id.startsWith("numbers/"));
    const languages = numbers.map(({ id }) => id.split("/")[1]);
    expect(new Set(languages.slice(0, 29)).size).toBe(29);
    for (const { id, text } of numbers) {
      const [, language] = id.split("/");
      for (const line of text.split("\n")) expect(line).toMatch(new RegExp(`^(\\d+) = number \\1 ${language}$`));
    }
  });

  it("are the same for the same seed", () => {
    const again = (seed: number) => makeKnowledgeDocuments(train, { seed, documentsPerTask: 58, itemsPerDocument: 4 });
    expect(again(1)).toEqual(documents);
    expect(again(2)).not.toEqual(documents);
  });
});

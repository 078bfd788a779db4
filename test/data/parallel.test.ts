import { describe, expect, it } from "vitest";
import type { CorpusRecord } from "../../src/data/document.ts";
import {
  makeParallelDocuments,
  pairsOf,
  renderPair,
  reversed,
  TEMPLATE_NAMES,
  type TranslationPair,
  translationPrompt,
} from "../../src/data/parallel.ts";

const pair: TranslationPair = { source: "en", target: "de", input: "Save", output: "Speichern" };
const record = (key: string, text: CorpusRecord["text"]): CorpusRecord => ({
  source: "s",
  key,
  kind: "message",
  split: "train",
  text,
});

describe("templates of Table 13", () => {
  it("renders all eleven", () => {
    expect(TEMPLATE_NAMES.map((name) => renderPair(name, pair))).toEqual([
      "English phrase: Save\nGerman phrase: Speichern",
      "English text: Save\nGerman text: Speichern",
      "Translate the text from English to German:\nEnglish text: Save\nGerman text: Speichern",
      "Translate the words from English to German:\nEnglish words: Save\nGerman words: Speichern",
      "Convert the phrase from English to German:\nEnglish phrase: Save\nGerman phrase: Speichern",
      "Render the English sentence Save to German: Speichern",
      "Provide the translation of the sentence Save from English to German: Speichern",
      "Change the phrase Save to German, the translated phrase is: Speichern",
      "Please change the sentence Save to German, and the resulting translation is: Speichern",
      "Change the phrase Save to German, resulting in: Speichern",
      "The sentence Save in English means Speichern in German",
    ]);
  });

  it("never expands a slot that the text itself contains", () => {
    const tricky = { ...pair, input: "<output> $& $1", output: "<input>" };
    expect(renderPair("A", tricky)).toBe("English phrase: <output> $& $1\nGerman phrase: <input>");
    expect(translationPrompt("A", tricky)).toBe("English phrase: <output> $& $1\nGerman phrase:");
  });

  it("prompts with exactly the training text before the output", () => {
    for (const name of TEMPLATE_NAMES) {
      expect(renderPair(name, pair).startsWith(`${translationPrompt(name, pair)} Speichern`)).toBe(true);
    }
  });
});

describe("pairs", () => {
  it("are English with every language and one without English; equal texts are no pair", () => {
    const pairs = pairsOf(record("k", { en: "Email", de: "Email", fr: "Courriel", ja: "メール" }), 1);
    expect(pairs.filter((p) => p.source === "en").map((p) => p.target)).toEqual(["fr", "ja"]);
    const rest = pairs.filter((p) => p.source !== "en");
    expect(rest).toHaveLength(1);
    expect(rest[0].target).not.toBe("en");
    expect(reversed(reversed(pair))).toEqual(pair);
  });

  it("become documents of one direction, every pair once, the same for the same seed", () => {
    const records = Array.from({ length: 40 }, (_, i) => record(`k${i}`, { en: `word${i}.`, de: `Wort${i}.` }));
    const documents = makeParallelDocuments(records, { seed: 7 });
    expect(makeParallelDocuments(records, { seed: 7 })).toEqual(documents);
    expect(makeParallelDocuments(records, { seed: 8 })).not.toEqual(documents);
    const text = documents.map((d) => d.text).join("\n");
    for (let i = 0; i < 40; i++) expect(text.split(`Wort${i}.`)).toHaveLength(2);
    const directions = new Set(documents.map((d) => d.id.split("/")[0]));
    expect(directions).toEqual(new Set(["en-de", "de-en"]));
    const bounded = makeParallelDocuments(records, { seed: 7, pairsPerDocument: 1, pairsPerLanguagePair: 10 });
    expect(bounded).toHaveLength(10);
  });
});

/**
 * The evaluation sets, all from the test split: five multiple choice tasks (the facts are three), translation pairs and
 * held-out text. They stand in for the paper's Table 4; which one for which is in each file.
 */
import type { Facts } from "../../data/corpus.ts";
import type { CorpusRecord } from "../../data/document.ts";
import { makeKnowledgeItems } from "../../data/knowledge.ts";
import { LANGUAGES, type Language } from "../../data/languages.ts";
import { makeMonolingualDocuments } from "../../data/streams.ts";
import type { MultipleChoiceItem } from "../multipleChoice.ts";
import { association } from "./association.ts";
import { continuation } from "./continuation.ts";
import { cron } from "./cron.ts";
import { facts } from "./facts.ts";
import type { TaskOptions } from "./items.ts";
import { numbers } from "./numbers.ts";

export { type TranslationDirection, translationPairs, translationPrompter } from "./translation.ts";

/** Every multiple choice item. */
export function makeMultipleChoice(
  records: readonly CorpusRecord[],
  territoryFacts: Facts,
  options: TaskOptions,
): MultipleChoiceItem[] {
  const testItems = makeKnowledgeItems(records, territoryFacts, "test");
  return [
    ...numbers(records, testItems, options),
    // three times as many: there are plenty of sentences and they need no demonstrations, so a narrow interval is cheap
    ...continuation(records, { ...options, perLanguage: 3 * options.perLanguage }),
    ...cron(records, testItems, options),
    ...facts(records, territoryFacts, testItems, options),
    ...association(testItems, options),
  ];
}

/** Held-out prose of each language for bits per byte: whole documents up to `maxCharacters`, at least one. */
export function makeHeldOutTexts(
  records: readonly CorpusRecord[],
  maxCharacters: number,
  seed: number,
): Partial<Record<Language, string[]>> {
  const prose = records.filter(({ split, kind }) => split === "test" && (kind === "message" || kind === "article"));
  return Object.fromEntries(
    LANGUAGES.map((language) => {
      const texts: string[] = [];
      let length = 0;
      for (const { text } of makeMonolingualDocuments(prose, language, seed)) {
        if (length > 0 && length + text.length > maxCharacters) break;
        texts.push(text);
        length += text.length;
      }
      return [language, texts];
    }).filter(([, texts]) => texts.length > 0),
  );
}

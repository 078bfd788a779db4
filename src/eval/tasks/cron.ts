/**
 * Cron expressions, version 1: which of four explanations is that of "0 9 * * 1-5"? Keys are held out in all languages.
 * Distractors explain expressions that differ in one field, or in two where there are not enough.
 */
import type { CorpusRecord } from "../../data/document.ts";
import type { KnowledgeItem } from "../../data/knowledge.ts";
import { makeRandom } from "../../util/random.ts";
import type { MultipleChoiceItem } from "../multipleChoice.ts";
import { makeMultipleChoiceItems, type TaskOptions } from "./items.ts";

export function cron(
  records: readonly CorpusRecord[],
  testItems: readonly KnowledgeItem[],
  options: TaskOptions,
): MultipleChoiceItem[] {
  const explanations = records.filter(({ source }) => source === "cronstrue");
  const items = testItems.filter(({ task }) => task === "cron");
  return makeMultipleChoiceItems(
    items,
    4,
    ({ key, language }) => {
      const near = explanations.filter((record) => differingFields(record.key, key) <= 2);
      const nearest = makeRandom(options.seed, "cron", key)
        .shuffle(near)
        .sort((a, b) => differingFields(a.key, key) - differingFields(b.key, key));
      return nearest.flatMap(({ text }) => text[language] ?? []);
    },
    options,
  );
}

export function differingFields(a: string, b: string): number {
  const fields = b.split(" ");
  return a.split(" ").filter((field, i) => field !== fields[i]).length;
}

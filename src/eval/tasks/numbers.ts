/**
 * Numbers in words, version 1: which of four numerals is "407"? Keys are held out in all languages at once.
 * Distractors are near numbers: one digit changed, so the answer is not given away by its length.
 */
import type { CorpusRecord } from "../../data/document.ts";
import type { KnowledgeItem } from "../../data/knowledge.ts";
import { makeRandom } from "../../util/random.ts";
import type { MultipleChoiceItem } from "../multipleChoice.ts";
import { makeMultipleChoiceItems, type TaskOptions } from "./items.ts";

export function numbers(
  records: readonly CorpusRecord[],
  testItems: readonly KnowledgeItem[],
  options: TaskOptions,
): MultipleChoiceItem[] {
  const words = new Map(records.filter(({ source }) => source === "n2words").map(({ key, text }) => [key, text]));
  const items = testItems.filter(({ task }) => task === "numbers");
  return makeMultipleChoiceItems(
    items,
    4,
    ({ key, language }) => {
      const near = makeRandom(options.seed, "numbers", key).shuffle(oneDigitChanged(key));
      return near.flatMap((other) => words.get(other)?.[language] ?? []);
    },
    options,
  );
}

/** All numbers with the same digits but one; a leading zero is no number. */
export function oneDigitChanged(number: string): string[] {
  return [...number].flatMap((digit, i) =>
    [..."0123456789"]
      .filter((other) => other !== digit && !(i === 0 && other === "0" && number.length > 1))
      .map((other) => number.slice(0, i) + other + number.slice(i + 1)),
  );
}

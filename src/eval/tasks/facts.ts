/**
 * Facts about territories, version 1: currency, capital, official language; four choices. Every fact is trained in HR
 * languages and tested where it was not: in all LR languages and in two HR languages, so a right answer needs transfer
 * across languages. Facts that give themselves away ("Japan, currency = Japanese yen") are not asked: with them, picking
 * the choice that looks most like the question was right for 57 % of the currencies. And every answer is right once in
 * a language: with a question per territory, always picking the more frequent answer ("euro") was right for 59 %.
 */

import type { Facts } from "../../data/corpus.ts";
import type { CorpusRecord } from "../../data/document.ts";
import { type Fact, type KnowledgeItem, makeFactList } from "../../data/knowledge.ts";
import { groupBy } from "../../util/arrays.ts";
import { makeRandom } from "../../util/random.ts";
import type { MultipleChoiceItem } from "../multipleChoice.ts";
import { makeMultipleChoiceItems, type TaskOptions } from "./items.ts";

export function facts(
  records: readonly CorpusRecord[],
  territoryFacts: Facts,
  testItems: readonly KnowledgeItem[],
  options: TaskOptions,
): MultipleChoiceItem[] {
  const list = makeFactList(records, territoryFacts);
  const factOf = new Map(list.map((fact) => [`${fact.relation}/${fact.territory}`, fact]));
  const asked = testItems.filter(({ task, key, language, answer }) => {
    const territory = factOf.get(`${task}/${key}`)?.territoryNames[language];
    return territory !== undefined && !givesAway(territory, answer);
  });
  const shuffled = makeRandom(options.seed, "facts").shuffle(asked);
  const items = [...new Map(shuffled.map((item) => [`${groupOf(item)}/${item.answer}`, item])).values()];
  const groups = groupBy(items, groupOf);
  return makeMultipleChoiceItems(
    items,
    4,
    (item) => {
      const fact = factOf.get(`${item.task}/${item.key}`)!;
      const territory = fact.territoryNames[item.language]!;
      const others = makeRandom(options.seed, "facts", item.task, item.key).shuffle(groups.get(groupOf(item))!);
      const wrong = others.filter(({ task, key }) => !isRight(fact, factOf.get(`${task}/${key}`)!.answer));
      return wrong.map(({ answer }) => answer).filter((answer) => !givesAway(territory, answer));
    },
    options,
  );
}

const groupOf = ({ task, language }: KnowledgeItem) => `${task}/${language}`;

/** Do two names share three letters in a row, or one Chinese character? */
export function givesAway(territory: string, answer: string): boolean {
  const letters = [...answer.toLowerCase()];
  return letters.some((letter, i) => {
    const part = letters.slice(i, i + 3).join("");
    const shared = /^\p{Script=Han}/u.test(letter) ? letter : /^[\p{L}\p{M}]{3}$/u.test(part) && part;
    return shared && territory.toLowerCase().includes(shared);
  });
}

const isRight = ({ answer, alsoRight }: Fact, other: string) => answer === other || alsoRight.includes(other);

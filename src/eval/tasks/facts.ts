/**
 * Facts about territories, version 1: currency, capital, official language; four choices. Every fact is trained in HR
 * languages and tested where it was not: in all LR languages and in two HR languages. Right answers need transfer
 * across languages, or a name that gives itself away ("Japan, currency = Japanese yen").
 */

import type { Facts } from "../../data/corpus.ts";
import type { CorpusRecord } from "../../data/document.ts";
import { type Fact, type KnowledgeItem, makeFactList } from "../../data/knowledge.ts";
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
  const items = testItems.filter(({ task, key }) => factOf.has(`${task}/${key}`));
  return makeMultipleChoiceItems(
    items,
    4,
    ({ task, key, language }) => {
      const fact = factOf.get(`${task}/${key}`)!;
      const wrong = list.filter((other) => other.relation === fact.relation && !isRight(fact, other.answer));
      const shuffled = makeRandom(options.seed, "facts", task, key).shuffle(wrong);
      return shuffled.flatMap(({ answerNames }) => answerNames[language] ?? []);
    },
    options,
  );
}

const isRight = ({ answer, alsoRight }: Fact, other: string) => answer === other || alsoRight.includes(other);

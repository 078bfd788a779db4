/** @file Every rule on one text, as the tests and the benchmark run them. */
import type { Language } from "../../../src/data/languages.ts";
import { type Blocklist, blocklist, makeBlocklist } from "../../../src/data/rules/blocklist.ts";
import { c4 } from "../../../src/data/rules/c4.ts";
import { readDocument } from "../../../src/data/rules/document.ts";
import { fineWeb } from "../../../src/data/rules/fineWeb.ts";
import { limitsOf } from "../../../src/data/rules/fineWeb2.ts";
import { garbled } from "../../../src/data/rules/garbled.ts";
import { gopherQuality } from "../../../src/data/rules/gopherQuality.ts";
import { gopherRepetition } from "../../../src/data/rules/gopherRepetition.ts";
import type { Measure } from "../../../src/data/rules/measure.ts";
import { paper } from "../../../src/data/rules/paper.ts";
import { roots } from "../../../src/data/rules/roots.ts";
import { stopWordsOf } from "../../../src/data/rules/stopWords.ts";

const lists = new Map<string, Blocklist>();
const listOf = (language: string) => {
  const list = lists.get(language) ?? makeBlocklist(language);
  lists.set(language, list);
  return list;
};

export function allMeasures(text: string, language: Language): Measure[] {
  const limits = limitsOf(language);
  const document = readDocument(text, language);
  const blocked = blocklist(document, listOf(language));
  return [
    ...paper(document),
    ...gopherQuality(document, limits.gopherQuality, stopWordsOf(language)),
    ...gopherRepetition(document, limits.gopherRepetition),
    ...fineWeb(document, limits.fineWeb),
    ...c4(document).measures,
    ...blocked,
    ...roots(document, stopWordsOf(language), blocked[0].value),
    ...garbled(document),
  ];
}

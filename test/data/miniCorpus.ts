/**
 * A made-up corpus with the structure of the real one, for tests: every text says its language and what it is.
 */
import type { Facts } from "../../src/data/corpus.ts";
import type { CorpusRecord, RecordKind, Split } from "../../src/data/document.ts";
import { LANGUAGES, type Language } from "../../src/data/languages.ts";

const inAllLanguages = (text: (language: Language) => string): CorpusRecord["text"] =>
  Object.fromEntries(LANGUAGES.map((language) => [language, text(language)]));

/** Every fifth key is for testing, the one before it for validation. */
const splitOf = (i: number): Split => (i % 5 === 4 ? "test" : i % 5 === 3 ? "validation" : "train");

const times = (n: number, make: (i: number) => CorpusRecord): CorpusRecord[] =>
  Array.from({ length: n }, (_, i) => make(i));

const record = (
  source: string,
  kind: RecordKind,
  key: string,
  split: Split,
  text: (language: Language) => string,
): CorpusRecord => ({ source, kind, key, split, text: inAllLanguages(text) });

const TERRITORIES = Array.from({ length: 24 }, (_, i) => `T${i}`);

export const miniCorpus: CorpusRecord[] = [
  ...times(100, (i) => record("n2words", "generated", String(i), splitOf(i), (l) => `number ${i} ${l}`)),
  ...times(50, (i) =>
    record("cronstrue", "generated", `${i % 10} ${Math.floor(i / 10)} * * *`, splitOf(i), (l) => `at ${i} ${l}`),
  ),
  ...times(40, (i) => {
    const points = (0x1f600 + i).toString(16).toUpperCase();
    return record("cldr-annotations-full", "name", `emoji/${points}`, splitOf(i), (l) => `face${i}${l}`);
  }),
  ...times(40, (i) => {
    const points = (0x1f600 + i).toString(16).toUpperCase();
    const keywords = (l: Language) => `face${i}${l}, key${i}a${l}, key${i}b${l}, key${i}c${l}`;
    return record("cldr-annotations-full", "name", `emoji-keywords/${points}`, splitOf(i), keywords);
  }),
  ...TERRITORIES.flatMap((code, i) => [
    record("cldr-localenames-full", "name", `territory/${code}`, i === 0 ? "test" : "train", (l) => `Place ${i} ${l}`),
    record("cldr-localenames-full", "name", `language/${code}`, "train", (l) => `Language ${i} ${l}`),
    record("cldr-numbers-full", "name", `currency/${code}`, "train", (l) => `Coin ${i} ${l}`),
    record("cldr-dates-full", "name", `city/${code}`, "train", (l) => `City ${i} ${l}`),
  ]),
  ...times(120, (i) =>
    record("app", "message", `m${String(i).padStart(3, "0")}`, splitOf(i), (l) => {
      const gap = i % 2 ? "{count}" : "many";
      return `Please open face${i % 40}${l} and then read ${gap} files of part ${i} in ${l}`;
    }),
  ),
  ...times(30, (i) =>
    record(
      "udhr",
      "article",
      `article/${i}`,
      splitOf(i),
      (l) => `Everyone has right ${i} to all the rights here in ${l}.`,
    ),
  ),
];

export const miniFacts: Facts = {
  formatVersion: 1,
  sources: [],
  territories: Object.fromEntries(
    TERRITORIES.map((code, i) => [
      code,
      {
        currency: code,
        officialLanguages: [code, TERRITORIES[(i + 1) % TERRITORIES.length]],
        capital: { english: `City ${i} en`, zone: code, names: inAllLanguages((l) => `City ${i} ${l}`) },
      },
    ]),
  ),
};

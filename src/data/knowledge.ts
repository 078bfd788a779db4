/**
 * Knowledge data (paper section 3.1.3): questions whose answers can be checked, in 29 languages.
 * deviation: the paper collects multilingual QA, STEM and instruction data; offline we have the Unicode CLDR, n2words and
 * cronstrue. CLDR gives labels, not questions, so an item is a label line, `context = answer`, in the item's language;
 * only the relation's name is English, as the language names in Table 13 are.
 */
import { chunk, groupBy, roundRobin } from "../util/arrays.ts";
import { makeRandom } from "../util/random.ts";
import type { Facts } from "./corpus.ts";
import type { CorpusRecord, Document, Split } from "./document.ts";
import { HR_LANGUAGES, LANGUAGES, type Language } from "./languages.ts";

/**
 * numbers: digits -> words. cron: expression -> explanation. emoji: emoji -> name. association: keywords -> emoji name.
 * currency, capital, officialLanguage: facts about a territory.
 */
export const KNOWLEDGE_TASKS = [
  "numbers",
  "cron",
  "emoji",
  "association",
  "currency",
  "capital",
  "officialLanguage",
] as const;
export type KnowledgeTask = (typeof KNOWLEDGE_TASKS)[number];
export type Relation = "currency" | "capital" | "officialLanguage";

export interface KnowledgeItem {
  task: KnowledgeTask;
  /** What is asked about: a number, a cron expression, code points or a territory. */
  key: string;
  language: Language;
  /** Ends in "=", without a space. */
  context: string;
  answer: string;
}

/** The one format of an item, in training and in evaluation. */
export function itemText({ context, answer }: Pick<KnowledgeItem, "context" | "answer">): string {
  return `${context} ${answer}`;
}

/** Keywords of an emoji that a context shows at most: some have forty. */
const MAX_KEYWORDS = 5;

/** The items of a split: `train` and `test` never share a (task, key, language). */
export function makeKnowledgeItems(records: readonly CorpusRecord[], facts: Facts, split: Split): KnowledgeItem[] {
  const inSplit = records.filter((record) => record.split === split);
  return [...entryItems(inSplit), ...factItems(records, facts, split)];
}

/** Items whose answer is a record's text: held out by key, in every language at once. */
function entryItems(records: readonly CorpusRecord[]): KnowledgeItem[] {
  const emojiNames = new Map(records.filter(isNamed("emoji")).map((record) => [record.key.split("/")[1], record.text]));
  return records.flatMap((record) =>
    LANGUAGES.filter((language) => record.text[language]).flatMap((language): KnowledgeItem[] => {
      const text = record.text[language]!;
      const { key } = record;
      if (record.source === "n2words") return [{ task: "numbers", key, language, context: `${key} =`, answer: text }];
      if (record.source === "cronstrue") return [{ task: "cron", key, language, context: `${key} =`, answer: text }];
      const [kind, points] = key.split("/");
      if (record.kind !== "name" || !/^emoji(-keywords)?$/.test(kind)) return [];
      const name = emojiNames.get(points)?.[language];
      if (kind === "emoji")
        return [{ task: "emoji", key: points, language, context: `${emojiOf(points)} =`, answer: text }];
      const keywords = text.split(", ").filter((keyword) => keyword !== name);
      if (!name || keywords.length < 2) return [];
      const context = `${keywords.slice(0, MAX_KEYWORDS).join(", ")} =`;
      return [{ task: "association", key: points, language, context, answer: name }];
    }),
  );
}

const isNamed = (kind: string) => (record: CorpusRecord) => record.kind === "name" && record.key.startsWith(`${kind}/`);

/** The characters of `1F600` or `1F1E9-1F1EA`. */
export function emojiOf(points: string): string {
  return String.fromCodePoint(...points.split("-").map((point) => Number.parseInt(point, 16)));
}

const RELATION_NAMES: Record<Relation, string> = {
  currency: "currency",
  capital: "capital",
  officialLanguage: "official language",
};

/** One true statement about a territory, with the names that it takes in each language. */
export interface Fact {
  relation: Relation;
  territory: string;
  /** Code of the answer (currency, language, time zone), and of other right answers. */
  answer: string;
  alsoRight: string[];
  territoryNames: CorpusRecord["text"];
  answerNames: CorpusRecord["text"];
}

/**
 * The facts whose names are in the training split: then a model can know every name from the monolingual and parallel
 * text, and a test asks for the relation alone.
 */
export function makeFactList(records: readonly CorpusRecord[], facts: Facts): Fact[] {
  const names = new Map(
    records.filter(({ kind, split }) => kind === "name" && split === "train").map(({ key, text }) => [key, text]),
  );
  return Object.entries(facts.territories).flatMap(([territory, { currency, capital, officialLanguages }]) => {
    const territoryNames = names.get(`territory/${territory}`);
    if (!territoryNames) return [];
    const fact = (relation: Relation, answer: string, answerNames?: CorpusRecord["text"], alsoRight: string[] = []) =>
      answerNames ? [{ relation, territory, answer, alsoRight, territoryNames, answerNames }] : [];
    const [language, ...others] = officialLanguages;
    return [
      ...(currency ? fact("currency", currency, names.get(`currency/${currency}`)) : []),
      ...(capital?.zone && names.has(`city/${capital.zone}`)
        ? fact("capital", capital.zone, { ...capital.names, en: capital.english })
        : []),
      ...(language ? fact("officialLanguage", language, names.get(`language/${language}`), others) : []),
    ];
  });
}

/** Each fact is kept out of the training text of this many HR languages (CHOSEN). */
const HELD_OUT_HR_LANGUAGES = 2;

/** The HR languages in which a fact is tested rather than trained: drawn by the fact, the same in every run. */
export function heldOutLanguages({ relation, territory }: Pick<Fact, "relation" | "territory">): Language[] {
  return makeRandom("held-out facts", relation, territory).shuffle(HR_LANGUAGES).slice(0, HELD_OUT_HR_LANGUAGES);
}

/**
 * Facts are held out by language: trained in HR languages only, tested in every LR language and in two HR languages
 * where that fact is not trained. A fact withheld from all languages could not be known. Where a language says it in
 * the very words of a training language ("Zimbabwe, official language = Shona"), it is neither trained nor tested.
 */
function factItems(records: readonly CorpusRecord[], facts: Facts, split: Split): KnowledgeItem[] {
  if (split === "validation") return [];
  return makeFactList(records, facts).flatMap((fact) => {
    const heldOut = heldOutLanguages(fact);
    const items = LANGUAGES.flatMap((language): KnowledgeItem[] => {
      const territory = fact.territoryNames[language];
      const answer = fact.answerNames[language];
      if (!territory || !answer) return [];
      return [{ task: fact.relation, key: fact.territory, language, context: factContext(fact, territory), answer }];
    });
    const isTrained = ({ language }: KnowledgeItem) => isHR(language) && !heldOut.includes(language);
    const trained = items.filter(isTrained);
    if (split === "train") return trained;
    const words = new Set(trained.map((item) => itemText(item).toLowerCase()));
    return items.filter((item) => !isTrained(item) && !words.has(itemText(item).toLowerCase()));
  });
}

export const isHR = (language: Language) => (HR_LANGUAGES as readonly Language[]).includes(language);

/** "Japan, currency =" */
export function factContext({ relation }: Pick<Fact, "relation">, territoryName: string): string {
  return `${territoryName}, ${RELATION_NAMES[relation]} =`;
}

export interface KnowledgeDocumentOptions {
  seed: number;
  /** Documents of each task; a task with fewer items repeats them in a new order, {@link MAX_PASSES} times in all. */
  documentsPerTask: number;
  /** Lines of one task and language in a document: later ones have examples before them, as in few-shot evaluation. */
  itemsPerDocument: number;
}

const MAX_PASSES = 4;

/** Documents of `items`: tasks have equal parts, and inside a task its languages; both in turn, in seeded order. */
export function makeKnowledgeDocuments(items: readonly KnowledgeItem[], options: KnowledgeDocumentOptions): Document[] {
  const { seed, documentsPerTask, itemsPerDocument } = options;
  const tasks = [...groupBy(items, (item) => item.task)].map(([task, ofTask]) => {
    const languages = makeRandom(seed, task).shuffle([...groupBy(ofTask, (item) => item.language)]);
    const perLanguage = Math.ceil(documentsPerTask / languages.length);
    const queues = languages.map(([language, ofLanguage]) => {
      const texts: Document[] = [];
      for (let pass = 0; texts.length < perLanguage && pass < MAX_PASSES; pass++) {
        const shuffled = makeRandom(seed, task, language, String(pass)).shuffle(ofLanguage);
        for (const some of chunk(shuffled, itemsPerDocument)) {
          texts.push({ id: `${task}/${language}/${texts.length}`, text: some.map(itemText).join("\n") });
        }
      }
      return texts.slice(0, perLanguage);
    });
    return roundRobin(queues).slice(0, documentsPerTask);
  });
  return roundRobin(tasks);
}

/**
 * Synthetic data (paper section 3.1.4, Table 14): texts around drawn keywords, and cross-lingual questions.
 * deviation: the paper asks large language models for explanations and stories. Offline there is none, so a text is put
 * together from real corpus entries that hold the keyword; what is drawn (keywords, subject, passage type, length range,
 * language) are Table 14's attributes, as far as an assembled text can have them. Of its three methods the few-shot
 * "rarer sample" has no counterpart.
 */
import { groupBy, roundRobin } from "../util/arrays.ts";
import { makeRandom, type Random } from "../util/random.ts";
import type { Facts } from "./corpus.ts";
import type { CorpusRecord, Document } from "./document.ts";
import { emojiOf, factContext, heldOutLanguages, isHR, itemText, makeFactList } from "./knowledge.ts";
import { HR_LANGUAGES, isUnspaced, LANGUAGES, type Language } from "./languages.ts";

/** Table 14's slots that are drawn here: {keywords}, {subject}, {type_passage}, {min_length}-{max_length}, {language}. */
export interface SyntheticAttributes {
  language: Language;
  /** Source of the sentences, which sets the domain. */
  subject: string;
  type: "explanation" | "story";
  keywords: string[];
  /** Characters (the table counts words, which Chinese, Japanese and Thai do not mark). */
  minLength: number;
  maxLength: number;
}

const LENGTHS = [
  [100, 250],
  [200, 400],
  [300, 600],
] as const;

/** A keyword that the corpus explains: an emoji's name, its keywords, and sentences of one source that hold the name. */
interface Entry {
  name: string;
  emoji: string;
  keywords: string;
  sentences: Map<string, string[]>;
}

/** Messages of a language that are searched for keywords, drawn at random, and their longest. */
const MESSAGES = { count: 3000, maxLength: 200 };

/** Documents per language from train records: keyword texts, then cross-lingual questions, languages in turn. */
export function makeSyntheticDocuments(
  records: readonly CorpusRecord[],
  facts: Facts,
  { seed, documentsPerLanguage }: { seed: number; documentsPerLanguage: number },
): Document[] {
  const train = records.filter((record) => record.split === "train");
  const queues = LANGUAGES.map((language) => {
    const entries = makeEntries(train, language, seed);
    return Array.from({ length: documentsPerLanguage }, (_, i): Document[] => {
      const random = makeRandom(seed, "synthetic", language, String(i));
      const text = keywordText(entries, language, random);
      return text ? [{ id: `keywords/${language}/${i}`, text }] : [];
    }).flat();
  });
  const crossLingual = makeCrossLingualDocuments(train, facts, seed, documentsPerLanguage);
  return roundRobin([...queues, ...crossLingual]);
}

/** Words of a text, lower case; scripts without spaces are cut by ICU's dictionary. */
function wordsOf(text: string, language: Language): string[] {
  const lower = text.toLowerCase();
  if (!isUnspaced(language)) return lower.match(/[\p{L}\p{M}]+/gu) ?? [];
  segmenters[language] ??= new Intl.Segmenter(language, { granularity: "word" });
  return [...segmenters[language].segment(lower)].filter((part) => part.isWordLike).map((part) => part.segment);
}
const segmenters: Partial<Record<Language, Intl.Segmenter>> = {};

/** Emoji names of one word, with the messages that hold that word; those with a message first. */
export function makeEntries(train: readonly CorpusRecord[], language: Language, seed: number): Entry[] {
  const keywords = new Map(
    train
      .filter(({ key }) => key.startsWith("emoji-keywords/"))
      .map(({ key, text }) => [key.split("/")[1], text[language]]),
  );
  const entries = new Map<string, Entry>();
  for (const { key, kind, text } of train) {
    const [prefix, points] = key.split("/");
    const name = text[language];
    if (kind !== "name" || prefix !== "emoji" || !name || !keywords.get(points)) continue;
    const entry = { name, emoji: emojiOf(points), keywords: keywords.get(points)!, sentences: new Map() };
    const words = wordsOf(name, language);
    if (words.length === 1 && !entries.has(words[0])) entries.set(words[0], entry);
  }
  const isMessage = ({ kind, text }: CorpusRecord) =>
    kind === "message" && text[language] && text[language].length <= MESSAGES.maxLength;
  const messages = makeRandom(seed, "messages", language).shuffle(train.filter(isMessage)).slice(0, MESSAGES.count);
  for (const { source, text } of messages) {
    const sentence = text[language]!;
    for (const word of new Set(wordsOf(sentence, language))) {
      const sentences = entries.get(word)?.sentences;
      if (!sentences) continue;
      const ofSource = sentences.get(source) ?? [];
      sentences.set(source, ofSource);
      ofSource.push(sentence);
    }
  }
  const all = [...entries.values()];
  return [...all.filter((entry) => entry.sentences.size > 0), ...all.filter((entry) => entry.sentences.size === 0)];
}

/** Draws the attributes of a text; a language without entries has none. */
export function drawAttributes(entries: readonly Entry[], language: Language, random: Random): SyntheticAttributes {
  const subjects = [...new Set(entries.flatMap((entry) => [...entry.sentences.keys()]))];
  const subject = subjects.length ? random.pick(subjects) : "";
  const fitting = entries.filter((entry) => entry.sentences.has(subject));
  const keywords = random.shuffle(fitting.length >= 3 ? fitting : entries).slice(0, 2 + random.int(3));
  const [minLength, maxLength] = random.pick(LENGTHS);
  return {
    language,
    subject,
    type: random.pick(["explanation", "story"]),
    keywords: keywords.map((entry) => entry.name),
    minLength,
    maxLength,
  };
}

/**
 * "Keywords-based Explanation": a list of keywords, each with its emoji, its CLDR keywords and sentences that hold it.
 * "Keywords-based Story": the same sentences as one passage after the keywords. Undefined below the drawn length.
 */
function keywordText(entries: readonly Entry[], language: Language, random: Random): string | undefined {
  if (entries.length === 0) return undefined;
  const attributes = drawAttributes(entries, language, random);
  const chosen = entries.filter((entry) => attributes.keywords.includes(entry.name));
  const sentencesOf = (entry: Entry) => random.shuffle([...new Set(entry.sentences.get(attributes.subject) ?? [])]);
  const paragraphs =
    attributes.type === "explanation"
      ? chosen.map((entry) => [`${entry.emoji} ${entry.name}: ${entry.keywords}`, ...sentencesOf(entry).slice(0, 3)])
      : [[chosen.map((entry) => entry.name).join(", ")], roundRobin(chosen.map(sentencesOf))];
  const lines: string[] = [];
  let length = 0;
  for (const line of new Set(paragraphs.flat())) {
    if (length + line.length > attributes.maxLength) continue;
    lines.push(line);
    length += line.length + 1;
  }
  return length >= attributes.minLength ? lines.join("\n") : undefined;
}

/** Items of a cross-lingual document: all of one pair of languages. */
const ITEMS_PER_DOCUMENT = 6;

/**
 * "Random translation of the instruction, the question or the answer": the question in one language, the answer in
 * another, and the name of the answer's language (the instruction) in either. Facts only where both languages train them.
 */
function makeCrossLingualDocuments(
  train: readonly CorpusRecord[],
  facts: Facts,
  seed: number,
  perLanguage: number,
): Document[][] {
  const numbers = train.filter(({ source }) => source === "n2words");
  const emoji = groupBy(
    train.filter(({ key }) => /^emoji(-keywords)?\//.test(key)),
    ({ key }) => key.split("/")[1],
  );
  const emojiPairs = [...emoji.values()].filter((pair) => pair.length === 2);
  const factList = makeFactList(train, facts);
  const languageNames = new Map(
    train.filter(({ key }) => key.startsWith("language/")).map(({ key, text }) => [key, text]),
  );

  const questions = {
    numbers: (random: Random, from: Language, to: Language) => {
      const { text } = random.pick(numbers);
      return [text[from], text[to]];
    },
    emoji: (random: Random, from: Language, to: Language) => {
      const [first, second] = random.pick(emojiPairs);
      const [name, keywords] = first.key.startsWith("emoji/") ? [first, second] : [second, first];
      return [keywords.text[from]?.split(", ").slice(0, 3).join(", "), name.text[to]];
    },
    facts: (random: Random, from: Language, to: Language) => {
      const fact = random.pick(factList);
      const heldOut = heldOutLanguages(fact);
      const trained = [from, to].every((language) => isHR(language) && !heldOut.includes(language));
      const territory = fact.territoryNames[from];
      return [trained && territory ? factContext(fact, territory).replace(/ =$/, "") : undefined, fact.answerNames[to]];
    },
  };
  const available = (["numbers", "emoji", "facts"] as const).filter(
    (kind) => ({ numbers, emoji: emojiPairs, facts: factList })[kind].length > 0,
  );

  return available.flatMap((kind) =>
    LANGUAGES.map((from) =>
      Array.from({ length: perLanguage / available.length }, (_, i): Document[] => {
        const random = makeRandom(seed, "cross-lingual", kind, from, String(i));
        const targets: readonly Language[] = kind === "facts" ? HR_LANGUAGES : LANGUAGES;
        const to = random.pick(targets.filter((language) => language !== from));
        const instruction = languageNames.get(`language/${to}`)?.[random.pick([from, to])] ?? to;
        const lines = new Set<string>();
        for (let attempt = 0; attempt < 4 * ITEMS_PER_DOCUMENT && lines.size < ITEMS_PER_DOCUMENT; attempt++) {
          const [question, answer] = questions[kind](random, from, to);
          if (question && answer) lines.add(itemText({ context: `${question} (${instruction}) =`, answer }));
        }
        return lines.size > 1 ? [{ id: `cross-lingual/${kind}/${from}-${to}/${i}`, text: [...lines].join("\n") }] : [];
      }).flat(),
    ),
  );
}

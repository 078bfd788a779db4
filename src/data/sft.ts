/**
 * Chat examples for supervised fine-tuning (paper section 4.1): translation, naming, spelling, explaining, completing.
 * deviation: the paper has 5.7M examples of open instruction sets and translations in many languages. Ours are derived
 * from records, so every answer is checkable; the instructions are English, written by hand and not reviewed by
 * speakers of the answers' languages, for no source gives instructions in 29 languages.
 */
import type { ChatMessage } from "../tokenizer/chatTemplate.ts";
import { groupBy, roundRobin } from "../util/arrays.ts";
import { makeRandom, type Random } from "../util/random.ts";
import type { Facts } from "./corpus.ts";
import type { CorpusRecord, Split } from "./document.ts";
import { type KnowledgeItem, makeKnowledgeItems } from "./knowledge.ts";
import { isUnspaced, LANGUAGE_NAMES, LANGUAGES, type Language } from "./languages.ts";

export interface ChatExample {
  messages: ChatMessage[];
  /** Language that the example is counted under: of a translation the one that is not English. */
  language: Language;
  task: string;
  /** Source and key of the record, or what a knowledge item is about. */
  key: string;
}

export interface ChatOptions {
  seed: number | string;
  split: Split;
  /** At most this many examples of each task in each language: the balance of the set. */
  perTaskAndLanguage: number;
}

/** The user's message; the assistant's is the answer alone. */
const INSTRUCTIONS: Record<string, (language: string, question: string) => string> = {
  numbers: (language, question) => `Write this number in words in ${language}: ${question}`,
  cron: (language, question) => `Explain this cron expression in ${language}: ${question}`,
  emoji: (language, question) => `Name this emoji in ${language}: ${question}`,
  currency: (language, question) => `Answer in ${language}: ${question}`,
  capital: (language, question) => `Answer in ${language}: ${question}`,
  officialLanguage: (language, question) => `Answer in ${language}: ${question}`,
  completion: (language, question) => `Complete this sentence in ${language}: ${question}`,
};

/** The user's message of a translation, in the words of template C (Table 13). */
export function translationInstruction(source: Language, target: Language, input: string): string {
  return `Translate the text from ${LANGUAGE_NAMES[source]} to ${LANGUAGE_NAMES[target]}:\n${input}`;
}

/** An example with what its corruptions need: see preferences.ts. */
export interface ChatCandidate extends ChatExample {
  /** Language of the answer. */
  target: Language;
  /** The answer's record in all its languages. */
  answers: CorpusRecord["text"];
  /** The text to translate. */
  input?: string;
}

/** Single-line texts of 2 to 160 characters (CHOSEN: a row of the smallest preset must hold question and answer). */
const isShort = (text: string) => text.length >= 2 && text.length <= 160 && !text.includes("\n");

/** Examples of a split, tasks and languages in turn. */
export function makeChatExamples(records: readonly CorpusRecord[], facts: Facts, options: ChatOptions): ChatExample[] {
  return makeChatCandidates(records, facts, options).map(({ messages, language, task, key }) => ({
    messages,
    language,
    task,
    key,
  }));
}

export function makeChatCandidates(
  records: readonly CorpusRecord[],
  facts: Facts,
  { seed, split, perTaskAndLanguage }: ChatOptions,
): ChatCandidate[] {
  const sentences = records.filter((record) => record.split === split && /^(message|article)$/.test(record.kind));
  const items = makeKnowledgeItems(records, facts, split).filter((item) => item.task in INSTRUCTIONS);
  const textOf = new Map(records.map((record) => [answerKey(record), record.text]));
  const byTaskAndLanguage = [...groupBy(items, ({ task, language }) => `${task}/${language}`)].map(([name, some]) =>
    makeRandom(seed, "chat", name)
      .shuffle(some)
      .slice(0, perTaskAndLanguage)
      .map((item) => fromItem(item, textOf.get(`${item.task}/${item.key}`) ?? { [item.language]: item.answer })),
  );
  const drawn = LANGUAGES.flatMap((language) =>
    [translation, completion].map((make) => {
      const random = makeRandom(seed, "chat", make.name, language);
      const examples: ChatCandidate[] = [];
      for (const record of random.shuffle(sentences)) {
        if (examples.length === perTaskAndLanguage) break;
        const example = make(record, language, random);
        if (example) examples.push(example);
      }
      return examples;
    }),
  );
  return roundRobin(makeRandom(seed, "chat").shuffle([...byTaskAndLanguage, ...drawn]));
}

/** Task and key under which {@link makeKnowledgeItems} asks for a record's text. */
function answerKey({ source, key }: CorpusRecord): string {
  if (source === "n2words") return `numbers/${key}`;
  if (source === "cronstrue") return `cron/${key}`;
  return key; // emoji/1F600 has the task's name already
}

function fromItem(item: KnowledgeItem, answers: CorpusRecord["text"]): ChatCandidate {
  const { task, language, key } = item;
  const question = item.context.replace(/ =$/, "");
  const user = INSTRUCTIONS[task](LANGUAGE_NAMES[language], question);
  return { ...chat(user, item.answer), language, task, key, target: language, answers };
}

const chat = (user: string, assistant: string): Pick<ChatExample, "messages"> => ({
  messages: [
    { role: "user", content: user },
    { role: "assistant", content: assistant },
  ],
});

/** English to the language or back, with equal chance. */
function translation(record: CorpusRecord, language: Language, random: Random): ChatCandidate | undefined {
  const { en, [language]: other } = record.text;
  if (language === "en" || !en || !other || en === other || !isShort(en) || !isShort(other)) return undefined;
  const toEnglish = random.next() < 0.5;
  const [source, target]: Language[] = toEnglish ? [language, "en"] : ["en", language];
  const input = record.text[source]!;
  return {
    ...chat(translationInstruction(source, target, input), record.text[target]!),
    language,
    task: "translation",
    key: `${record.source}/${record.key}`,
    target,
    answers: record.text,
    input,
  };
}

/**
 * The two halves of a short sentence, cut between words, or between characters where words are not marked; undefined
 * for a text that is too short to cut.
 */
export function cutInHalf(text: string, language: Language): { start: string; end: string } | undefined {
  if (!isShort(text)) return undefined;
  const spaced = !isUnspaced(language);
  const parts = spaced ? text.split(" ") : [...text];
  if (parts.length < (spaced ? 6 : 12)) return undefined;
  const middle = Math.ceil(parts.length / 2);
  const join = (some: string[]) => some.join(spaced ? " " : "").trim();
  return { start: join(parts.slice(0, middle)), end: join(parts.slice(middle)) };
}

function completion(record: CorpusRecord, language: Language): ChatCandidate | undefined {
  const halves = cutInHalf(record.text[language] ?? "", language);
  if (!halves) return undefined;
  const user = INSTRUCTIONS.completion(LANGUAGE_NAMES[language], halves.start);
  const key = `${record.source}/${record.key}`;
  const answers = { [language]: halves.end };
  return { ...chat(user, halves.end), language, task: "completion", key, target: language, answers };
}

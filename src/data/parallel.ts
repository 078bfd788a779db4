/**
 * Parallel data: translation pairs as training text (paper sections 3.1.2 and 3.5, Table 13), both directions, each
 * pair in one of eleven templates. Our pairs come from keys that several languages translate, not from OPUS.
 */
import { chunk, groupBy, roundRobin } from "../util/arrays.ts";
import { makeRandom } from "../util/random.ts";
import type { CorpusRecord, Document } from "./document.ts";
import { LANGUAGE_NAMES, LANGUAGES, type Language } from "./languages.ts";

/** Paper Table 13, with the table's line breaks. */
export const TEMPLATES = {
  A: "<src_lang> phrase: <input>\n<tgt_lang> phrase: <output>",
  B: "<src_lang> text: <input>\n<tgt_lang> text: <output>",
  C: "Translate the text from <src_lang> to <tgt_lang>:\n<src_lang> text: <input>\n<tgt_lang> text: <output>",
  D: "Translate the words from <src_lang> to <tgt_lang>:\n<src_lang> words: <input>\n<tgt_lang> words: <output>",
  E: "Convert the phrase from <src_lang> to <tgt_lang>:\n<src_lang> phrase: <input>\n<tgt_lang> phrase: <output>",
  F: "Render the <src_lang> sentence <input> to <tgt_lang>: <output>",
  G: "Provide the translation of the sentence <input> from <src_lang> to <tgt_lang>: <output>",
  H: "Change the phrase <input> to <tgt_lang>, the translated phrase is: <output>",
  I: "Please change the sentence <input> to <tgt_lang>, and the resulting translation is: <output>",
  J: "Change the phrase <input> to <tgt_lang>, resulting in: <output>",
  K: "The sentence <input> in <src_lang> means <output> in <tgt_lang>",
} as const;

export type TemplateName = keyof typeof TEMPLATES;
export const TEMPLATE_NAMES = Object.keys(TEMPLATES) as TemplateName[];

/** One text in two languages. */
export interface TranslationPair {
  source: Language;
  target: Language;
  input: string;
  output: string;
}

/** Fills the slots in one pass: text that looks like a slot is left alone. */
function fill(template: string, pair: TranslationPair): string {
  const slots: Record<string, string> = {
    "<src_lang>": LANGUAGE_NAMES[pair.source],
    "<tgt_lang>": LANGUAGE_NAMES[pair.target],
    "<input>": pair.input,
    "<output>": pair.output,
  };
  return template.replace(/<(?:src_lang|tgt_lang|input|output)>/g, (slot) => slots[slot]);
}

/** A pair as training text. */
export function renderPair(template: TemplateName, pair: TranslationPair): string {
  return fill(TEMPLATES[template], pair);
}

/**
 * The text up to the output slot, without the space before it: a translation is scored or generated as `" " + output`,
 * which meets the same token boundary as in training.
 */
export function translationPrompt(template: TemplateName, pair: Omit<TranslationPair, "output">): string {
  const [beforeOutput] = TEMPLATES[template].split("<output>");
  return fill(beforeOutput.trimEnd(), { ...pair, output: "" });
}

/**
 * The pairs of a record: English with every other language, and one pair of other languages drawn by key.
 * CHOSEN: the paper's pairs are English-centric and its any-to-any translation (Table 12) has no pairs of its own.
 */
export function pairsOf(record: CorpusRecord, seed: number): TranslationPair[] {
  if (record.key.startsWith("emoji-keywords/")) return []; // sets of words, in no common order
  const languages = LANGUAGES.filter((language) => record.text[language]);
  const pair = (source: Language, target: Language): TranslationPair => ({
    source,
    target,
    input: record.text[source]!,
    output: record.text[target]!,
  });
  const others = languages.filter((language) => language !== "en");
  const pairs = languages.includes("en") ? others.map((language) => pair("en", language)) : [];
  if (others.length >= 2) {
    const random = makeRandom(seed, "without English", record.source, record.key);
    const first = random.pick(others);
    const second = random.pick(others.filter((language) => language !== first));
    pairs.push(pair(first, second));
  }
  return pairs.filter(({ input, output }) => input !== output);
}

/** A pair in the other direction. */
export function reversed(pair: TranslationPair): TranslationPair {
  return { ...pair, source: pair.target, target: pair.source, input: pair.output, output: pair.input };
}

export interface ParallelOptions {
  seed: number;
  /** Pairs in a document: all of one direction, so later ones have examples before them (FLORES has one shot). */
  pairsPerDocument?: number;
  /** At most this many pairs of two languages, drawn at random; a run draws a small part of them. */
  pairsPerLanguagePair?: number;
}

/** Documents without English that are in each round of one document per English-centric direction (CHOSEN). */
const OTHERS_PER_ROUND = 7;

/**
 * Every pair in one direction, each with equal chance, in a template drawn uniformly (CHOSEN: the paper states
 * neither), joined by line breaks into documents. Directions take turns, so that a language with few pairs is as
 * frequent as the others while it lasts.
 */
export function makeParallelDocuments(
  records: readonly CorpusRecord[],
  { seed, pairsPerDocument = 4, pairsPerLanguagePair = 3000 }: ParallelOptions,
): Document[] {
  const pairs = records.flatMap((record) => pairsOf(record, seed));
  const byLanguages = groupBy(pairs, ({ source, target }) => (source < target ? source + target : target + source));
  const directed = [...byLanguages].flatMap(([languages, some]) => {
    const random = makeRandom(seed, "parallel", languages);
    const drawn = random.shuffle(some).slice(0, pairsPerLanguagePair);
    return drawn.map((pair) => {
      const one = random.next() < 0.5 ? pair : reversed(pair);
      return { direction: `${one.source}-${one.target}`, text: renderPair(random.pick(TEMPLATE_NAMES), one) };
    });
  });
  const queues = [...groupBy(directed, ({ direction }) => direction)].map(([direction, ofDirection]) =>
    chunk(ofDirection, pairsPerDocument).map((some, i) => ({
      id: `${direction}/${i}`,
      text: some.map(({ text }) => text).join("\n"),
    })),
  );
  const isEnglish = ([first]: Document[]) => /\ben\b/.test(first.id);
  const others = makeRandom(seed, "others").shuffle(queues.filter((queue) => !isEnglish(queue)).flat());
  const otherQueues = chunk(others, Math.ceil(others.length / OTHERS_PER_ROUND) || 1);
  return roundRobin([...makeRandom(seed, "directions").shuffle(queues.filter(isEnglish)), ...otherQueues]);
}

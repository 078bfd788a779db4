/**
 * @file Prompts for texts around keywords and for rarer samples (paper section 3.1.4, Table 14). The slots are the
 * table's; the words are ours, and so are the values of the attributes (CHOSEN: the paper prints neither in full). A
 * recipe may have others.
 */
import { LANGUAGE_NAMES, type Language } from "../languages.ts";
import { isUnspaced } from "../pairs/text.ts";
import { fill } from "./fill.ts";

export const KINDS = ["explanation", "story", "sample"] as const;
export type Kind = (typeof KINDS)[number];

/** Table 14's attributes whose values are words that are drawn. */
export const ATTRIBUTES = ["role_1", "role_2", "subject", "type_passage", "scene", "style", "ending"] as const;
export type Attribute = (typeof ATTRIBUTES)[number];

export const POOLS: Record<Attribute, string[]> = {
  role_1: [
    ...["a primary school teacher", "a university professor", "a science journalist", "a historian", "an engineer"],
    ...["a doctor", "a storyteller", "a travel writer", "a museum guide", "a farmer"],
  ],
  role_2: [
    ...["curious children", "high school students", "experts of the field", "readers of a newspaper"],
    ...["new employees", "parents", "people who learn the language", "visitors from abroad"],
  ],
  subject: [
    ...["science", "history", "daily life", "technology", "health", "the arts", "geography", "the economy"],
    ...["nature", "law", "food", "sport"],
  ],
  type_passage: [
    ...["a textbook passage", "a blog post", "an encyclopaedia article", "a dialogue", "a lecture", "a news report"],
    ...["a letter", "a diary entry"],
  ],
  scene: [
    ...["a classroom", "a kitchen", "a market", "a hospital", "a train journey", "a laboratory", "a village festival"],
    ...["an office", "a library", "a harbour at night"],
  ],
  style: ["plain and factual", "humorous", "formal", "warm and personal", "vivid", "concise", "poetic"],
  ending: [
    ...["a short summary", "a question to the reader", "a practical advice", "a surprising fact", "an open end"],
    ...["a moral", "a look into the future"],
  ],
};

/** Words, and for Chinese, Japanese and Thai characters, which are counted twice as many. */
export const LENGTHS: [number, number][] = [
  [100, 200],
  [200, 400],
  [400, 800],
];

const FRAME =
  "You are {role_1} and write for {role_2}. Subject: {subject}. Scene: {scene}.\n" +
  "{task}\n" +
  "Style: {style}. Ending: {ending}. Length: from {min_length} to {max_length} {unit}.\n" +
  "Write in {language} only. Answer with the text alone, without remarks on the task.";

export const TEMPLATES: Record<Kind, string> = {
  explanation: FRAME.replace(
    "{task}",
    "Write {type_passage} that explains each of these keywords and how they belong together: {keywords}.",
  ),
  story: FRAME.replace(
    "{task}",
    "Tell a story in the form of {type_passage} in which all of these keywords matter: {keywords}.",
  ),
  sample:
    "These samples are all of one domain:\n\n{samples}\n\n" +
    "Write one new sample in {language}. It is of the same domain, but rarer: about something that is seldom written " +
    "about. Its length and difficulty are those of the samples. It repeats none of their sentences.\n" +
    "Answer with the new sample alone, without remarks on the task.",
};

/** Every slot of a kind. */
export const slotsOf = (kind: Kind): string[] =>
  kind === "sample"
    ? ["samples", "language"]
    : [...ATTRIBUTES, "keywords", "min_length", "max_length", "unit", "language"];

export interface Drawn {
  kind: Kind;
  language: Language;
  attributes: Partial<Record<Attribute, string>>;
  keywords: string[];
  /** In the unit of the language. */
  minLength: number;
  maxLength: number;
  samples: string[];
}

export const unitOf = (language: string) => (isUnspaced(language) ? "characters" : "words");

export function promptOf(template: string, drawn: Drawn): string {
  const { language, attributes, keywords, minLength, maxLength, samples } = drawn;
  if (drawn.kind === "sample")
    return fill(template, {
      samples: samples.map((text, i) => `### Sample ${i + 1}\n${text}`).join("\n\n"),
      language: LANGUAGE_NAMES[language],
    });
  return fill(template, {
    ...attributes,
    ...{ keywords: keywords.join(", "), min_length: String(minLength), max_length: String(maxLength) },
    ...{ unit: unitOf(language), language: LANGUAGE_NAMES[language] },
  });
}

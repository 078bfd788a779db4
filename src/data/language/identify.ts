/**
 * @file Which language a text is in: fastText's lid.176 (compiled to WebAssembly; the model is CC-BY-SA-3.0 and stays
 * in its package), and CLD3 as a second opinion where fastText confuses neighbours: Indonesian with Malay, Javanese
 * and Sundanese; Nepali with Hindi and Marathi. Nothing is loaded before `loadIdentifier`, and nothing is fetched.
 */
import { createRequire } from "node:module";
import type { Measure } from "../rules/measure.ts";
import { characterClasses, LETTER, SURROGATE, UPPER } from "../rules/pythonText.ts";

export interface Label {
  /** The model's label: ISO 639-1 where there is one. */
  language: string;
  probability: number;
}

export interface Identification {
  /** "und" where there are fewer than MIN_LETTERS letters. */
  language: string;
  probability: number;
  /** fastText's labels, best first. */
  labels: Label[];
  /** CLD3's answer, where it was asked. */
  second?: Label;
}

export interface Identifier {
  identify: (text: string) => Identification;
  /** Frees CLD3's memory; fastText's goes with its thread. */
  dispose: () => void;
}

export const UNDETERMINED = "und";
/**
 * Below this nothing is said (data-anchors section 8, row 21). A Chinese, Japanese or Korean letter counts three times:
 * it says about as much, and is as many bytes.
 */
export const MIN_LETTERS = 20;
/** Of a longer text its beginning, middle and end are read, so many UTF-16 units each. CHOSEN, for speed. */
const SAMPLE = 1024;
const LABELS = 5;
const MIN_PROBABILITY = 0.005;

/**
 * Groups in which CLD3 decides, if fastText gives its choice at least `least`. CLD3 calls much Indonesian Malay, and
 * fastText much Malay Indonesian: 0.1 is where both are right equally often on the corpus (bench/language.ts).
 */
const CONFUSABLE = [
  { languages: new Set(["id", "ms", "jv", "su"]), least: 0.1 },
  { languages: new Set(["ne", "hi", "mr"]), least: 0 },
];

/** Loads both models (some 0.2 s). One for each worker thread: they share nothing. */
export async function loadIdentifier(): Promise<Identifier> {
  const { getLIDModel } = await import("fasttext.wasm.js");
  const fastText = await (await getLIDModel()).load();
  const { loadModule }: typeof import("cld3-asm") = createRequire(import.meta.url)("cld3-asm");
  const cld3 = (await loadModule()).create(0, 4 * 3 * SAMPLE);

  const predict = (text: string): Label[] => {
    // fastText's own C++ adds the end of the sentence that Python's predict adds by a line feed.
    const vector = fastText.predict(text, LABELS, MIN_PROBABILITY) as unknown as {
      size(): number;
      get(i: number): [number, string];
      delete(): void;
    };
    const labels: Label[] = [];
    for (let i = 0; i < vector.size(); i++) {
      const [probability, label] = vector.get(i);
      labels.push({ language: label.replace("__label__", ""), probability: Math.min(1, probability) });
    }
    vector.delete();
    return labels;
  };

  const identify = (text: string): Identification => {
    const sample = prepare(text);
    if (!hasLetters(sample, MIN_LETTERS)) return { language: UNDETERMINED, probability: 0, labels: [] };
    const labels = predict(sample);
    if (labels.length === 0) return { language: UNDETERMINED, probability: 0, labels };
    const group = CONFUSABLE.find(({ languages }) => languages.has(labels[0].language));
    if (!group) return { ...labels[0], labels };
    const { language, probability } = cld3.findLanguage(sample);
    const second = { language, probability };
    const likely = labels.find((label) => label.language === language)?.probability ?? 0;
    if (!group.languages.has(language) || likely < group.least) return { ...labels[0], labels, second };
    // fastText says how sure it is of the group, CLD3 which of it.
    const mass = labels.reduce((sum, label) => sum + (group.languages.has(label.language) ? label.probability : 0), 0);
    return { language, probability: Math.max(likely, Math.min(1, mass) * probability), labels, second };
  };
  return { identify, dispose: () => cld3.dispose() };
}

/**
 * White space and NUL become spaces (fastText would split or stop there); of a long text three pieces; code goes, and text
 * in capitals becomes small.
 */
export function prepare(text: string): string {
  const middle = (text.length - SAMPLE) >> 1;
  const sample =
    text.length <= 3 * SAMPLE
      ? text
      : `${text.slice(0, SAMPLE)} ${text.slice(middle, middle + SAMPLE)} ${text.slice(-SAMPLE)}`;
  const line = sample
    .replace(DIRECTIONS, "")
    .replace(/[\0\s\x85]+/g, " ")
    .replace(/\p{Cs}/gu, "\ufffd")
    .trim();
  return inSmallLetters(withoutCode(line));
}

/** Marks, overrides and isolates of the writing direction. */
const DIRECTIONS = /[\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** A word in ASCII, with what stands before and after words. */
const PLAIN = /^["'([*-]*[A-Za-z]+(?:['-][A-Za-z]+)*[\])"'.,;:!?*-]*$/;
const INNER_CAPITAL = /[a-z][A-Z]/;

/**
 * Without names of code, addresses and numbers, which are in no language and make the models unsure; all of it where
 * little else is there.
 */
function withoutCode(line: string): string {
  let removed = 0;
  const words = line.split(" ").filter((word) => {
    const isWord = !isAscii(word) || (PLAIN.test(word) && !INNER_CAPITAL.test(word));
    if (!isWord) removed += word.length;
    return isWord;
  });
  if (removed === 0) return line;
  const rest = words.join(" ");
  return hasLetters(rest, MIN_LETTERS) ? rest : line;
}

function isAscii(word: string): boolean {
  for (let i = 0; i < word.length; i++) if (word.charCodeAt(i) > 126) return false;
  return true;
}

/** Text in capitals reads as another language to a model that has hardly seen any. */
function inSmallLetters(line: string): string {
  const kind = characterClasses();
  let [capitals, letters] = [0, 0];
  for (let i = 0; i < line.length; i++) {
    const bits = kind[line.charCodeAt(i)];
    if (bits & UPPER) capitals++;
    if (bits & LETTER) letters++;
  }
  return 2 * capitals > letters ? line.toLowerCase() : line;
}

function hasLetters(text: string, wanted: number): boolean {
  const kind = characterClasses();
  let letters = 0;
  for (let i = 0; i < text.length && letters < wanted; i++) {
    const bits = kind[text.charCodeAt(i)];
    if (bits & LETTER) letters += text.charCodeAt(i) >= 0x2e80 ? 3 : 1;
    else if (bits & SURROGATE && /^\p{L}/u.test(text.slice(i, i + 2))) letters += 3;
  }
  return letters >= wanted;
}

/** The probability that the text is in `language`, against the limit for it (FineWeb-2's, or 0.65). */
export function languageMeasure(found: Identification, language: string, limit: number): Measure {
  const probability =
    found.language === language
      ? found.probability
      : Math.min(0.5, found.labels.find((label) => label.language === language)?.probability ?? 0);
  return { rule: "language.score", value: probability, limit, keep: "atLeast" };
}

/**
 * @file Whether a generated text may be used: each rule as a measure with its limit, as for text from the web. The limits
 * are CHOSEN; the paper does not say how it filtered synthetic text, other than as all its data.
 */
import type { Identification } from "../language/identify.ts";
import { languageMeasure } from "../language/identify.ts";
import type { Language } from "../languages.ts";
import { isRefusal } from "../llm/refusals.ts";
import { atLeast, atMost, isUnspaced, wordsOf } from "../pairs/text.ts";
import { readDocument } from "../rules/document.ts";
import { limitsOf } from "../rules/fineWeb2.ts";
import { gopherRepetition } from "../rules/gopherRepetition.ts";
import type { Measure } from "../rules/measure.ts";
import { leftover } from "./fill.ts";

export interface Checks {
  /** Least probability of the language that was asked for (RefinedWeb's cut). */
  language: number;
  /** Models keep a length only roughly: so much below and above what was asked still passes. */
  shorter: number;
  longer: number;
  /** Share of runs of five words that the prompt or a sample has too. */
  copied: number;
}

export const CHECKS: Checks = { language: 0.65, shorter: 0.5, longer: 1.5, copied: 0.3 };

export interface Expected {
  language: Language;
  /** Words, or characters of Chinese, Japanese and Thai. */
  minLength: number;
  maxLength: number;
  /** What the model was given. */
  prompt: string;
}

export type Identify = (text: string) => Identification;

/**
 * Of an answer: its faults as an answer. `given`: values in the prompt that are not ours; marks that they hold may be in
 * the answer.
 */
export function answerMeasures(
  { text, finishReason }: { text: string; finishReason: string },
  { slots, given }: { slots: readonly string[]; given: readonly string[] },
): Measure[] {
  return [
    atLeast("answer.empty", /[\p{L}\p{N}]/u.test(text) ? 1 : 0, 1),
    atLeast("answer.cut", finishReason === "stop" ? 1 : 0, 1),
    atMost("answer.refusal", isRefusal(text) ? 1 : 0, 0),
    atMost("answer.leftover", leftover(text, slots, given) === null ? 0 : 1, 0),
  ];
}

/** Of a text: the language, the length, what it copies, and what repeats itself. */
export function textMeasures(text: string, expected: Expected, identify: Identify, checks: Checks): Measure[] {
  const { language, minLength, maxLength, prompt } = expected;
  const length = lengthOf(text, language);
  return [
    { ...languageMeasure(identify(text), language, checks.language), rule: "answer.language" },
    atLeast("answer.tooShort", length, Math.floor(checks.shorter * minLength)),
    atMost("answer.tooLong", length, Math.ceil(checks.longer * maxLength)),
    atMost("answer.copied", copiedShare(text, prompt, language), checks.copied),
    ...repetition(text, language),
  ];
}

/** Gopher's least length in words: in a shorter text the commonest n-gram is a large share even if it occurs once. */
const LEAST_WORDS = 50;

/** Gopher's rules of repetition with FineWeb-2's limits; of a short text those that count only what comes again. */
export function repetition(text: string, language: Language): Measure[] {
  const document = readDocument(text, language);
  const measures = gopherRepetition(document, limitsOf(language).gopherRepetition);
  return document.words.count >= LEAST_WORDS
    ? measures
    : measures.filter(({ rule }) => !/^gopher\.top\dGram$/.test(rule));
}

/** Words, or characters without white space where no spaces are written. */
export const lengthOf = (text: string, language: string) =>
  isUnspaced(language) ? [...text.replace(/\s+/g, "")].length : wordsOf(text, language).length;

const RUN = 5;

/** Share of the runs of five words of `text` that `other` has; of a shorter text, whether it is in it whole. */
export function copiedShare(text: string, other: string, language: string): number {
  const runs = runsOf(wordsOf(text, language));
  const known = new Set(runsOf(wordsOf(other, language), Math.min(RUN, wordsOf(text, language).length)));
  return runs.length === 0 ? 0 : runs.filter((run) => known.has(run)).length / runs.length;
}

function runsOf(words: readonly string[], size = Math.min(RUN, words.length)): string[] {
  if (size === 0) return [];
  return Array.from({ length: Math.max(0, words.length - size + 1) }, (_, i) => words.slice(i, i + size).join(" "));
}

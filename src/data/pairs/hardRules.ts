/**
 * @file The 24 named rules of bicleaner-hardrules, in its order, written from its documentation and from what the tool
 * answers (test/fixtures/data/hardRules.json; its code is GPL and was not read). Every rule is measured, not only the
 * first that fails, and of each side. `wrong_tu` (no two columns) is the readers' quarantine. Where ours differs:
 * `no_breadcrumbs` follows the documentation (release 2.10.8 never gave it), and Thai is counted in characters.
 */

import type { Measure } from "../rules/measure.ts";
import { codePoints } from "../rules/pythonText.ts";
import type { SentencePair } from "./pair.ts";
import { repeatedInCharacters, repeatedInWords } from "./repeats.ts";
import { above, atLeast, atMost, below, countMatches, isUnspaced, primary } from "./text.ts";

/** A side's text with what several rules count. */
interface Side {
  name: "left" | "right";
  text: string;
  language: string;
  /** Counted in characters, not words: zh, ja, ko (as the tool does) and th. */
  byCharacters: boolean;
  characters: number;
  words: string[];
}

export interface HardRuleOptions {
  /** Rules that are off unless named here, as in the tool. */
  also?: ("no_urls" | "no_number_inconsistencies" | "no_script_inconsistencies")[];
  /** `no_wrong_language`: how sure it is, from 0 to 1, that a text is in another language. */
  otherLanguage?: (text: string, language: string) => number;
  /** `no_porn`: how sure it is, from 0 to 1. */
  offensive?: (text: string, language: string) => number;
  /** `lm_filter`: fluency of the pair, from 0 to 1. */
  fluency?: (pair: SentencePair) => number;
}

const LITERALS = ["Re:", "{{", "%s", "}}", "+++", "***", '="'];
/** Signs between the steps of a path, with spaces around. */
const BREADCRUMB = /(?<=\s)[>»|·/→](?=\s)/gu;
/** Text that was UTF-8 and read as Latin-1 has these; so have these languages themselves. */
const OWN_TILDE = new Set(["pt"]);
const OWN_CIRCUMFLEX = new Set(["pt", "fr", "ro", "tr", "vi", "it"]);

export function hardRules(pair: SentencePair, options: HardRuleOptions = {}): Measure[] {
  const left = side("left", pair.source, pair.sourceLanguage);
  const right = side("right", pair.target, pair.targetLanguage);
  const name = (rule: string) => `hardrules.${rule}`;
  const ofEach = (rule: string, measure: (rule: string, side: Side) => Measure) =>
    [left, right].map((one) => measure(name(`${rule}(${one.name})`), one));
  const none = (rule: string, count: (side: Side) => number) => ofEach(rule, (r, one) => atMost(r, count(one), 0));
  const also = (rule: NonNullable<HardRuleOptions["also"]>[number], measures: () => Measure[]) =>
    options.also?.includes(rule) ? measures() : [];
  const { otherLanguage, offensive, fluency } = options;

  return [
    ...ofEach("no_empty", (rule, { characters }) => atLeast(rule, characters, 1)),
    ...ofEach("not_too_long", (rule, { characters }) => atMost(rule, characters, 1023)),
    ...ofEach("not_too_short", (rule, one) => atLeast(rule, one.byCharacters ? one.characters : one.words.length, 3)),
    atMost(name("length_ratio"), lengthRatio(left, right), 3),
    atMost(name("no_identical"), letters(left.text) === letters(right.text) ? 1 : 0, 0),
    ...none("no_literals", ({ text }) => LITERALS.reduce((n, literal) => n + text.split(literal).length - 1, 0)),
    ...ofEach("no_only_symbols", (rule, one) => atLeast(rule, share(one, /\p{L}/gu), above(0.1))),
    ...ofEach("no_only_numbers", (rule, one) =>
      atMost(rule, share(one, /\p{Nd}/gu), below(one.byCharacters ? 0.7 : 0.5)),
    ),
    ...also("no_urls", () =>
      none("no_urls", ({ text }) => countMatches(text, /https?:\/\/|\bwww\.|\w\.(?:com|org|net)\b/giu)),
    ),
    ...ofEach("no_breadcrumbs", (rule, { text }) => atMost(rule, countMatches(text, BREADCRUMB), 2)),
    ...none("no_glued_words", ({ text }) => countMatches(text, /\p{Lu}\p{Ll}+\p{Lu}\p{Ll}/gu)),
    ...none("no_repeated_words", (one) =>
      one.byCharacters ? repeatedInCharacters(one.text, 3) : repeatedInWords(one.text, 4),
    ),
    ...ofEach("no_unicode_noise", (rule, { text }) => atMost(rule, longest(text, /[\x80-\xff]+/g), 2)),
    ...ofEach("no_space_noise", (rule, { words }) => atMost(rule, loneCharacters(words), 4)),
    atMost(name("no_paren"), brackets(left.text, right.text), 0),
    ...none("no_escaped_unicode", ({ text }) => countMatches(text, /\\u[\da-f]{4}|\\x[\da-f]{2}/gi)),
    ...none("no_bad_encoding", badEncoding),
    atMost(name("no_titles"), isTitle(left.words) && isTitle(right.words) ? 1 : 0, 0),
    ...(otherLanguage
      ? ofEach("no_wrong_language", (rule, one) => atMost(rule, otherLanguage(one.text, one.language), 0.5))
      : []),
    ...(offensive ? ofEach("no_porn", (rule, one) => atMost(rule, offensive(one.text, one.language), 0.5)) : []),
    ...also("no_number_inconsistencies", () => [
      atMost(name("no_number_inconsistencies"), numberDifference(left.text, right.text), 0),
    ]),
    ...also("no_script_inconsistencies", () => none("no_script_inconsistencies", mixedWords)),
    ...(fluency ? [atLeast(name("lm_filter"), fluency(pair), 0.5)] : []),
  ];
}

function side(name: Side["name"], text: string, language: string): Side {
  const byCharacters = isUnspaced(language) || primary(language) === "ko";
  return { name, text, language, byCharacters, characters: codePoints(text), words: text.split(/\s+/).filter(Boolean) };
}

/** Of characters; of bytes where one side is counted in characters: Chinese has a third as many for the same. */
function lengthRatio(left: Side, right: Side): number {
  const inBytes = left.byCharacters || right.byCharacters;
  const [a, b] = [left, right].map(({ text, characters }) => (inBytes ? Buffer.byteLength(text) : characters));
  return Math.max(a, b) / Math.max(1, Math.min(a, b));
}

const letters = (text: string) => text.replace(/\P{L}+/gu, "").toLowerCase();

const share = ({ text, characters }: Side, pattern: RegExp) => countMatches(text, pattern) / Math.max(1, characters);

const longest = (text: string, pattern: RegExp) =>
  (text.match(pattern) ?? []).reduce((most, run) => Math.max(most, codePoints(run)), 0);

/** The longest row of single characters that are no digits. */
function loneCharacters(words: string[]): number {
  let most = 0;
  let run = 0;
  for (const word of words) {
    run = word.length <= 2 && codePoints(word) === 1 && !/\p{Nd}/u.test(word) ? run + 1 : 0;
    if (run > most) most = run;
  }
  return most;
}

/**
 * Kinds of brackets that are wrong. Of [] and {}: not closed as often as opened, or more than three pairs. Of (): not
 * closed as often as opened and not closed as often as on the other side, so that "1)" may be translated.
 */
function brackets(left: string, right: string): number {
  const count = (text: string, sign: string) => text.split(sign).length - 1;
  const unequal = (text: string, open: string, close: string) => count(text, open) !== count(text, close);
  const parentheses =
    count(left, ")") !== count(right, ")") && (unequal(left, "(", ")") || unequal(right, "(", ")")) ? 1 : 0;
  const others = ["[]", "{}"].filter(([open, close]) =>
    [left, right].some((text) => unequal(text, open, close) || count(text, open) > 3),
  );
  return parentheses + others.length;
}

function badEncoding({ text, language }: Side): number {
  const tilde = OWN_TILDE.has(primary(language)) ? 0 : text.split("Ã").length - 1;
  return tilde + (OWN_CIRCUMFLEX.has(primary(language)) ? 0 : text.split("Â").length - 1);
}

/** More than one word, and every one that has letters is as Python's istitle: capitals begin, and only begin, what is cased. */
function isTitle(words: string[]): boolean {
  const cased = words.filter((word) => /[\p{Lu}\p{Ll}\p{Lt}]/u.test(word));
  const breaks = /[\p{Lu}\p{Ll}\p{Lt}][\p{Lu}\p{Lt}]|(?<![\p{Lu}\p{Ll}\p{Lt}])\p{Ll}/u;
  return words.length > 1 && cased.length > 0 && cased.every((word) => !breaks.test(word));
}

/** Numbers of one side that the other has not. */
function numberDifference(left: string, right: string): number {
  const counts = new Map<string, number>();
  for (const number of left.match(/\p{Nd}+/gu) ?? []) counts.set(number, (counts.get(number) ?? 0) + 1);
  for (const number of right.match(/\p{Nd}+/gu) ?? []) counts.set(number, (counts.get(number) ?? 0) - 1);
  return [...counts.values()].reduce((sum, n) => sum + Math.abs(n), 0);
}

/** Words with letters of both Latin and Greek, or Latin and Cyrillic: letters that look alike. */
const mixedWords = ({ words }: Side) =>
  words.filter((word) => /\p{Script=Latin}/u.test(word) && /[\p{Script=Greek}\p{Script=Cyrillic}]/u.test(word)).length;

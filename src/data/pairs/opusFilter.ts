/**
 * @file Filters of OpusFilter (MIT) as measures, with its defaults: lengths, length ratio, long words, alphabetic share,
 * scripts, terminal punctuation, numerals, longest common substring, similarity and repetition.
 */

import type { Measure } from "../rules/measure.ts";
import { codePoints } from "../rules/pythonText.ts";
import type { SentencePair } from "./pair.ts";
import { levenshtein, longestCommonSubstring, matchingRatio } from "./strings.ts";
import { atLeast, atMost, below, countMatches, isUnspaced, splitWhite, wordsOf } from "./text.ts";

/** Comparing two texts character by character takes the product of their lengths: beyond, only the start is compared. */
const COMPARED = 1024;

/**
 * deviation: words are ICU's where no spaces are written (zh, ja, th); OpusFilter splits at white space, which makes a
 * sentence one word there.
 */
export function opusFilter(pair: SentencePair): Measure[] {
  const sides = [
    { name: "source", text: pair.source, language: pair.sourceLanguage },
    { name: "target", text: pair.target, language: pair.targetLanguage },
  ].map((side) => ({
    ...side,
    words: isUnspaced(side.language) ? wordsOf(side.text, side.language) : splitWhite(side.text),
  }));
  const [a, b] = sides.map(({ text }) => codesOf(text));
  const counts = sides.map(({ words }) => words.length);
  const perSide = sides.flatMap(({ name, text, words, language }) => {
    const lengths = words.map((word) => codePoints(word));
    const letters = countMatches(text, /\p{Alphabetic}/gu);
    return [
      atLeast(`opusfilter.words(${name})`, words.length, 1),
      atMost(`opusfilter.wordsMost(${name})`, words.length, 100),
      atMost(`opusfilter.longestWord(${name})`, Math.max(0, ...lengths), 39),
      ...(isUnspaced(language)
        ? []
        : [
            atLeast(`opusfilter.meanWord(${name})`, mean(lengths), 2),
            atMost(`opusfilter.meanWordMost(${name})`, mean(lengths), 20),
          ]),
      atLeast(`opusfilter.alphabetic(${name})`, text === "" ? 1 : letters / codePoints(text), 0.75),
    ];
  });
  return [
    ...perSide,
    atMost("opusfilter.lengthRatio", Math.max(...counts) / Math.max(1, Math.min(...counts)), below(3)),
    atLeast("opusfilter.terminalPunctuation", terminalPunctuation(pair.source, pair.target), -2),
    atLeast("opusfilter.nonZeroNumerals", matchingRatio(numerals(pair.source), numerals(pair.target)), 0.5),
    atMost(
      "opusfilter.longestCommonSubstring",
      ratio(longestCommonSubstring(a, b), Math.min(a.length, b.length)),
      below(0.9),
    ),
    atMost("opusfilter.similarity", similarity(a, b), below(0.9)),
    atMost("opusfilter.repetition", Math.max(repetition(pair.source), repetition(pair.target)), 1),
  ];
}

const ratio = (part: number, whole: number) => (whole === 0 ? 0 : part / whole);
const mean = (values: number[]) =>
  ratio(
    values.reduce((sum, value) => sum + value, 0),
    values.length,
  );

/** Digits without zeros (ASCII only, as there). */
const numerals = (text: string) => Int32Array.from(text.match(/[1-9]/g) ?? [], Number);

/** The first code points. */
function codesOf(text: string): Int32Array {
  const codes = new Int32Array(Math.min(text.length, COMPARED));
  let size = 0;
  for (let i = 0; i < text.length && size < COMPARED; i++) {
    const code = text.codePointAt(i)!;
    codes[size++] = code;
    if (code > 0xffff) i++;
  }
  return codes.subarray(0, size);
}

/** Vázquez et al. 2019: -log(1 + difference of the counts + all but the first of each side). */
export function terminalPunctuation(source: string, target: string): number {
  const [s, t] = [source, target].map((text) => countMatches(text, /[.?!…]/g));
  return 0 - Math.log(1 + Math.abs(s - t) + Math.max(0, s - 1) + Math.max(0, t - 1));
}

const similarity = (a: Int32Array, b: Int32Array) =>
  a.length === 0 && b.length === 0 ? 1 : 1 - levenshtein(a, b) / Math.max(a.length, b.length);

/** How often the first text of 3 to 101 characters that follows itself at least twice does so, spaces between or not. */
function repetition(text: string): number {
  const match = /(\S.{2,100}?)(?: *\1){2,}/u.exec(text.slice(0, 2 * COMPARED));
  return match ? match[0].split(match[1]).length - 2 : 0;
}

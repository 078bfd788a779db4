/**
 * @file Garbled text: what broken encodings, fonts and copying leave. All ratios are to the characters of the text,
 * those of scripts to its letters. The limits are CHOSEN; the paper only names the rule.
 */
import { type RuleDocument, ratio } from "./document.ts";
import type { Measure } from "./measure.ts";
import { countMojibake } from "./mojibake.ts";
import { characterClasses, DECIMAL, LETTER, MARK, SURROGATE, WHITE } from "./pythonText.ts";
import { OTHER_SCRIPT, scriptNumber, scriptsOf, scriptTable } from "./scripts.ts";

export const GARBLED = {
  maxReplacement: 0.001,
  maxControl: 0.001,
  maxPrivateUse: 0.005,
  maxMojibake: 0.005,
  maxRepeatedSymbols: 0.15,
  /** Neither letters, marks, digits nor white space; plain text has some 3 to 8 %, a reference with code 15 %. */
  maxSymbols: 0.25,
  /** Letters of the scripts that the language is written in, of all but ASCII's: those are names and code everywhere. */
  minExpectedScript: 0.5,
  /** Words that mix Latin with Cyrillic or Greek letters. */
  maxMixedWords: 0.05,
};

/** So many times the same symbol in a row is counted. */
const RUN = 4;

export function garbled(document: RuleDocument, limits: typeof GARBLED = GARBLED): Measure[] {
  const { text, language, length } = document;
  const counts = countCharacters(text, language);
  const atMost = (rule: string, value: number, limit: number): Measure => ({
    rule: `garbled.${rule}`,
    value,
    limit,
    keep: "atMost",
  });
  return [
    atMost("replacement", ratio(counts.replacement, length), limits.maxReplacement),
    atMost("control", ratio(counts.control, length), limits.maxControl),
    atMost("privateUse", ratio(counts.privateUse, length), limits.maxPrivateUse),
    atMost("mojibake", ratio(countMojibake(text, language), length), limits.maxMojibake),
    atMost("symbols", ratio(counts.symbols, length), limits.maxSymbols),
    atMost("repeatedSymbols", ratio(counts.inRuns, length), limits.maxRepeatedSymbols),
    {
      rule: "garbled.expectedScript",
      // A text without letters is `empty`, not of another script.
      value: counts.letters === 0 ? 1 : ratio(counts.expected, counts.letters - counts.otherAscii),
      limit: limits.minExpectedScript,
      keep: "atLeast",
    },
    atMost("mixedWords", ratio(counts.mixedWords, counts.words), limits.maxMixedWords),
  ];
}

const LATIN = 1 << scriptNumber("Latin");
const ALIKE = (1 << scriptNumber("Cyrillic")) | (1 << scriptNumber("Greek"));

/** One pass: damaged characters, runs of one symbol, letters by script, words of several scripts. */
function countCharacters(text: string, language: string) {
  const kind = characterClasses();
  const scripts = scriptTable();
  const expectedScripts = scriptsOf(language).reduce((bits, script) => bits | (1 << scriptNumber(script)), 0);
  const counts = {
    replacement: 0,
    control: 0,
    privateUse: 0,
    inRuns: 0,
    symbols: 0,
    letters: 0,
    expected: 0,
    /** ASCII letters of a language that is written in another script. */
    otherAscii: 0,
    words: 0,
    mixedWords: 0,
  };
  let run = 0;
  let word = 0; // scripts of the word, as bits
  for (let i = 0; i <= text.length; i++) {
    const unit = i < text.length ? text.charCodeAt(i) : 32;
    const bits = kind[unit];
    if (bits & LETTER) {
      const script = 1 << scripts[unit];
      counts.letters++;
      if (script & expectedScripts) counts.expected++;
      else if (unit < 128) counts.otherAscii++;
      word |= script;
      continue;
    }
    if (bits & MARK) continue; // part of the word
    if (word !== 0) {
      counts.words++;
      if (word & LATIN && word & ALIKE) counts.mixedWords++;
      word = 0;
    }
    if (bits & (DECIMAL | WHITE) && unit >= 32) continue;
    if (unit < 32) {
      if (unit !== 9 && unit !== 10 && unit !== 13) counts.control++;
    } else if (unit >= 127 && unit < 160) counts.control++;
    else if (unit >= 0xe000 && unit < 0xf900) counts.privateUse++;
    else if (unit === 0xfffd) counts.replacement++;
    else if (bits & SURROGATE) {
      const point = text.codePointAt(i)!;
      if (point > 0xffff) {
        if (point >= 0xf0000) counts.privateUse++;
        else if (/\p{L}/u.test(String.fromCodePoint(point))) {
          counts.letters++;
          // Outside the first plane only rare Han characters are expected anywhere.
          if (expectedScripts & (1 << scriptNumber("Han")) && point >= 0x20000) counts.expected++;
          word |= 1 << OTHER_SCRIPT;
        } else counts.symbols++;
        i++;
      } else counts.replacement++; // half of a pair: encoders write U+FFFD for it
    } else counts.symbols++;
    if (i > 0 && i < text.length && unit === text.charCodeAt(i - 1)) {
      run++;
      if (run === RUN - 1) counts.inRuns += RUN;
      else if (run >= RUN) counts.inRuns++;
    } else run = 0;
  }
  return counts;
}

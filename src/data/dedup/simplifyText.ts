/**
 * @file Text as datatrove compares it (`simplify_text`): lower case, numbers as 0, punctuation and white space as one
 * space, no diacritics. For hashing only: dropping the marks of class Mn takes vowels out of Thai and Bengali, too.
 * This is the plain version; wordBytes.ts does the same in one pass over the text.
 */

export const NUMBER_SEPARATORS = ".,،٫⎖⎗⎘";
const NUMBERS = new RegExp(`\\p{Nd}+(?:[${NUMBER_SEPARATORS}]\\p{Nd}+)?`, "gu");

/** datatrove's PUNCTUATION, with the control characters but for tab and line feed. */
const PUNCTUATION =
  "!/—”:％１〈&(、━\\【#%「」，】；+^]~“《„';’{|∶´[=-`*．（–？！：$～«〉,><》)?）。…@_.\"}►»" +
  String.fromCharCode(
    ...Array.from({ length: 160 }, (_, code) => code).filter(
      (code) => (code < 32 && code !== 9 && code !== 10) || code > 126,
    ),
  );
const isPunctuation = new Set(PUNCTUATION);
const PUNCTUATION_PATTERN = new RegExp(`[${PUNCTUATION.replace(/[\\\]^-]/g, "\\$&")}]`, "g");

/** What Python's `\s` matches, less what is punctuation above; unlike JavaScript's it does not hold U+FEFF. */
const WHITE_SPACE = /[\t\n \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/g;

/** Becomes a space, or belongs to one: a character of one UTF-16 unit. */
export const isSeparator = (char: string) => isPunctuation.has(char) || char.replace(WHITE_SPACE, "") === "";

/** The base characters of the canonical decomposition: without marks of class Mn. */
export const withoutMarks = (text: string) => text.normalize("NFD").replace(/\p{Mn}/gu, "");

/** Python's `str.strip` on what is left after the steps above. */
const strip = (text: string) => text.replace(WHITE_SPACE, " ").replace(/^ | $/g, "");

export function simplifyText(text: string): string {
  const plain = text.toLowerCase().replace(NUMBERS, "0").replace(PUNCTUATION_PATTERN, " ");
  return withoutMarks(strip(plain)).replace(/^ +| +$/g, "");
}

/** Languages that put no space between words, of the 29: their words are those of ICU's dictionaries. */
const UNSPACED: ReadonlySet<string> = new Set(["zh", "ja", "th"]);
const segmenters = new Map<string, Intl.Segmenter>();

export const hasSpaces = (language: string) => !UNSPACED.has(language);

/** What ICU has dictionaries for: asking it about the rest as well takes twice the time and gives the same words. */
const NEEDS_DICTIONARY = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]/u;

/** The words of a simplified text. */
export function wordsOf(simplified: string, language: string): string[] {
  const spaced = simplified.split(" ").filter((word) => word !== "");
  return hasSpaces(language) ? spaced : spaced.flatMap((piece) => segment(piece, language));
}

function segment(piece: string, language: string): string[] {
  if (!NEEDS_DICTIONARY.test(piece)) return [piece];
  let segmenter = segmenters.get(language);
  if (!segmenter) {
    segmenter = new Intl.Segmenter(language, { granularity: "word" });
    segmenters.set(language, segmenter);
  }
  return Array.from(segmenter.segment(piece), ({ segment }) => segment);
}

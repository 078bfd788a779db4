/**
 * @file What Python's `str` means by length, white space, line, letter and digit: the rules that this project takes
 * over are written in Python, and their thresholds count what Python counts. Code points, never UTF-16 units.
 * `test/fixtures/data/python.py` asked Python itself; `test/data/rules/pythonText.test.ts` compares.
 */

/** Classes of a UTF-16 unit, as bits. Half of a surrogate pair is in none (see `SURROGATE`). */
export const WHITE = 1; // str.isspace
export const LETTER = 2; // \p{L}: str.isalpha
export const DECIMAL = 4; // \p{Nd}: str.isdecimal, and \d in `re`
export const MARK = 8; // \p{M}
export const SYMBOL = 16; // datatrove's punctuation: what a symbol-only word is made of
export const LINE_END = 32; // str.splitlines
export const TERMINAL = 64; // Sentence_Terminal: the end of a sentence in any script
export const UPPER = 128;
export const SURROGATE = 256;
/** Written without spaces between words: Han, Kana, Thai. */
export const UNSPACED = 512;
/** Peeled off the ends of a word (see words.ts). */
export const PEEL = 1024;
/** May end, or may split, a word, depending on what is around it. */
export const INNER = 2048;
export const PREFIX = 4096;
export const SUFFIX = 8192;

/** Besides `Sentence_Terminal`. C0 and C1 controls count too, but for tab and line feed, which are white space. */
const SYMBOLS = "!/—”:％１〈&(、━\\【#%「」，】；+^]~“《„';’{|∶´[=-`*．（–？！：$～«〉,><》)?）。…@_.\"}►»";
const PEELED = "…,:;!?¿؟¡()[]{}<>_#*&。？！，、；：～·।،۔؛٪'\"”“`‘´’‚„»«「」『』（）〔〕【】《》〈〉⟦⟧";

function makeClasses(): Uint16Array {
  const classes = new Uint16Array(0x10000);
  const mark = (characters: string, bits: number) => {
    for (const character of characters) classes[character.charCodeAt(0)] |= bits;
  };
  const properties: [RegExp, number][] = [
    [/\p{L}/u, LETTER],
    [/\p{Lu}/u, UPPER],
    [/\p{Nd}/u, DECIMAL],
    [/\p{M}/u, MARK],
    [/\p{Sentence_Terminal}/u, SYMBOL | TERMINAL],
    [/\p{So}/u, PEEL],
    [/(?=[\p{L}\p{M}])[\p{scx=Han}\p{scx=Hiragana}\p{scx=Katakana}\p{scx=Thai}]/u, UNSPACED],
  ];
  for (let unit = 0; unit < 0x10000; unit++) {
    if (unit >= 0xd800 && unit < 0xe000) {
      classes[unit] = SURROGATE;
      continue;
    }
    if (unit >= 0xac00 && unit < 0xd7a4) {
      classes[unit] = LETTER; // Hangul syllables, all alike
      continue;
    }
    const character = String.fromCharCode(unit);
    for (const [property, bits] of properties) if (property.test(character)) classes[unit] |= bits;
  }
  mark("\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000", WHITE);
  for (let unit = 0x2000; unit <= 0x200a; unit++) classes[unit] |= WHITE;
  mark("\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029", LINE_END);
  mark(SYMBOLS, SYMBOL);
  for (let unit = 0; unit < 0xa0; unit++) {
    if ((unit < 32 && unit !== 9 && unit !== 10) || unit === 11 || unit >= 127) classes[unit] |= SYMBOL;
  }
  mark(PEELED, PEEL);
  mark("§%=—–+$£€¥฿₽﷼₴₠₡₢₣₤₥₦₧₨₩₪₫₭₮₯₰₱₲₳₵₶₷₸₹₺₻₼₽₾₿", PREFIX);
  mark("—–", SUFFIX);
  mark(".,-–—~:<>=/+*^%$£€", INNER);
  return classes;
}

let classes: Uint16Array | undefined;
/** The classes of every UTF-16 unit, made at the first use (some 20 ms). */
export const characterClasses = () => {
  classes ??= makeClasses();
  return classes;
};

/** len(text[start:end]) where the bounds are UTF-16 offsets: a pair of surrogates counts one, a lone one too. */
export function codePoints(text: string, start = 0, end = text.length): number {
  let count = end - start;
  for (let i = start; i < end - 1; i++) {
    if ((text.charCodeAt(i) & 0xfc00) === 0xd800 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00) {
      count--;
      i++;
    }
  }
  return count;
}

const isWhite = (text: string, i: number) => (characterClasses()[text.charCodeAt(i)] & WHITE) !== 0;

/** text.lstrip() */
export function stripStart(text: string): string {
  let start = 0;
  while (start < text.length && isWhite(text, start)) start++;
  return start === 0 ? text : text.slice(start);
}

/** text.rstrip() */
export function stripEnd(text: string): string {
  let end = text.length;
  while (end > 0 && isWhite(text, end - 1)) end--;
  return end === text.length ? text : text.slice(0, end);
}

/** text.strip(): U+FEFF stays (JavaScript's trim takes it), U+0085 and U+001C to U+001F go (trim leaves them). */
export const strip = (text: string) => stripStart(stripEnd(text));

/** text.splitlines(): also at vertical tab, form feed, the separators U+001C to U+001E, U+0085, U+2028 and U+2029. */
export function splitLines(text: string): string[] {
  const kind = characterClasses();
  const lines: string[] = [];
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    if ((kind[text.charCodeAt(i)] & LINE_END) === 0) continue;
    lines.push(text.slice(start, i));
    if (text.charCodeAt(i) === 13 && text.charCodeAt(i + 1) === 10) i++;
    start = i + 1;
  }
  if (start < text.length) lines.push(text.slice(start));
  return lines;
}

/** text.split() */
export function splitWhite(text: string): string[] {
  const kind = characterClasses();
  const words: string[] = [];
  let start = -1;
  for (let i = 0; i < text.length; i++) {
    if (kind[text.charCodeAt(i)] & WHITE) {
      if (start >= 0) words.push(text.slice(start, i));
      start = -1;
    } else if (start < 0) start = i;
  }
  if (start >= 0) words.push(text.slice(start));
  return words;
}

/** text.isalpha() */
export const isAlpha = (text: string) => /^\p{L}+$/u.test(text);

/** text.isdecimal(): what `\d` matches. */
export const isDecimal = (text: string) => /^\p{Nd}+$/u.test(text);

/** text.isdigit(): decimals, and the superscripts and circled digits that have no property in JavaScript. */
export const isDigit = (text: string) => /^[\p{Nd}²³¹፩-፱᧚⁰⁴-⁹₀-₉①-⑨⑴-⑼⒈-⒐⓪⓵-⓽⓿❶-❾➀-➈➊-➒𐩀-𐩃𐹠-𐹨𑁒-𑁚🄀-🄊]+$/u.test(text);

/** How often `part` occurs, not overlapping: text.count(part). */
export function count(text: string, part: string): number {
  let found = 0;
  for (let at = text.indexOf(part); at >= 0; at = text.indexOf(part, at + part.length)) found++;
  return found;
}

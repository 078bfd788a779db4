/**
 * @file The words of simplified text (simplifyText.ts) as UTF-8, one space between two words, so that a shingle of words
 * is one range of bytes and no string is built for it. One pass over the text with a table of what each character
 * becomes; where that cannot be told from the character alone, the plain version does it.
 */
import { hasSpaces, isSeparator, NUMBER_SEPARATORS, simplifyText, withoutMarks, wordsOf } from "./simplifyText.ts";

// What a character becomes: below 128 that byte, from POOLED on a range of `pool`, otherwise one of these.
const UNKNOWN = 0;
const SPACE = 128;
const DIGIT = 129;
const NOTHING = 130;
/** Has a combining class but is no Mn: its place among other marks depends on its neighbours. */
const IN_CONTEXT = 131;
const HIGH_SURROGATE = 132;
const POOLED = 256;

/** A UTF-16 unit gives at most so many bytes: a Hangul syllable is three letters of three bytes. */
const BYTES_PER_UNIT = 9;

const encoder = new TextEncoder();
const ofUnit = new Int32Array(65536); // 256 kB
const ofPair = new Map<number, number>();
let pool = new Uint8Array(1 << 16);
let poolSize = 0;
for (let unit = 0xd800; unit < 0xdc00; unit++) ofUnit[unit] = HIGH_SURROGATE;

function becomes(char: string): number {
  const lower = char.toLowerCase(); // of İ two characters; the sigma at the end of a word is done before
  if (isSeparator(lower)) return SPACE;
  if (/^\p{Nd}$/u.test(lower)) return DIGIT;
  const bases = withoutMarks(lower);
  if (bases === "") return NOTHING;
  for (const base of bases) if (`${base}\u0334`.normalize("NFD") !== `${base}\u0334`) return IN_CONTEXT; // 0334: class 1
  const bytes = encoder.encode(bases); // a lone surrogate becomes U+FFFD
  if (bytes.length > BYTES_PER_UNIT * char.length) throw new Error(`wordBytes: ${char} becomes ${bytes.length} bytes`);
  if (bytes.length === 1) return bytes[0];
  if (poolSize + bytes.length > pool.length) {
    const larger = new Uint8Array(2 * pool.length);
    larger.set(pool);
    pool = larger;
  }
  pool.set(bytes, poolSize);
  poolSize += bytes.length;
  return POOLED + (poolSize - bytes.length) * 16 + bytes.length;
}

/** What the character at `at` becomes. */
function codeAt(text: string, at: number): number {
  const unit = text.charCodeAt(at);
  const code = ofUnit[unit];
  if (code === UNKNOWN) {
    ofUnit[unit] = becomes(text[at]);
    return ofUnit[unit];
  }
  if (code !== HIGH_SURROGATE) return code;
  const point = text.codePointAt(at)!;
  let pair = ofPair.get(point);
  if (pair === undefined) {
    pair = becomes(String.fromCodePoint(point));
    ofPair.set(point, pair);
  }
  return pair;
}

const unitsAt = (text: string, at: number) => (text.codePointAt(at)! > 0xffff ? 2 : 1);

/** Room for words: their bytes, and where each word starts. */
export interface WordRoom {
  bytes: Uint8Array;
  starts: Int32Array;
}

/**
 * Writes the words of `text` to `bytes` from 0 and where each starts to `starts`; one more start is where the next word
 * would be. `reserve` gives room for so many bytes and starts.
 * @returns the number of words
 */
export function writeWords(
  text: string,
  language: string,
  reserve: (bytes: number, starts: number) => WordRoom,
): number {
  if (!hasSpaces(language)) return writeEach(wordsOf(simplifyText(text), language), reserve);
  const { bytes, starts } = reserve(BYTES_PER_UNIT * text.length + BYTES_PER_UNIT, (text.length >>> 1) + 3);
  const source = text.includes("Σ") ? text.toLowerCase() : text;
  let words = 0;
  let at = 0;
  let open = false; // inside a word
  for (let i = 0; i < source.length; i++) {
    let code = ofUnit[source.charCodeAt(i)];
    if (code === UNKNOWN || code === HIGH_SURROGATE) {
      code = codeAt(source, i);
      i += unitsAt(source, i) - 1;
    }
    if (code === SPACE) {
      if (open) bytes[at++] = 32;
      open = false;
      continue;
    }
    if (code === NOTHING) continue;
    if (code === IN_CONTEXT) return writeEach(wordsOf(simplifyText(text), language), reserve);
    if (!open) {
      starts[words++] = at;
      open = true;
    }
    if (code < 128) bytes[at++] = code;
    else if (code === DIGIT) {
      bytes[at++] = 48;
      i = afterNumber(source, i) - 1;
    } else {
      let from = (code - POOLED) >>> 4;
      for (const to = from + ((code - POOLED) & 15); from < to; from++) bytes[at++] = pool[from];
    }
  }
  starts[words] = open ? at + 1 : at;
  return words;
}

/** Where a number ends of which a digit's last unit is at `at`: digits, and once a separator and digits. */
function afterNumber(text: string, at: number): number {
  let i = afterDigits(text, at + 1);
  if (i < text.length && NUMBER_SEPARATORS.includes(text[i])) {
    const end = afterDigits(text, i + 1);
    if (end > i + 1) i = end;
  }
  return i;
}

function afterDigits(text: string, at: number): number {
  let i = at;
  while (i < text.length && codeAt(text, i) === DIGIT) i += unitsAt(text, i);
  return i;
}

/** Writes words that are known already. */
export function writeEach(words: readonly string[], reserve: (bytes: number, starts: number) => WordRoom): number {
  const size = words.reduce((sum, word) => sum + 3 * word.length + 1, 0);
  const { bytes, starts } = reserve(size, words.length + 1);
  let at = 0;
  words.forEach((word, i) => {
    starts[i] = at;
    at += encoder.encodeInto(word, bytes.subarray(at)).written;
    bytes[at++] = 32;
  });
  starts[words.length] = at;
  return words.length;
}

/**
 * Normalisation and pre-tokenisation: what happens to text before byte-pair encoding, in training and in use alike.
 * The pattern is Qwen2's. tiktoken (Rust) and Hugging Face tokenizers (Oniguruma) read it as it stands; for JavaScript
 * it is written as code, which splits every string the same way:
 * - Node 20 lacks `(?i:...)`; `ſ` is among the contractions because case folding maps it to s;
 * - JavaScript's `\s` has U+FEFF and lacks U+0085, so white space is one explicit class;
 * - its regular expressions fail where a run has millions of characters (their stack is 64 MB).
 * Each engine classes and composes characters by its own version of Unicode: only newer ones may come out differently.
 */

/** Qwen2's pattern, as `tokenizer.json` of Qwen1.5, Qwen2, Qwen2.5 and Qwen3 has it. */
export const PATTERN =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

/** The Unicode property White_Space, as the inside of a character class. */
const SPACE = "\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000";

/** The classes of the pattern: `\p{L}`, `\p{N}`, `\s` without line breaks, `[\r\n]`, and `[^\s\p{L}\p{N}]`. */
const LETTER = 1;
const DIGIT = 2;
const BLANK = 3;
const BREAK = 4;
const MARK = 5;
const CLASSES: [RegExp, number][] = [
  [/\p{L}/u, LETTER],
  [/\p{N}/u, DIGIT],
  [/[\r\n]/, BREAK],
  [new RegExp(`[${SPACE}]`), BLANK],
];
const classes = new Uint8Array(0x110000); // by code point, found when first met

function classOf(codePoint: number): number {
  const character = String.fromCodePoint(codePoint);
  classes[codePoint] = CLASSES.find(([pattern]) => pattern.test(character))?.[1] ?? MARK;
  return classes[codePoint];
}

const CONTRACTION = /'(?:[sSſ]|[tT]|[rR][eE]|[vV][eE]|[mM]|[lL][lL]|[dD])/y;

/** NFC, and U+FFFD for half a surrogate pair, which UTF-8 cannot hold. */
export function normalize(text: string): string {
  return text.normalize("NFC").replace(/\p{Surrogate}/gu, "\ufffd");
}

/** The pre-tokens of normalised text, in order: their concatenation is the text. */
export function pretokenize(text: string): string[] {
  const words: string[] = [];
  for (let at = 0; at < text.length; ) {
    const end = endOfPretoken(text, at);
    words.push(text.slice(at, end));
    at = end;
  }
  return words;
}

/** Where the match of {@link PATTERN} at `start` ends: its alternatives in their order. */
function endOfPretoken(text: string, start: number): number {
  // 's 't 're 've 'm 'll 'd
  if (text[start] === "'") {
    CONTRACTION.lastIndex = start;
    if (CONTRACTION.test(text)) return CONTRACTION.lastIndex;
  }
  // letters, with one leading space or mark
  const first = classAt(text, start);
  const letters = first === BLANK || first === MARK ? next(text, start) : start;
  if (classAt(text, letters) === LETTER) return endOfRun(text, letters, LETTER);
  // one digit
  if (first === DIGIT) return next(text, start);
  // punctuation and combining marks, with one leading space and the line breaks that follow
  const marks = text[start] === " " ? start + 1 : start;
  if (classAt(text, marks) === MARK) return endOfRun(text, endOfRun(text, marks, MARK), BREAK);
  // white space: up to its last line break; else all but the last before a word, which takes that or leaves it alone
  let end = start;
  let afterBreak = start;
  for (let type = first; type === BLANK || type === BREAK; type = classAt(text, end)) {
    end++;
    if (type === BREAK) afterBreak = end;
  }
  if (afterBreak > start) return afterBreak;
  return end < text.length && end - start > 1 ? end - 1 : end;
}

/** The class of the code point at i; 0 at the end. */
function classAt(text: string, i: number): number {
  return i < text.length ? classes[text.codePointAt(i)!] || classOf(text.codePointAt(i)!) : 0;
}

function next(text: string, i: number): number {
  return i + (text.codePointAt(i)! > 0xffff ? 2 : 1);
}

function endOfRun(text: string, start: number, type: number): number {
  let end = start;
  while (classAt(text, end) === type) end = next(text, end);
  return end;
}

/** Code points in a run of letters, of marks or of white space from which a text counts as holding a long pre-token. */
export const LONG_RUN = 128;

const LONG = new RegExp(
  ["\\p{L}", `[^${SPACE}\\p{L}\\p{N}]`, `[${SPACE}]`].map((c) => `${c}{${LONG_RUN}}`).join("|"),
  "u",
);

/** Whether normalised text may hold a pre-token of {@link LONG_RUN} code points or more. */
export function hasLongPretoken(text: string): boolean {
  return text.length >= LONG_RUN && LONG.test(text);
}

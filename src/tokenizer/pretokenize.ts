/**
 * Normalisation and pre-tokenisation: what happens to text before byte-pair encoding, in training and in use alike.
 * The pattern is Qwen2's (`tokenizer.json` of Qwen/Qwen2-7B), written so that JavaScript, tiktoken (Rust) and
 * Hugging Face tokenizers (Oniguruma) split the same string the same way:
 * - `(?i:...)` is spelled out (`[sS]`), for Node 20 lacks it; `ſ` is there because case folding maps it to s;
 * - white space is one explicit class, for JavaScript's `\s` has U+FEFF and lacks U+0085;
 * - deviation: a run is cut after {@link MAX_RUN} characters, where Qwen2 has no bound. tiktoken takes time quadratic in
 *   the length of a pre-token: 200,000 times `a` took 37 s. Ids differ from Qwen2's only where a run is longer.
 * Each engine classes and composes characters by its own version of Unicode: only newer ones may come out differently.
 */

/** Longest run of letters, of punctuation or of white space in one pre-token, in code points. */
export const MAX_RUN = 128;

/** The Unicode property White_Space, as the inside of a character class. */
const SPACE = "\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000";
const SOME = `{1,${MAX_RUN}}`;
const ANY = `{0,${MAX_RUN}}`;

/** The pattern as text, valid in all three regular expression engines. */
export const PATTERN = [
  "'(?:[sSſ]|[tT]|[rR][eE]|[vV][eE]|[mM]|[lL][lL]|[dD])", // English contractions
  `[^\\r\\n\\p{L}\\p{N}]?\\p{L}${SOME}`, // letters, with one leading space or mark
  "\\p{N}", // one digit
  ` ?[^${SPACE}\\p{L}\\p{N}]${SOME}[\\r\\n]${ANY}`, // punctuation and combining marks
  `[${SPACE}]${ANY}[\\r\\n]${SOME}`, // line breaks
  `[${SPACE}]${SOME}(?![^${SPACE}])`, // white space, but for the last before a word
  `[${SPACE}]${SOME}`,
].join("|");

const REGEXP = new RegExp(PATTERN, "gu");

/** NFC, and U+FFFD for half a surrogate pair, which UTF-8 cannot hold. */
export function normalize(text: string): string {
  return text.normalize("NFC").replace(/\p{Surrogate}/gu, "\ufffd");
}

/** The pre-tokens of normalised text, in order: their concatenation is the text. */
export function pretokenize(text: string): string[] {
  return text.match(REGEXP) ?? [];
}

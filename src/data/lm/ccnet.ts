/**
 * @file The text as CCNet's language models saw it (cc_net/text_normalizer.py, `normalize`), faults included: a
 * full-width 1 stands in the punctuation table for a quotation mark, and every line break is dropped with the control
 * characters, which glues the words around it. Only for perplexities comparable with CCNet's.
 *
 * Wenzek et al., CCNet: Extracting High Quality Monolingual Datasets from Web Crawl Data (2020).
 */

const PUNCTUATION = new Map([
  ...'，,。.、,„"”"“"«"»"１"」"「"《"》"´\'∶:：:？?！!（(）)；;–-～~’\'━-〈<〉>【[】]％%►-'
    .match(/../gu)!
    .map((pair) => [...pair] as [string, string]),
  ["—", " - "],
  ["．", ". "],
  ["…", "..."],
]);
const ANY_PUNCTUATION = new RegExp(`[${[...PUNCTUATION.keys()].join("")}]`, "gu");

/** Python's `str.strip()`, which is not JavaScript's `trim`: U+FEFF stays, U+001C to U+001F and U+0085 go. */
const PYTHON_SPACE = "[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]";
const OUTER_SPACE = new RegExp(`^${PYTHON_SPACE}+|${PYTHON_SPACE}+$`, "g");

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
const NOT_PRINTING = /[\x00-\x1f\x7f-\x9f]/g;

export const replaceUnicodePunctuation = (text: string) => text.replace(ANY_PUNCTUATION, (c) => PUNCTUATION.get(c)!);

/** Lower case, no accents, every digit 0, ASCII punctuation, no control characters: in this order. */
export function normalizeAsCcnet(text: string): string {
  const plain = text
    .replace(OUTER_SPACE, "")
    .toLowerCase()
    .normalize("NFD")
    .replace(/\p{Mn}/gu, "");
  return replaceUnicodePunctuation(plain.replace(/\p{Nd}/gu, "0")).replace(NOT_PRINTING, "");
}

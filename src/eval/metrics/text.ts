/** What BLEU and chrF share: Python's idea of white space and n-gram counts. */

/** The characters at which Python's `str.split()` splits. JavaScript's `\s` lacks U+001C-1F and U+0085 and has U+FEFF. */
export const PYTHON_SPACE = "[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]";

/** How often each run of `n` items occurs; the items themselves must not contain the separator U+0000. */
export function countNgrams(items: string[], n: number): Map<string, number> {
  const counts = new Map<string, number>();
  for (let i = 0; i + n <= items.length; i++) {
    const ngram = items.slice(i, i + n).join("\0");
    counts.set(ngram, (counts.get(ngram) ?? 0) + 1);
  }
  return counts;
}

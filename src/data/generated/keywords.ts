/**
 * @file The pool of keywords (the paper has 100 thousand and does not say from where). CHOSEN: words by document
 * frequency, in at least two documents and at most a tenth of them, the most frequent first, without stop words, numbers
 * and words of one or two letters; or the lines of a file.
 */
import { readFileSync } from "node:fs";
import { UserError } from "../../util/assert.ts";
import { LANGUAGES, type Language } from "../languages.ts";
import { isUnspaced, wordsOf } from "../pairs/text.ts";
import { stopWordsOf } from "../rules/stopWords.ts";

/** Keywords of any language (`null`), and of each. */
export type KeywordPool = ReadonlyMap<Language | null, readonly string[]>;

/** A keyword a line; after a tab the language that it is in, if it is of one. @throws UserError */
export function readKeywords(path: string): KeywordPool {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new UserError(`keywords.file ${path}: cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
  const pool = new Map<Language | null, Set<string>>();
  for (const [i, line] of text.split(/\r?\n/).entries()) {
    const [keyword, code] = line.split("\t").map((part) => part.trim());
    if (!keyword) continue;
    const language = code ? LANGUAGES.find((one) => one === code) : null;
    if (language === undefined)
      throw new UserError(`keywords.file ${path}: line ${i + 1}: "${code}" is none of ${LANGUAGES.join(" ")}`);
    pool.set(language, (pool.get(language) ?? new Set()).add(keyword));
  }
  return new Map([...pool].map(([language, words]) => [language, [...words]]));
}

/** Those that may be drawn for a text in `language`. */
export const keywordsFor = (pool: KeywordPool, language: Language): readonly string[] =>
  pool.get(language) ?? pool.get(null) ?? [];

/** Different words that are counted at once, per language; when there are more, those seen once are forgotten. */
const COUNTED = 1 << 20;
const LEAST_DOCUMENTS = 2;
const LARGEST_SHARE = 0.1;

/** Counts words of documents, and makes the pool. */
export function makeKeywordCounter() {
  const counters = new Map<Language, { documents: number; counts: Map<string, number> }>();
  return {
    add(text: string, language: Language) {
      const counter = counters.get(language) ?? { documents: 0, counts: new Map<string, number>() };
      counters.set(language, counter);
      counter.documents++;
      for (const word of new Set(wordsOf(text, language)))
        counter.counts.set(word, (counter.counts.get(word) ?? 0) + 1);
      if (counter.counts.size > COUNTED)
        for (const [word, count] of counter.counts) if (count === 1) counter.counts.delete(word);
    },
    /** At most `size` keywords of each language. */
    pool(size: number): KeywordPool {
      const pool = new Map<Language, string[]>();
      for (const [language, { documents, counts }] of counters) {
        const stopWords = stopWordsOf(language);
        const least = isUnspaced(language) || language === "ko" ? 2 : 3;
        const most = Math.max(LEAST_DOCUMENTS, LARGEST_SHARE * documents);
        const words = [...counts]
          .filter(([word, count]) => count >= LEAST_DOCUMENTS && count <= most && !stopWords.has(word))
          .filter(([word]) => [...word].length >= least && /^[\p{L}\p{M}’'-]+$/u.test(word))
          .sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1));
        pool.set(
          language,
          words.slice(0, size).map(([word]) => word),
        );
      }
      return pool;
    },
  };
}

/**
 * Corpus BLEU (Papineni et al., 2002) with exponential smoothing, equal to sacreBLEU 2.6.0 (Post, 2018).
 *
 * The tokenizer decides the number (the same Chinese output scores 34.3 with 13a and 56.0 with zh), so each target
 * language has one and the signature goes with every score: zh -> `zh`; ja and th, written without spaces, -> `char`;
 * all others -> `13a`. deviation: sacreBLEU's own choices for Japanese (`ja-mecab`) and Korean (`ko-mecab`) need
 * MeCab and a dictionary; we take `char` for ja and keep Korean's spaces with `13a`. The paper names no tokenizer.
 */
import { countNgrams, PYTHON_SPACE } from "./text.ts";

export type BleuTokenizer = "13a" | "zh" | "char" | "none";

export interface BleuOptions {
  tokenizer?: BleuTokenizer;
  /** Ignore orders for which the hypothesis has no n-gram: for single sentences only (sacreBLEU's `eff:yes`). */
  effectiveOrder?: boolean;
}

const MAX_ORDER = 4;

/** The tokenizer for translations into `language`. */
export function bleuTokenizerFor(language: string): BleuTokenizer {
  if (language === "zh") return "zh";
  return language === "ja" || language === "th" ? "char" : "13a";
}

/** What sacreBLEU would print beside the score; the version is the one that our golden values come from. */
export function bleuSignature({ tokenizer = "13a", effectiveOrder = false }: BleuOptions = {}, references = 1): string {
  return `nrefs:${references}|case:mixed|eff:${effectiveOrder ? "yes" : "no"}|tok:${tokenizer}|smooth:exp|version:2.6.0`;
}

/**
 * BLEU, 0 to 100, of `hypotheses` against one or more reference streams (`references[r][i]` belongs to
 * `hypotheses[i]`). n-gram matches and lengths are summed over the corpus before the ratio is taken.
 */
export function corpusBleu(hypotheses: string[], references: string[][], options: BleuOptions = {}): number {
  const { tokenizer = "13a", effectiveOrder = false } = options;
  const matches = new Array<number>(MAX_ORDER).fill(0);
  const totals = new Array<number>(MAX_ORDER).fill(0);
  let hypothesisLength = 0;
  let referenceLength = 0;
  hypotheses.forEach((hypothesis, i) => {
    const words = tokenizeBleu(hypothesis, tokenizer);
    const referenceWords = references.map((stream) => tokenizeBleu(stream[i], tokenizer));
    hypothesisLength += words.length;
    referenceLength += closestLength(
      words.length,
      referenceWords.map((r) => r.length),
    );
    for (let n = 1; n <= MAX_ORDER; n++) {
      const counts = referenceWords.map((r) => countNgrams(r, n));
      for (const [ngram, count] of countNgrams(words, n)) {
        totals[n - 1] += count;
        matches[n - 1] += Math.min(count, Math.max(...counts.map((c) => c.get(ngram) ?? 0)));
      }
    }
  });
  if (matches.every((m) => m === 0)) return 0;

  const brevityPenalty = hypothesisLength < referenceLength ? Math.exp(1 - referenceLength / hypothesisLength) : 1;
  let logSum = 0;
  let order = MAX_ORDER;
  let halving = 1; // exp smoothing: the k-th order without a match counts 1 / 2^k matches
  for (let n = 0; n < MAX_ORDER; n++) {
    if (totals[n] === 0) {
      // No n-gram this long anywhere: precision 0 makes BLEU 0, unless only the effective orders count.
      if (!effectiveOrder) return 0;
      order = n;
      break;
    }
    if (matches[n] === 0) halving *= 2;
    logSum += Math.log((matches[n] || 1 / halving) / totals[n]);
  }
  return 100 * brevityPenalty * Math.exp(logSum / order);
}

/** The reference length nearest to `length`; the shorter of two equally near. */
function closestLength(length: number, candidates: number[]): number {
  return [...candidates].sort((a, b) => Math.abs(a - length) - Math.abs(b - length) || a - b)[0];
}

/** sacreBLEU's tokenizers: mteval-v13a, characters, or zh (every Chinese character apart, then the 13a rules). */
export function tokenizeBleu(text: string, tokenizer: BleuTokenizer): string[] {
  let line = text.replace(new RegExp(`${PYTHON_SPACE}+$`, "u"), "");
  if (tokenizer === "char") line = [...line].join(" ");
  if (tokenizer === "zh") line = splitPunctuation([...line].map((c) => (isChinese(c) ? ` ${c} ` : c)).join(""));
  if (tokenizer === "13a") {
    line = line.replaceAll("<skipped>", "").replaceAll("-\n", "").replaceAll("\n", " ");
    line = line.replaceAll("&quot;", '"').replaceAll("&amp;", "&").replaceAll("&lt;", "<").replaceAll("&gt;", ">");
    line = splitPunctuation(` ${line} `);
  }
  return line.split(new RegExp(`${PYTHON_SPACE}+`, "u")).filter((word) => word !== "");
}

/** The language-dependent rules of mteval-v13a, in its order. */
function splitPunctuation(line: string): string {
  return line
    .replace(/([{-~[-` -&(-+:-@/])/gu, " $1 ")
    .replace(/([^0-9])([.,])/gu, "$1 $2 ")
    .replace(/([.,])([^0-9])/gu, " $1 $2")
    .replace(/([0-9])(-)/gu, "$1 $2 ");
}

/**
 * sacreBLEU's table of Chinese characters, with its slip: it writes U+20000-2A6D6 and U+2F800-2FA1D as four-digit
 * escapes, so they compare as U+2001-2A6D and U+2F81-2FA1. Dashes, quotes and arrows are split, Extension B is not.
 */
function isChinese(character: string): boolean {
  const code = character.codePointAt(0) as number;
  return CHINESE_RANGES.some(([low, high]) => low <= code && code <= high);
}

const CHINESE_RANGES = [
  [0x3400, 0x4db5],
  [0x4e00, 0x9fbb],
  [0xf900, 0xfa2d],
  [0xfa30, 0xfa6a],
  [0xfa70, 0xfad9],
  [0x2001, 0x2a6d],
  [0xff00, 0xffef],
  [0x2e80, 0x2fdf],
  [0x2ff0, 0x303f],
  [0x3100, 0x312f],
  [0x31a0, 0x31bf],
  [0x31c0, 0x31ef],
  [0x3200, 0x33ff],
  [0xfe10, 0xfe1f],
  [0xfe30, 0xfe4f],
];

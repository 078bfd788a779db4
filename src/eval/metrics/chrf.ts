/**
 * chrF2 (Popović, 2015): F-score of character n-grams, n = 1 to 6, recall counting twice as much as precision,
 * equal to sacreBLEU 2.6.0's default: white space removed, orders averaged where both sides have an n-gram.
 * Characters are Unicode code points, not UTF-16 units. It needs no tokenizer, so it compares across languages.
 */
import { countNgrams, PYTHON_SPACE } from "./text.ts";

const MAX_ORDER = 6;
const BETA_SQUARED = 4;

export function chrfSignature(references = 1): string {
  return `nrefs:${references}|case:mixed|eff:yes|nc:6|nw:0|space:no|version:2.6.0`;
}

/** Per order: n-grams of the hypothesis, of the reference, and matched. */
type Counts = [hypothesis: number, reference: number, match: number][];

/** chrF2, 0 to 100, over the corpus: counts are summed, then scored. Of several references the best counts. */
export function corpusChrf(hypotheses: string[], references: string[][]): number {
  const sums: Counts = Array.from({ length: MAX_ORDER }, () => [0, 0, 0]);
  hypotheses.forEach((hypothesis, i) => {
    const candidates = references.map((stream) => countMatches(hypothesis, stream[i]));
    const scores = candidates.map(fScore);
    const best = candidates[scores.indexOf(Math.max(...scores))];
    best.forEach((counts, n) => {
      for (let k = 0; k < 3; k++) sums[n][k] += counts[k];
    });
  });
  return fScore(sums);
}

/** chrF2 of one sentence. */
export function sentenceChrf(hypothesis: string, reference: string): number {
  return fScore(countMatches(hypothesis, reference));
}

function countMatches(hypothesis: string, reference: string): Counts {
  const [h, r] = [hypothesis, reference].map((text) => [...text.replace(new RegExp(PYTHON_SPACE, "gu"), "")]);
  return Array.from({ length: MAX_ORDER }, (_, order) => {
    const n = order + 1;
    const referenceCounts = countNgrams(r, n);
    let match = 0;
    for (const [ngram, count] of countNgrams(h, n)) match += Math.min(count, referenceCounts.get(ngram) ?? 0);
    const referenceTotal = Math.max(0, r.length - n + 1);
    // Hypothesis n-grams without any of the reference's to compare with do not count against it.
    return [referenceTotal > 0 ? Math.max(0, h.length - n + 1) : 0, referenceTotal, match];
  });
}

function fScore(counts: Counts): number {
  const orders = counts.filter(([hypothesis, reference]) => hypothesis > 0 && reference > 0);
  if (orders.length === 0) return 0;
  const precision = orders.reduce((sum, [hypothesis, , match]) => sum + match / hypothesis, 0) / orders.length;
  const recall = orders.reduce((sum, [, reference, match]) => sum + match / reference, 0) / orders.length;
  if (precision + recall === 0) return 0;
  return (100 * (1 + BETA_SQUARED) * precision * recall) / (BETA_SQUARED * precision + recall);
}

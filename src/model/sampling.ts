/**
 * @file Which token comes next, from one row of scores. The logits processors of Hugging Face transformers 5.23
 * (`generation/logits_process.py`), computed in float64 and applied in the order of its `generate`:
 *
 *     repetition penalty → temperature → top-k → top-p → min-p → draw
 *
 * Scores are [V]; -∞ marks a token that cannot come. Nothing is changed in place.
 */
import { UserError } from "../util/assert.ts";
import type { Random } from "../util/random.ts";

export interface SamplingOptions {
  temperature: number;
  /** 0: all tokens. */
  topK: number;
  topP: number;
  minP: number;
}

/** A token drawn from softmax(min-p(top-p(top-k(scores / temperature)))). */
export function sampleToken(scores: Float64Array, options: SamplingOptions, random: Random): number {
  const kept = topK(temperature(scores, options.temperature), options.topK);
  return draw(softmax(minP(topP(kept, options.topP), options.minP)), random);
}

/**
 * Keskar et al. 2019 (arXiv 1909.05858), section 4.1, with the sign handled as `RepetitionPenaltyLogitsProcessor` does:
 * the score x of a token among `ids` becomes x / penalty if x ≥ 0 and x · penalty if x < 0, once however often it occurs.
 */
export function repetitionPenalty(scores: Float64Array, ids: Iterable<number>, penalty: number): Float64Array {
  if (penalty === 1) return scores;
  const out = scores.slice();
  for (const id of new Set(ids)) out[id] = out[id] < 0 ? out[id] * penalty : out[id] / penalty;
  return out;
}

/** x / temperature (`TemperatureLogitsWarper`): below 1 sharpens, above 1 flattens. */
export const temperature = (scores: Float64Array, degree: number): Float64Array =>
  degree === 1 ? scores : scores.map((x) => x / degree);

/** Keeps the k highest scores, and those equal to the k-th (`TopKLogitsWarper`; Fan et al. 2018, arXiv 1805.04833). */
export function topK(scores: Float64Array, k: number): Float64Array {
  if (k === 0 || k >= scores.length) return scores;
  const least = kthLargest(scores, k);
  return scores.map((x) => (x < least ? -Infinity : x));
}

/**
 * Keeps the fewest likeliest tokens whose probabilities add up to p (Holtzman et al. 2020, arXiv 1904.09751), as
 * `TopPLogitsWarper`: from the least likely on, tokens go as long as the sum of their probabilities is ≤ 1 - p; of
 * equals the lower id goes first; the last one always stays.
 */
export function topP(scores: Float64Array, p: number): Float64Array {
  if (p >= 1) return scores;
  const probabilities = softmax(scores);
  const possible: number[] = [];
  for (let id = 0; id < scores.length; id++) if (scores[id] > -Infinity) possible.push(id);
  possible.sort((a, b) => scores[a] - scores[b]); // stable
  const out = scores.slice();
  let sum = 0;
  for (const id of possible.slice(0, -1)) {
    sum += probabilities[id];
    if (sum > 1 - p) break;
    out[id] = -Infinity;
  }
  return out;
}

/** Keeps tokens at least p times as likely as the likeliest (`MinPLogitsWarper`; Nguyen et al. 2024, arXiv 2407.01082). */
export function minP(scores: Float64Array, p: number): Float64Array {
  if (p === 0) return scores;
  const max = largestOf(scores);
  return scores.map((x) => (Math.exp(x - max) < p ? -Infinity : x));
}

/** exp(x) / Σ exp(x). */
export function softmax(scores: Float64Array): Float64Array {
  const max = largestOf(scores);
  const out = scores.map((x) => Math.exp(x - max));
  const sum = out.reduce((a, b) => a + b, 0);
  for (let id = 0; id < out.length; id++) out[id] /= sum;
  return out;
}

/** x - log Σ exp(x). */
export function logSoftmax(scores: Float64Array): Float64Array {
  const max = largestOf(scores);
  const logSum = max + Math.log(scores.reduce((sum, x) => sum + Math.exp(x - max), 0));
  return scores.map((x) => x - logSum);
}

/** One id with the given probabilities: the first whose cumulative probability is above a uniform number. */
export function draw(probabilities: Float64Array, random: Random): number {
  let left = random.next();
  let last = -1;
  for (let id = 0; id < probabilities.length; id++) {
    if (probabilities[id] === 0) continue;
    last = id;
    left -= probabilities[id];
    if (left < 0) break;
  }
  return last; // also where rounding left the sum a little below 1
}

/** The likeliest token, of equals the lowest id. */
export const greedyToken = (scores: Float64Array): number => scores.indexOf(largestOf(scores));

function largestOf(scores: Float64Array): number {
  let max = -Infinity;
  for (const x of scores) if (!(x <= max)) max = x; // NaN becomes the largest, and is seen below
  if (!Number.isFinite(max))
    throw new UserError(`generation: the model's scores hold ${max}; its parameters are no use (training diverged?)`);
  return max;
}

/** The indices of the k largest values, largest first; of equals the lower index comes first. */
export function indicesOfLargest(values: Float64Array, k: number): number[] {
  const least = kthLargest(values, Math.min(k, values.length));
  const above: number[] = [];
  const equal: number[] = [];
  for (let i = 0; i < values.length; i++) {
    if (values[i] > least) above.push(i);
    else if (values[i] === least && equal.length < k) equal.push(i);
  }
  return [...above.sort((a, b) => values[b] - values[a]), ...equal].slice(0, k); // a stable sort
}

/** The k-th largest value, 1 ≤ k ≤ values.length: Hoare's quickselect, since a sort of a whole vocabulary is slow. */
function kthLargest(values: Float64Array, k: number): number {
  const x = values.slice();
  let from = 0;
  let to = x.length - 1;
  while (from < to) {
    const pivot = x[(from + to) >> 1];
    let i = from;
    let j = to;
    while (i <= j) {
      while (x[i] > pivot) i++;
      while (x[j] < pivot) j--;
      if (i > j) break;
      [x[i], x[j]] = [x[j], x[i]];
      i++;
      j--;
    }
    if (k - 1 <= j) to = j;
    else if (k - 1 >= i) from = i;
    else break;
  }
  return x[k - 1];
}

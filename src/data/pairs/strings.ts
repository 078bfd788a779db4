/** @file Comparisons of two sequences of numbers, as Python's difflib and Levenshtein define them. */

/** Matched elements by Ratcliff and Obershelp, twice, of all: difflib.SequenceMatcher(None, a, b).ratio(). */
export function matchingRatio(a: Int32Array, b: Int32Array): number {
  const all = a.length + b.length;
  return all === 0 ? 1 : (2 * matched(a, b, 0, a.length, 0, b.length)) / all;
}

function matched(a: Int32Array, b: Int32Array, a0: number, a1: number, b0: number, b1: number): number {
  const { i, j, size } = longestMatch(a, b, a0, a1, b0, b1);
  if (size === 0) return 0;
  return size + matched(a, b, a0, i, b0, j) + matched(a, b, i + size, a1, j + size, b1);
}

/** The longest block that both have; of equally long ones the first in `a`, then the first in `b`. */
function longestMatch(a: Int32Array, b: Int32Array, a0: number, a1: number, b0: number, b1: number) {
  let best = { i: a0, j: b0, size: 0 };
  let before = new Int32Array(b1 - b0 + 1); // lengths of blocks that end at b[j - 1]
  let here = new Int32Array(b1 - b0 + 1);
  for (let i = a0; i < a1; i++) {
    for (let j = b0; j < b1; j++) {
      const size = a[i] === b[j] ? before[j - b0] + 1 : 0;
      here[j - b0 + 1] = size;
      if (size > best.size) best = { i: i - size + 1, j: j - size + 1, size };
    }
    [before, here] = [here, before];
  }
  return best;
}

export const longestCommonSubstring = (a: Int32Array, b: Int32Array) =>
  longestMatch(a, b, 0, a.length, 0, b.length).size;

/** Insertions, deletions and substitutions that make `b` of `a`. */
export function levenshtein(a: Int32Array, b: Int32Array): number {
  let before = Int32Array.from({ length: b.length + 1 }, (_, j) => j);
  let here = new Int32Array(b.length + 1);
  for (let i = 0; i < a.length; i++) {
    here[0] = i + 1;
    for (let j = 0; j < b.length; j++) {
      const substituted = before[j] + (a[i] === b[j] ? 0 : 1);
      here[j + 1] = Math.min(substituted, before[j + 1] + 1, here[j] + 1);
    }
    [before, here] = [here, before];
  }
  return before[b.length];
}

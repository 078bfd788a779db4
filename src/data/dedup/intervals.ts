/**
 * @file Ranges [from, to) of a concatenation of documents: merged, and as ranges of the documents. The cases of
 * text-dedup's `merge_intervals` and `restore` are tests.
 */

export interface Interval {
  from: number;
  to: number;
}

/**
 * Merges intervals that are sorted by their start, longer ones first: `overlapping` joins those that overlap or touch;
 * `longest` only leaves out those that lie in another, since two repeated passages that overlap are not one that is.
 */
export function* mergeIntervals<T extends Interval>(
  sorted: Iterable<T>,
  strategy: "overlapping" | "longest",
): Generator<T> {
  let last: T | undefined;
  for (const interval of sorted) {
    if (last === undefined) last = { ...interval };
    else if (strategy === "overlapping" && interval.from <= last.to) last.to = Math.max(last.to, interval.to);
    else if (strategy === "overlapping" || interval.to > last.to) {
      yield last;
      last = { ...interval };
    }
  }
  if (last !== undefined) yield last;
}

/**
 * Sorted intervals of the concatenation as those of its documents, whose sorted, separate places are `boundaries`: an
 * interval over two documents becomes two.
 */
export function* restore<T extends Interval>(
  boundaries: readonly Interval[],
  sorted: Iterable<T>,
): Generator<T & { document: number }> {
  let first = 0;
  for (const interval of sorted) {
    while (first < boundaries.length && boundaries[first].to <= interval.from) first++;
    for (let document = first; document < boundaries.length && boundaries[document].from < interval.to; document++) {
      const { from, to } = boundaries[document];
      yield { ...interval, document, from: Math.max(interval.from, from) - from, to: Math.min(interval.to, to) - from };
    }
  }
}

/**
 * @file Suffix order by radix sort: linear in the n-grams, where a comparison sort would compare tokens n log n times.
 */

/**
 * Sorts `items` by the keys `key(item, 0)`, then `key(item, 1)`, ... up to `keys` of them, each in [0, `range`): one
 * stable counting sort for each key, the least important first. Gives back the sorted array, `items` or a new one.
 */
export function radixSort(
  items: Uint32Array,
  keys: number,
  range: number,
  key: (item: number, which: number) => number,
): Uint32Array {
  let from: Uint32Array = items;
  let to: Uint32Array = new Uint32Array(items.length);
  const starts = new Uint32Array(range + 1);
  for (let which = keys - 1; which >= 0; which--) {
    starts.fill(0);
    for (let i = 0; i < from.length; i++) starts[key(from[i], which) + 1]++;
    for (let k = 0; k < range; k++) starts[k + 1] += starts[k];
    for (let i = 0; i < from.length; i++) {
      const item = from[i];
      to[starts[key(item, which)]++] = item;
    }
    [from, to] = [to, from];
  }
  return from;
}

/**
 * @file The suffix array of numbers in linear time (SA-IS; Nong, Zhang and Chan, 2009) and the longest common prefixes of
 * neighbours in it (Kasai et al., 2001). Compared with plain sorting in the tests.
 */

/** Where the suffixes of `text` begin, in lexicographic order. Values are 0 to `most`; the end is less than any value. */
export function suffixArray(text: Int32Array, most: number): Int32Array {
  const n = text.length;
  const sa = new Int32Array(n);
  if (n < 2) return sa; // [] or [0]

  // A suffix is small (S) if it is less than the one after it, otherwise large (L).
  const small = new Uint8Array(n);
  for (let i = n - 2; i >= 0; i--)
    small[i] = text[i] < text[i + 1] || (text[i] === text[i + 1] && small[i + 1]) ? 1 : 0;
  // In the array, each value has a bucket: first its large suffixes, then its small ones.
  const largeStart = new Int32Array(most + 2);
  const smallStart = new Int32Array(most + 2);
  for (let i = 0; i < n; i++) {
    if (small[i]) largeStart[text[i] + 1]++;
    else smallStart[text[i]]++;
  }
  for (let value = 0; value <= most; value++) {
    smallStart[value] += largeStart[value];
    largeStart[value + 1] += smallStart[value];
  }
  const place = new Int32Array(most + 2);
  /** From the leftmost small suffixes in order (or any order, for their first substrings) to all suffixes. */
  const induce = (leftmost: Int32Array) => {
    sa.fill(-1);
    place.set(smallStart);
    for (const at of leftmost) sa[place[text[at]]++] = at;
    place.set(largeStart);
    sa[place[text[n - 1]]++] = n - 1;
    for (let i = 0; i < n; i++) {
      const before = sa[i] - 1;
      if (before >= 0 && !small[before]) sa[place[text[before]]++] = before;
    }
    place.set(largeStart);
    for (let i = n - 1; i >= 0; i--) {
      const before = sa[i] - 1;
      if (before >= 0 && small[before]) sa[--place[text[before] + 1]] = before;
    }
  };

  let count = 0;
  for (let i = 1; i < n; i++) if (small[i] && !small[i - 1]) count++;
  const leftmost = new Int32Array(count);
  count = 0;
  for (let i = 1; i < n; i++) if (small[i] && !small[i - 1]) leftmost[count++] = i;
  induce(leftmost);
  if (count === 0) return sa;

  // Name the substrings between leftmost small suffixes by their order, and sort the suffixes of that shorter text.
  const ordered = new Int32Array(count);
  const indexOf = new Int32Array(n).fill(-1);
  for (let i = 0; i < count; i++) indexOf[leftmost[i]] = i;
  let found = 0;
  for (let i = 0; i < n; i++) if (indexOf[sa[i]] >= 0) ordered[found++] = sa[i];
  const endOf = (at: number) => (indexOf[at] + 1 < count ? leftmost[indexOf[at] + 1] : n);
  const equal = (a: number, b: number) => {
    const length = endOf(a) - a;
    if (endOf(b) - b !== length || a + length === n || b + length === n) return false;
    for (let i = 0; i <= length; i++) if (text[a + i] !== text[b + i]) return false;
    return true;
  };
  const names = new Int32Array(count);
  let name = 0;
  for (let i = 0; i < count; i++) {
    if (i > 0 && !equal(ordered[i - 1], ordered[i])) name++;
    names[indexOf[ordered[i]]] = name;
  }
  if (name + 1 < count) {
    const order = suffixArray(names, name);
    for (let i = 0; i < count; i++) ordered[i] = leftmost[order[i]];
  }
  induce(ordered);
  return sa;
}

/**
 * lcp[i] is how long a prefix the suffixes at sa[i - 1] and sa[i] share; lcp[0] is 0.
 * @param rank room for n numbers; afterwards the place of each suffix in the array
 */
export function longestCommonPrefixes(text: Int32Array, sa: Int32Array, rank: Int32Array): Int32Array {
  const n = text.length;
  const lcp = new Int32Array(n);
  for (let i = 0; i < n; i++) rank[sa[i]] = i;
  let length = 0;
  for (let i = 0; i < n; i++) {
    if (rank[i] === 0) {
      length = 0;
      continue;
    }
    const j = sa[rank[i] - 1];
    while (i + length < n && j + length < n && text[i + length] === text[j + length]) length++;
    lcp[rank[i]] = length;
    if (length > 0) length--;
  }
  return lcp;
}

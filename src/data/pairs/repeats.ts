/** @file Text that directly repeats itself, found by comparing it with itself moved: no backtracking. */

/** Units longer than this are not looked for. */
const LONGEST_UNIT = 64;

/**
 * How many units of whole words, letters only and at least `least` characters with their spaces, directly follow
 * themselves. Punctuation, digits and line ends break a unit.
 */
export function repeatedInWords(text: string, least: number): number {
  let found = 0;
  // Runs of words with nothing but white space between; a hyphen ends one.
  for (const run of text.toLowerCase().match(/(?:(?<![\p{L}\p{M}\p{N}_])[\p{L}\p{M}]+(?![\p{L}\p{M}\p{N}_])\s*)+/gu) ??
    []) {
    const words = run.trim().split(/\s+/);
    if (words.length >= 2) found += repeats(words, (from, to) => words.slice(from, to).join(" ").length >= least);
  }
  return found;
}

/** How many units of at least `least` characters directly follow themselves: for text without spaces. */
export function repeatedInCharacters(text: string, least: number): number {
  const characters = [...text];
  return repeats(characters, (from, to) => to - from >= least && characters[from] !== characters[from + 1]);
}

/** Positions where a unit ends that equals the unit before it, for the shortest such unit there. */
function repeats(items: string[], counts: (from: number, to: number) => boolean): number {
  let found = 0;
  let next = 0; // each place counts once
  const runs = new Int32Array(LONGEST_UNIT + 1); // how long items[..i] equals itself `unit` places earlier
  for (let i = 1; i < items.length; i++) {
    const longest = Math.min(LONGEST_UNIT, i);
    for (let unit = 1; unit <= longest; unit++) {
      runs[unit] = items[i] === items[i - unit] ? runs[unit] + 1 : 0;
      if (runs[unit] >= unit && i >= next && counts(i - unit + 1, i + 1)) {
        found++;
        next = i + unit;
      }
    }
  }
  return found;
}

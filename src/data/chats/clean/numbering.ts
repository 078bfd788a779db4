/**
 * @file Wrong numbering (paper section 4.1): in a list, a number that is there twice, or smaller than the one before, becomes
 * the next one; "1. 1. text" loses its second label. Lists whose numbers grow stay as they are, gaps and all, for they may
 * be dates or verses; so do those that count down. A list that starts again at its first number is a new one.
 */

/** Indent, number, mark ("." ")" "、" "）" or their like), and white space: "12. text", "3）文". */
const ITEM = /^([ \t]*)(\d{1,3})([.)](?=[ \t]|$)|[、．）])([ \t]*)/;
/** The same label again, as in "2. 2. text" or "1. 1) text". */
const DOUBLED = /^([ \t]*)(\d{1,3})([.)][ \t]+)\2[.)][ \t]+(?=\S)/;

interface List {
  indent: string;
  mark: string;
  items: { line: number; number: number }[];
}

/** `count`: labels that were changed. */
export function repairNumbering(prose: string): { text: string; count: number } {
  let count = 0;
  const lines = prose.split("\n").map((line) =>
    line.replace(DOUBLED, (_, indent: string, number: string, mark: string) => {
      count++;
      return `${indent}${number}${mark}`;
    }),
  );
  for (const { items } of listsOf(lines))
    for (const [i, number] of renumbered(items.map((item) => item.number)).entries()) {
      const { line, number: before } = items[i];
      if (number === before) continue;
      lines[line] = lines[line].replace(/\d{1,3}/, String(number));
      count++;
    }
  return { text: lines.join("\n"), count };
}

/** Items of one indent and mark, with nothing but white space and deeper lines between them. */
function listsOf(lines: readonly string[]): List[] {
  const done: List[] = [];
  let open: List[] = []; // the deeper ones last
  for (const [line, text] of lines.entries()) {
    if (text.trim() === "") continue;
    const [, indent = /^[ \t]*/.exec(text)![0], number, mark] = ITEM.exec(text) ?? [];
    const depth = indent.length;
    open = open.filter(
      (list) => list.indent.length < depth || (number !== undefined && list.indent === indent && list.mark === mark),
    );
    if (number === undefined) continue;
    const last = open[open.length - 1];
    if (last?.indent === indent) last.items.push({ line, number: Number(number) });
    else {
      const list = { indent, mark, items: [{ line, number: Number(number) }] };
      open.push(list);
      done.push(list);
    }
  }
  return done;
}

/** The numbers as they should be. */
function renumbered(numbers: readonly number[]): number[] {
  const out: number[] = [];
  for (let start = 0; start < numbers.length; ) {
    let end = start + 1;
    const first = numbers[start];
    if (first > 1 || numbers.slice(start).every((number, i, all) => i === 0 || number < all[i - 1]))
      return [...out, ...numbers.slice(start)];
    // "1. 1. 1." is one list; "1. 2. 1. 2." are two.
    while (end < numbers.length && !(numbers[end] === first && end > start + 1 && numbers[end - 1] !== first)) end++;
    for (let i = start; i < end; i++)
      out.push(i === start || numbers[i] > out[out.length - 1] ? numbers[i] : out[out.length - 1] + 1);
    start = end;
  }
  return out;
}

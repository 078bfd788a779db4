/**
 * @file What `JSON.parse` lets through and a strict reader must not: an object that has the same key twice, and whole
 * numbers that are not written as such.
 */

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * Why this text, which `JSON.parse` has accepted, is refused all the same: a key twice in one object, however it is
 * escaped; with `wholeNumbers`, a number with a sign, a point or an exponent. Undefined when there is nothing.
 */
export function laxJson(text: string, { wholeNumbers = false } = {}): string | undefined {
  const open: (Set<string> | null)[] = []; // the keys of each open object; null for a list
  const number = /[-\d][-+.\deE]*/y;
  let string = [0, 0]; // the last one
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      const from = at++;
      while (text.charCodeAt(at) !== QUOTE) at += text.charCodeAt(at) === BACKSLASH ? 2 : 1;
      string = [from, at + 1];
      continue;
    }
    const sign = text[at];
    if (sign === "{") open.push(new Set());
    else if (sign === "[") open.push(null);
    else if (sign === "}" || sign === "]") open.pop();
    else if (sign === ":") {
      const key: string = JSON.parse(text.slice(...string));
      const keys = open[open.length - 1]!;
      if (keys.has(key)) return `the key ${JSON.stringify(key.slice(0, 120))} is there twice`;
      keys.add(key);
    } else if (wholeNumbers && (sign === "-" || (sign >= "0" && sign <= "9"))) {
      number.lastIndex = at;
      const [found] = number.exec(text)!;
      if (!/^\d+$/.test(found)) return `${found.slice(0, 40)} is not a whole number`;
      at += found.length - 1;
    }
  }
  return undefined;
}

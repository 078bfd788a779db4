/**
 * @file Which parts of a message are code or formulas: what stands there is meant as it stands, and no cleaner touches it.
 *
 *     ```` ``` ```` or `~~~` at the start of a line, up to the same fence or the end of the message (CommonMark 4.5)
 *     `code` between runs of equally many backticks (CommonMark 6.1), within a paragraph
 *     $$...$$, \[...\], \(...\) and $...$ (Pandoc: no space inside beside the signs, no digit after the second)
 */

const FENCE =
  /(?<=^|\n)[ \t]{0,12}(?<fence>`{3,}|~{3,})[^\n]*(?:\n[\s\S]*?(?:\n[ \t]{0,12}\k<fence>[`~]*[ \t]*(?=\n|$)|$)|$)/;
const INLINE = /(?<!`)(?<ticks>`+)(?!`)(?:(?!\n\s*\n)[\s\S]){1,2000}?(?<!`)\k<ticks>(?!`)/;
const FORMULA =
  /\$\$[\s\S]{1,5000}?\$\$|\\\[[\s\S]{1,5000}?\\\]|\\\([\s\S]{1,2000}?\\\)|(?<![\\$])\$(?=[^\s$])[^$\n]{0,500}?(?<=[^\s\\])\$(?!\d)/;
const PROTECTED = new RegExp([FENCE, INLINE, FORMULA].map(({ source }) => source).join("|"), "g");

/** `change` on what is no code and no formula. */
export function outsideCode(text: string, change: (prose: string) => string): string {
  let out = "";
  let from = 0;
  for (const match of text.matchAll(PROTECTED)) {
    out += change(text.slice(from, match.index)) + match[0];
    from = match.index + match[0].length;
  }
  return out + change(text.slice(from));
}

/** The text with its code as spaces, formulas as they are: offsets stay. */
export const withoutCode = (text: string): string => text.replace(CODE, (code) => code.replace(/[^\n]/g, " "));
const CODE = new RegExp([FENCE, INLINE].map(({ source }) => source).join("|"), "g");

/**
 * @file Links (paper section 4.1): of a Markdown or reference link its text stays, of an image its description; an address
 * by itself goes, with brackets around it and the space before it.
 */

/** Characters of an address: RFC 3986, and letters of scripts that are written with spaces. */
const CHARACTER =
  "[A-Za-z0-9\\-._~:/?#@!$&*+,;=%'\\p{Script=Cyrillic}\\p{Script=Greek}\\p{Script=Arabic}\\u00c0-\\u024f]";
/** Brackets belong to it in pairs, as in Wikipedia's; a mark of punctuation at its end does not. */
const ADDRESS = `(?:https?://|ftp://|www\\.)(?:${CHARACTER}|\\(${CHARACTER}{0,100}\\)){1,2000}?(?=[.,;:!?'*]*(?:[^A-Za-z0-9\\-._~:/?#@!$&*+,;=%'(\\p{Script=Cyrillic}\\p{Script=Greek}\\p{Script=Arabic}\\u00c0-\\u024f]|\\((?!${CHARACTER}{0,100}\\))|$))`;
/** `[text](address "title")`, and `![description](address)`. */
const MARKDOWN =
  /!?\[((?:[^[\]\n]|\[[^[\]\n]{0,200}\]){0,500})\]\(\s*<?(?:[a-z]{2,6}:|www\.|\/|\.|#)(?:[^()\s<>]|\([^()\s]{0,200}\)){0,2000}>?(?:\s+(?:"[^"\n]{0,300}"|'[^'\n]{0,300}'))?\s*\)/gi;
/** `[1]: address` on a line of its own. */
const REFERENCE = /(?:^|\n)[ ]{0,3}\[[^\]\n]{1,100}\]:[ \t]*<?(?:https?:\/\/|www\.)[^\n]{1,2000}(?=\n|$)/g;
const BRACKETED = new RegExp(
  `[ \\t]?(?:<${ADDRESS}>|\\(\\s*${ADDRESS}\\s*\\)|\\[\\s*${ADDRESS}\\s*\\]|（\\s*${ADDRESS}\\s*）)`,
  "giu",
);
const BARE = new RegExp(`[ \\t]?(?<![\\w@/])${ADDRESS}`, "giu");

/** `count`: links and addresses that were changed. */
export function removeLinks(prose: string): { text: string; count: number } {
  let count = 0;
  const gone = () => {
    count++;
    return "";
  };
  const text = prose
    .replace(REFERENCE, gone)
    .replace(MARKDOWN, (_, label: string) => {
      count++;
      return label;
    })
    .replace(BRACKETED, gone)
    .replace(BARE, gone);
  return { text, count };
}

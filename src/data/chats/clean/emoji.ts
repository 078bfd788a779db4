/**
 * @file Emoji (paper section 4.1): whole sequences with their joiners, skin tones and selectors, and flags. Characters that
 * are text unless a selector says otherwise stay without it: ©, ™, ↔, ✔, ♥, digits. A keycap leaves its digit.
 */

/** One emoji: shown as a picture by itself, by U+FE0F, or by being beyond U+1F000, where no text has its signs. */
const ONE =
  "(?:\\p{Emoji_Presentation}|(?![#*0-9])\\p{Emoji}\\ufe0f|(?=[\\u{1f000}-\\u{1faff}])\\p{Emoji})[\\ufe0f\\u{1f3fb}-\\u{1f3ff}]*";
const FLAG = "\\p{Regional_Indicator}{2}|\\u{1f3f4}[\\u{e0020}-\\u{e007f}]+";
/** After a joiner a sign may be one that is text by itself: 👩‍⚕️, 👁️‍🗨️. */
const SEQUENCE = new RegExp(
  `(?:(?:${FLAG}|${ONE})(?:\\u200d\\p{Extended_Pictographic}[\\ufe0f\\u{1f3fb}-\\u{1f3ff}]*)*)+`,
  "gu",
);
const KEYCAP = /([#*0-9])\ufe0f?\u20e3/g;

/** `count`: runs of emoji that were taken away, and keycaps. */
export function removeEmoji(prose: string): { text: string; count: number } {
  let count = 0;
  const text = prose
    .replace(KEYCAP, (_, key: string) => {
      count++;
      return key;
    })
    .replace(SEQUENCE, () => {
      count++;
      return GAP;
    });
  return { text: closeGaps(text), count };
}

/** Private character: where something was taken away. */
const GAP = "\uf8fe";

/** One space where there was one on each side, none at the ends of lines and before punctuation. */
const closeGaps = (text: string) =>
  text.replace(
    /([ \t]*)\uf8fe(?:[ \t]*\uf8fe)*([ \t]*)/g,
    (match: string, before: string, after: string, at: number) => {
      if (text[at - 1] === "\n" || /[\n.,;:!?)\]]/.test(text[at + match.length] ?? "")) return "";
      return before && after ? " " : before || after;
    },
  );

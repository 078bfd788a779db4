/**
 * @file Text of a chat as it is stored: whole code points, NFC, no control characters; and what is remarkable about it.
 * Nothing here decides: flags go to the ledger.
 */

import { hasDirections, withoutDirections } from "../rules/directions.ts";

export type TextFlag =
  /** Half of a surrogate pair was replaced by U+FFFD: it has no UTF-8. */
  | "loneSurrogate"
  /** A special token as text, e.g. `<|im_end|>`. The tokenizer reads text as plain text, so it stays. */
  | "specialTokenText"
  /** Characters that turn the direction of text; they stay, and are left out where texts are compared. */
  | "bidiControl";

/** C0 and C1 but for tab and line feed. Carriage returns end lines, and become line feeds before. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it is for
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;
/** `<|...|>` of ChatML, Llama and others; `<s>`, `[INST]` and their ends of Llama 2. */
const SPECIAL_TOKENS = /<\|[a-z][a-z0-9_]{1,40}\|>|<\/?s>|\[\/?INST\]|<<\/?SYS>>|<(?:start|end)_of_turn>/i;
const LONE_SURROGATES = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

export function plainText(raw: string): { text: string; flags: TextFlag[]; controls: number } {
  const flags: TextFlag[] = [];
  let controls = 0;
  let text = raw.replace(LONE_SURROGATES, () => {
    if (!flags.includes("loneSurrogate")) flags.push("loneSurrogate");
    return "\ufffd";
  });
  text = text.replace(/\r\n?/g, "\n").replace(CONTROLS, () => {
    controls++;
    return "";
  });
  text = text.replace(/^\ufeff/, "").normalize("NFC");
  if (SPECIAL_TOKENS.test(text)) flags.push("specialTokenText");
  if (hasDirections(text)) flags.push("bidiControl");
  return { text, flags, controls };
}

/** What two texts share that differ in case, width, white space and invisible characters alone. For comparing only. */
export const comparable = (text: string): string =>
  withoutDirections(text.normalize("NFKC")).toLowerCase().replace(/\s+/g, " ").trim();

/** @file A sentence pair, what could not be read as one, and the clean form of a side. */
import { UserError } from "../../util/assert.ts";

export interface SentencePair {
  id: string;
  source: string;
  target: string;
  sourceLanguage: string;
  targetLanguage: string;
  /** The similarity that the file itself states (CCAligned: LASER margin). */
  givenScore?: number;
}

/** Something in a file that is no pair. */
export interface Quarantine {
  file: string;
  /** From 1; of a TMX file the number of the translation unit. */
  line: number;
  /** Bytes from the start of the (decompressed) file. */
  offset: number;
  reason: string;
  /** The first bytes of it as text, at most 80. */
  head: string;
}

export type PairItem = { pair: SentencePair } | { quarantine: Quarantine };

export interface Languages {
  sourceLanguage: string;
  targetLanguage: string;
}

/** One piece of text as a side: NFC, no control characters, white space as single spaces, none at the ends. */
export function cleanSide(text: string): string {
  if (isPlain(text)) return text;
  const normal = text.normalize("NFC");
  if (isPlain(normal, false)) return normal;
  return normal
    .replace(/[\p{Zs}\p{Zl}\p{Zp}\s]+/gu, " ")
    .replace(/[\p{Cc}\uFEFF]/gu, "")
    .replace(/\p{Cs}/gu, "\uFFFD")
    .replace(/ +/g, " ")
    .replace(/^ | $/g, "");
}

/** Whether nothing of the text has to be cleaned: letters and signs with single spaces between; `ascii`: only of ASCII. */
function isPlain(text: string, ascii = true): boolean {
  let last = 32;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 32 || (unit === 32 && last === 32) || unit === 127) return false;
    if (unit > 127) {
      if (ascii || unit <= 0xa0 || unit === 0x1680 || (unit >= 0x2000 && unit <= 0x205f) || unit === 0x3000)
        return false;
      if (unit === 0xfeff || (unit >= 0xd800 && unit < 0xe000)) return false;
    }
    last = unit;
  }
  return last !== 32 || text === "";
}

export const pairsError = (file: string, problem: string, remedy: string) =>
  new UserError(`Parallel text: ${file} ${problem}; ${remedy}`);

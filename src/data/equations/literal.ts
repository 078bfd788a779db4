/**
 * @file A number as it is printed: "1,234.5" under one of the two conventions of the world, with the places that it shows.
 * What a convention cannot read is null: "1,5" has no thousands, "1.2.3" is a version.
 */
import { type Rational, rational } from "./rational.ts";

/** What separates the fraction: a dot (1,234.5) or a comma (1.234,5). */
export type Convention = "dot" | "comma";

export interface Literal {
  value: Rational;
  /** Digits after the decimal separator. */
  decimals: number;
  /** Zeros at the end of a whole number: they may be the result of rounding where it is "≈". */
  zeros: number;
  percent: boolean;
  /** Followed by "...": cut off, not rounded. */
  cut: boolean;
}

/**
 * Digits with separators between them: dots, commas, apostrophes, the Arabic separators U+066B and U+066C, and spaces
 * before exactly three digits.
 */
export const NUMBER = /(?:\d+(?:(?:[.,\u066b\u066c]|['’](?=\d{3}(?!\d)))\d+|[ \u00a0]\d{3}(?!\d))*|\.\d+)/y;

/** CHOSEN: longer runs of digits are no numbers of a text's arithmetic. */
const MAX_DIGITS = 60;

/** Groups of three, or of two after the last three (India), as in 12,34,567. */
const GROUPS = /^(?:\d{1,3}(?:,\d{3})+|\d{1,2}(?:,\d{2})*,\d{3})$/;

/** The value and decimals of digits that {@link NUMBER} matched. */
export function readLiteral(printed: string, convention: Convention): { value: Rational; decimals: number } | null {
  let text = printed.replaceAll("\u066c", "").replaceAll("\u066b", convention === "dot" ? "." : ",");
  if (/[ \u00a0'’]/.test(text)) {
    const [whole] = text.split(/[.,]/);
    if (!/^\d{1,3}(?:[ \u00a0'’]\d{3})+$/.test(whole)) return null;
    text = text.replace(/[ \u00a0'’]/g, "");
    if (/[.,].*[.,]/.test(text)) return null;
  }
  // As if the dot separated the fraction.
  const dotted = convention === "dot" ? text : text.replace(/[.,]/g, (separator) => (separator === "." ? "," : "."));
  const parts = dotted.split(".");
  if (parts.length > 2) return null;
  const [whole, fraction = ""] = parts;
  if (fraction.includes(",") || (whole.includes(",") && !GROUPS.test(whole))) return null;
  const digits = whole.replaceAll(",", "") + fraction;
  if (digits.length > MAX_DIGITS) return null;
  return { value: rational(BigInt(digits), 10n ** BigInt(fraction.length)), decimals: fraction.length };
}

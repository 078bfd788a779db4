/**
 * Cleaning of one text: NFC, control characters, and the reasons for which a value is dropped. Pure functions.
 */
import type { RecordKind } from "../../src/data/document.ts";
import type { Language } from "../../src/data/languages.ts";

/** The form in which two texts count as the same: case-folded, white space collapsed. */
export const fold = (text: string): string => text.normalize("NFC").toLowerCase().replace(/\s+/g, " ").trim();

/** The letters, marks and digits of a text alone: two texts that differ in punctuation only have the same gist. */
export const gist = (text: string): string => (fold(text).match(/[\p{L}\p{M}\p{N}]+/gu) ?? []).join(" ");

/** Letters of the scripts that languages not written in Latin use. */
const SCRIPTS: Partial<Record<Language, RegExp>> = {
  zh: /\p{Script=Han}/u,
  ar: /\p{Script=Arabic}/u,
  ko: /[\p{Script=Hangul}\p{Script=Han}]/u,
  ja: /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/u,
  bn: /\p{Script=Bengali}/u,
  el: /\p{Script=Greek}/u,
  he: /\p{Script=Hebrew}/u,
  kk: /\p{Script=Cyrillic}/u,
  ne: /\p{Script=Devanagari}/u,
  ru: /\p{Script=Cyrillic}/u,
  th: /\p{Script=Thai}/u,
  uk: /\p{Script=Cyrillic}/u,
  ur: /\p{Script=Arabic}/u,
};

/** Characters that carry no text: controls, soft hyphen, zero-width space, byte-order mark, directional marks. */
const INVISIBLE = /[^\P{Cc}\n\t]|[\u00ad\u200b\u200e\u200f\u2028-\u202e\u2060\u2066-\u2069\ufeff]/gu;

/** NFC, no invisible characters, single ordinary spaces, no empty lines. */
export function normalise(text: string): string {
  const plain = text.normalize("NFC").replace(/\r\n?/g, "\n").replaceAll("&nbsp;", " ").replace(INVISIBLE, "");
  return plain
    .split("\n")
    .map((line) => line.replace(/\s+/g, " ").trim())
    .filter(Boolean)
    .join("\n");
}

/** English function words that are words of none of the other Latin-script languages. */
const ENGLISH = new Set("the this that with your you from have has cannot which and should when been were".split(" "));

/**
 * Why `text` (normalised) is not a translation of `english` into `language`, or undefined if it may be one. A name
 * may equal the English one (Japan is Japan in German) where `mayEqualEnglish`, which is so in the CLDR only.
 */
export function dropReason(
  text: string,
  english: string,
  language: Language,
  kind: RecordKind,
  mayEqualEnglish: boolean,
): string | undefined {
  if (text === "") return "empty";
  if (!/\p{L}/u.test(text.replace(/\{[^}]*\}|%\w+|<[^>]*>/g, "")) && kind !== "name") return "no letters";
  if (/[\ufffd\p{Co}\p{Cn}]/u.test(text)) return "broken characters";
  if (/^\w+:\/\/\S+$/.test(text)) return "address";
  if (language === "en") return undefined;
  if (SCRIPTS[language] && !SCRIPTS[language].test(text)) return "no letter of the language's script";
  if (!mayEqualEnglish && fold(text) === fold(english)) return "same as English";
  if (kind === "document" || kind === "name") return undefined;
  const words = fold(text).match(/\p{L}+/gu) ?? [];
  const hits = words.filter((word) => ENGLISH.has(word)).length;
  return hits >= 2 && hits / words.length > 0.15 ? "older English text" : undefined;
}

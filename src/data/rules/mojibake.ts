/**
 * @file Mojibake: UTF-8 that was read as Windows-1252 ("cafÃ©", "Ð¼Ð¸Ñ€") or, for Cyrillic, as Windows-1251
 * ("РјРёСЂ"). It counts only where the way back proves it: the characters, as bytes, are valid UTF-8 for a character
 * that the language could have. One such pair may be chance ("Spaß“" in German, "Рівне" in Ukrainian), so a pair that
 * stands alone counts only where it gives Latin letters or typographic marks to a language in Latin script.
 */
import { scriptNumber, scriptsOf, scriptTable } from "./scripts.ts";

/** The byte that a character stands for in a code page, by UTF-16 unit; 0 where there is none, or it is ASCII. */
function bytesOf(encoding: string, holes: boolean): Uint8Array {
  const bytes = new Uint8Array(0x10000);
  const decoder = new TextDecoder(encoding);
  for (let byte = 0x80; byte < 0x100; byte++) bytes[decoder.decode(Uint8Array.of(byte)).charCodeAt(0)] = byte;
  if (holes) for (let byte = 0x80; byte < 0xa0; byte++) bytes[byte] = byte; // Latin-1's controls, too
  return bytes;
}

let western: Uint8Array | undefined;
let cyrillic: Uint8Array | undefined;

/** Characters of `text` that are mojibake. */
export function countMojibake(text: string, language: string): number {
  western ??= bytesOf("windows-1252", true);
  cyrillic ??= bytesOf("windows-1251", false);
  const scripts = scriptsOf(language);
  const expected = new Set(scripts.map(scriptNumber));
  return (
    countPage(text, western, expected, expected.has(scriptNumber("Latin"))) + countPage(text, cyrillic, expected, false)
  );
}

function countPage(text: string, bytes: Uint8Array, expected: ReadonlySet<number>, alone: boolean): number {
  let found = 0;
  let before = 0; // characters of the sequences that end here, not yet counted
  let run = 0; // sequences in a row
  for (let i = 0; i < text.length; ) {
    const lead = bytes[text.charCodeAt(i)];
    const length = lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
    const point = length === 0 ? 0 : decode(text, i, length, lead, bytes);
    if (point === 0 || !couldBe(point, expected)) {
      i++;
      if (text.charCodeAt(i - 1) > 0x40) run = 0; // spaces and stops between two are no break
      if (run === 0) before = 0;
      continue;
    }
    run++;
    if (run > 1 || (alone && isWestern(point))) {
      found += length + before;
      before = 0;
    } else before = length;
    i += length;
  }
  return found;
}

/** The code point of the UTF-8 sequence at `at`, or 0 where the bytes are none. */
function decode(text: string, at: number, length: number, lead: number, bytes: Uint8Array): number {
  let point = lead & (0xff >> (length + 1));
  for (let k = 1; k < length; k++) {
    const byte = at + k < text.length ? bytes[text.charCodeAt(at + k)] : 0;
    if ((byte & 0xc0) !== 0x80) return 0;
    point = (point << 6) | (byte & 0x3f);
  }
  const shortest = length === 2 ? 0x80 : length === 3 ? 0x800 : 0x10000;
  return point < shortest || point > 0x10ffff ? 0 : point;
}

/** Latin letters with accents, and the quotation marks, dashes and dots of any language. */
const isWestern = (point: number) =>
  (point >= 0xa0 && point < 0x250) || (point >= 0x2010 && point < 0x2040) || point === 0x20ac || isVietnamese(point);
const isVietnamese = (point: number) => point >= 0x1e00 && point < 0x1f00;

/** A letter of an expected script, a mark of Western typography, or any letter of a script that we know. */
function couldBe(point: number, expected: ReadonlySet<number>): boolean {
  if (isWestern(point)) return true;
  if (point > 0xffff) return point >= 0x1f000 && point < 0x1fb00; // emoji
  const script = scriptTable()[point];
  // Thai and Indic vowel signs are no letters: their blocks count.
  return expected.has(script) || (point >= 0x900 && point < 0xe80) || (script > 1 && script <= 12 && common(point));
}

/** The ranges in use today of scripts whose blocks also hold rare letters. */
const common = (point: number) =>
  (point >= 0x391 && point < 0x3cf) ||
  (point >= 0x401 && point < 0x492) ||
  (point >= 0x5d0 && point < 0x5eb) ||
  (point >= 0x620 && point < 0x6d3) ||
  (point >= 0x3040 && point < 0x3100) ||
  (point >= 0x4e00 && point < 0x9fa6) ||
  (point >= 0xac00 && point < 0xd7a4);

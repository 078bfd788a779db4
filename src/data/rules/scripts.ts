/** @file Which script a letter is of, and which scripts a language is written in. */

export const SCRIPTS = [
  "Latin",
  "Cyrillic",
  "Greek",
  "Arabic",
  "Hebrew",
  "Bengali",
  "Devanagari",
  "Thai",
  "Han",
  "Hiragana",
  "Katakana",
  "Hangul",
] as const;
export type Script = (typeof SCRIPTS)[number];

const OF_LANGUAGE: Record<string, Script[]> = {
  ar: ["Arabic"],
  bn: ["Bengali"],
  el: ["Greek"],
  he: ["Hebrew"],
  ja: ["Han", "Hiragana", "Katakana"],
  kk: ["Cyrillic"],
  ko: ["Hangul", "Han"],
  ne: ["Devanagari"],
  ru: ["Cyrillic"],
  th: ["Thai"],
  uk: ["Cyrillic"],
  ur: ["Arabic"],
  zh: ["Han"],
};

/** The scripts of a language; Latin for those not listed, as 16 of the paper's 29 are. */
export const scriptsOf = (language: string): readonly Script[] => OF_LANGUAGE[language] ?? ["Latin"];

export const OTHER_SCRIPT = SCRIPTS.length + 1;

let table: Uint8Array | undefined;
/** By UTF-16 unit: 0 for what is no letter, index in SCRIPTS + 1, or OTHER_SCRIPT. Made at the first use. */
export function scriptTable(): Uint8Array {
  if (table) return table;
  table = new Uint8Array(0x10000);
  const patterns = SCRIPTS.map((script) => new RegExp(`\\p{Script=${script}}`, "u"));
  for (let unit = 0; unit < 0x10000; unit++) {
    if (unit >= 0xd800 && unit < 0xe000) continue;
    const character = String.fromCharCode(unit);
    if (!/\p{L}/u.test(character)) continue;
    const index = patterns.findIndex((pattern) => pattern.test(character));
    table[unit] = index < 0 ? OTHER_SCRIPT : index + 1;
  }
  return table;
}

/** SCRIPTS' index + 1, as in the table. */
export const scriptNumber = (script: Script) => SCRIPTS.indexOf(script) + 1;

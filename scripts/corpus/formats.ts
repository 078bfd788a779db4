/**
 * Readers of the file formats that translation catalogues come in, and the choice of a locale file for a language.
 * Every reader returns a flat table: key path -> text.
 */
import vm from "node:vm";
import type { Language } from "../../src/data/languages.ts";

export type Table = Record<string, string>;

/** All string leaves of a nested object, keyed by their path joined with "/"; other leaves are skipped. */
export function flatten(value: unknown, path = ""): Table {
  if (typeof value === "string") return { [path]: value };
  if (typeof value !== "object" || value === null) return {};
  const parts = Object.entries(value).map(([key, child]) => flatten(child, path ? `${path}/${key}` : key));
  return Object.assign({}, ...parts);
}

/** Java `.properties`: `KEY=value` with \uXXXX escapes, backslash continuations and `#` comments. */
export function parseProperties(file: string): Table {
  const table: Table = {};
  for (const line of file.replace(/\\\r?\n\s*/g, "").split(/\r?\n/)) {
    const match = /^\s*([^#!\s=:][^=:\s]*)\s*[=:]\s*(.*)$/.exec(line);
    if (match) table[match[1]] = unescapeProperty(match[2]);
  }
  return table;
}

function unescapeProperty(text: string): string {
  const controls: Record<string, string> = { n: "\n", t: "\t", r: "", f: "" };
  return text.replace(/\\(u([0-9a-fA-F]{4})|.)/g, (_, escaped: string, hex?: string) =>
    hex ? String.fromCharCode(Number.parseInt(hex, 16)) : (controls[escaped] ?? escaped),
  );
}

/** Fluent (`.ftl`): messages and attributes; of a plural selector the `*[other]` variant. Terms are skipped. */
export function parseFluent(file: string): Table {
  const table: Table = {};
  let message = "";
  let key = "";
  for (const line of file.split(/\r?\n/)) {
    const start = /^([\w-]+)\s*=\s*(.*)$/.exec(line);
    const attribute = /^\s+\.([\w-]+)\s*=\s*(.*)$/.exec(line);
    if (line.startsWith("#") || line.startsWith("-")) key = "";
    else if (start) {
      message = key = start[1];
      table[key] = start[2];
    } else if (attribute) {
      key = `${message}/${attribute[1]}`;
      table[key] = attribute[2];
    } else if (key && /^\s+\S/.test(line)) table[key] = `${table[key]}\n${line.trim()}`;
  }
  for (const [name, text] of Object.entries(table)) {
    if (text.includes("->")) table[name] = /\*\[\w+\]\s*([^\n]*)/.exec(text)?.[1] ?? "";
  }
  return table;
}

/** Evaluates one locale module without its imports (each becomes `{}`) and returns the value of `expression`. */
export function evaluateModule(code: string, expression: string, globals: object = {}): unknown {
  const script = code
    .replace(/^import\s+(\w+)\s+from[^\n]*$/gm, "var $1 = {};")
    .replace(/^import[^\n]*$/gm, "")
    .replace(/^export default [^\n]*$/gm, "")
    .replace(/^export \{[^}]*\};?/gm, "");
  return vm.runInNewContext(`${script}\n;(${expression})`, { ...globals });
}

/** Locale tags of a language in order of preference: Brazilian Portuguese, simplified Chinese, then the usual region. */
const TAGS: Record<Language, string[]> = {
  en: ["en", "en-en", "en-us", "en-gb"],
  zh: ["zh-hans", "zh-cn", "zh-hans-cn", "zh"],
  ar: ["ar", "ar-sa", "ar-eg"],
  de: ["de", "de-de"],
  es: ["es", "es-es"],
  fr: ["fr", "fr-fr"],
  ko: ["ko", "ko-kr"],
  ja: ["ja", "ja-jp"],
  pt: ["pt-br", "pt", "pt-pt"],
  tr: ["tr", "tr-tr"],
  az: ["az", "az-az"],
  bn: ["bn", "bn-bd", "bn-in"],
  cs: ["cs", "cs-cz"],
  el: ["el", "el-gr"],
  he: ["he", "he-il", "iw"],
  hu: ["hu", "hu-hu"],
  id: ["id", "id-id"],
  it: ["it", "it-it"],
  kk: ["kk", "kk-kz", "kz"],
  ms: ["ms", "ms-my"],
  ne: ["ne", "ne-np"],
  nl: ["nl", "nl-nl"],
  pl: ["pl", "pl-pl"],
  ro: ["ro", "ro-ro"],
  ru: ["ru", "ru-ru"],
  th: ["th", "th-th"],
  uk: ["uk", "uk-ua"],
  ur: ["ur", "ur-pk"],
  vi: ["vi", "vi-vn"],
};

/** The name among `names` (file stems such as `pt_BR`, `bnBd`) that is the locale of `language`, if any. */
export function pickLocale(names: readonly string[], language: Language): string | undefined {
  const tag = (name: string) =>
    name
      .replace(/([a-z])([A-Z])/g, "$1-$2")
      .replaceAll("_", "-")
      .toLowerCase();
  return TAGS[language].map((wanted) => names.find((name) => tag(name) === wanted)).find((name) => name !== undefined);
}

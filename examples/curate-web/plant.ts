/**
 * @file Pages with known faults, planted among real ones: copies, edits of known strength, spam, other languages, garbled
 * text. Each says what it is and of which real page it was made, so that what a pipeline does with it can be judged.
 */
import { gzipSync } from "node:zlib";
import { extractMainText, makeBlocklist, makeRandom, type Random } from "marco-mini";
import { escapeHtml, inParagraphs, MIXED, type SourcePage } from "./sources.ts";

export const KINDS = ["real", "copy", "edit", "spam", "language", "garbled"] as const;

/** What a page is. */
export interface Truth {
  url: string;
  kind: (typeof KINDS)[number];
  how: string;
  language: string;
  /** The address of the page that it was made of. */
  base?: string;
}

export interface Page {
  truth: Truth;
  body: Buffer;
}

/** How many of each kind are planted, whatever the real pages. */
export interface Numbers {
  copies: number;
  edits: number;
  spam: number;
  garbled: number;
}

/** Domains of a user's own list. */
export const BLOCKED_DOMAINS = ["spam-farm.example", "win-a-prize.example"];

const BAD_ADDRESSES = [
  (n: number) => `https://spam-farm.example/page/${n}`,
  (n: number) => `https://win-a-prize.example/${n}.html`,
  (n: number) => `https://news${n}.example/xxx-cams`,
  (n: number) => `https://shop${n}.example/buy-viagra-now`,
  (n: number) => `https://www.online-casino-bonus${n}.example/`,
  (n: number) => `https://forum.example/t/${n}/free-poker-bonus`,
  (n: number) => `https://a${n}.example/warez/download`,
];

/** Share of the words that an edit replaces; 0.5 % leaves a Jaccard similarity of about 0.95, 8 % one of about 0.5. */
const STRENGTHS = [0.005, 0.01, 0.015, 0.02, 0.04, 0.08];

export interface PlantOptions {
  real: readonly SourcePage[];
  foreign: readonly SourcePage[];
  numbers: Numbers;
  seed: number;
}

const paragraphsOf = ({ article }: SourcePage): string[] =>
  extractMainText(`<html><body><article>${article}</article></body></html>`)?.text.split("\n") ?? [];

/** All pages, real and planted, in random order. */
export function plant({ real, foreign, numbers, seed }: PlantOptions): Page[] {
  const pages: Page[] = real.map((page, i) => ({
    truth: { url: page.url, kind: "real", how: "", language: page.language },
    body: Buffer.from(site(page.title, page.article, page.language, i % LAYOUTS.length)),
  }));
  const add = (kind: Truth["kind"], how: string, from: SourcePage, random: Random, article: string, url?: string) => {
    const address = url ?? `https://mirror${random.int(9)}.example.com/${kind}/${pages.length}`;
    pages.push({
      truth: { url: address, kind, how, language: from.language, base: from.url },
      body: Buffer.from(site(from.title, article, from.language, random.int(LAYOUTS.length))),
    });
  };
  /** Pages that are long enough, in random order, until `use` has taken `howMany`. */
  const bases = (
    kind: string,
    howMany: number,
    use: (page: SourcePage, paragraphs: string[], i: number, random: Random) => boolean,
  ) => {
    const random = makeRandom(seed, kind);
    let used = 0;
    for (const page of random.shuffle(real)) {
      if (used >= howMany) break;
      const paragraphs = page.language === MIXED ? [] : paragraphsOf(page);
      if (paragraphs.join("").length >= LEAST_CHARACTERS && use(page, paragraphs, used, random)) used++;
    }
  };

  bases("copy", numbers.copies, (page, paragraphs, i, random) => {
    const how = ["same page", "other markup", "in capitals"][i % 3];
    const text = how === "in capitals" ? paragraphs.map((line) => line.toUpperCase()) : paragraphs;
    const article = how === "same page" ? page.article : text.map((line) => `<div>${escapeHtml(line)} </div>`).join("");
    add("copy", how, page, random, article);
    return true;
  });

  bases("edit", numbers.edits, (page, paragraphs, i, random) => {
    const strength = STRENGTHS[i % (STRENGTHS.length + 1)]; // the last: paragraphs in other places
    const edited = strength ? replaceWords(paragraphs, page.language, strength, random) : moveSome(paragraphs, random);
    const how = strength ? `${100 * strength} % of the words` : "paragraphs in other places";
    add("edit", how, page, random, inParagraphs(edited));
    return true;
  });

  bases("spam", numbers.spam, (page, paragraphs, i, random) => {
    const words = [...makeBlocklist(page.language).byStart.values()].flat();
    const how = i % 3 === 1 && words.length === 0 ? "repetition" : ["address", "blocked words", "repetition"][i % 3];
    if (how === "address") {
      add("spam", how, page, random, page.article, BAD_ADDRESSES[random.int(BAD_ADDRESSES.length)](i));
    } else if (how === "blocked words") {
      const mixed = paragraphs.map((line) => `${line} ${random.pick(words)} ${random.pick(words)}`);
      add("spam", how, page, random, inParagraphs(mixed));
    } else {
      const slogan = random.pick(paragraphs).slice(0, 80);
      add("spam", how, page, random, inParagraphs([...paragraphs.slice(0, 3), ...Array<string>(40).fill(slogan)]));
    }
    return true;
  });

  const kinds = Object.keys(DAMAGES);
  bases("garbled", numbers.garbled, (page, paragraphs, i, random) => {
    const how = kinds[i % kinds.length];
    const before = paragraphs.join("\n");
    const after = DAMAGES[how](before, random);
    if (changed(before, after) < LEAST_DAMAGE) return false; // English has little that mojibake could break
    add("garbled", how, page, random, inParagraphs(after.split("\n")));
    return true;
  });

  for (const page of foreign)
    pages.push({
      truth: { url: page.url, kind: "language", how: page.language, language: page.language },
      body: Buffer.from(site(page.title, page.article, page.language, 0)),
    });
  return makeRandom(seed, "order").shuffle(pages);
}

/** Shorter pages are not made into others. */
const LEAST_CHARACTERS = 600;

/** A page is garbled from this share of changed characters on: one broken quotation mark is no garbled page. */
const LEAST_DAMAGE = 0.02;

function changed(before: string, after: string): number {
  const count = new Map<string, number>();
  for (const c of before) count.set(c, (count.get(c) ?? 0) + 1);
  let same = 0;
  for (const c of after) {
    const left = count.get(c) ?? 0;
    if (left > 0) same++;
    count.set(c, left - 1);
  }
  return 1 - same / [...before].length;
}

/** The text's UTF-8 bytes read in a code page, as a server's wrong header makes browsers do. */
const misread = (text: string, encoding: string) => new TextDecoder(encoding).decode(Buffer.from(text));
const SOUP = "░▒▓█◆■□¤§¶†‡¬¦#@$%^&*~|<>{}[]";

const DAMAGES: Record<string, (text: string, random: Random) => string> = {
  "mojibake, Windows-1252": (text) => misread(text, "windows-1252"),
  "mojibake, Windows-1251": (text) => misread(text, "windows-1251"),
  "mojibake in half of the paragraphs": (text, random) =>
    text
      .split("\n")
      .map((line) => (random.next() < 0.5 ? misread(line, "windows-1252") : line))
      .join("\n"),
  "letters lost (U+FFFD)": (text, random) => text.replace(/\p{L}/gu, (c) => (random.next() < 0.06 ? "\ufffd" : c)),
  "symbols in place of words": (text, random) =>
    text.replace(/\p{L}[\p{L}\p{M}]*/gu, (word) =>
      random.next() < 0.5 ? [...word].map(() => SOUP[random.int(SOUP.length)]).join("") : word,
    ),
  "a font's private letters": (text, random) =>
    text.replace(/\p{L}/gu, (c) => (random.next() < 0.5 ? String.fromCharCode(0xf000 + (c.charCodeAt(0) & 0xff)) : c)),
};

/** Words replaced by others of the same page. */
function replaceWords(paragraphs: readonly string[], language: string, share: number, random: Random): string[] {
  const segmenter = new Intl.Segmenter(language, { granularity: "word" });
  const pieces = paragraphs.map((line) => [...segmenter.segment(line)]);
  const words = pieces.flat().filter(({ isWordLike }) => isWordLike);
  return pieces.map((line) =>
    line
      .map(({ segment, isWordLike }) => (isWordLike && random.next() < share ? random.pick(words).segment : segment))
      .join(""),
  );
}

/** One of eight paragraphs goes to another place in the text. */
function moveSome(paragraphs: readonly string[], random: Random): string[] {
  const moved = [...paragraphs];
  for (let i = 0; i < Math.ceil(paragraphs.length / 8); i++) {
    const [paragraph] = moved.splice(random.int(moved.length), 1);
    moved.splice(random.int(moved.length + 1), 0, paragraph);
  }
  return moved;
}

/** What sites put around an article. */
const LAYOUTS: ((article: string) => string)[] = [
  (article) =>
    `<header><nav><ul><li><a href="/">Home</a><li><a href="/docs">Docs</a><li><a href="/blog">Blog</a></ul></nav></header><main><article>${article}</article></main><footer><p>© Example · <a href="/legal">Legal</a> · <a href="/privacy">Privacy</a></p></footer>`,
  (article) =>
    `<div id="top"><a href="/">Example</a> <a href="/login">Log in</a></div><div class="content"><div class="post">${article}</div></div><div class="sidebar"><ul><li><a href="/a">Popular</a><li><a href="/b">Recent</a></ul></div>`,
];

const site = (title: string, article: string, language: string, layout: number) =>
  `<!doctype html><html lang="${language}"><head><meta charset="utf-8"><title>${escapeHtml(title)}</title><script>var page = 1;</script></head><body>${LAYOUTS[layout](article)}</body></html>`;

/** A WARC file of the pages: one gzip member for each record, as Common Crawl has it. */
export function writeWarc(pages: readonly Page[]): Buffer {
  return Buffer.concat(
    pages.map(({ truth, body }, i) => {
      const http = Buffer.from("HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n");
      const header = [
        "WARC/1.0",
        "WARC-Type: response",
        `WARC-Record-ID: <urn:example:${i}>`,
        "WARC-Date: 2026-01-01T00:00:00Z",
        `WARC-Target-URI: ${truth.url}`,
        "Content-Type: application/http; msgtype=response",
        `Content-Length: ${http.length + body.length}`,
      ].join("\r\n");
      return gzipSync(Buffer.concat([Buffer.from(`${header}\r\n\r\n`), http, body, Buffer.from("\r\n\r\n")]));
    }),
  );
}

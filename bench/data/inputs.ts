/**
 * @file What bench/data.ts gives to both sides, as files in one folder: documents of the corpus, near copies of some, a
 * WARC file of pages, addresses, test items, sentence pairs and a language model. All from seeds.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { loadCorpus } from "../../src/data/corpus.ts";
import { writeArpa } from "../../src/data/lm/arpa.ts";
import { trainKneserNey } from "../../src/data/lm/kneserNey.ts";
import { DEFAULT_URL_LISTS } from "../../src/data/web/url.ts";
import { makeRandom } from "../../src/util/random.ts";
import { type CorpusDocument, corpusDocuments } from "../../test/fixtures/data/documents.ts";

/** datatrove's tokenizers of the other languages download models at run time (kk, ko), or need TensorFlow (ur). */
export const WITHOUT_REFERENCE = ["kk", "ko", "ur"];
const PER_LANGUAGE = 12;
const ENGLISH = 120;
const PAIRS = 1500;
const ADDRESSES = 20_000;

export interface Inputs {
  folder: string;
  /** Of 26 languages, twelve each, with near copies: every fifth document once more with a word in twenty replaced. */
  documents: CorpusDocument[];
  english: CorpusDocument[];
  addresses: string[];
  /** Every seventh document holds one of these. */
  tests: { query: string; label: string; language: string }[];
  pairs: [english: string, german: string][];
  warc: string;
  arpa: string;
}

export const wordsOfLine = (line: string) => line.split(/\s+/).filter(Boolean);

/** `warc`: a file of the user's own in place of corpus text with a page around it. */
export function makeInputs(folder: string, warc?: string): Inputs {
  mkdirSync(folder, { recursive: true });
  const random = makeRandom(1, "bench", "data");
  const real = corpusDocuments(PER_LANGUAGE).filter(({ language }) => !WITHOUT_REFERENCE.includes(language));
  const copies = real
    .filter((_, i) => i % 5 === 0)
    .map(({ id, language, text }) => {
      const words = text.split(" ");
      return { id: `${id}'`, language, text: words.map((word) => (random.next() < 0.05 ? "x" : word)).join(" ") };
    });
  const documents = [...real, ...copies];
  const english = corpusDocuments(ENGLISH).filter(({ language }) => language === "en");
  const vocabulary = english.flatMap(({ text }) => text.toLowerCase().match(/[a-z]{3,}/g) ?? []);
  const soft = [...DEFAULT_URL_LISTS.softWords, ...DEFAULT_URL_LISTS.hardWords];
  const addresses = Array.from({ length: ADDRESSES }, () => {
    const [a, b, c, d] = Array.from({ length: 4 }, () => random.pick(random.next() < 0.04 ? soft : vocabulary));
    const top = random.pick(["com", "org", "net", "de", "fr", "io", "com.br"]);
    return `https://${random.next() < 0.5 ? "www" : d}.${a}${random.next() < 0.1 ? "-" : ""}${b}.${top}/${c}/${d}-${a}-${random.int(9999)}.html`;
  });
  const tests = documents
    .filter((_, i) => i % 7 === 0)
    .map(({ text, language }) => {
      const half = text.length >> 1;
      return { query: text.slice(half - 100, half), label: text.slice(half, half + 150), language };
    });
  const pairs = loadCorpus()
    .filter(({ kind, text }) => kind === "message" && text.en && text.de && text.en.split(" ").length >= 4)
    .slice(0, PAIRS)
    .map(({ text }): [string, string] => [text.en!.replace(/\s+/g, " "), text.de!.replace(/\s+/g, " ")]);
  const inputs: Inputs = {
    ...{ folder, documents, english, addresses, tests, pairs },
    warc: warc ?? join(folder, "pages.warc.gz"),
    arpa: join(folder, "english.arpa"),
  };
  const model = trainKneserNey(english.flatMap(({ text }) => text.split("\n").map(wordsOfLine)));
  writeFileSync(inputs.arpa, [...writeArpa(model)].join(""));
  if (!warc) writeFileSync(inputs.warc, Buffer.concat(documents.map(record)));
  const lists = Object.fromEntries(Object.entries(DEFAULT_URL_LISTS).map(([name, list]) => [name, [...list]]));
  writeFileSync(join(folder, "inputs.json"), JSON.stringify({ ...inputs, lists, blocked: blockedDomains(addresses) }));
  return inputs;
}

/** A user's list: every hundredth address' domain, among ten thousand that no page has. */
export const blockedDomains = (addresses: readonly string[]) => [
  ...addresses.filter((_, i) => i % 100 === 0).map((url) => new URL(url).hostname.split(".").slice(1).join(".")),
  ...Array.from({ length: 10_000 }, (_, i) => `blocked-${i}.example`),
];

const escaped = (text: string) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;");
const MENU = Array.from({ length: 12 }, (_, i) => `<li><a href="/m/${i}">Menu entry ${i}</a></li>`).join("");

/** A page with a menu, a sidebar and a footer around the text, as a WARC record of its own gzip member. */
function record({ id, text }: CorpusDocument, index: number): Buffer {
  const paragraphs = text
    .split("\n")
    .map((line) => `<p>${escaped(line)}</p>`)
    .join("\n");
  const page = `<!doctype html><html><head><meta charset="utf-8"><title>Page ${escaped(id)}</title>
<style>body { margin: 0 }</style><script>var tracker = ${index};</script></head><body>
<nav><ul>${MENU}</ul></nav><main><article><h1>Page ${escaped(id)}</h1>${paragraphs}</article></main>
<aside><h2>Related</h2><ul>${MENU}</ul></aside><footer><p>Imprint</p><ul>${MENU}</ul></footer></body></html>`;
  const block = Buffer.from(`HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n${page}`);
  const header = [
    "WARC/1.0",
    "WARC-Type: response",
    `WARC-Record-ID: <urn:uuid:${index}>`,
    "WARC-Date: 2026-01-01T00:00:00Z",
    `WARC-Target-URI: https://pages.example/${index}`,
    "WARC-Identified-Payload-Type: text/html",
    "Content-Type: application/http; msgtype=response",
    `Content-Length: ${block.length}`,
  ].join("\r\n");
  return gzipSync(Buffer.concat([Buffer.from(`${header}\r\n\r\n`), block, Buffer.from("\r\n\r\n")]));
}

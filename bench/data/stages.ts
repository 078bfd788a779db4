/**
 * @file The stages of src/data as bench/data.ts times them: `prepare` is not timed, `run` gives a decision for each
 * document. bench/data/reference.py has the same names.
 */
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DATATROVE_NGRAMS, makeDecontaminator } from "../../src/data/dedup/decontaminate.ts";
import { DATATROVE } from "../../src/data/dedup/minHash.ts";
import { findInFiles, writeSignatures } from "../../src/data/dedup/signatureFiles.ts";
import { cutRepeats } from "../../src/data/dedup/substring.ts";
import { readPieces } from "../../src/data/files/bytes.ts";
import { loadIdentifier } from "../../src/data/language/identify.ts";
import type { Language } from "../../src/data/languages.ts";
import { readArpa } from "../../src/data/lm/arpa.ts";
import { type NgramModel, scoreSentence } from "../../src/data/lm/ngramModel.ts";
import { hardRules } from "../../src/data/pairs/hardRules.ts";
import { trainIbm1 } from "../../src/data/pairs/ibm1.ts";
import { ibm1MarginScorer, ibm1Scorer } from "../../src/data/pairs/lexicalScore.ts";
import { opusFilter } from "../../src/data/pairs/opusFilter.ts";
import type { SentencePair } from "../../src/data/pairs/pair.ts";
import { blocklist, makeBlocklist } from "../../src/data/rules/blocklist.ts";
import { c4 } from "../../src/data/rules/c4.ts";
import { type RuleDocument, readDocument } from "../../src/data/rules/document.ts";
import { fineWeb } from "../../src/data/rules/fineWeb.ts";
import { garbled } from "../../src/data/rules/garbled.ts";
import { gopherQuality } from "../../src/data/rules/gopherQuality.ts";
import { gopherRepetition } from "../../src/data/rules/gopherRepetition.ts";
import { type Measure, passes } from "../../src/data/rules/measure.ts";
import { paper } from "../../src/data/rules/paper.ts";
import { roots } from "../../src/data/rules/roots.ts";
import { stopWordsOf } from "../../src/data/rules/stopWords.ts";
import { extractMainText } from "../../src/data/web/extract.ts";
import { decodePage, parseHttp } from "../../src/data/web/http.ts";
import { DEFAULT_URL_LISTS, makeUrlFilter, urlMeasures } from "../../src/data/web/url.ts";
import { isDamage, readWarc } from "../../src/data/web/warc.ts";
import type { CorpusDocument } from "../../test/fixtures/data/documents.ts";
import { blockedDomains, type Inputs, wordsOfLine } from "./inputs.ts";

export interface Stage {
  /** What it is compared with; none: nothing does the same. */
  reference?: string;
  documents: number;
  bytes: number;
  /** A decision for each document; the reference's are compared with these. */
  run(): Promise<string[]> | string[];
}

const sizeOf = (texts: readonly string[]) => texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
const first = (measures: readonly Measure[]) => measures.find((measure) => !passes(measure));
const verdict = (measures: readonly Measure[]) => (first(measures) ? "dropped" : "kept");

async function* bytesOf(path: string) {
  for await (const piece of readPieces(path)) if ("bytes" in piece) yield piece.bytes;
}

async function readPages(path: string): Promise<string[]> {
  const pages: string[] = [];
  for await (const record of readWarc(readPieces(path))) {
    if (isDamage(record) || record.type !== "response") continue;
    const http = parseHttp(record.block);
    if (typeof http === "string") continue;
    const page = decodePage(http.body, http.headers.get("content-type"));
    if (page) pages.push(page.text);
  }
  return pages;
}

const URL_REASONS: Record<string, string> = {
  ...{ "url.domain": "domain", "url.subdomain": "subdomain", "url.exact": "url" },
  ...{
    "url.hardWords": "hard_blacklisted",
    "url.softWords": "soft_blacklisted",
    "url.subwords": "blacklisted_subword",
  },
};

/** Everything by name, in the order of the pipeline. */
export async function makeStages(inputs: Inputs): Promise<Record<string, Stage>> {
  const { folder, documents, english, addresses, tests, pairs, warc, arpa } = inputs;
  const pages = await readPages(warc);
  const urlFilter = makeUrlFilter({ ...DEFAULT_URL_LISTS, domains: blockedDomains(addresses) });
  const identifier = await loadIdentifier();
  const model: NgramModel = await readArpa(bytesOf(arpa), arpa);
  const lines = english.flatMap(({ text }) => text.split("\n"));
  const lists = new Map(documents.map(({ language }) => [language, makeBlocklist(language)]));
  const sentences = pairs.map(
    ([source, target], i): SentencePair => ({
      ...{ id: String(i), source, target, sourceLanguage: "en", targetLanguage: "de" },
    }),
  );
  const lexical = trainIbm1(sentences);

  const onTexts = (texts: readonly CorpusDocument[], reference: string | undefined, decide: Decide): Stage => ({
    reference,
    documents: texts.length,
    bytes: sizeOf(texts.map(({ text }) => text)),
    run: () => texts.map(({ text, language }) => decide(text, language)),
  });
  const rule = (name: string, reference: string | undefined, measure: (document: RuleDocument) => Measure[]) => ({
    [`${name}, en`]: onTexts(english, reference, (text, language) => verdict(measure(readDocument(text, language)))),
    [name]: onTexts(documents, reference, (text, language) => verdict(measure(readDocument(text, language)))),
  });
  const datatrove = (document: RuleDocument) => [
    ...gopherRepetition(document),
    ...gopherQuality(document),
    ...fineWeb(document),
    ...c4(document).measures,
  ];
  const onPairs = (reference: string | undefined, decide: (pair: SentencePair) => string): Stage => ({
    ...{ reference, documents: pairs.length, bytes: sizeOf(pairs.flat()) },
    run: () => sentences.map(decide),
  });
  const scored = (scorer: { score(pairs: readonly SentencePair[]): Promise<Float64Array> }): Stage => ({
    ...{ documents: pairs.length, bytes: sizeOf(pairs.flat()) },
    run: async () => Array.from(await scorer.score(sentences), String),
  });
  const signatures = join(folder, "signatures");
  const decontaminator = makeDecontaminator(DATATROVE_NGRAMS);
  for (const { query, label, language } of tests) decontaminator.add({ task: "test", query, label, language });
  const onAll = { documents: documents.length, bytes: sizeOf(documents.map(({ text }) => text)) };
  const byLanguage = [...lists.keys()].map((one) => documents.filter(({ language }) => language === one));

  return {
    "WARC reading": {
      ...{ reference: "datatrove WarcReader", documents: TIMES * pages.length, bytes: TIMES * sizeOf(pages) },
      run: async () => {
        const lengths: string[] = [];
        for (let i = 0; i < TIMES; i++) lengths.push(...(await readPages(warc)).map((page) => String(page.length)));
        return lengths;
      },
    },
    "main content": {
      ...{ reference: "datatrove Trafilatura", documents: pages.length, bytes: sizeOf(pages) },
      run: () => pages.map((page) => (extractMainText(page) ? "text" : "none")),
    },
    "URL filter": {
      ...{ reference: "datatrove URLFilter", documents: addresses.length, bytes: sizeOf(addresses) },
      run: () =>
        addresses.map((url) => {
          const failed = first(urlMeasures(url, urlFilter));
          return failed ? URL_REASONS[failed.rule] : "kept";
        }),
    },
    language: onTexts(documents, "datatrove LanguageFilter", (text) => identifier.identify(text).language),
    ...rule("Gopher quality", "datatrove GopherQualityFilter", (document) => gopherQuality(document)),
    ...rule("Gopher repetition", "datatrove GopherRepetitionFilter", (document) => gopherRepetition(document)),
    ...rule("C4", "datatrove C4QualityFilter", (document) => c4(document).measures),
    ...rule("FineWeb", "datatrove FineWebQualityFilter", (document) => fineWeb(document)),
    ...rule("these four", "datatrove, the four filters", datatrove),
    ...rule("paper, ROOTS, garbled, blocklist", undefined, (document) => {
      const blocked = blocklist(document, lists.get(document.language as Language)!);
      return [
        ...paper(document),
        ...blocked,
        ...roots(document, stopWordsOf(document.language), blocked[0].value),
        ...garbled(document),
      ];
    }),
    "ARPA reading": {
      ...{ reference: "kenlm.Model (C++)", documents: 1, bytes: readFileSync(arpa).length },
      run: async () => [String((await readArpa(bytesOf(arpa), arpa)).order)],
    },
    perplexity: {
      ...{ reference: "kenlm score (C++)", documents: lines.length, bytes: sizeOf(lines) },
      run: () => lines.map((line) => scoreSentence(model, wordsOfLine(line)).logProb.toFixed(2)),
    },
    "MinHash signatures": {
      ...{ reference: "datatrove MinhashDedupSignature", ...onAll },
      run: () => {
        rmSync(signatures, { recursive: true, force: true });
        mkdirSync(signatures);
        const writer = writeSignatures(signatures, 0, DATATROVE);
        const signed = documents.map(({ text, language }) =>
          writer.add(text, language) === undefined ? "signed" : "short",
        );
        writer.close();
        return signed;
      },
    },
    "buckets, clusters": {
      ...{ reference: "datatrove MinhashDedupBuckets, Cluster", ...onAll },
      run: () => [`${findInFiles(signatures, DATATROVE).length} dropped`],
    },
    decontamination: onTexts(documents, "datatrove NGramsDecontFilter", (text, language) =>
      decontaminator.check(text, language) ? "contaminated" : "kept",
    ),
    "substring removal": {
      ...onAll,
      run: () =>
        byLanguage.flatMap((group) => {
          const texts = group.map(({ text }) => {
            const ids = Buffer.from(text);
            return { text, ids, ends: Uint32Array.from(ids, (_, i) => i + 1) };
          });
          return cutRepeats(texts, { tokens: 50, keep: "first" }).map(({ cuts }) => String(cuts.length));
        }),
    },
    "pairs: hard rules": onPairs("bicleaner-hardrules, all rules", (pair) => verdict(hardRules(pair))),
    "pairs: OpusFilter's": onPairs("OpusFilter, nine filters", (pair) => verdict(opusFilter(pair).filter(OF_NINE))),
    "pairs: IBM Model 1": scored(ibm1Scorer(lexical)),
    "pairs: its margin": scored(ibm1MarginScorer(lexical, { seed: 1 })),
  };
}

/** A file is read so often in a turn. */
const TIMES = 4;
type Decide = (text: string, language: Language) => string;
/** OpusFilter's LengthFilter is not among the nine. */
const OF_NINE = ({ rule }: Measure) => !rule.startsWith("opusfilter.words");

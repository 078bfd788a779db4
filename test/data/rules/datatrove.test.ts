/**
 * @file The rules against datatrove 0.10.1: its own tests' literal inputs, and 2,072 documents of the corpus, by value
 * and by decision. Golden: test/fixtures/data/datatrove_rules.py.
 */
import { readFileSync } from "node:fs";
import { crc32, gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { C4, c4 } from "../../../src/data/rules/c4.ts";
import { type RuleDocument, readDocument } from "../../../src/data/rules/document.ts";
import { FINEWEB, fineWeb } from "../../../src/data/rules/fineWeb.ts";
import { GOPHER_QUALITY, gopherQuality } from "../../../src/data/rules/gopherQuality.ts";
import { gopherRepetition } from "../../../src/data/rules/gopherRepetition.ts";
import { type Measure, passes } from "../../../src/data/rules/measure.ts";
import { corpusDocuments } from "../../fixtures/data/documents.ts";

type Row = {
  values: number[];
  ours: string[];
  own: (string | undefined)[] | null;
  c4: [reason: string, crc: number];
  ownValues?: number[];
  ownWords?: number;
};
interface Golden {
  literal: {
    gopherRepetition: [text: string, reason: string][];
    gopherQuality: [text: string, reason: string][];
    c4: [text: string, reason: string, cut: string][];
    fineWeb: [text: string, options: Record<string, number>, reason: string][];
  };
  rows: Row[];
}
const golden: Golden = JSON.parse(gunzipSync(readFileSync("test/fixtures/data/datatroveRules.json.gz")).toString());

/** datatrove's reason for a rule of ours. */
const REASONS: Record<string, string> = {
  "gopher.minWords": "gopher_short_doc",
  "gopher.maxWords": "gopher_long_doc",
  "gopher.minWordLength": "gopher_below_avg_threshold",
  "gopher.maxWordLength": "gopher_above_avg_threshold",
  "gopher.hashes": "gopher_too_many_hashes",
  "gopher.ellipses": "gopher_too_many_ellipsis",
  "gopher.bulletLines": "gopher_too_many_bullets",
  "gopher.ellipsisLines": "gopher_too_many_end_ellipsis",
  "gopher.letterWords": "gopher_below_alpha_threshold",
  "gopher.stopWords": "gopher_enough_stop_words",
  "gopher.duplicateParagraphs": "dup_para_frac",
  "gopher.duplicateParagraphCharacters": "dup_para_char_frac",
  "gopher.duplicateLines": "dup_line_frac",
  "gopher.duplicateLineCharacters": "dup_line_char_frac",
  ...Object.fromEntries([2, 3, 4].map((n) => [`gopher.top${n}Gram`, `top_${n}_gram`])),
  ...Object.fromEntries([5, 6, 7, 8, 9, 10].map((n) => [`gopher.duplicate${n}Grams`, `duplicated_${n}_n_grams`])),
  "fineweb.terminalLines": "line_punct_ratio",
  "fineweb.shortLines": "short_line_ratio",
  "fineweb.duplicateCharacters": "char_dup_ratio",
  "fineweb.newlines": "list_ratio",
  "c4.loremIpsum": "lorem_ipsum",
  "c4.curlyBrackets": "curly_bracket",
  "c4.sentences": "too_few_sentences",
};
const reason = (measures: Measure[]) => {
  const failed = measures.find((measure) => !passes(measure));
  return failed ? REASONS[failed.rule] : "kept";
};
/** datatrove says `empty` where we have the first rule that an empty text fails. */
const same = (ours: string, theirs: string) => ours === theirs || theirs === "empty";

describe("datatrove's own cases", () => {
  test.each(golden.literal.gopherRepetition)("Gopher repetition: %j is %s", (text, theirs) => {
    const ours = reason(gopherRepetition(readDocument(text, "en")));
    expect(text === "" ? "empty" : ours).toBe(theirs); // the rule `empty` (paper.ts) drops nothing at all
  });

  test.each(golden.literal.gopherQuality)("Gopher quality: %j is %s", (text, theirs) => {
    const limits = { ...GOPHER_QUALITY, minWords: 10, maxWords: 1000 };
    expect(reason(gopherQuality(readDocument(text, "en"), limits))).toBe(theirs);
  });

  test.each(golden.literal.c4)("C4: %j is %s", (text, theirs, cut) => {
    expect(reason(c4(readDocument(text, "en")).measures)).toBe(theirs);
    const loose = c4(readDocument(text, "en"), { ...C4, minWordsPerLine: -1 });
    const dropped = loose.measures.slice(0, 2).some((measure) => !passes(measure));
    expect(dropped ? text : loose.text).toBe(cut);
  });

  test.each(golden.literal.fineWeb)("FineWeb: %j with %j is %s", (text, options, theirs) => {
    const limits = {
      ...FINEWEB,
      minTerminalLines: options.line_punct_thr ?? FINEWEB.minTerminalLines,
      maxShortLines: options.short_line_thr ?? FINEWEB.maxShortLines,
      maxNewlines: options.new_line_ratio ?? FINEWEB.maxNewlines,
    };
    const ours = reason(fineWeb(readDocument(text, "en"), limits));
    expect(same(ours, theirs), `${ours} ${theirs}`).toBe(true);
  });
});

describe("on the corpus", () => {
  const documents = corpusDocuments();
  const read = documents.map(({ text, language }) => readDocument(text, language));
  const { rows } = golden;
  const filters: [string, (document: RuleDocument) => Measure[]][] = [
    ["gopherQuality", (document) => gopherQuality(document)],
    ["gopherRepetition", (document) => gopherRepetition(document)],
    ["fineWeb", (document) => fineWeb(document)],
  ];

  test("every value is datatrove's to the last bit, given the same words", () => {
    expect(documents.length).toBe(rows.length);
    expect(documents.length).toBeGreaterThan(2000);
    const differ = read.flatMap((document, i) => {
      const [minWords, , minLength, , ...quality] = gopherQuality(document);
      const measures = [minWords, minLength, ...quality, ...gopherRepetition(document), ...fineWeb(document)];
      return measures.flatMap(({ rule, value }, k) =>
        value === rows[i].values[k] ? [] : [`${documents[i].id} ${rule}: ${value}, datatrove ${rows[i].values[k]}`],
      );
    });
    expect(differ.slice(0, 20)).toEqual([]);
    expect(rows[0].values.length).toBe(25);
  });

  test.each(filters)("%s: every decision is datatrove's, given the same words", (name, rule) => {
    const k = filters.findIndex(([other]) => other === name);
    const differ = read.flatMap((document, i) => {
      const ours = reason(rule(document));
      return same(ours, rows[i].ours[k]) ? [] : [`${documents[i].id}: ${ours}, datatrove ${rows[i].ours[k]}`];
    });
    expect(differ.slice(0, 20)).toEqual([]);
  });

  test("C4 leaves the same text", () => {
    const differ = read.flatMap((document, i) => {
      const ours = c4(document, { ...C4, minSentences: -1 });
      const [theirs, sum] = rows[i].c4;
      const decision = reason(ours.measures);
      const text = decision === "kept" ? ours.text : document.text;
      return decision === theirs && crc32(text) === sum ? [] : [`${documents[i].id}: ${decision}, datatrove ${theirs}`];
    });
    expect(differ.slice(0, 20)).toEqual([]);
  });

  test("values are near datatrove's with its own words, where white space separates words", () => {
    const spaced = rows.flatMap((row, i) =>
      row.ownValues && !["zh", "ja", "th", "bn", "ne", "ur"].includes(documents[i].language) ? [row] : [],
    );
    expect(spaced.length).toBeGreaterThan(1500);
    for (let k = 0; k < 25; k++) {
      // Words and their length relatively, shares absolutely: 17 documents in 20 within 0.05.
      const near = spaced.filter(({ values, ownValues }) => {
        const difference = Math.abs(values[k] - ownValues![k]);
        return difference <= 0.05 * (k < 2 ? ownValues![k] : 1);
      });
      expect(near.length / spaced.length, `value ${k}`).toBeGreaterThan(0.85);
    }
  });

  /** Measured; the rest is where spaCy, jieba, Sudachi or PyThaiNLP cut words otherwise. */
  test.each([
    ["gopherQuality", 0, 0.99],
    ["gopherRepetition", 1, 0.94],
    ["fineWeb", 2, 0.99],
    ["c4", 3, 0.99],
  ])("%s: keeps and drops what datatrove does with its own words", (name, k, floor) => {
    const rule = filters.find(([other]) => other === name)?.[1] ?? ((document) => c4(document).measures);
    const both = rows.flatMap((row, i) => (row.own?.[k] ? [[reason(rule(read[i])), row.own[k]]] : []));
    const agreed = both.filter(([ours, theirs]) => (ours === "kept") === (theirs === "kept")).length;
    expect(agreed / both.length).toBeGreaterThan(floor);
  });
});

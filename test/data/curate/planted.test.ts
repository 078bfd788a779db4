/** @file The small version of examples/curate-web.ts: planted faults among real pages of the committed corpus. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { plant } from "../../../examples/curate-web/plant.ts";
import { curatePlanted } from "../../../examples/curate-web/run.ts";
import { corpusPages } from "../../../examples/curate-web/sources.ts";
import { largestSimilarities } from "../../../examples/curate-web/truth.ts";
import { loadCorpus } from "../../../src/data/corpus.ts";

const out = mkdtempSync(join(tmpdir(), "marco-planted-"));
afterAll(() => rmSync(out, { recursive: true }));

test("of planted duplicates, other languages and garbled pages 95 % are caught, and 95 % of what is dropped is such", async () => {
  const records = loadCorpus();
  const languages = ["en", "de", "zh", "ru", "tr"] as const;
  const real = corpusPages(records, { languages, most: 14, seed: 5 });
  const foreign = corpusPages(records, { languages: ["nl", "uk", "ja", "az"], most: 4, seed: 5 });
  const pages = plant({ real, foreign, seed: 5, numbers: { copies: 30, edits: 42, spam: 12, garbled: 18 } });
  const { scores, byHow } = await curatePlanted(pages, { out, threads: 1, languages });
  const score = Object.fromEntries(scores.map((one) => [one.kind, one]));
  for (const kind of ["exact duplicate", "near duplicate", "language", "garbled"]) {
    expect(score[kind].are, kind).toBeGreaterThan(8);
    expect(score[kind].recall, kind).toBeGreaterThanOrEqual(0.95);
    expect(score[kind].precision, kind).toBeGreaterThanOrEqual(0.95);
  }
  const address = byHow.find(({ how }) => how === "address")!;
  expect(address.judged).toBeGreaterThan(0);
  expect(address.reasons).toEqual({ url: address.judged });
}, 60_000);

test("the truth: similarity counts shared shingles of five words, by hand", () => {
  const of = (...texts: string[]) =>
    largestSimilarities(texts.map((text, i) => ({ id: `${i}`, url: `${i}`, language: "en", text })));
  // "a b c d e", "b c d e f" against "a b c d e", "b c d e g": one of three is shared
  expect(of("a b c d e f", "a b c d e g")).toEqual([
    { similarity: 0, of: "" },
    { similarity: 1 / 3, of: "0" },
  ]);
  expect(of("One two.", "one, TWO")[1]).toEqual({ similarity: 1, of: "0" }); // too short for a shingle: all its words
});

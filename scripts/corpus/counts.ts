/** Counts of the corpus by language and split, and the table of them that docs/corpus.md shows. */
import type { CorpusManifest, TextCounts } from "../../src/data/corpus.ts";
import type { CorpusRecord, Split } from "../../src/data/document.ts";
import { LANGUAGES } from "../../src/data/languages.ts";
import { isSentence, texts } from "./split.ts";

export function countByLanguage(records: CorpusRecord[]): CorpusManifest["languages"] {
  const zero = (): TextCounts => ({ records: 0, characters: 0, sentences: 0 });
  const perSplit = (): Record<Split, TextCounts> => ({ train: zero(), validation: zero(), test: zero() });
  const counts = Object.fromEntries(LANGUAGES.map((l) => [l, perSplit()])) as CorpusManifest["languages"];
  for (const record of records) {
    const sentence = isSentence(record.kind, record.text.en!);
    for (const [language, text] of texts(record)) {
      const count = counts[language][record.split];
      count.records++;
      count.characters += [...text].length;
      if (sentence) count.sentences++;
    }
  }
  return counts;
}

/** Markdown: per language the characters, sentences and records of each split; then files and what was dropped. */
export function printTable(manifest: CorpusManifest): void {
  const cells = ({ characters, sentences }: TextCounts) => `${characters} | ${sentences}`;
  console.log("| | train chars | sentences | validation chars | sentences | test chars | sentences |");
  console.log("|---|---:|---:|---:|---:|---:|---:|");
  for (const language of LANGUAGES) {
    const { train, validation, test } = manifest.languages[language];
    console.log(`| ${language} | ${cells(train)} | ${cells(validation)} | ${cells(test)} |`);
  }
  for (const { path, bytes, records } of manifest.files)
    console.log(`${path}: ${bytes} bytes, ${records ?? "-"} records`);
  for (const [reason, count] of Object.entries(manifest.dropped)) console.log(`dropped, ${reason}: ${count}`);
}

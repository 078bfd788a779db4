/**
 * @file MB/s of each rule set on the corpus' documents, per second of processor time, to set beside
 * `test/fixtures/data/datatrove_rules.py documents.jsonl --time` (datatrove on the same documents).
 *
 *     npx tsx bench/rules.ts
 */
import { allMeasures } from "../test/data/rules/measureAll.ts";
import { corpusDocuments } from "../test/fixtures/data/documents.ts";

const ROUNDS = 3;
const documents = corpusDocuments();
const bytesOf = (languages: (language: string) => boolean) =>
  documents.reduce((sum, { text, language }) => sum + (languages(language) ? Buffer.byteLength(text) : 0), 0);
const UNSPACED = ["zh", "ja", "th"];
const groups: Record<string, (language: string) => boolean> = {
  all: () => true,
  en: (language) => language === "en",
  spaced: (language) => !UNSPACED.includes(language),
  "zh ja th": (language) => UNSPACED.includes(language),
};

for (const [name, chosen] of Object.entries(groups)) {
  const best = new Map<string, number>();
  for (let round = 0; round < ROUNDS; round++) {
    const taken = new Map<string, number>();
    const clock = <T>(step: string, run: () => T) => {
      const start = process.cpuUsage();
      const result = run();
      const { user, system } = process.cpuUsage(start);
      taken.set(step, (taken.get(step) ?? 0) + (user + system) / 1e6);
      return result;
    };
    for (const { text, language } of documents) if (chosen(language)) allMeasures(text, language, clock);
    taken.set(
      "sum",
      [...taken.values()].reduce((a, b) => a + b, 0),
    );
    for (const [step, seconds] of taken) best.set(step, Math.min(seconds, best.get(step) ?? Infinity));
  }
  const megabytes = bytesOf(chosen) / 1e6;
  const cells = [...best].map(([step, seconds]) => `${step} ${(megabytes / seconds).toFixed(1)}`);
  console.log(`${name} (${megabytes.toFixed(2)} MB), MB/s: ${cells.join(" · ")}`);
}

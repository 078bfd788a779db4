/**
 * @file How often the language identifier is right, over the paper's 29 languages, and how fast.
 *
 *     npx tsx bench/language.ts
 *
 * Texts: each article of the Universal Declaration by itself, and messages of at least 40 characters (the first 400 a
 * language) from the corpus. "und" counts as wrong. Prints Markdown.
 */
import { loadCorpus } from "../src/data/corpus.ts";
import { loadIdentifier } from "../src/data/language/identify.ts";
import { LANGUAGES, type Language } from "../src/data/languages.ts";
import { limitsOf } from "../src/data/rules/fineWeb2.ts";

const SENTENCES = 400;
const records = loadCorpus();
const { identify, dispose } = await loadIdentifier();

interface Row {
  texts: number;
  /** Right by fastText alone, with CLD3 among the confusable, and right with a probability above the limit. */
  fastText: number;
  both: number;
  kept: number;
  /** Not this language, and yet above the limit of the one that was named. */
  wrongAndKept: number;
  mistakes: Map<string, number>;
}

const ISO: Record<string, string> = { iw: "he" };
let [texts, characters, seconds] = [0, 0, 0];

function measure(language: Language, sample: string[]): Row {
  const row: Row = { texts: sample.length, fastText: 0, both: 0, kept: 0, wrongAndKept: 0, mistakes: new Map() };
  for (const text of sample) {
    const start = process.cpuUsage();
    const found = identify(text);
    const { user, system } = process.cpuUsage(start);
    seconds += (user + system) / 1e6;
    texts++;
    characters += Buffer.byteLength(text);
    const named = ISO[found.language] ?? found.language;
    const sure =
      LANGUAGES.includes(named as Language) && found.probability >= limitsOf(named as Language).languageScore;
    if ((found.labels[0]?.language ?? "und") === language) row.fastText++;
    if (named === language) {
      row.both++;
      if (sure) row.kept++;
    } else {
      row.mistakes.set(named, (row.mistakes.get(named) ?? 0) + 1);
      if (sure) row.wrongAndKept++;
    }
  }
  return row;
}

const percent = (part: number, whole: number) => (whole === 0 ? "–" : ((100 * part) / whole).toFixed(1));

for (const [title, kinds] of [
  ["UDHR articles", ["article"]],
  ["messages of 40 characters or more", ["message", "generated"]],
] as const) {
  const rows = LANGUAGES.map((language): [Language, Row] => {
    const all = records.flatMap(({ kind, text }) =>
      (kinds as readonly string[]).includes(kind) && text[language] !== undefined ? [text[language]] : [],
    );
    const long = kinds[0] === "article" ? all : all.filter((text) => [...text].length >= 40);
    const step = Math.max(1, Math.floor(long.length / SENTENCES));
    return [language, measure(language, long.filter((_, i) => i % step === 0).slice(0, SENTENCES))];
  });
  const sum = (pick: (row: Row) => number) => rows.reduce((total, [, row]) => total + pick(row), 0);
  const mean = (pick: (row: Row) => number) =>
    rows.reduce((total, [, row]) => total + (100 * pick(row)) / Math.max(1, row.texts), 0) / rows.length;
  console.log(`\n## ${title}\n\n| language | texts | fastText % | with CLD3 % | right and sure % | named instead |`);
  console.log("|---|---:|---:|---:|---:|---|");
  for (const [language, row] of rows) {
    const mistakes = [...row.mistakes].sort((a, b) => b[1] - a[1]).slice(0, 3);
    console.log(
      `| ${language} | ${row.texts} | ${percent(row.fastText, row.texts)} | ${percent(row.both, row.texts)} | ${percent(row.kept, row.texts)} | ${mistakes.map(([name, times]) => `${name} ${times}`).join(", ")} |`,
    );
  }
  console.log(
    `| mean | ${sum((row) => row.texts)} | ${mean((row) => row.fastText).toFixed(1)} | ${mean((row) => row.both).toFixed(1)} | ${mean((row) => row.kept).toFixed(1)} | wrong and sure: ${sum((row) => row.wrongAndKept)} |`,
  );
}
console.log(
  `\n${(texts / seconds).toFixed(0)} texts/s, ${(characters / seconds / 1e6).toFixed(2)} MB/s of processor time.`,
);
dispose();

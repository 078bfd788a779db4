/**
 * @file How well the trained lexical similarity tells translations from noise, on the committed corpus: English with each
 * of some languages, trained on the training keys, tested on the test keys with planted noise of four kinds.
 *
 *     npm run bench:pairs -- de zh ja
 */
import { loadCorpus } from "../src/data/corpus.ts";
import type { CorpusRecord } from "../src/data/document.ts";
import type { Language } from "../src/data/languages.ts";
import { trainIbm1 } from "../src/data/pairs/ibm1.ts";
import { lengthScorer } from "../src/data/pairs/lengths.ts";
import { ibm1MarginScorer, ibm1Scorer } from "../src/data/pairs/lexicalScore.ts";
import type { SentencePair } from "../src/data/pairs/pair.ts";
import { cleanSide } from "../src/data/pairs/pair.ts";
import { calibrate } from "../src/data/pairs/scorer.ts";
import { makeRandom } from "../src/util/random.ts";

const SEED = 1;
const MAX_TEST = 1500;

const toPair = (record: CorpusRecord, language: Language): SentencePair => ({
  id: `${record.source}/${record.key}`,
  source: cleanSide(record.text.en!),
  target: cleanSide(record.text[language]!),
  sourceLanguage: "en",
  targetLanguage: language,
});

/** Sentences: at least four English words, as corpus.md counts them; not keyword lists. */
const isSentence = ({ kind, text }: CorpusRecord) =>
  kind !== "name" && kind !== "document" && (text.en ?? "").split(/\s+/).length >= 4;

/** Share of (good, bad) pairs in which the good one scores more. */
function auc(good: Float64Array, bad: Float64Array): number {
  const all = [...[...good].map((s) => ({ s, g: 1 })), ...[...bad].map((s) => ({ s, g: 0 }))].sort((a, b) => a.s - b.s);
  let rankSum = 0;
  for (let i = 0; i < all.length; ) {
    let j = i;
    while (j < all.length && all[j].s === all[i].s) j++;
    for (let k = i; k < j; k++) rankSum += all[k].g * ((i + 1 + j) / 2);
    i = j;
  }
  return (rankSum - (good.length * (good.length + 1)) / 2) / (good.length * bad.length);
}

const languages = (
  process.argv.length > 2 ? process.argv.slice(2) : ["de", "fr", "zh", "ja", "th", "ru", "ar", "hu"]
) as Language[];
const records = loadCorpus().filter(isSentence);
type Row = Record<string, string | number>;
const rows: Row[] = [];
for (const language of languages) {
  const random = makeRandom(SEED, "bench", language);
  const has = records.filter(({ text }) => text.en && text[language] && text[language] !== text.en);
  const known = random.shuffle(has.filter(({ split }) => split === "train").map((r) => toPair(r, language)));
  const [calibration, train] = [known.slice(0, known.length / 10), known.slice(known.length / 10)];
  const testRecords = has.filter(({ split }) => split !== "train").slice(0, MAX_TEST);
  const good = testRecords.map((r) => toPair(r, language));
  const started = performance.now();
  const model = trainIbm1(train);
  const trained = performance.now() - started;
  const order = random.shuffle(good.map((_, i) => i));
  const next = new Map(order.map((i, at) => [i, order[(at + 1) % order.length]]));
  const noise: Record<string, SentencePair[]> = {
    shuffled: good.map((pair, i) => ({ ...pair, target: good[next.get(i)!].target })),
    language: testRecords.flatMap((record, i) => {
      const others = Object.keys(record.text).filter((l) => l !== "en" && l !== language) as Language[];
      return others.length ? [{ ...good[i], target: cleanSide(record.text[random.pick(others)]!) }] : [];
    }),
    truncated: good.map((pair) => ({
      ...pair,
      target: [...pair.target].slice(0, [...pair.target].length * 0.4).join(""),
    })),
    offByOne: good.map((pair, i) => ({ ...pair, target: good[(i + 1) % good.length].target })),
  };
  const scorers = [
    { scorer: ibm1Scorer(model), wrong: 0.95 },
    { scorer: ibm1MarginScorer(model, { seed: SEED }), wrong: 0.95 },
    { scorer: lengthScorer(train), wrong: 0 }, // chance has like lengths often
  ];
  const kinds = ["good", ...Object.keys(noise)];
  const passed: Record<string, boolean[][]> = Object.fromEntries(kinds.map((kind) => [kind, []])); // by kind and scorer
  const base = { language, train: train.length, test: good.length };
  for (const { scorer, wrong } of scorers) {
    const cut = await calibrate(scorer, calibration, { seed: SEED, wrong, good: wrong === 0 ? 0.98 : 0.95 });
    const from = performance.now();
    const goodScores = await scorer.score(good);
    const perSecond = Math.round(good.length / ((performance.now() - from) / 1000));
    const row: Row = { ...base, scorer: scorer.name.slice(11), trainS: (trained / 1000).toFixed(1), perSecond };
    passed.good.push([...goodScores].map((score) => score >= cut));
    row.kept = share(passed.good.at(-1)!);
    for (const [kind, pairs] of Object.entries(noise)) {
      const scores = await scorer.score(pairs);
      passed[kind].push([...scores].map((score) => score >= cut));
      row[`${kind} AUC`] = auc(goodScores, scores).toFixed(3);
      row[`${kind} acc`] = balanced(passed.good.at(-1)!, passed[kind].at(-1)!);
    }
    rows.push(row);
  }
  const both = (kind: string) => passed[kind][0].map((pass, i) => pass && passed[kind][2][i]);
  const row: Row = { ...base, scorer: "ibm1 and length", kept: share(both("good")) };
  for (const kind of Object.keys(noise)) row[`${kind} acc`] = balanced(both("good"), both(kind));
  rows.push(row);
}
console.table(rows);

function share(passes: boolean[]) {
  return (passes.filter(Boolean).length / passes.length).toFixed(3);
}

/** Mean of the shares of good pairs that pass and of bad ones that do not. */
function balanced(good: boolean[], bad: boolean[]) {
  return ((Number(share(good)) + 1 - Number(share(bad))) / 2).toFixed(3);
}

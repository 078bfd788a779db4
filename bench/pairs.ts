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
const rows: Record<string, string | number>[] = [];
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
  for (const scorer of [ibm1Scorer(model), ibm1MarginScorer(model, { seed: SEED })]) {
    const cut = await calibrate(scorer, calibration, { seed: SEED });
    const from = performance.now();
    const goodScores = await scorer.score(good);
    const perSecond = good.length / ((performance.now() - from) / 1000);
    const row: Record<string, string | number> = {
      language,
      train: train.length,
      test: good.length,
      scorer: scorer.name.slice(11),
      trainS: (trained / 1000).toFixed(1),
      pairsPerS: Math.round(perSecond),
      cut: cut.toFixed(2),
      kept: share(goodScores, (s) => s >= cut),
    };
    const all: number[] = [];
    for (const [kind, pairs] of Object.entries(noise)) {
      const scores = await scorer.score(pairs);
      all.push(...scores);
      row[`${kind} AUC`] = auc(goodScores, scores).toFixed(3);
      row[`${kind} acc`] = (
        (goodScores.filter((s) => s >= cut).length / good.length +
          scores.filter((s) => s < cut).length / scores.length) /
        2
      ).toFixed(3);
    }
    rows.push(row);
  }
}
console.table(rows);

function share(values: Float64Array, test: (value: number) => boolean) {
  return (values.filter(test).length / values.length).toFixed(3);
}

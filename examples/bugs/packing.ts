/** @file Several texts in one row: what a token may see, what it is asked for, and what that makes of the mixture. */
import * as tf from "@tensorflow/tfjs-core";
import fc from "fast-check";
import type { LossFunction, MaskedExample, PackedRow, Parameters, TensorMap } from "marco-mini";
import * as marco from "marco-mini";
import { type Bug, type Curve, defineBug, expectNear } from "./bug.ts";
import {
  ANSWER,
  EOS,
  echoRows,
  echoText,
  experiment,
  heldOutCurve,
  inOrder,
  last,
  masked,
  metricCurve,
  randomOf,
  ruleText,
  TINY,
  WORDS,
  words,
} from "./tiny.ts";

const file = "examples/bugs/packing.ts";
const word = fc.integer({ min: WORDS, max: WORDS + 3 });

/** What a row of packed texts may see, and where its tokens stand: of the batch that `batchOf` makes. */
type Sight = (batch: TensorMap) => { mask: tf.Tensor; positionIds: tf.Tensor };

const isolated: Sight = ({ documentIds, positionIds }) => ({ mask: marco.causalMask(documentIds), positionIds });
const naive: Sight = ({ documentIds }) => ({
  // bug: cross-document-leak
  mask: marco.causalMask(tf.zerosLike(documentIds)),
  positionIds: tf.cumsum(tf.onesLike(documentIds), 1, true),
  // end
});
const onlyReset: Sight = ({ documentIds, positionIds }) => ({
  // bug: reset-is-not-isolation
  mask: marco.causalMask(tf.zerosLike(documentIds)),
  positionIds, // from 0 in each text
  // end
});

/** The product's SFT loss with another sight. */
const lossWith =
  (sight: Sight): LossFunction =>
  (parameters, batch) => {
    const { logprobs, counted } = marco.labelLogprobs(
      parameters,
      TINY,
      { inputIds: batch.inputIds, ...sight(batch) },
      batch.labels,
    );
    return { loss: marco.crossEntropy(logprobs, counted, batch.numItemsInBatch) };
  };

const everyToken = (ids: readonly number[]): MaskedExample => ({ inputIds: ids, lossMask: ids.map(() => 1) });

/** Log-probabilities of the tokens of a row, [T], position t predicting t + 1. */
const logprobsOf = (sight: Sight, parameters: Parameters, row: PackedRow): number[] =>
  tf.tidy(() => {
    const batch = marco.batchOf([row]);
    const input = { inputIds: batch.inputIds, ...sight(batch) };
    return Array.from(marco.labelLogprobs(parameters, TINY, input, batch.labels).logprobs.dataSync());
  });

const twoTexts = fc.record({
  first: fc.array(word, { minLength: 2, maxLength: 3 }),
  second: fc.array(word, { minLength: 2, maxLength: 3 }),
});

function packedEqualsAlone(sight: Sight, { first, second }: { first: number[]; second: number[] }) {
  const parameters = marco.initParameters({ ...TINY, initializerRange: 0.5 }, 1);
  const T = first.length + second.length;
  const packed = marco.packExamples([first, second].map(everyToken), T, EOS);
  const alone = marco.packExamples([everyToken(second)], second.length, EOS).rows[0];
  const expected = logprobsOf(sight, parameters, alone);
  const at = packed.members[0][0] === 1 ? 0 : first.length; // the longer one comes first
  const got = logprobsOf(sight, parameters, packed.rows[0]).slice(at);
  tf.dispose(parameters);
  for (let t = 0; t + 1 < second.length; t++)
    expectNear(`log p of token ${t + 1} of the second text, packed behind the first,`, got[t], expected[t], 1e-4);
}

const packingClaim = "A text has the same log-probabilities in a packed row as alone.";

// ------------------------------------------------------------------------------------------------ cross-document leak

/** Needs both words of the key: hard to learn. */
const ruleOfBoth = ([a, b]: number[]) => WORDS + ((a * 7 + b * 3) % (TINY.vocabSize - WORDS));

/** Questions that stand twice in a row, as near-duplicates in a sorted file do. */
function twins(label: string, n: number): { prompt: number[]; answer: number[] }[] {
  const random = randomOf("twins", label);
  return Array.from({ length: n }, () => {
    const key = words(random, 2);
    return { prompt: [...key, ANSWER], answer: [ruleOfBoth(key), EOS] };
  });
}

const leak = defineBug<Sight, { first: number[]; second: number[] }>({
  id: "cross-document-leak",
  title: "Packed examples see each other",
  issue: {
    project: "MeetKai/functionary",
    url: "https://github.com/MeetKai/functionary/issues/265",
    said: "The same model scored 44.14 trained on separate examples, 37.55 packed naively, 44.17 packed in isolation.",
  },
  lesson:
    "Examples are put side by side to save padding, and attention runs across the seams. Neighbours then are noise, or answers to copy, and neither is " +
    "there when the model is used. Test: log-probabilities packed equal those alone.",
  claim: packingClaim,
  correct: isolated,
  broken: naive,
  right: { file: "src/train/sft.ts", from: "const input = { inputIds, positionIds, mask: causalMask(documentIds)" },
  file,
  inputs: twoTexts,
  runs: 8,
  check: packedEqualsAlone,
  async picture() {
    const pairs = twins("train", 300);
    const rows = pairs.map((twin) => marco.packExamples([twin, twin].map(masked), 10, EOS).rows[0]);
    const alone = pairs.slice(0, 100).map((twin) => marco.packExamples([masked(twin)], 5, EOS).rows[0]);
    const run = (label: string, kind: Curve["kind"], sight: Sight) => {
      const batchAt = (step: number) => marco.batchOf(inOrder(rows, 4)(step));
      const options = { lossFunction: lossWith(sight), steps: 300, rate: 0.02, batchAt };
      return heldOutCurve(label, kind, alone, options, lossWith(isolated));
    };
    const curves = [await run("isolated", "correct", isolated), await run("leaking", "broken", naive)];
    return {
      title: "Loss of training answers asked alone",
      y: "nats per answer token",
      x: "step",
      curves,
      shows: "The same rows and steps: what the leaking run learned with a neighbour in sight, it does not know alone.",
      holds: last(curves[1]) > 1.3 * last(curves[0]),
    };
  },
});

// ------------------------------------------------------------------------------------------------ reset is not isolation

const reset = defineBug<Sight, { first: number[]; second: number[] }>({
  id: "reset-is-not-isolation",
  title: "Position ids start again, and that is taken for isolation",
  issue: {
    project: "hiyouga/LLaMA-Factory",
    url: "https://github.com/hiyouga/LLaMA-Factory/issues/2289",
    said: "Packing without cross-contamination was asked for, and whether position ids matter at all under RoPE.",
  },
  lesson:
    "Rotary positions are relative: they say how far, not whether. Starting them again at each text leaves every earlier text in sight, at misleading " +
    "distances. What isolates is the mask; with it, starting again changes nothing.",
  claim: packingClaim,
  correct: isolated,
  broken: onlyReset,
  right: { file: "src/ops/attention.ts", from: "const same = tf.equal(tf.expandDims(documentIds, 2)", lines: 2 },
  file,
  inputs: twoTexts,
  runs: 8,
  check: packedEqualsAlone,
  async picture() {
    const rows = echoRows("reset", 300);
    const batchAt = (step: number) => marco.batchOf(inOrder(rows, 4)(step));
    const parameters = await experiment({ lossFunction: marco.pretrainLoss(TINY), steps: 250, rate: 0.02, batchAt });
    const random = randomOf("reset test");
    const second = echoText(random, 8);
    /** Mean |change| of log p of the second text when the first one is exchanged. */
    const change = (sight: Sight): number => {
      const behind = (first: number[]) =>
        logprobsOf(sight, parameters, marco.packExamples([first, second].map(everyToken), 17, EOS).rows[0]).slice(
          9,
          16,
        );
      const all = Array.from({ length: 10 }, () => [behind(words(random, 9)), behind(words(random, 9))]).flatMap(
        ([a, b]) => a.map((x, t) => Math.abs(x - b[t])),
      );
      return all.reduce((a, b) => a + b) / all.length;
    };
    const bars = [
      { label: "mask by document", kind: "correct" as const, y: change(isolated) },
      { label: "positions restart, no mask", kind: "broken" as const, y: change(onlyReset) },
      { label: "neither", kind: "other" as const, y: change(naive) },
    ];
    tf.dispose(parameters);
    return {
      title: "How much a text depends on its neighbour",
      y: "nats by which log p of a token changes with the text before",
      bars,
      shows: "With the mask it is zero to the last bit. With restarted positions alone it is not.",
      holds: bars[0].y === 0 && bars[1].y > 0.01,
    };
  },
});

// ------------------------------------------------------------------------------------------------ label across the seam

type Pack = (examples: readonly MaskedExample[], T: number, padId: number) => PackedRow[];
const pack: Pack = (examples, T, padId) => marco.packExamples(examples, T, padId).rows;
const packWithSeams: Pack = (examples, T, padId) =>
  pack(examples, T, padId).map((row) => ({
    ...row,
    // bug: label-across-the-seam
    labels: row.labels.map((label, t) =>
      row.documentIds[t] > 0 && row.positionIds[t] === 0 ? row.inputIds[t] : label,
    ),
    // end
  }));

const seam = defineBug<Pack, { first: number[]; second: number[] }>({
  id: "label-across-the-seam",
  title: "The last token of a text predicts the first of the next",
  issue: {
    project: "NVIDIA-BioNeMo/bionemo-recipes",
    url: "https://github.com/NVIDIA-BioNeMo/bionemo-recipes/pull/1449",
    said: "Flattened texts need a -100 between them, so that the last token of one is not asked for the first of the next.",
  },
  lesson:
    "Attention is isolated, yet the shift of labels runs through the whole row: each text's first token becomes the target of the text before, which " +
    "cannot know it. The loss has a floor that no training lowers. Ignore the label wherever a position is 0.",
  claim: "Packing adds no target: a row has as many as its texts have alone.",
  correct: pack,
  broken: packWithSeams,
  right: { file: "src/data/pack.ts", from: "row.labels[t] = lossMask[position]" },
  file,
  inputs: twoTexts,
  check(pack, { first, second }) {
    const [row] = pack([first, second].map(everyToken), first.length + second.length, EOS);
    expectNear(
      "the number of targets of both texts in a row",
      marco.targetsOf(row),
      first.length + second.length - 2,
      0,
    );
  },
  async picture() {
    const random = randomOf("seam");
    const texts = Array.from({ length: 900 }, () => everyToken(ruleText(random, 4)));
    const run = (label: string, kind: Curve["kind"], pack: Pack) => {
      const rows = pack(texts, 16, EOS);
      return metricCurve(label, kind, "loss", {
        lossFunction: marco.sftLoss(TINY),
        steps: 75,
        batchAt: (step) => marco.batchOf(inOrder(rows, 4)(step)),
      });
    };
    const curves = [await run("seams ignored", "correct", pack), await run("seams counted", "broken", packWithSeams)];
    return {
      title: "Reported training loss, four short texts a row",
      y: "nats per token",
      x: "step",
      curves,
      shows:
        "One target in five is the start of an unrelated text: a floor that looks like a model that does not learn.",
      holds: last(curves[1]) > last(curves[0]) + 0.3,
    };
  },
});

// ------------------------------------------------------------------------------------------------ mixture broken by packing

interface Mixing {
  /** Tokens of every document of a source, in order. */
  lengths: Record<string, number[]>;
  /** Whole numbers. */
  shares: Record<string, number>;
  sequences: number;
  T: number;
}

/** Tokens of each source in `sequences` rows of T. */
type Mix = (mixing: Mixing) => Record<string, number>;

const mixSequences: Mix = ({ shares, sequences, T }) => {
  const order = marco.interleave(marco.allocate(shares, sequences));
  return Object.fromEntries(Object.keys(shares).map((name) => [name, T * order.filter((s) => s === name).length]));
};

const mixDocuments: Mix = ({ lengths, shares, sequences, T }) => {
  const tokens = Object.fromEntries(Object.keys(shares).map((name) => [name, 0]));
  const total = () => Object.values(tokens).reduce((a, b) => a + b, 0);
  // bug: mixture-broken-by-packing
  const documents = marco.interleave(marco.allocate(shares, sequences * T)); // a source for every document
  for (let i = 0; total() < sequences * T; i++)
    tokens[documents[i]] += lengths[documents[i]][i % lengths[documents[i]].length];
  // end
  return tokens;
};

const mixture = defineBug<Mix, Mixing>({
  id: "mixture-broken-by-packing",
  title: "Shares are drawn in documents and meant in tokens",
  issue: {
    project: "pytorch/torchtitan",
    url: "https://github.com/pytorch/torchtitan/pull/2385",
    said: "Packing an interleaved stream breaks the sample ratio; packed streams are interleaved instead (merged as #3063).",
  },
  lesson:
    "Documents are drawn with the shares of the recipe and then packed. A source of long documents gets more tokens than its share and one of short " +
    "documents fewer, however carefully the shares were chosen. Pack each source first, draw packed sequences, and count tokens afterwards.",
  claim: "Each source has its share of the tokens, to within one sequence, whatever the lengths of its documents.",
  correct: mixSequences,
  broken: mixDocuments,
  right: { file: "src/data/mixture.ts", from: "const perSource = allocate(shares, totalSequences);" },
  file,
  inputs: fc.record({
    lengths: fc.record({
      long: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 2 }),
      short: fc.constant([1]),
    }),
    shares: fc.record({ long: fc.integer({ min: 1, max: 3 }), short: fc.integer({ min: 1, max: 3 }) }),
    sequences: fc.integer({ min: 1, max: 20 }),
    T: fc.constant(4),
  }),
  check(mix, mixing) {
    const { shares, sequences, T } = mixing;
    const wanted = (sequences * T * shares.long) / (shares.long + shares.short);
    expectNear(`tokens of the long source of ${sequences * T}`, mix(mixing).long, wanted, T);
  },
  async picture() {
    const records = marco.loadCorpus().filter(({ split }) => split === "train");
    const languages = ["en", "zh", "kk", "ne"] as const;
    const lengths = Object.fromEntries(
      languages.map((language) => [
        language,
        marco.makeMonolingualDocuments(records, language, 1).map(({ text }) => Buffer.byteLength(text)), // a byte stands for a token
      ]),
    );
    const mixing: Mixing = { lengths, shares: { en: 1, zh: 1, kk: 1, ne: 1 }, sequences: 1500, T: 256 };
    const share = (mix: Mix, language: string) => (100 * mix(mixing)[language]) / (mixing.sequences * mixing.T);
    const bars = languages.flatMap((language) => [
      { label: `${language}, packed first`, kind: "correct" as const, y: share(mixSequences, language) },
      { label: `${language}, drawn first`, kind: "broken" as const, y: share(mixDocuments, language) },
    ]);
    return {
      title: "Share of the tokens, 25 % each asked for",
      y: "per cent of the bytes, documents of the corpus",
      bars,
      shows: "Real documents of four languages: drawn one by one, the lengths decide what the model reads.",
      holds:
        bars.every(({ kind, y }) => kind === "broken" || Math.abs(y - 25) < 0.1) &&
        bars.some(({ y }) => Math.abs(y - 25) > 3),
    };
  },
});

export const PACKING_BUGS: Bug[] = [leak, reset, seam, mixture];

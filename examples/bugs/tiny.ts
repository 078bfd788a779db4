/**
 * @file What the pictures are made of: a Qwen2 of 5,000 parameters, texts whose rule is known, and runs of tens of steps
 * of the product's own `train()` in which only the broken part is another one.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { LossFunction, MaskedExample, PackedRow, Parameters, Qwen2Config, TensorMap } from "marco-mini";
import * as marco from "marco-mini";
import type { Curve } from "./bug.ts";

/** As small as fits the rules below (CHOSEN). */
export const TINY: Qwen2Config = {
  vocabSize: 32,
  hiddenSize: 16,
  intermediateSize: 32,
  numHiddenLayers: 2,
  numAttentionHeads: 4,
  numKeyValueHeads: 2,
  maxPositionEmbeddings: 64,
  rmsNormEps: 1e-6,
  ropeTheta: 1e4,
  tieWordEmbeddings: true,
  initializerRange: 0.1,
};

/** Ends a text, and fills rows: Qwen2's <|endoftext|> does both. */
export const EOS = 0;
/** Begins an answer. */
export const ANSWER = 1;
/** Ids from here on are words. */
export const WORDS = 4;
export const WORD_COUNT = TINY.vocabSize - WORDS;

export const randomOf = (...labels: string[]) => marco.makeRandom(1, "gallery", ...labels);
export const words = (random: marco.Random, n: number) =>
  Array.from({ length: n }, () => WORDS + random.int(WORD_COUNT));

/** A fixed rule: every word has one successor. */
const successors = randomOf("successors").shuffle(Array.from({ length: WORD_COUNT }, (_, i) => WORDS + i));
export const successor = (word: number) => successors[word - WORDS];

/** A question of `length` random words whose answer is the successors of its last word, `answers` of them, and the end. */
export function question(random: marco.Random, length = 4, answers = 2): { prompt: number[]; answer: number[] } {
  const prompt = words(random, length);
  const answer: number[] = [];
  for (let word = prompt[length - 1]; answer.length < answers; ) {
    word = successor(word);
    answer.push(word);
  }
  return { prompt: [...prompt, ANSWER], answer: [...answer, EOS] };
}

export const masked = ({
  prompt,
  answer,
}: {
  prompt: readonly number[];
  answer: readonly number[];
}): MaskedExample => ({
  inputIds: [...prompt, ...answer],
  lossMask: [...prompt.map(() => 0), ...answer.map(() => 1)],
});

/** T tokens in which a word follows its rule nine times of ten. */
export function ruleText(random: marco.Random, T: number): number[] {
  const ids = words(random, 1);
  while (ids.length < T) ids.push(random.next() < 0.9 ? successor(ids[ids.length - 1]) : words(random, 1)[0]);
  return ids;
}

/** Rows of {@link ruleText}. */
export const ruleRows = (label: string, n: number, T = 16): PackedRow[] => {
  const random = randomOf("rule text", label);
  return Array.from({ length: n }, () => marco.pretrainingRow(Int32Array.from(ruleText(random, T)), 0, T));
};

/** The same with another rule: every word has the successor of its successor. */
export const otherRuleRows = (label: string, n: number, T = 16): PackedRow[] => {
  const random = randomOf("other rule text", label);
  return Array.from({ length: n }, () => {
    const ids = words(random, 1);
    while (ids.length < T) ids.push(successor(successor(ids[ids.length - 1])));
    return marco.pretrainingRow(Int32Array.from(ids), 0, T);
  });
};

/** A text in which every word follows from the word two before: reading it needs attention, and positions. */
export function echoText(random: marco.Random, T: number): number[] {
  const ids = words(random, 2);
  while (ids.length < T) ids.push(successor(ids[ids.length - 2]));
  return ids;
}

export const echoRows = (label: string, n: number, T = 12): PackedRow[] => {
  const random = randomOf("echo text", label);
  return Array.from({ length: n }, () => marco.pretrainingRow(Int32Array.from(echoText(random, T)), 0, T));
};

/** Paper's cosine over the run, 5 % warm-up (CHOSEN, as for the miniature's own stages). */
export const cosine = (maxLearningRate: number, totalTokens: number): marco.CosineSchedule => ({
  maxLearningRate,
  minRatio: 0.1,
  warmupTokens: totalTokens * 0.05,
  totalTokens,
});

export interface Experiment {
  lossFunction: LossFunction;
  batchAt: (step: number) => TensorMap | TensorMap[];
  steps: number;
  /** Highest learning rate (CHOSEN: 0.01, from which the tiny model learns in tens of steps). */
  rate?: number;
  schedule?: marco.CosineSchedule;
  optimizer?: Partial<marco.AdamWOptions>;
  parameters?: Parameters;
  /** Called after every step, for measurements. */
  onStep?: (step: number, parameters: Parameters, metrics: marco.StepMetrics) => void;
}

/** Trains and returns the parameters; the caller disposes them. */
export async function experiment(options: Experiment): Promise<Parameters> {
  const { lossFunction, batchAt, steps, rate = 0.01, optimizer, onStep } = options;
  const parameters = options.parameters ?? marco.initParameters(TINY, 1);
  await marco.train(parameters, {
    lossFunction,
    batchAt,
    steps,
    tokensPerStep: 1,
    schedule: options.schedule ?? cosine(rate, steps),
    optimizer: { ...marco.PAPER_ADAMW, ...optimizer },
    onStep: (step, _tokens, metrics) => onStep?.(step, parameters, metrics),
  });
  return parameters;
}

/** A loss of parameters on rows (or their batch) that stay the same, e.g. held-out ones. */
export function meter(rows: readonly PackedRow[] | TensorMap, lossFunction: LossFunction = marco.sftLoss(TINY)) {
  const batch = Array.isArray(rows) ? marco.batchOf(rows) : (rows as TensorMap);
  const compiled = marco.compile((inputs) => {
    const parameters = Object.fromEntries(Object.entries(inputs).filter(([name]) => !(name in batch)));
    return { loss: lossFunction(parameters, batch).loss };
  });
  return {
    read(parameters: Parameters): number {
      const { loss } = compiled({ ...parameters, ...batch });
      const value = loss.dataSync()[0];
      loss.dispose();
      return value;
    },
    dispose() {
      compiled.dispose();
      tf.dispose(batch);
    },
  };
}

/** A held-out loss over training, measured every few steps. */
export async function heldOutCurve(
  label: string,
  kind: Curve["kind"],
  rows: readonly PackedRow[],
  options: Experiment,
  measured: LossFunction = marco.sftLoss(TINY),
): Promise<Curve> {
  const heldOut = meter(rows, measured);
  const points: Curve["points"] = [];
  const every = Math.max(1, Math.floor(options.steps / 30));
  const parameters = await experiment({
    ...options,
    onStep: (step, parameters, metrics) => {
      options.onStep?.(step, parameters, metrics);
      if (step % every === 0 || step === options.steps - 1) points.push({ x: step + 1, y: heldOut.read(parameters) });
    },
  });
  heldOut.dispose();
  tf.dispose(parameters);
  return { label, kind, points };
}

/** What a run reports of itself. */
export async function metricCurve(label: string, kind: Curve["kind"], metric: string, options: Experiment) {
  const points: Curve["points"] = [];
  tf.dispose(
    await experiment({
      ...options,
      onStep: (step, _parameters, metrics) => points.push({ x: step + 1, y: metrics[metric] }),
    }),
  );
  return { label, kind, points };
}

export const last = ({ points }: Curve) => points[points.length - 1].y;

/** Batches of `size` rows in order, from the first again when they are used up. */
export const inOrder =
  <Item>(items: readonly Item[], size: number) =>
  (step: number): Item[] =>
    Array.from({ length: size }, (_, i) => items[(step * size + i) % items.length]);

/** The same numbers every time: float32 values copied to the host, in float64. */
export const numbers = (x: tf.Tensor): number[] => {
  const values = Array.from(x.dataSync());
  x.dispose();
  return values;
};

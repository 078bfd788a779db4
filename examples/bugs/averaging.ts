/** @file What the loss of a step is an average over, when the step is computed in micro-batches. */
import * as tf from "@tensorflow/tfjs-core";
import fc from "fast-check";
import type { PackedRow, TensorMap } from "marco-mini";
import * as marco from "marco-mini";
import { type Bug, type Curve, defineBug, expectNear, type Picture } from "./bug.ts";
import {
  EOS,
  heldOutCurve,
  inOrder,
  last,
  masked,
  metricCurve,
  question,
  randomOf,
  successor,
  TINY,
  words,
} from "./tiny.ts";

const file = "examples/bugs/averaging.ts";

type MicroBatches = typeof marco.microBatches;

const right = { file: "src/train/batch.ts", from: "parts.push({ ...make(items.slice(i, i + size)" };

/** Examples as the losses of their tokens, in nats; whole numbers, so that sums can be checked by hand. */
const inputs = fc.record({
  tokenLosses: fc.array(fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 3 }), {
    minLength: 2,
    maxLength: 4,
  }),
  size: fc.integer({ min: 1, max: 2 }),
});

/** The loss of the whole step is the mean over its tokens, however it is computed. */
function check(microBatches: MicroBatches, { tokenLosses, size }: { tokenLosses: number[][]; size: number }) {
  const all = tokenLosses.flat();
  const got = tf.tidy(() => {
    const make = (items: readonly number[][]): TensorMap => ({
      logprobs: tf.tensor1d(items.flat().map((loss) => -loss)),
      counted: tf.tensor1d(items.flat().map(() => 1)),
    });
    const parts = microBatches(tokenLosses, size, make, (item) => item.length);
    return parts.reduce(
      (sum, { logprobs, counted, numItemsInBatch }) =>
        sum + marco.crossEntropy(logprobs, counted, numItemsInBatch).dataSync()[0],
      0,
    );
  });
  expectNear("the loss of the step", got, all.reduce((a, b) => a + b) / all.length, 1e-5);
}

const claim = "The loss of a step is the mean over its tokens, whatever the size of the micro-batches.";

// ------------------------------------------------------------------------------------------------ mean of means

const meanOfMeans: MicroBatches = (items, size, make, count) =>
  marco.microBatches(items, size, make, count).map(({ numItemsInBatch, ...part }, k, parts) => {
    const own = items.slice(k * size, (k + 1) * size).reduce((n, item) => n + count(item), 0);
    // bug: mean-of-means
    return { ...part, numItemsInBatch: tf.scalar(own * parts.length) };
    // end
  });

/** Of four rows in a step three have a short answer that is noise and one has a long answer with a rule. */
const uneven = (label: string, n: number): PackedRow[] => {
  const random = randomOf("uneven", label);
  return Array.from({ length: n }, (_, i) => {
    const q = i % 4 === 0 ? question(random, 2, 9) : { prompt: words(random, 2), answer: words(random, 1) };
    return marco.packExamples([masked(q)], 13, EOS).rows[0];
  });
};

const meanOfMeansBug = defineBug<MicroBatches, { tokenLosses: number[][]; size: number }>({
  id: "mean-of-means",
  title: "Gradient accumulation averages averages",
  issue: {
    project: "huggingface/transformers",
    url: "https://github.com/huggingface/transformers/pull/34191",
    said: "With texts of different lengths, 32 accumulation steps of 1 did not train as a batch of 32; mended in October 2024.",
  },
  lesson:
    "Each micro-batch takes the mean over its own tokens, and the step takes the mean of those. A token in a short micro-batch then " +
    "counts more than one in a long one. It shows only where lengths differ. Count the tokens of the whole step first, and divide by that.",
  claim,
  correct: marco.microBatches,
  broken: meanOfMeans,
  right,
  file,
  inputs,
  check,
  async picture() {
    const test = uneven("test", 80).filter((_, i) => i % 4 === 0);
    const rows = uneven("train", 400);
    const run = (label: string, kind: Curve["kind"], size: number, microBatches: MicroBatches) =>
      heldOutCurve(label, kind, test, {
        lossFunction: marco.sftLoss(TINY),
        steps: 60,
        batchAt: (step) => microBatches(inOrder(rows, 4)(step), size, marco.batchOf, marco.targetsOf),
      });
    const curves = [
      await run("4 at once", "other", 4, marco.microBatches),
      await run("4 x 1", "correct", 1, marco.microBatches),
      await run("mean of means", "broken", 1, meanOfMeans),
    ];
    return {
      title: "Loss of held-out long answers",
      y: "nats per answer token",
      x: "step",
      curves,
      shows:
        "Four rows at once and four times one row are the same run. The mean of means learns from the short answers instead.",
      holds:
        Math.abs(last(curves[1]) - last(curves[0])) < 0.02 * last(curves[0]) &&
        last(curves[2]) > 1.15 * last(curves[1]),
    };
  },
});

// ------------------------------------------------------------------------------------------------ never or twice divided

const neverDivided: MicroBatches = (items, size, make, count) =>
  marco.microBatches(items, size, make, count).map(
    // bug: multiplied-by-accumulation
    ({ numItemsInBatch, ...part }) => part, // each part's own mean, and their sum
    // end
  );

const dividedTwice: MicroBatches = (items, size, make, count) =>
  marco.microBatches(items, size, make, count).map(({ numItemsInBatch, ...part }, _, parts) => ({
    ...part,
    // bug: divided-twice
    numItemsInBatch: tf.mul(numItemsInBatch ?? 1, parts.length),
    // end
  }));

/** Gradient norm over 40 steps, in four micro-batches of equal rows: at the first it is `ratio` times what it should be. */
async function gradientNorms(
  label: string,
  broken: MicroBatches,
  ratio: number,
  word: "times" | "of",
): Promise<Picture> {
  const random = randomOf("norms");
  const rows = Array.from({ length: 160 }, () => {
    const start = words(random, 1);
    for (let i = 0; i < 11; i++) start.push(successor(start[i]));
    return marco.pretrainingRow(Int32Array.from(start), 0, 12);
  });
  const run = (label: string, kind: Curve["kind"], size: number, microBatches: MicroBatches) =>
    metricCurve(label, kind, "grad_norm", {
      lossFunction: marco.pretrainLoss(TINY),
      steps: 40,
      batchAt: (step) => microBatches(inOrder(rows, 4)(step), size, marco.batchOf, marco.targetsOf),
    });
  const curves = [
    await run("4 at once", "other", 4, marco.microBatches),
    await run("4 x 1", "correct", 1, marco.microBatches),
    await run(label, "broken", 1, broken),
  ];
  const [, right, wrong] = curves.map(({ points }) => points[0].y / curves[0].points[0].y);
  return {
    title: "grad_norm, before clipping",
    y: "global norm",
    x: "step",
    curves,
    shows: `The same batch in four parts: at the first step the norm is ${wrong.toFixed(2)} ${word} what it should be.`,
    holds: Math.abs(right - 1) < 1e-3 && Math.abs(wrong - ratio) < 0.01,
  };
}

const multiplied = defineBug<MicroBatches, { tokenLosses: number[][]; size: number }>({
  id: "multiplied-by-accumulation",
  title: "The loss is multiplied by the accumulation steps",
  issue: {
    project: "axolotl-ai-cloud/axolotl",
    url: "https://github.com/axolotl-ai-cloud/axolotl/issues/2262",
    said: "Eight accumulation steps of 1 gave eight times the loss and grad_norm of one batch of 8: 83.7 instead of 10.5 (transformers #35438 mended its like).",
  },
  lesson:
    "One part of the code stops dividing because another is to do it, and that one does not know. Gradients are K times too large; clipping at 1.0 " +
    "hides it, because Adam and the clip forgive a factor. Compare loss and grad_norm of the first step with 1 x K and K x 1.",
  claim,
  correct: marco.microBatches,
  broken: neverDivided,
  right,
  file,
  inputs,
  check,
  picture: () => gradientNorms("never divided", neverDivided, 4, "times"),
});

const twice = defineBug<MicroBatches, { tokenLosses: number[][]; size: number }>({
  id: "divided-twice",
  title: "The loss is divided twice",
  issue: {
    project: "unslothai/unsloth-zoo",
    url: "https://github.com/unslothai/unsloth-zoo/issues/1023",
    said: "Divided by the tokens of the step and again by the accumulation steps: grad_norm 0.2604 instead of 1.0417.",
  },
  lesson:
    "The mirror image: the loss already averages over the step, and the loop divides once more. Gradients are K times too small. Adam hides it, except " +
    "that nothing is ever clipped and epsilon weighs more. The same property catches both.",
  claim,
  correct: marco.microBatches,
  broken: dividedTwice,
  right,
  file,
  inputs,
  check,
  picture: () => gradientNorms("divided twice", dividedTwice, 0.25, "of"),
});

// ------------------------------------------------------------------------------------------------ clip of parts

/** Plain gradient descent with rate 1, and the product's clipping at norm 1: Adam's epsilon swallows its scaling. */
const DESCENT: marco.AdamWOptions = { beta1: 0, beta2: 0, epsilon: 1e6, weightDecay: 0, maxGradNorm: 1 };
async function clipped(gradient: number[]): Promise<number[]> {
  const parameters = { w: tf.zeros([gradient.length]) as tf.Tensor };
  const optimizer = marco.makeAdamW(parameters, DESCENT);
  const gradients = { w: tf.tensor1d(gradient) };
  await optimizer.step(gradients, 1e6);
  const moved = Array.from(parameters.w.dataSync(), (x) => -x);
  optimizer.dispose();
  tf.dispose([parameters, gradients]);
  return moved;
}
const plus = (a: number[], b: number[]) => a.map((x, i) => x + b[i]);

/** What is stepped along, of the gradients of micro-batches. */
type Accumulate = (gradients: number[][]) => Promise<number[]>;
const clipOnce: Accumulate = (gradients) => clipped(gradients.reduce(plus));
const clipEach: Accumulate = async (gradients) => {
  let sum = gradients[0].map(() => 0);
  // bug: clip-every-micro-batch
  for (const gradient of gradients) sum = await clipped(plus(sum, gradient));
  // end
  return sum;
};

const part = fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 3 })).map((pair): number[] => pair);
const clipEachBug = defineBug<Accumulate, number[][]>({
  id: "clip-every-micro-batch",
  title: "Gradients are clipped after every micro-batch",
  issue: {
    project: "facebookresearch/lingua",
    url: "https://github.com/facebookresearch/lingua/pull/59",
    said: "Clipping at each accumulation step is not clipping once before the optimiser step (transformers #1563 had it in 2019).",
  },
  lesson:
    "The clip stands in the inner loop. What the first micro-batches gave is scaled down again with each that follows, so the last one decides the direction. " +
    "With small gradients nothing shows. Clip once, on the sum, where the norm is logged too.",
  claim: "The order of the micro-batches does not matter for the step.",
  correct: clipOnce,
  broken: clipEach,
  right: { file: "src/train/optimizer.ts", from: "const clip = Math.min(1, maxGradNorm / (norm + 1e-6));" },
  file,
  inputs: fc.array(part, { minLength: 2, maxLength: 3 }),
  runs: 30,
  async check(accumulate, gradients) {
    const [there, back] = [await accumulate(gradients), await accumulate([...gradients].reverse())];
    for (const [i, x] of there.entries())
      expectNear(`element ${i} of the step, with the micro-batches in reverse order,`, back[i], x, 1e-4);
  },
  async picture() {
    // real gradients of eight rows, of the tiny model at its start; what weight does each have in the step?
    const random = randomOf("clip");
    const rows = Array.from({ length: 8 }, () => marco.pretrainingRow(Int32Array.from(words(random, 12)), 0, 12));
    const parameters = marco.initParameters(TINY, 1);
    const names = Object.keys(parameters);
    const gradients = rows.map((row) =>
      tf.tidy(() => {
        const loss = (...values: tf.Tensor[]) =>
          marco.pretrainLoss(TINY)(Object.fromEntries(names.map((name, i) => [name, values[i]])), marco.batchOf([row]))
            .loss;
        return tf
          .grads(loss)(names.map((name) => parameters[name]))
          .flatMap((g) => Array.from(g.dataSync()));
      }),
    );
    tf.dispose(parameters);
    const dot = (a: number[], b: number[]) => a.reduce((sum, x, i) => sum + x * b[i], 0);
    const curve = async (label: string, kind: Curve["kind"], accumulate: Accumulate): Promise<Curve> => {
      const step = await accumulate(gradients);
      const along = gradients.map((g) => dot(step, g) / Math.sqrt(dot(g, g) * dot(step, step)));
      return { label, kind, points: along.map((y, i) => ({ x: i + 1, y })) };
    };
    const curves = [
      await curve("clipped once", "correct", clipOnce),
      await curve("clipped eight times", "broken", clipEach),
    ];
    const [once, each] = curves.map(({ points }) => points[7].y - points[0].y);
    return {
      title: "How much the step follows each of eight micro-batches",
      y: "cosine of the step and the micro-batch's gradient",
      x: "micro-batch",
      curves,
      shows: "Clipped each time, the step is mostly the last micro-batches'; the first are forgotten.",
      holds: each > once + 0.2,
    };
  },
});

export const AVERAGING_BUGS: Bug[] = [meanOfMeansBug, multiplied, twice, clipEachBug];

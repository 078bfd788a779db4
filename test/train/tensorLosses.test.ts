/**
 * @file The losses on tensors are those of `src/losses` in float64, on every engine: values, and the gradients that
 * TensorFlow.js derives against the ones written by hand.
 */
import * as tf from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { startEngine } from "../../src/engine/engine.ts";
import { crossEntropyLoss, IGNORE_INDEX } from "../../src/losses/crossEntropy.ts";
import { ktoLoss } from "../../src/losses/kto.ts";
import { lengthDesensitized } from "../../src/losses/lengthDesensitized.ts";
import { type PairLogps, preferenceLoss } from "../../src/losses/preference.ts";
import {
  crossEntropy,
  ktoLosses,
  lengthDesensitizedLogprob,
  logitsCrossEntropy,
  preferenceLosses,
} from "../../src/train/losses.ts";
import { ENGINES } from "../engines.ts";
import { CASES, fewRuns, nameOf, pair, ratios, toPairs } from "../losses/cases.ts";
import { largest, normals } from "../ops/finiteDifferences.ts";

fewRuns();

/** Multiples of 1/64: float32 has them and their differences exactly, so that ratios tie in both versions or in none. */
const drawn = toPairs(
  fc.sample(pair, { numRuns: 48, seed: 7 }).map((one) => {
    const rounded = Object.entries(one).map(([key, value]) => [key, Math.round(value * 64) / 64]);
    return Object.fromEntries(rounded) as typeof one;
  }),
);
const BETA = 0.25;

const tensors = (pairs: PairLogps) =>
  Object.fromEntries(Object.entries(pairs).map(([name, x]) => [name, tf.tensor1d(x)])) as Record<
    keyof PairLogps,
    tf.Tensor
  >;

const close = (x: tf.Tensor | number[], y: ArrayLike<number>, what: string) =>
  expect(x instanceof tf.Tensor ? x.dataSync() : x, what).toBeAllClose(y, { rtol: 1e-5, atol: 1e-5 * largest(y) });

/** f's value, and the gradients of its sum. */
function measure(f: (...x: tf.Tensor[]) => tf.Tensor, inputs: tf.Tensor[]) {
  let value = tf.scalar(0) as tf.Tensor;
  const gradients = tf.grads((...x: tf.Tensor[]) => {
    value = tf.keep(f(...x));
    return tf.sum(tf.stack([tf.sum(value), ...x.map((one) => tf.mul(tf.sum(one), 0))])); // a path from each, as tf.grads asks
  })(inputs);
  return { value, gradients };
}

/** Every case at once, as one program; each has policy log-probabilities of its own, so that the gradients stay apart. */
function measureAll(pairs: PairLogps, cases: typeof CASES, beta: number) {
  return tf.tidy(() => {
    const inputs = tensors(pairs);
    const policies = cases.flatMap(() => [tf.tensor1d(pairs.policyChosen), tf.tensor1d(pairs.policyRejected)]);
    const losses = (...x: tf.Tensor[]) =>
      tf.stack(
        cases.map((options, i) =>
          preferenceLosses({ ...inputs, policyChosen: x[2 * i], policyRejected: x[2 * i + 1] }, { ...options, beta }),
        ),
      );
    const { value, gradients } = measure(losses, policies);
    const slopes = gradients.map((x) => [...x.dataSync()]);
    const found = value.arraySync() as number[][];
    value.dispose();
    return found.map((losses, i) => ({ losses, chosen: slopes[2 * i], rejected: slopes[2 * i + 1] }));
  });
}

describe.each(ENGINES)("engine %s", (engine) => {
  let measured: ReturnType<typeof measureAll>;
  beforeAll(async () => {
    await startEngine(engine);
    measured = measureAll(drawn, CASES, BETA);
  });

  test.each(CASES.map((options, i) => [nameOf(options), options, i] as const))(
    "%s is its float64 version",
    (_, options, i) => {
      const { losses, gradients } = preferenceLoss(drawn, { ...options, beta: BETA });
      close(measured[i].losses, losses, "losses");
      close(measured[i].chosen, gradients.policyChosen, "gradient of the chosen answers");
      close(measured[i].rejected, gradients.policyRejected, "gradient of the rejected answers");
    },
  );

  test("the losses stay finite at |βΔ| = 1e4, with their gradients", () => {
    const far = toPairs([ratios(1e5, 0, 3, 5), ratios(-1e5, 0, 3, 5), ratios(-1e5, -1e5, 3, 5), ratios(0, 1e5, 3, 5)]);
    const cases = CASES.filter(({ fDivergenceType }) => !fDivergenceType); // those with e^80 are not claimed
    for (const [i, { losses, chosen, rejected }] of measureAll(far, cases, 0.1).entries()) {
      const expected = preferenceLoss(far, { ...cases[i], beta: 0.1 }).losses;
      expect(losses, nameOf(cases[i])).toBeAllClose(expected, { rtol: 1e-5, atol: 1e-6 });
      expect([...chosen, ...rejected].every(Number.isFinite), nameOf(cases[i])).toBe(true);
    }
  });

  test("KTO's losses are their float64 version", () => {
    const random = normals(48, 1).map((x) => 8 * x);
    const part = (i: number) => [...random.subarray(12 * i, 12 * (i + 1))];
    const desirable = part(0).map((x) => x > 0);
    const [policy, reference] = [part(1), part(2)];
    const policyKl = part(3).map((x, i) => reference[i] + x + 6);
    const options = { beta: BETA, desirableWeight: 1.5, undesirableWeight: 0.7 };
    const expected = ktoLoss({ policy, reference, desirable, policyKl, referenceKl: reference }, options);
    expect(expected.kl).toBeGreaterThan(0);
    tf.tidy(() => {
      const constants = {
        reference: tf.tensor1d(reference),
        desirable: tf.tensor1d(desirable.map(Number)),
        kl: tf.scalar(expected.kl),
      };
      const { value, gradients } = measure(
        (x) => ktoLosses({ ...constants, policy: x }, options),
        [tf.tensor1d(policy)],
      );
      close(value, expected.losses, "losses");
      close(gradients[0], expected.gradient, "gradient");
      value.dispose();
    });
  });

  test("length-desensitised log-probabilities are their float64 version, wherever the answers begin", () => {
    const answers = [[-1, -2, -3], [-1.5], [-0.5, -4], [-3, -1, -2, -0.25]]; // two chosen, two rejected
    const [T, ldAlpha] = [6, 0.25];
    const starts = [1, 4, 3, 2]; // prompts before, padding behind
    const at = (t: number, row: number) => answers[row][t - starts[row]] ?? 0;
    const logprobs = answers.map((_, row) => Array.from({ length: T }, (_, t) => at(t, row)));
    tf.tidy(() => {
      const x = tf.tensor2d(logprobs);
      const { value, gradients } = measure(
        (x) => lengthDesensitizedLogprob(x, tf.tensor2d(logprobs.map((row) => row.map((y) => (y ? 1 : 0)))), ldAlpha),
        [x],
      );
      const pairs = [0, 1].map((i) => lengthDesensitized(answers[i], answers[i + 2], ldAlpha));
      const rows = [...pairs.map(({ chosen }) => chosen), ...pairs.map(({ rejected }) => rejected)];
      close(
        value,
        rows.map(({ logprob }) => logprob),
        "log-probabilities",
      );
      const slopes = gradients[0].arraySync() as number[][];
      for (const [row, { weights }] of rows.entries())
        expect(slopes[row].slice(starts[row], starts[row] + weights.length)).toEqual(weights);
      value.dispose();
    });
  });

  test.each([{}, { labelSmoothing: 0.1 }, { zLoss: 0.01 }, { labelSmoothing: 0.2, zLoss: 0.05 }])(
    "cross-entropy from logits with %o is its float64 version",
    (options) => {
      const [N, V] = [7, 11];
      const z = normals(N * V, 2).map((x) => 3 * x);
      const labels = [3, IGNORE_INDEX, 0, 10, IGNORE_INDEX, 5, 5];
      const logits = Array.from({ length: N }, (_, n) => [...z.subarray(n * V, (n + 1) * V)]);
      const expected = crossEntropyLoss({ logits, labels }, options);
      tf.tidy(() => {
        const { value, gradients } = measure(
          (x) => logitsCrossEntropy(x, tf.tensor1d(labels, "int32"), options),
          [tf.tensor2d(logits)],
        );
        close(value, [expected.loss], "loss");
        close(gradients[0], expected.gradient.flat(), "gradient");
        const ignored = gradients[0].dataSync().slice(V, 2 * V);
        expect([...ignored].map(Math.abs)).toEqual(Array(V).fill(0));
        value.dispose();
      });
    },
  );

  test("a micro-batch in which nothing counts has the loss 0 and gradients of 0", () => {
    tf.tidy(() => {
      const nothing = tf.zeros([2, 3]);
      const { value, gradients } = measure((x) => crossEntropy(tf.mul(x, nothing), nothing), [tf.ones([2, 3])]);
      expect(Math.abs(value.dataSync()[0])).toBe(0);
      expect([...gradients[0].dataSync()].map(Math.abs)).toEqual(Array(6).fill(0));
      value.dispose();
    });
  });
});

/**
 * @file Every fused op on every engine against the float64 loops of src/ops/reference.ts, forward and all gradients:
 * random odd sizes, long loops, and the values that break naive formulas.
 */
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { attention, causalMask, MASKED } from "../../src/ops/attention.ts";
import * as reference from "../../src/ops/reference.ts";
import { tokenLogprobs } from "../../src/ops/tokenLogprobs.ts";
import { normals } from "../ops/finiteDifferences.ts";
import {
  type Addend,
  attentionCase,
  cacheWriteCase,
  embeddingCase,
  linearCase,
  rmsNormCase,
  ropeCase,
  swigluCase,
  tokenLogprobsCase,
} from "./cases.ts";
import { type Case, check, forAll, integers, size } from "./check.ts";
import { onEveryEngine } from "./engines.ts";
import { read } from "./read.ts";

const heads = { B: size(2), T: size(4), K: size(2), G: size(3), D: size(4) }; // G = 1: H = K; K = G = 1: one head

onEveryEngine(() => {
  describe("random sizes", () => {
    test("embedding", () =>
      forAll({ N: size(6), V: size(5, 2), C: size(5) }, (sizes, seed) =>
        check(embeddingCase(sizes, integers(sizes.N, sizes.V, seed)), seed),
      ));

    test.each<Addend>(["none", "bias", "residual"])("linear, addend: %s", (addend) =>
      forAll({ N: size(5), I: size(6), O: size(5) }, (sizes, seed) => check(linearCase({ ...sizes, addend }), seed)),
    );

    test("rmsNorm", () => forAll({ N: size(5), C: size(7) }, (sizes, seed) => check(rmsNormCase(sizes), seed)));

    test("rope", () =>
      forAll({ B: size(2), T: size(4), heads: size(3), half: size(3) }, (sizes, seed) =>
        check(ropeCase(sizes, integers(sizes.B * sizes.T, 64, seed)), seed),
      ));

    test("attention, causal inside documents", () =>
      forAll(heads, (sizes, seed) => {
        const { B, T } = sizes;
        return check(attentionCase({ ...sizes, S: T }, reference.causalMask(integers(B * T, 2, seed), T)), seed);
      }));

    test("attention over a cache: other lengths of queries and keys, any mask, rows that see nothing too", () =>
      forAll({ ...heads, S: size(5) }, (sizes, seed) => {
        const hidden = integers(sizes.B * sizes.T * sizes.S, 2, seed);
        return check(
          attentionCase(
            sizes,
            Float64Array.from(hidden, (x) => x * MASKED),
          ),
          seed,
        );
      }));

    test("swiglu", () => forAll({ N: size(5), F: size(7) }, (sizes, seed) => check(swigluCase(sizes), seed)));

    test("tokenLogprobs", () =>
      // TensorFlow.js' one-hot, of which the composed versions are made, wants two classes: V >= 2, here and above
      forAll({ N: size(5), C: size(4), V: size(9, 2) }, (sizes, seed) =>
        check(tokenLogprobsCase(sizes, integers(sizes.N, sizes.V, seed)), seed),
      ));

    test("cacheWrite", () =>
      forAll({ B: size(3), S: size(4), T: size(3), W: size(5) }, (sizes, seed) =>
        check(cacheWriteCase(sizes, seed), seed),
      ));
  });

  test.each<[string, Case]>([
    ["embedding, N", embeddingCase({ N: 1037, V: 3, C: 2 }, integers(1037, 3, 1))],
    ["embedding, V", embeddingCase({ N: 3, V: 1501, C: 2 }, [1500, 0, 1500])],
    ["embedding, C", embeddingCase({ N: 2, V: 3, C: 1201 }, [2, 2])],
    ["linear, N", linearCase({ N: 1037, I: 3, O: 2, addend: "bias" })],
    ["linear, I", linearCase({ N: 3, I: 1501, O: 2, addend: "residual" })],
    ["linear, O", linearCase({ N: 2, I: 3, O: 1201, addend: "bias" })],
    ["rmsNorm, N", rmsNormCase({ N: 1037, C: 3 })],
    ["rmsNorm, C", rmsNormCase({ N: 2, C: 1501 })],
    [
      "rope, T",
      ropeCase(
        { B: 1, T: 1037, heads: 1, half: 1 },
        Array.from({ length: 1037 }, (_, t) => t),
      ),
    ],
    ["rope, heads and D", ropeCase({ B: 1, T: 2, heads: 3, half: 601 }, [3, 1])],
    ["attention, S", attentionCase({ B: 1, T: 2, S: 1501, K: 1, G: 3, D: 2 }, new Float64Array(2 * 1501))],
    ["attention, T", attentionCase({ B: 1, T: 1037, S: 3, K: 2, G: 1, D: 2 }, new Float64Array(1037 * 3))],
    ["attention, D", attentionCase({ B: 1, T: 3, S: 3, K: 1, G: 2, D: 1030 }, reference.causalMask([1, 1, 2], 3))],
    ["swiglu", swigluCase({ N: 3, F: 1501 })],
    ["tokenLogprobs, N", tokenLogprobsCase({ N: 1037, C: 3, V: 5 }, integers(1037, 5, 1))],
    ["tokenLogprobs, C", tokenLogprobsCase({ N: 3, C: 1501, V: 5 }, [0, 4, 4])],
    ["tokenLogprobs, V", tokenLogprobsCase({ N: 3, C: 4, V: 1501 }, [0, 1500, 1500])],
  ])("past 1,000 iterations: %s", (_, one) => check(one, 1));

  describe("values", () => {
    /** The case with these values instead of normal ones. */
    const having = (one: Case, values: Record<string, ArrayLike<number>>): Case => ({
      ...one,
      inputs: Object.fromEntries(
        Object.entries(one.inputs).map(([name, input]) => [name, { ...input, values: values[name] ?? input.values }]),
      ),
    });
    const times = (factor: number, size: number, name: string) =>
      normals(size, 1, name).map((x) => Math.fround(x * factor));

    test("embedding: the gradient of a repeated token is the sum of its rows", async () => {
      const gradient = tf.tidy(() => {
        const ids = tf.tensor1d([2, 0, 2, 2], "int32");
        const dy = tf.tensor2d([1, 10, 2, 20, 3, 30, 4, 40], [4, 2]);
        const { run } = embeddingCase({ N: 4, V: 3, C: 2 }, []);
        return tf.grad((table) => run({ table, ids }))(tf.ones([3, 2]), dy);
      });
      expect((await read({ gradient })).gradient).toBeAllClose([2, 20, 0, 0, 8, 80]); // token 1 never occurs
    });

    test("rmsNorm: zeros stay zero, and epsilon counts where the row is small", async () => {
      await check(having(rmsNormCase({ N: 2, C: 4 }), { x: new Float64Array(8) }), 1);
      await check(having(rmsNormCase({ N: 3, C: 5 }, 1e-5), { x: times(3e-3, 15, "x") }), 1); // mean x² is about ε
      await check(having(rmsNormCase({ N: 3, C: 5 }), { x: times(1e4, 15, "x") }), 1);
    });

    test("swiglu: exact far from 0, where σ is 0 or 1", async () => {
      const gate = [-1e4, -100, -80, -20, 0, 20, 80, 100, 1e4];
      await check(having(swigluCase({ N: 1, F: 9 }), { gate }), 1);
      const { inputs, run } = having(swigluCase({ N: 1, F: 3 }), { gate: [-80, 80, 0], up: [2, 2, 2] });
      const y = tf.tidy(() =>
        run({ gate: tf.tensor2d([[-80, 80, 0]]), up: tf.tensor(inputs.up.values as number[], [1, 3]) }),
      );
      expect((await read({ y })).y).toBeAllClose([0, 160, 0], { atol: 1e-30 });
    });

    test("denormal numbers: kept or taken for 0, never anything else", async () => {
      const tiny = [1e-39, -1e-40, 1.4e-45, 0, -1e-38, 1e-42].map(Math.fround);
      await check(having(rmsNormCase({ N: 2, C: 3 }), { x: tiny }), 1);
      await check(having(swigluCase({ N: 2, F: 3 }), { gate: tiny }), 1);
      await check(having(linearCase({ N: 2, I: 3, O: 2, addend: "none" }), { x: tiny }), 1);
      const one = attentionCase({ B: 1, T: 2, S: 2, K: 1, G: 1, D: 3 }, new Float64Array(4));
      await check(having(one, { q: tiny, k: tiny, v: tiny }), 1);
      const table = having(embeddingCase({ N: 2, V: 2, C: 3 }, [1, 0]), { table: tiny });
      const y = tf.tidy(() => table.run({ table: tf.tensor2d(tiny, [2, 3]), ids: tf.tensor1d([1, 0], "int32") }));
      expect((await read({ y })).y).toBeAllClose([...tiny.slice(3), ...tiny.slice(0, 3)], { atol: 1.2e-38 });
    });

    test("causalMask sees the past of the same document only, and has no infinity", async () => {
      const documentIds = [0, 0, 1, 1, 7, 7, 7, 0]; // two rows; an id that comes back is the same document
      const mask = tf.tidy(() => causalMask(tf.tensor2d(documentIds, [2, 4], "int32")));
      expect(mask.shape).toEqual([2, 4, 4]);
      const values = (await read({ mask })).mask;
      expect(values).toBeAllClose(reference.causalMask(documentIds, 4), { rtol: 1e-6 });
      const seen = Array.from(values, (x) => (x === 0 ? 1 : 0));
      expect(seen.slice(0, 16)).toEqual([1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1, 0, 0, 0, 1, 1]);
    });

    test("attention: a query that sees nothing gets the mean of all values and no NaN", async () => {
      const [q, k, v] = [normals(4, 1, "q"), normals(6, 1, "k"), normals(6, 1, "v")];
      const result = tf.tidy(() => {
        const mask = tf.tensor3d([
          [
            [MASKED, MASKED, MASKED], // sees nothing
            [MASKED, 0, MASKED], // sees key 1 alone
          ],
        ]);
        const f = (q: tf.Tensor, k: tf.Tensor, v: tf.Tensor) => attention(q, k, v, mask, { heads: 1, kvHeads: 1 });
        const tensor = (x: Float64Array) => tf.tensor(Array.from(x), [1, x.length / 2, 2]);
        const { value, grads } = tf.valueAndGrads(f)([tensor(q), tensor(k), tensor(v)]);
        return { y: value, dq: grads[0], dk: grads[1], dv: grads[2] };
      });
      const { y, dq, dk, dv } = await read(result);
      const mean = [0, 1].map((d) => (v[d] + v[2 + d] + v[4 + d]) / 3);
      expect(y).toBeAllClose([...mean, v[2], v[3]], { atol: 1e-6 });
      const third = [1 / 3, 1 / 3];
      expect(dv).toBeAllClose([...third, 4 / 3, 4 / 3, ...third], { atol: 1e-6 });
      for (const gradient of [dq, dk]) expect([...gradient].every(Number.isFinite)).toBe(true);
    });

    test("attention: scores of ±1e4 pick one key", () => {
      const one = attentionCase({ B: 1, T: 3, S: 3, K: 1, G: 2, D: 4 }, reference.causalMask([0, 0, 0], 3));
      const steep = having(one, { q: times(100, 24, "q"), k: times(100, 12, "k") });
      return check({ ...steep, tolerance: 100 * one.tolerance }, 1); // dq and dk are sums of terms 100 times as large
    });

    test.each([80, 1e4])(
      "tokenLogprobs of logits of ±%d: exact and finite, the label largest, smallest or tied",
      async (z) => {
        // row n is the logits of token n: h is the identity
        const logits = [
          [z, -z, 0],
          [z, -z, 0],
          [z, z, -z],
          [-z, -z, -z],
        ];
        const result = tf.tidy(() => {
          const labels = tf.tensor1d([0, 1, 1, 2], "int32");
          const weight = tf.transpose(tf.tensor2d(logits)); // [V, C]: z = h Wᵀ
          const { value, grads } = tf.valueAndGrads((h, w) => tokenLogprobs(h, w, labels))([tf.eye(4), weight]);
          return { y: value, dw: tf.transpose(grads[1]) };
        });
        const { y, dw } = await read(result);
        expect(y).toBeAllClose([0, -2 * z, -Math.LN2, -Math.log(3)], { atol: 1e-6 });
        // dW [V, C] = dzᵀ: onehot(label) - softmax(z), row by row of the logits
        const dz = [
          [0, 0, 0],
          [-1, 1, 0],
          [-1 / 2, 1 / 2, 0],
          [-1 / 3, -1 / 3, 2 / 3],
        ];
        expect(dw).toBeAllClose(dz.flat(), { atol: 1e-6 });
      },
    );

    test("tokenLogprobs: labels that do not count give no gradient with weight 0", async () => {
      const gradient = tf.tidy(() => {
        const labels = tf.tensor1d([0, 1], "int32");
        const f = (h: tf.Tensor) => tf.mul(tokenLogprobs(h, tf.eye(2), labels), tf.tensor1d([0, 1]));
        return tf.grad(f)(tf.zeros([2, 2]));
      });
      expect((await read({ gradient })).gradient).toBeAllClose([0, 0, -0.5, 0.5], { atol: 1e-6 });
    });
  });
});

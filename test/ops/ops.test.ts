/**
 * @file Every fused op on every engine against the float64 loops of src/ops/reference.ts: forward, and all gradients
 * against finite differences of those loops.
 */
import * as tf from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { ENGINES, startEngine } from "../../src/engine/engine.ts";
import { attention, causalMask, MASKED } from "../../src/ops/attention.ts";
import { embedding } from "../../src/ops/embedding.ts";
import { linear } from "../../src/ops/linear.ts";
import * as reference from "../../src/ops/reference.ts";
import { rmsNorm } from "../../src/ops/rmsNorm.ts";
import { rope, ropeTables } from "../../src/ops/rope.ts";
import { swiglu } from "../../src/ops/swiglu.ts";
import { tokenLogprobs } from "../../src/ops/tokenLogprobs.ts";
import { makeRandom } from "../../src/util/random.ts";
import { finiteDifferences, largest, normals } from "./finiteDifferences.ts";

/**
 * Largest difference as a fraction of the tensor's largest value (or of 0.1: what cancels to nothing is compared with
 * the size of its terms). One float32 rounding is 6e-8.
 */
const TOLERANCE = {
  embedding: 1e-6, // copies; the gradient adds at most six rows
  linear: 2e-6, // sums of at most six products
  rmsNorm: 2e-5, // dx subtracts two nearly equal terms when C is 1 or 2
  rope: 2e-5, // float32 angles up to 64 radians: their rounding is 4e-6
  attention: 1e-5, // softmax between two products
  swiglu: 2e-6, // elementwise, with ONNX Runtime's rational sigmoid
  tokenLogprobs: 1e-5, // logsumexp of at most nine, then two products
};

type Arrays = Record<string, ArrayLike<number>>;

interface Case {
  tolerance: number;
  /** By name: the shape, and the values when they are not standard normal. Integers are data, not differentiated. */
  inputs: Record<string, { shape: number[]; values?: ArrayLike<number>; dtype?: "int32"; constant?: boolean }>;
  run: (x: Record<string, tf.Tensor>) => tf.Tensor;
  reference: (x: Arrays) => Float64Array;
}

/** Forward and every gradient, with a random cotangent; nothing may leak. */
function check({ tolerance, inputs, run, reference }: Case, seed: number) {
  const close = (actual: ArrayLike<number>, expected: ArrayLike<number>, what: string) =>
    expect(actual, what).toBeAllClose(expected, { atol: tolerance * Math.max(0.1, largest(expected)) });
  const values: Record<string, ArrayLike<number>> = {};
  for (const [name, { shape, values: given }] of Object.entries(inputs))
    values[name] = given ?? normals(tf.util.sizeFromShape(shape), seed, name);
  const y = reference(values);
  const dy = normals(y.length, seed, "dy");
  const before = tf.memory().numTensors;
  tf.tidy(() => {
    const tensors = Object.fromEntries(
      Object.entries(inputs).map(([name, { shape, dtype }]) => [
        name,
        tf.tensor(Array.from(values[name]), shape, dtype ?? "float32"),
      ]),
    );
    const names = Object.keys(inputs).filter((name) => !inputs[name].dtype && !inputs[name].constant);
    const forward = (...xs: tf.Tensor[]) =>
      run({ ...tensors, ...Object.fromEntries(names.map((name, i) => [name, xs[i]])) });
    const shape = forward(...names.map((name) => tensors[name])).shape;
    const { value, grads } = tf.valueAndGrads(forward)(
      names.map((name) => tensors[name]),
      tf.tensor(Array.from(dy), shape),
    );
    close(value.dataSync(), y, "forward");
    names.forEach((name, i) => {
      expect(grads[i].shape).toEqual(inputs[name].shape);
      const expected = finiteDifferences((x) => reference({ ...values, [name]: x }), values[name], dy);
      close(grads[i].dataSync(), expected, `d${name}`);
    });
  });
  expect(tf.memory().numTensors).toBe(before);
}

const size = (max: number, min = 1) => fc.integer({ min, max });
const seed = fc.nat({ max: 1e6 });

/** Runs `make` over random small sizes; the seed is fixed, so a failure repeats. */
function forAll<T>(sizes: { [key in keyof T]: fc.Arbitrary<T[key]> }, make: (sizes: T, seed: number) => Case) {
  fc.assert(
    fc.property(fc.record(sizes) as fc.Arbitrary<T>, seed, (drawn, seed) => check(make(drawn, seed), seed)),
    { numRuns: 12, seed: 20250130 },
  );
}

const integers = (count: number, below: number, seed: number) => {
  const random = makeRandom(seed, "integers");
  return Int32Array.from({ length: count }, () => random.int(below));
};

describe.each(ENGINES)("engine %s", (engine) => {
  beforeAll(async () => {
    await startEngine(engine);
  }, 60_000);

  test("embedding", () => {
    forAll({ N: size(6), V: size(5, 2), C: size(5) }, ({ N, V, C }, seed) => ({
      tolerance: TOLERANCE.embedding,
      inputs: { table: { shape: [V, C] }, ids: { shape: [N], values: integers(N, V, seed), dtype: "int32" } },
      run: ({ table, ids }) => embedding(table, ids),
      reference: ({ table, ids }) => reference.embedding(table, ids, C),
    }));
  });

  test("embedding: the gradient of a repeated token is the sum of its rows", () => {
    tf.tidy(() => {
      const ids = tf.tensor1d([2, 0, 2, 2], "int32");
      const dy = tf.tensor2d([
        [1, 10],
        [2, 20],
        [3, 30],
        [4, 40],
      ]);
      const gradient = tf.grad((table) => embedding(table, ids))(tf.ones([3, 2]), dy);
      expect(gradient.dataSync()).toBeAllClose([2, 20, 0, 0, 8, 80]); // token 1 never occurs
    });
  });

  test.each(["none", "bias", "residual"])("linear, addend: %s", (kind) => {
    forAll({ N: size(5), I: size(6), O: size(5) }, ({ N, I, O }) => ({
      tolerance: TOLERANCE.linear,
      inputs: {
        x: { shape: [N, I] },
        weight: { shape: [O, I] },
        ...(kind === "none" ? {} : { addend: { shape: kind === "bias" ? [O] : [N, O] } }),
      },
      run: ({ x, weight, addend }) => linear(x, weight, addend),
      reference: ({ x, weight, addend }) => reference.linear(x, weight, I, addend),
    }));
  });

  test("rmsNorm", () => {
    forAll({ N: size(5), C: size(7) }, ({ N, C }) => ({
      tolerance: TOLERANCE.rmsNorm,
      inputs: { x: { shape: [N, C] }, weight: { shape: [C] } },
      run: ({ x, weight }) => rmsNorm(x, weight, 1e-6),
      reference: ({ x, weight }) => reference.rmsNorm(x, weight, 1e-6),
    }));
  });

  test("rmsNorm of zeros is zero: epsilon keeps it finite", () => {
    tf.tidy(() => {
      expect(rmsNorm(tf.zeros([1, 4]), tf.ones([4]), 1e-6).dataSync()).toBeAllClose([0, 0, 0, 0]);
    });
  });

  test("rope", () => {
    forAll({ B: size(2), T: size(4), heads: size(3), half: size(3) }, ({ B, T, heads, half }, seed) => {
      const positions = integers(B * T, 64, seed); // any order: documents start over inside a row
      return {
        tolerance: TOLERANCE.rope,
        inputs: { x: { shape: [B, T, heads * half * 2] } },
        run: ({ x }) => {
          const { cos, sin } = ropeTables(tf.tensor2d(positions, [B, T], "int32"), half * 2, 1e4);
          return rope(x, cos, sin, heads);
        },
        reference: ({ x }) => reference.rope(x, positions, heads, half * 2, 1e4),
      };
    });
  });

  test("causalMask sees the past of the same document only", () => {
    tf.tidy(() => {
      const documentIds = [0, 0, 1, 1, 7, 7, 7, 0]; // two rows; an id that comes back is the same document
      const mask = causalMask(tf.tensor2d(documentIds, [2, 4], "int32"));
      expect(mask.shape).toEqual([2, 4, 4]);
      expect(mask.dataSync()).toBeAllClose(reference.causalMask(documentIds, 4), { rtol: 1e-6 });
      const seen = [...mask.dataSync()].map((x) => (x === 0 ? 1 : 0));
      expect(seen.slice(0, 16)).toEqual([1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1, 0, 0, 0, 1, 1]);
    });
  });

  const attentionCase = (
    { B, T, S, K, G, D }: { B: number; T: number; S: number; K: number; G: number; D: number },
    mask: ArrayLike<number>,
  ): Case => ({
    tolerance: TOLERANCE.attention,
    inputs: {
      q: { shape: [B, T, K * G * D] },
      k: { shape: [B, S, K * D] },
      v: { shape: [B, S, K * D] },
      mask: { shape: [B, T, S], values: mask, constant: true },
    },
    run: ({ q, k, v, mask }) => attention(q, k, v, mask, { heads: K * G, kvHeads: K }),
    reference: ({ q, k, v, mask }) => reference.attention(q, k, v, mask, { B, T, S, H: K * G, K, D }),
  });
  const heads = { B: size(2), T: size(4), K: size(2), G: size(3), D: size(4) }; // G = 1: H = K; K = G = 1: one head

  test("attention, causal inside documents", () => {
    forAll(heads, (sizes, seed) => {
      const { B, T } = sizes;
      return attentionCase({ ...sizes, S: T }, reference.causalMask(integers(B * T, 2, seed), T));
    });
  });

  test("attention over a cache: other lengths of queries and keys, any mask", () => {
    forAll({ ...heads, S: size(5) }, (sizes, seed) => {
      const hidden = integers(sizes.B * sizes.T * sizes.S, 2, seed);
      // key 0 is always seen
      return attentionCase(
        sizes,
        Float64Array.from(hidden, (x, i) => (x && i % sizes.S ? -3e38 : 0)),
      );
    });
  });

  test("attention: a query that sees nothing gets the mean of all values and no NaN", () => {
    tf.tidy(() => {
      const [q, k, v] = [normals(4, 1, "q"), normals(6, 1, "k"), normals(6, 1, "v")];
      const tensor = (x: Float64Array, T: number) => tf.tensor(Array.from(x), [1, T, 2]);
      const mask = tf.tensor3d([
        [
          [MASKED, MASKED, MASKED], // sees nothing
          [MASKED, 0, MASKED], // sees key 1 alone
        ],
      ]);
      const f = (q: tf.Tensor, k: tf.Tensor, v: tf.Tensor) => attention(q, k, v, mask, { heads: 1, kvHeads: 1 });
      const { value, grads } = tf.valueAndGrads(f)([tensor(q, 2), tensor(k, 3), tensor(v, 3)]);
      const mean = [0, 1].map((d) => (v[d] + v[2 + d] + v[4 + d]) / 3);
      expect(value.dataSync()).toBeAllClose([...mean, v[2], v[3]], { atol: 1e-6 });
      const third = [1 / 3, 1 / 3];
      expect(grads[2].dataSync()).toBeAllClose([...third, 4 / 3, 4 / 3, ...third], { atol: 1e-6 });
      for (const gradient of grads) expect([...gradient.dataSync()].every(Number.isFinite)).toBe(true);
    });
  });

  test("swiglu", () => {
    forAll({ N: size(5), F: size(7) }, ({ N, F }) => ({
      tolerance: TOLERANCE.swiglu,
      inputs: { gate: { shape: [N, F] }, up: { shape: [N, F] } },
      run: ({ gate, up }) => swiglu(gate, up),
      reference: ({ gate, up }) => reference.swiglu(gate, up),
    }));
  });

  test("swiglu of large gates is exact", () => {
    tf.tidy(() => {
      const y = swiglu(tf.tensor2d([[-80, 80, 0]]), tf.tensor2d([[2, 2, 2]]));
      expect(y.dataSync()).toBeAllClose([0, 160, 0], { atol: 1e-30 });
    });
  });

  test("tokenLogprobs", () => {
    // the composed versions are made with TensorFlow.js' one-hot, which wants two classes: V >= 2, here and above
    forAll({ N: size(5), C: size(4), V: size(9, 2) }, ({ N, C, V }, seed) => ({
      tolerance: TOLERANCE.tokenLogprobs,
      inputs: {
        h: { shape: [N, C] },
        weight: { shape: [V, C] },
        labels: { shape: [N], values: integers(N, V, seed), dtype: "int32" },
      },
      run: ({ h, weight, labels }) => tokenLogprobs(h, weight, labels),
      reference: ({ h, weight, labels }) => reference.tokenLogprobs(h, weight, labels, C),
    }));
  });

  test("tokenLogprobs of logits of ±80: exact and finite, the label being the largest, the smallest or tied", () => {
    tf.tidy(() => {
      // row n is the logits of token n: h is the identity
      const logits = [
        [80, -80, 0],
        [80, -80, 0],
        [80, 80, -80],
        [-80, -80, -80],
      ];
      const labels = tf.tensor1d([0, 1, 1, 2], "int32");
      const weight = tf.transpose(tf.tensor2d(logits)); // [V, C]: z = h Wᵀ
      const { value, grads } = tf.valueAndGrads((h, w) => tokenLogprobs(h, w, labels))([identity(4), weight]);
      expect(value.dataSync()).toBeAllClose([0, -160, -Math.LN2, -Math.log(3)], { atol: 1e-6 });
      // dW [V, C] = dzᵀ: onehot(label) - softmax(z), row by row of the logits
      const dz = [
        [0, 0, 0],
        [-1, 1, 0],
        [-1 / 2, 1 / 2, 0],
        [-1 / 3, -1 / 3, 2 / 3],
      ];
      expect(tf.transpose(grads[1]).dataSync()).toBeAllClose(dz.flat(), { atol: 1e-6 });
    });
  });

  test("tokenLogprobs: labels that do not count give no gradient with weight 0", () => {
    tf.tidy(() => {
      const labels = tf.tensor1d([0, 1], "int32");
      const f = (h: tf.Tensor) => tf.mul(tokenLogprobs(h, identity(2), labels), tf.tensor1d([0, 1]));
      const gradient = tf.grad(f)(tf.zeros([2, 2]));
      expect(gradient.dataSync()).toBeAllClose([0, 0, -0.5, 0.5], { atol: 1e-6 });
    });
  });

  const of = (...shape: number[]) => tf.ones(shape);
  const ints = (...shape: number[]) => tf.zeros(shape, "int32");
  test.each<[string, () => tf.Tensor]>([
    ["embedding ids: got shape [2,2], expected [-1]", () => embedding(of(3, 2), ints(2, 2))],
    ["linear weight: got shape [5,4], expected [-1,3]", () => linear(of(2, 3), of(5, 4))],
    ["linear addend: got shape [4], expected [5]", () => linear(of(2, 3), of(5, 3), of(4))],
    ["linear addend: got shape [2,1], expected [2,5]", () => linear(of(2, 3), of(5, 3), of(2, 1))],
    ["rmsNorm weight: got shape [1], expected [3]", () => rmsNorm(of(2, 3), of(1), 1e-6)],
    ["rope cos: got shape [1,2,3], expected [1,2,2]", () => rope(of(1, 2, 8), of(1, 2, 3), of(1, 2, 2), 2)],
    ["attention k: got shape [1,2,4], expected [1,-1,2]", () => attend(of(1, 2, 4), of(1, 2, 4), of(1, 2, 2))],
    ["attention v: got shape [1,3,2], expected [1,2,2]", () => attend(of(1, 2, 4), of(1, 2, 2), of(1, 3, 2))],
    ["attention mask: got shape [1,2,2]", () => attend(of(1, 2, 4), of(1, 3, 2), of(1, 3, 2))],
    [
      "attention: 3 query heads are no multiple of 2 kvHeads",
      () => attend(of(1, 2, 6), of(1, 2, 4), of(1, 2, 4), 3, 2),
    ],
    ["swiglu up: got shape [1,3], expected [2,3]", () => swiglu(of(2, 3), of(1, 3))],
    ["tokenLogprobs labels: got shape [3], expected [2]", () => tokenLogprobs(of(2, 3), of(5, 3), ints(3))],
  ])("%s", (message, call) => {
    tf.tidy(() => {
      expect(call).toThrow(message);
    });
  });
});

const identity = (n: number) =>
  tf.tensor2d(Array.from({ length: n }, (_, i) => Array.from({ length: n }, (_, j) => (i === j ? 1 : 0))));
const attend = (q: tf.Tensor, k: tf.Tensor, v: tf.Tensor, heads = 2, kvHeads = 1) =>
  attention(q, k, v, tf.zeros([1, 2, 2]), { heads, kvHeads });

describe("the reference's own gradients are its finite differences", () => {
  const { embeddingGradient, linearGradient, rmsNormGradient, swigluGradient, tokenLogprobsGradient } = reference;
  const [N, C, V] = [3, 4, 5];
  const [x, h, dy] = [normals(N * C, 1, "x"), normals(N * C, 1, "h"), normals(N * C, 1, "dy")];
  const [w, gain, dlogits] = [normals(V * C, 1, "w"), normals(C, 1, "gain"), normals(N * V, 1, "dlogits")];
  const ids = [4, 0, 4];
  const positions = [0, 3, 11];
  test.each<[string, Float64Array, (x: Float64Array) => Float64Array, Float64Array, Float64Array]>([
    ["embedding", embeddingGradient(dy, ids, V), (table) => reference.embedding(table, ids, C), w, dy],
    ["linear, x", linearGradient(dlogits, x, w, C).dx, (x) => reference.linear(x, w, C), x, dlogits],
    ["linear, weight", linearGradient(dlogits, x, w, C).dweight, (w) => reference.linear(x, w, C), w, dlogits],
    ["rmsNorm, x", rmsNormGradient(dy, x, gain, 1e-6).dx, (x) => reference.rmsNorm(x, gain, 1e-6), x, dy],
    ["rmsNorm, weight", rmsNormGradient(dy, x, gain, 1e-6).dweight, (w) => reference.rmsNorm(x, w, 1e-6), gain, dy],
    ["rope", reference.rope(dy, positions, 2, 2, 1e4, -1), (x) => reference.rope(x, positions, 2, 2, 1e4), x, dy],
    ["swiglu, gate", swigluGradient(dy, x, h).dgate, (gate) => reference.swiglu(gate, h), x, dy],
    ["swiglu, up", swigluGradient(dy, x, h).dup, (up) => reference.swiglu(x, up), h, dy],
    [
      "tokenLogprobs, h",
      tokenLogprobsGradient(dy, x, w, ids, C).dh,
      (x) => reference.tokenLogprobs(x, w, ids, C),
      x,
      dy,
    ],
    [
      "tokenLogprobs, weight",
      tokenLogprobsGradient(dy, x, w, ids, C).dweight,
      (w) => reference.tokenLogprobs(x, w, ids, C),
      w,
      dy,
    ],
  ])("%s", (_, gradient, forward, at, cotangent) => {
    expect(gradient).toBeAllClose(finiteDifferences(forward, at, cotangent), { atol: 1e-8 });
  });
});

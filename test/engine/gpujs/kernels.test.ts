/**
 * @file Every kernel of src/engine/gpujs/kernels against the float64 loops of src/ops/reference.ts, in each mode that
 * starts here: forward and gradient, on odd sizes, on one row, on loops past 1,000 iterations and on a result past 2^24.
 */
import { beforeAll, describe, expect, test } from "vitest";
import { launchRules, type Matrix, matrixSize, Program } from "../../../src/engine/gpujs/launch.ts";
import "../../../src/engine/gpujs/kernels/adamw.ts";
import "../../../src/engine/gpujs/kernels/attention.ts";
import { crossEntropy, crossEntropyGradient } from "../../../src/engine/gpujs/kernels/crossEntropy.ts";
import "../../../src/engine/gpujs/kernels/embedding.ts";
import "../../../src/engine/gpujs/kernels/globalNorm.ts";
import "../../../src/engine/gpujs/kernels/linear.ts";
import "../../../src/engine/gpujs/kernels/rmsNorm.ts";
import "../../../src/engine/gpujs/kernels/rope.ts";
import { sequenceLogprob, sequenceLogprobGradient } from "../../../src/engine/gpujs/kernels/sequenceLogprob.ts";
import { logSoftmax, softmax, softmaxParts } from "../../../src/engine/gpujs/kernels/softmax.ts";
import "../../../src/engine/gpujs/kernels/swiglu.ts";
import "../../../src/engine/gpujs/kernels/tokenLogprobs.ts";
import type { Attributes, Node } from "../../../src/engine/lazy/graph.ts";
import * as reference from "../../../src/ops/reference.ts";
import { ropeFrequencies } from "../../../src/ops/rope.ts";
import { normals } from "../../ops/finiteDifferences.ts";
import { integers } from "../../parity/check.ts";
import { expectClose, TOLERANCE } from "../../parity/tolerances.ts";
import { type Mode, runLaunches, start } from "./run.ts";

const { float32 } = TOLERANCE;

interface Input {
  shape: number[];
  /** Standard normal when left out. */
  values?: ArrayLike<number>;
}

describe.each<Mode>(["webasm", "webgpu"])("%s", (mode) => {
  let missing: string | null = null;
  beforeAll(async () => {
    missing = await start(mode);
  });

  /** Runs a recorded kernel's launches; its results in order, and what they were computed from. */
  async function run(kernel: string, inputs: Record<string, Input>, attributes: Attributes, shapes: number[][]) {
    const p = new Program();
    const x: Record<string, Float32Array> = {};
    const given = new Map<number, Float32Array>();
    const matrices = Object.entries(inputs).map(([name, { shape, values }]) => {
      const matrix = p.array(matrixSize(shape));
      x[name] = Float32Array.from(values ?? normals(matrix.rows * matrix.columns, 1, name));
      given.set(matrix.array, x[name]);
      return matrix;
    });
    const value = (shape: number[]) => ({ shape, dtype: "float32" as const, producer: null, data: null, device: null });
    const operands = Object.values(inputs).map(({ shape }) => ({ value: value(shape), shape }));
    const node: Node = { kernel, inputs: operands, attributes, outputs: shapes.map(value) };
    const outputs = [launchRules.get(kernel)!(p, matrices, node)].flat();
    expect(outputs.length).toBe(shapes.length);
    const sized = outputs.map((matrix, i) => p.as(matrix, shapes[i]));
    return { x, y: await runLaunches(mode, p.launches, new Map([...p.known, ...given]), sized) };
  }

  describe.each([
    { N: 3, I: 5, O: 7 },
    { N: 1, I: 1, O: 1 },
    { N: 2, I: 1501, O: 3 },
    { N: 8, I: 9, O: 5 }, // rows in fours
    { N: 4, I: 1501, O: 1 },
  ])("Linear, x [$N, $I], weight [$O, $I]", ({ N, I, O }) => {
    test.for(["none", "bias", "residual"])("addend %s", async (addend, { skip }) => {
      if (missing) skip(missing);
      const added: Record<string, Input> =
        addend === "none" ? {} : { addend: { shape: addend === "bias" ? [O] : [N, O] } };
      const inputs = { x: { shape: [N, I] }, weight: { shape: [O, I] }, ...added };
      const { x, y } = await run("Linear", inputs, {}, [[N, O]]);
      expectClose(y[0], reference.linear(x.x, x.weight, I, x.addend), float32.linear, "y");
    });
  });

  test.for([
    { N: 3, C: 5 },
    { N: 1, C: 1 },
    { N: 2, C: 1501 },
    { N: 4200, C: 3 }, // three rounds of group sums
  ])("RmsNorm and its gradient, x [$N, $C]", async ({ N, C }, { skip }) => {
    if (missing) skip(missing);
    const inputs = { x: { shape: [N, C] }, weight: { shape: [C] } };
    const forward = await run("RmsNorm", inputs, { epsilon: 1e-6 }, [[N, C]]);
    expectClose(forward.y[0], reference.rmsNorm(forward.x.x, forward.x.weight, 1e-6), float32.rmsNorm, "y");
    const shapes = [[N, C], [C]];
    const { x, y } = await run("RmsNormGrad", { ...inputs, dy: { shape: [N, C] } }, { epsilon: 1e-6 }, shapes);
    const { dx, dweight } = reference.rmsNormGradient(x.dy, x.x, x.weight, 1e-6);
    expectClose(y[0], dx, float32.rmsNorm, "dx");
    expectClose(y[1], dweight, float32.rmsNorm, "dweight");
  });

  test.for([
    { B: 2, T: 3, heads: 3, half: 2 },
    { B: 1, T: 1, heads: 1, half: 1 },
    { B: 1, T: 2, heads: 7, half: 75 },
  ])("Rope, x [$B, $T, $heads × 2 × $half]", async ({ B, T, heads, half }, { skip }) => {
    if (missing) skip(missing);
    const positions = integers(B * T, 9, 1);
    const angle = (i: number) => positions[Math.floor(i / half)] * 1e4 ** (-(i % half) / half);
    const angles = Float64Array.from({ length: B * T * half }, (_, i) => angle(i));
    const inputs = {
      x: { shape: [B, T, heads * 2 * half] },
      cos: { shape: [B, T, half], values: angles.map(Math.cos) },
      sin: { shape: [B, T, half], values: angles.map(Math.sin) },
    };
    const { x, y } = await run("Rope", inputs, { heads }, [inputs.x.shape]);
    expectClose(y[0], reference.rope(x.x, positions, heads, ropeFrequencies(2 * half, 1e4)), float32.rope, "y");
  });

  test.for([
    { N: 3, F: 5 },
    { N: 1, F: 1 },
  ])("Swiglu and its gradient, gate [$N, $F]", async ({ N, F }, { skip }) => {
    if (missing) skip(missing);
    const shape = [N, F];
    const inputs = { gate: { shape }, up: { shape } };
    const forward = await run("Swiglu", inputs, {}, [shape]);
    expectClose(forward.y[0], reference.swiglu(forward.x.gate, forward.x.up), float32.swiglu, "y");
    const { x, y } = await run("SwigluGrad", { ...inputs, dy: { shape } }, {}, [shape, shape]);
    const { dgate, dup } = reference.swigluGradient(x.dy, x.gate, x.up);
    expectClose(y[0], dgate, float32.swiglu, "dgate");
    expectClose(y[1], dup, float32.swiglu, "dup");
  });

  test("Swiglu of gates whose exponential overflows is finite", async ({ skip }) => {
    if (missing) skip(missing);
    const shape = [1, 4];
    const inputs = { gate: { shape, values: [-200, -100, 100, 200] }, up: { shape }, dy: { shape } };
    const { x, y } = await run("SwigluGrad", inputs, {}, [shape, shape]);
    const { dgate, dup } = reference.swigluGradient(x.dy, x.gate, x.up);
    expectClose(y[0], dgate, float32.swiglu, "dgate");
    expectClose(y[1], dup, float32.swiglu, "dup");
  });

  /** Documents [B, T] of ids; a query sees the past of its own document. */
  const attentionSizes = [
    { B: 2, T: 5, S: 5, K: 2, G: 3, D: 4, documents: [0, 0, 1, 1, 1, 0, 1, 1, 2, 2] },
    { B: 1, T: 1, S: 1, K: 1, G: 1, D: 1, documents: [0] },
    { B: 1, T: 7, S: 7, K: 1, G: 2, D: 3, documents: [0, 0, 0, 0, 0, 0, 0] },
    { B: 2, T: 1, S: 6, K: 1, G: 2, D: 2, documents: null }, // one new token against a cache
    { B: 1, T: 3, S: 1201, K: 1, G: 1, D: 2, documents: null }, // loops over more than 1,000 keys
    { B: 1, T: 1201, S: 2, K: 1, G: 1, D: 2, documents: null }, // and queries
    { B: 2, T: 8, S: 8, K: 2, G: 3, D: 5, documents: [0, 0, 0, 1, 1, 1, 1, 2, 0, 1, 2, 2, 2, 2, 2, 3] }, // in fours
    { B: 1, T: 4, S: 1204, K: 1, G: 1, D: 2, documents: null },
    { B: 1, T: 1204, S: 4, K: 1, G: 2, D: 1, documents: null },
    { B: 2, T: 4, S: 6, K: 1, G: 2, D: 3, documents: null }, // queries in fours, keys not
    { B: 2, T: 3, S: 4, K: 1, G: 2, D: 3, documents: null }, // keys in fours, queries not
  ];
  test.for(attentionSizes)("Attention and its gradient, %o", async ({ documents, ...sizes }, { skip }) => {
    if (missing) skip(missing);
    const { B, T, S, K, G, D } = sizes;
    const H = K * G;
    const mask = documents ? reference.causalMask(documents, T) : new Float64Array(B * T * S);
    await checkAttention({ B, T, S, H, K, D }, mask);
  });

  test("Attention where a query sees nothing, and where the mask has holes and weights", async ({ skip }) => {
    if (missing) skip(missing);
    const mask = [-3e38, -3e38, -3e38, 0, -3e38, 0.5, -3e38, -2, -3e38]; // a row each: nothing, a hole, weights
    await checkAttention({ B: 1, T: 3, S: 3, H: 2, K: 1, D: 2 }, Float64Array.from(mask));
    const ofFour = [-3e38, -3e38, -3e38, -3e38, -3e38, 0, -3e38, 0.5, -2, -3e38, -3e38, -3e38, -3e38, -3e38, 1, -3e38];
    await checkAttention({ B: 1, T: 4, S: 4, H: 2, K: 1, D: 2 }, Float64Array.from(ofFour));
  });

  async function checkAttention(sizes: reference.AttentionSizes, mask: Float64Array) {
    const { B, T, S, H, K, D } = sizes;
    const inputs = {
      q: { shape: [B, T, H * D] },
      k: { shape: [B, S, K * D] },
      v: { shape: [B, S, K * D] },
      mask: { shape: [B, T, S], values: mask },
    };
    const attributes = { heads: H, kvHeads: K };
    const forward = await run("Attention", inputs, attributes, [inputs.q.shape]);
    const { q, k, v } = forward.x;
    expectClose(forward.y[0], reference.attention(q, k, v, mask, sizes), float32.attention, "y");
    const shapes = [inputs.q.shape, inputs.k.shape, inputs.v.shape];
    const { x, y } = await run("AttentionGrad", { ...inputs, dy: { shape: inputs.q.shape } }, attributes, shapes);
    const { dq, dk, dv } = reference.attentionGradient(x.dy, q, k, v, mask, sizes);
    expectClose(y[0], dq, float32.attention, "dq");
    expectClose(y[1], dk, float32.attention, "dk");
    expectClose(y[2], dv, float32.attention, "dv");
  }

  test.for([
    { N: 4, C: 3, V: 7 },
    { N: 1, C: 1, V: 1 },
    { N: 3, C: 2, V: 1501 },
    { N: 1203, C: 2, V: 3 },
    { N: 12, C: 8, V: 1504 }, // all three products with rows in fours
  ])("TokenLogprobs and its gradient, h [$N, $C], weight [$V, $C]", async ({ N, C, V }, { skip }) => {
    if (missing) skip(missing);
    const labels = integers(N, V, 3);
    const inputs = { h: { shape: [N, C] }, weight: { shape: [V, C] }, labels: { shape: [N], values: labels } };
    const forward = await run("TokenLogprobs", inputs, {}, [[N]]);
    const { h, weight } = forward.x;
    expectClose(forward.y[0], reference.tokenLogprobs(h, weight, labels, C), float32.tokenLogprobs, "y");
    const shapes = [inputs.h.shape, inputs.weight.shape];
    const { x, y } = await run("TokenLogprobsGrad", { ...inputs, dy: { shape: [N] } }, {}, shapes);
    const { dh, dweight } = reference.tokenLogprobsGradient(x.dy, h, weight, labels, C);
    expectClose(y[0], dh, float32.tokenLogprobs, "dh");
    expectClose(y[1], dweight, float32.tokenLogprobs, "dweight");
  });

  test.for([
    { N: 9, V: 4, C: 3 },
    { N: 1, V: 1, C: 1 },
    { N: 1300, V: 2, C: 2 }, // a chain of more than 1,000 links
    { N: 5, V: 4100, C: 4097 }, // a table past 2^24
  ])("Embedding and its gradient, table [$V, $C], $N ids", async ({ N, V, C }, { skip }) => {
    if (missing) skip(missing);
    const values = integers(N, V, 3);
    values[0] = V - 1;
    const ids = { shape: [N], values };
    const forward = await run("Embedding", { table: { shape: [V, C] }, ids }, {}, [[N, C]]);
    expectClose(forward.y[0], reference.embedding(forward.x.table, values, C), float32.embedding, "y");
    const { x, y } = await run("EmbeddingGrad", { ids, dy: { shape: [N, C] } }, { rows: V }, [[V, C]]);
    expectClose(y[0], reference.embeddingGradient(x.dy, values, V), float32.embedding, "dtable");
  });

  test.for([
    { N: 3, C: 5 },
    { N: 1, C: 1 },
    { N: 2, C: 1501 },
    { N: 4200, C: 2 },
  ])("GlobalNorm of a bias and a weight [$N, $C]", async ({ N, C }, { skip }) => {
    if (missing) skip(missing);
    const { x, y } = await run("GlobalNorm", { bias: { shape: [C] }, weight: { shape: [N, C] } }, {}, [[]]);
    expectClose(y[0], [reference.globalNorm([x.bias, x.weight])], float32.linear, "norm");
  });

  test.for([
    { maxGradNorm: 1, weightDecay: 0.1 },
    { maxGradNorm: 100, weightDecay: 0 },
  ])("AdamW, %o", async ({ maxGradNorm, weightDecay }, { skip }) => {
    if (missing) skip(missing);
    const options = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay, learningRate: 0.01 };
    const shape = [3, 5];
    const norm = 2.5;
    const inputs = {
      p: { shape },
      g: { shape },
      m: { shape },
      v: { shape, values: normals(15, 2, "v").map((x) => Math.fround(x * x)) },
      norm: { shape: [], values: [norm] },
      step: { shape: [3], values: [options.learningRate, 1 - 0.9 ** 3, Math.sqrt(1 - 0.95 ** 3)] },
    };
    const { x, y } = await run("AdamW", inputs, { ...options, maxGradNorm }, [shape, shape, shape]);
    const [p, m, v] = [x.p, x.m, x.v].map((values) => Float64Array.from(values));
    const clip = Math.min(1, maxGradNorm / (norm + 1e-6));
    const clipped = Float64Array.from(x.g, (g) => g * clip);
    reference.adamW(p, clipped, m, v, 3, options);
    expectClose(y[0], p, float32.linear, "p");
    expectClose(y[1], m, float32.linear, "m");
    expectClose(y[2], v, float32.linear, "v");
  });

  test("sequenceLogprob and crossEntropy with their gradients", async ({ skip }) => {
    if (missing) skip(missing);
    const p = new Program();
    const [B, T] = [3, 5];
    const logprobs = p.values(normals(B * T, 1, "logprobs"), [B, T]);
    const counted = p.values([1, 1, 0, 1, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1], [B, T]);
    const tokens = p.values([8]);
    const dy = p.values([0.5, -1, 2], [B, 1]);
    const sums = p.launch(sequenceLogprob, [logprobs, counted], [B, 1], { T });
    const results = [
      sums,
      p.launch(sequenceLogprobGradient, [dy, counted], [B, T]),
      p.launch(crossEntropy, [sums, tokens], [1, 1], { B }),
      p.launch(crossEntropyGradient, [counted, tokens], [B, T]),
    ];
    const known = (x: Matrix) => p.known.get(x.array)!;
    const y = await runLaunches(mode, p.launches, p.known, results);
    const product = known(logprobs).map((x, i) => x * known(counted)[i]);
    const expected = [0, 1, 2].map((b) => product.slice(b * T, (b + 1) * T).reduce((a, x) => a + x));
    expectClose(y[0], expected, float32.linear, "sequences");
    expectClose(
      y[1],
      known(counted).map((w, i) => w * known(dy)[Math.floor(i / T)]),
      float32.linear,
      "of sequences",
    );
    expectClose(y[2], [-(expected[0] + expected[1] + expected[2]) / 8], float32.linear, "loss");
    expectClose(
      y[3],
      known(counted).map((w) => -w / 8),
      float32.linear,
      "of the loss",
    );
  });

  test("softmax and logSoftmax of large numbers; NaN stays in its row, and stays visible", async ({ skip }) => {
    if (missing) skip(missing);
    const p = new Program();
    const x = p.values([1e4, 1e4, -1e4, 1, 2, 3, Number.NaN, 1, 2], [3, 3]);
    const parts = softmaxParts(p, x);
    const results = [softmax, logSoftmax].map((kernel) => p.launch(kernel, [x, ...parts], [3, 3]));
    const y = await runLaunches(mode, p.launches, p.known, results);
    const e = [1, 2, 3].map((z) => Math.exp(z));
    const row = e.map((z) => z / (e[0] + e[1] + e[2]));
    expect(y[0].subarray(0, 6)).toBeAllClose([0.5, 0.5, 0, ...row], { atol: 1e-6 });
    expect(y[1].subarray(0, 6)).toBeAllClose([-Math.LN2, -Math.LN2, -2e4 - Math.LN2, ...row.map(Math.log)], {
      rtol: 1e-6,
    });
    for (const result of y) expect(result[6]).toBeNaN(); // what its neighbours are is the WebGPU driver's choice
  });
});

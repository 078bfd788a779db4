/**
 * @file Indices past 2^24, where float32 no longer counts by one, and one row too many for 16-bit loops: arrays of more
 * than 2^24 elements whose last rows are read and whose gradients are checked. Only a few rows are touched (the
 * cotangent is 0 elsewhere), so the oracle stays cheap. Only `npm run parity` runs this.
 */
import * as tf from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import { causalMask } from "../../src/ops/attention.ts";
import * as reference from "../../src/ops/reference.ts";
import { makeAdamW, PAPER_ADAMW } from "../../src/train/optimizer.ts";
import {
  attentionCase,
  embeddingCase,
  linearCase,
  rmsNormCase,
  ropeCase,
  swigluCase,
  tokenLogprobsCase,
} from "./cases.ts";
import { type Case, check } from "./check.ts";
import { onEveryEngine } from "./engines.ts";
import { read } from "./read.ts";
import { expectClose, TOLERANCE } from "./tolerances.ts";

const LIMIT = 2 ** 24;

/** Cheap numbers in [-1, 1), other ones in each row of any width. */
function filled(size: number): Float32Array {
  const x = new Float32Array(size);
  for (let i = 0; i < size; i++) x[i] = ((i * 0.618033988749895) % 2) - 1;
  return x;
}

/** Flat indices of the given rows. */
const rowsOf = (rows: number[], width: number) =>
  Int32Array.from({ length: rows.length * width }, (_, i) => rows[Math.floor(i / width)] * width + (i % width));

/** The case with cheap values where an input is big. */
function withValues(one: Case, part: Case["part"] = {}): Case {
  const inputs = Object.entries(one.inputs).map(([name, input]) => {
    const size = tf.util.sizeFromShape(input.shape);
    return [name, size > 1e5 && !input.values ? { ...input, values: filled(size) } : input];
  });
  return { ...one, inputs: Object.fromEntries(inputs), part };
}

/** The first rows, both sides of 2^24 and the last, for rows of that width. */
const touched = (rows: number, width: number) => [
  ...new Set(
    [0, 1, Math.floor(LIMIT / width) - 1, Math.floor(LIMIT / width), rows - 2, rows - 1].filter((n) => n < rows),
  ),
];

const CASES: Record<string, () => Case> = {
  "embedding of a table of more than 2^24 elements, ids repeated": () => {
    const V = 2 ** 20 + 5;
    return withValues(embeddingCase({ N: 6, V, C: 16 }, [V - 1, 0, V - 2, V - 1, 2 ** 20 - 1, 2 ** 20]));
  },
  "linear with a weight of more than 2^24 elements": () => {
    const [I, O] = [16, 2 ** 20 + 3];
    const rows = touched(O, I);
    const part = { weight: rowsOf(rows, I), addend: rowsOf(rows, 1), y: rowsOf(rows, 1) };
    return withValues(linearCase({ N: 1, I, O, addend: "bias" }), part);
  },
  "linear with a result of more than 2^24 elements": () => {
    const [N, I, O] = [4099, 2, 4097];
    const rows = touched(N, O);
    return withValues(linearCase({ N, I, O, addend: "none" }), { x: rowsOf(rows, I), y: rowsOf(rows, O) });
  },
  "rmsNorm of more than 2^24 elements": () => {
    const [N, C] = [16385, 1025];
    const rows = touched(N, C);
    return withValues(rmsNormCase({ N, C }), { x: rowsOf(rows, C), y: rowsOf(rows, C) });
  },
  "rope of more than 2^24 elements": () => {
    const [T, half] = [16391, 512];
    const rows = touched(T, 2 * half);
    const part = { x: rowsOf(rows, 2 * half), positions: rowsOf(rows, 1), y: rowsOf(rows, 2 * half) };
    const positions = Int32Array.from({ length: T }, (_, t) => t % 97);
    return withValues(ropeCase({ B: 1, T, heads: 1, half }, positions), part);
  },
  "attention with more than 2^24 scores": () => {
    const [T, H] = [2051, 4]; // 4 · 2051² scores
    const rows = [0, 1, 1023, T - 2, T - 1];
    const mask = new Float32Array(T * T);
    for (let t = 0; t < T; t++) mask.fill(-3e38, t * T + t + 1, (t + 1) * T);
    const part = { q: rowsOf(rows, H * 2), mask: rowsOf(rows, T), y: rowsOf(rows, H * 2) };
    return withValues(attentionCase({ B: 1, T, S: T, K: 2, G: 2, D: 2 }, mask), part);
  },
  "swiglu of more than 2^24 elements": () => {
    const [N, F] = [4097, 4099];
    const part = rowsOf(touched(N, F), F);
    return withValues(swigluCase({ N, F }), { gate: part, up: part, y: part });
  },
  "tokenLogprobs with more than 2^24 logits": () => {
    const [N, C, V] = [4099, 2, 4097];
    const rows = touched(N, V);
    const part = { h: rowsOf(rows, C), labels: rowsOf(rows, 1), y: rowsOf(rows, 1) };
    const labels = Int32Array.from({ length: N }, (_, n) => (n * 7) % V);
    labels[N - 1] = V - 1;
    return withValues(tokenLogprobsCase({ N, C, V }, labels), part);
  },
};

onEveryEngine((engine) => {
  if (engine === "cpu") {
    test.skip("plain JavaScript counts in float64, past 2^53, and would take minutes", () => {});
    return;
  }
  if (engine.endsWith("webgpu") && process.env.CI) {
    test.skip(`software Vulkan takes 5 minutes for them; npm run parity -- --engine ${engine} has them`, () => {});
    return;
  }
  for (const [name, make] of Object.entries(CASES)) {
    if (/^rope/.test(name) && engine === "wasm")
      test.skip(`${name}: TensorFlow.js' five-dimensional pad and concat take minutes here`, () => {});
    else if (/^linear with a weight/.test(name) && engine === "webgpu")
      test.skip(`${name}: TensorFlow.js' transpose takes at most 65,535 × 16 rows here, and says so`, () => {});
    else test(name, () => check(make(), 1));
  }

  test("causalMask of more than 2^24 pairs", async () => {
    const T = 4099;
    const documentIds = Int32Array.from({ length: T }, (_, t) => Math.floor(t / 1000));
    const mask = tf.tidy(() => causalMask(tf.tensor2d(documentIds, [1, T], "int32")));
    const values = (await read({ mask })).mask;
    let wrong = 0;
    for (let t = 0; t < T; t++)
      for (let s = 0; s < T; s++)
        if ((values[t * T + s] === 0) !== (s <= t && documentIds[s] === documentIds[t])) wrong++;
    expect(wrong).toBe(0);
  });

  test("AdamW on a parameter of more than 2^24 elements", async () => {
    const shape = [16385, 1025];
    const size = shape[0] * shape[1];
    const parameters = { w: tf.tensor(filled(size), shape) };
    const optimizer = makeAdamW(parameters, PAPER_ADAMW);
    const gradient = filled(size).map((x, i) => (i % 3 === 0 ? 0 : x * 1e-4)); // norm 0.19: not clipped
    const gradients = { w: tf.tensor(gradient, shape) };
    const norm = await optimizer.step(gradients, 0.01);
    tf.dispose(gradients);
    optimizer.dispose();
    const { w } = await read(parameters);
    expectClose([norm], [reference.globalNorm([gradient])], TOLERANCE.float32.training, "norm");
    const p = Float64Array.from(filled(size));
    reference.adamW(p, gradient, new Float64Array(size), new Float64Array(size), 1, {
      ...PAPER_ADAMW,
      learningRate: 0.01,
    });
    expect(w).toBeAllClose(p, { atol: TOLERANCE.float32.training * 0.01 });
  });
});

/**
 * @file The reference's own gradients are its finite differences. The oracle of test/parity is checked here, without
 * an engine.
 */
import { describe, expect, test } from "vitest";
import * as reference from "../../src/ops/reference.ts";
import { finiteDifferences, normals } from "./finiteDifferences.ts";

describe("the reference's own gradients are its finite differences", () => {
  const {
    attentionGradient,
    embeddingGradient,
    linearGradient,
    rmsNormGradient,
    swigluGradient,
    tokenLogprobsGradient,
  } = reference;
  const [N, C, V] = [3, 4, 5];
  const [x, h, dy] = [normals(N * C, 1, "x"), normals(N * C, 1, "h"), normals(N * C, 1, "dy")];
  const [w, gain, dlogits] = [normals(V * C, 1, "w"), normals(C, 1, "gain"), normals(N * V, 1, "dlogits")];
  const ids = [4, 0, 4];
  const positions = [0, 3, 11];
  const sizes = { B: 2, T: 3, S: 4, H: 4, K: 2, D: 3 };
  const [q, dq] = [normals(2 * 3 * 12, 1, "q"), normals(2 * 3 * 12, 1, "dq")];
  const [k, v] = [normals(2 * 4 * 6, 1, "k"), normals(2 * 4 * 6, 1, "v")];
  const mask = Float64Array.from({ length: 2 * 3 * 4 }, (_, i) => (i % 3 === 1 ? -3e38 : 0));
  const gradient = attentionGradient(dq, q, k, v, mask, sizes);
  test.each<[string, Float64Array, (x: Float64Array) => Float64Array, Float64Array, Float64Array]>([
    ["embedding", embeddingGradient(dy, ids, V), (table) => reference.embedding(table, ids, C), w, dy],
    ["linear, x", linearGradient(dlogits, x, w, C).dx, (x) => reference.linear(x, w, C), x, dlogits],
    ["linear, weight", linearGradient(dlogits, x, w, C).dweight, (w) => reference.linear(x, w, C), w, dlogits],
    ["rmsNorm, x", rmsNormGradient(dy, x, gain, 1e-6).dx, (x) => reference.rmsNorm(x, gain, 1e-6), x, dy],
    ["rmsNorm, weight", rmsNormGradient(dy, x, gain, 1e-6).dweight, (w) => reference.rmsNorm(x, w, 1e-6), gain, dy],
    ["rope", reference.rope(dy, positions, 2, [1], -1), (x) => reference.rope(x, positions, 2, [1]), x, dy],
    ["attention, q", gradient.dq, (q) => reference.attention(q, k, v, mask, sizes), q, dq],
    ["attention, k", gradient.dk, (k) => reference.attention(q, k, v, mask, sizes), k, dq],
    ["attention, v", gradient.dv, (v) => reference.attention(q, k, v, mask, sizes), v, dq],
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

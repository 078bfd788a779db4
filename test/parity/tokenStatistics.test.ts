/**
 * @file What a trainer logs of the head's distribution, on every engine against float64 loops.
 */
import * as tf from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import { linear } from "../../src/ops/reference.ts";
import { tokenStatistics } from "../../src/ops/tokenStatistics.ts";
import { makeRandom } from "../../src/util/random.ts";
import { onEveryEngine } from "./engines.ts";
import { read } from "./read.ts";

const mean = (xs: Float64Array) => xs.reduce((a, b) => a + b, 0) / xs.length;

function entropyOf(z: Float64Array): number {
  const max = z.reduce((a, b) => Math.max(a, b));
  const total = z.reduce((sum, x) => sum + Math.exp(x - max), 0);
  return z.reduce((sum, x) => sum - (Math.exp(x - max) / total) * (x - max - Math.log(total)), 0);
}

onEveryEngine(() => {
  const statistics = async (h: Float64Array, weight: Float64Array, labels: number[], C: number) => {
    const matrix = (x: Float64Array) => tf.tensor2d(Float32Array.from(x), [x.length / C, C]);
    const inputs = [matrix(h), matrix(weight)] as const;
    const outputs = tf.tidy(() => ({ ...tokenStatistics(...inputs, tf.tensor1d(labels, "int32")) }));
    tf.dispose([...inputs]);
    return read(outputs);
  };

  test.each([
    [3, 4, 9],
    [1, 1, 2],
    [70, 5, 300],
  ])("entropy, mean logit and first choice of %i positions, width %i, %i tokens", async (N, C, V) => {
    const random = makeRandom(1, "statistics", `${N}`);
    const noise = (count: number) => Float64Array.from({ length: count }, () => Math.fround(4 * random.next() - 2));
    const [h, weight] = [noise(N * C), noise(V * C)];
    const z = linear(h, weight, C);
    const rows = Array.from({ length: N }, (_, n) => z.subarray(n * V, (n + 1) * V));
    const best = rows.map((row) => row.indexOf(row.reduce((a, b) => Math.max(a, b))));
    const labels = best.map((v, n) => (n % 2 ? v : random.int(V)));
    const { entropy, meanLogit, isTop1 } = await statistics(h, weight, labels, C);
    expect(entropy).toBeAllClose(rows.map(entropyOf), { atol: 2e-5 });
    expect(meanLogit).toBeAllClose(rows.map(mean), { atol: 2e-5 });
    expect([...isTop1]).toEqual(labels.map((label, n) => (label === best[n] ? 1 : 0)));
  });

  test("of equal logits the first token is the choice, and the entropy is ln V", async () => {
    const { entropy, isTop1 } = await statistics(new Float64Array(4), new Float64Array(10), [0, 4], 2);
    expect([...isTop1]).toEqual([1, 0]);
    expect(entropy).toBeAllClose([Math.log(5), Math.log(5)], { atol: 1e-6 });
  });

  test("a distribution that is all on one token has entropy 0, however large the logits", async () => {
    const { entropy } = await statistics(Float64Array.of(100), Float64Array.of(1000, -1000, 0), [0], 1);
    expect(entropy).toBeAllClose([0], { atol: 1e-6 });
  });
});

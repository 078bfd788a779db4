/**
 * @file How many floating-point operations a second matrix products reach with our engine: the twin of bench/products.py.
 *
 *     npx tsx bench/products.ts '[[1024, 1024, 1024]]'      [m, k] by [k, n]; then `run 1` on stdin (bench/serve.ts)
 */
import * as tf from "@tensorflow/tfjs-core";
import { compile, startEngine } from "../src/engine/engine.ts";
import { answer, nextCommand } from "./serve.ts";

/** At least so long for each shape and run; the fastest product counts. */
const SECONDS = 0.15;

const shapes: [number, number, number][] = JSON.parse(process.argv[2]);
await startEngine("onnx");
const products = shapes.map(([m, n, k]) => {
  const inputs = { a: tf.randomUniform([m, k], -1, 1), b: tf.randomUniform([n, k], -1, 1) };
  const y = new Float32Array(m * n);
  const product = compile(({ a, b }) => ({ y: tf.matMul(a, b, false, true) }), { into: { y } });
  return { flops: 2 * m * n * k, run: () => tf.dispose(product(inputs)) };
});
/** The highest of each shape, in FLOP/s. */
const measure = () =>
  products.map(({ flops, run }) => {
    let best = Number.POSITIVE_INFINITY;
    const end = performance.now() + SECONDS * 1000;
    for (let now = performance.now(); now < end; ) {
      const start = now;
      run();
      now = performance.now();
      best = Math.min(best, now - start);
    }
    return (flops / best) * 1000;
  });

measure();
const about = { contender: "onnx", warmup: { seconds: [1] } };
answer({ ready: true, ...about });
for (;;) {
  nextCommand();
  const start = performance.now();
  const flops = measure();
  answer({ flops, seconds: [(performance.now() - start) / 1000] });
}

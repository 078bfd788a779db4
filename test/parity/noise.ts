/**
 * @file Weights and numbers that the make.py files of test/fixtures make too, to the bit, so that no file need hold them.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { Qwen2Config } from "../../src/model/config.ts";
import { parameterShapes } from "../../src/model/init.ts";
import type { Parameters } from "../../src/model/qwen2.ts";

/** uint32 numbers of a seed and a stream: Chris Wellons' lowbias32 of the index. */
export function hashes(seed: number, stream: number, count: number): Uint32Array {
  const start = Number((BigInt(seed) * 0x85ebca77n + BigInt(stream) * 0xc2b2ae3dn) % 2n ** 32n);
  return Uint32Array.from({ length: count }, (_, i) => {
    let x = (Math.imul(i, 0x9e3779b1) + start) >>> 0;
    x = Math.imul(x ^ (x >>> 16), 0x7feb352d) >>> 0;
    x = Math.imul(x ^ (x >>> 15), 0x846ca68b) >>> 0;
    return (x ^ (x >>> 16)) >>> 0;
  });
}

/** Weights of a seed, and `away` times those of the next seed added. */
export function noiseParameters(config: Qwen2Config, seed: number, away = 0): Parameters {
  const entries = Object.entries(parameterShapes(config)).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(
    entries.map(([name, shape], stream) => {
      const scale = name.includes("embed_tokens") ? 0.5 : shape.length === 2 ? 1.7 / Math.sqrt(shape[1]) : 0.3;
      const offset = name.endsWith("norm.weight") ? 1 : 0;
      const f32 = Math.fround;
      const size = tf.util.sizeFromShape(shape);
      const noise = (seed: number, scale: number) =>
        Float32Array.from(hashes(seed, stream, size), (x) => f32(((x >>> 8) / 2 ** 23 - 1) * f32(scale)));
      const moved = away === 0 ? new Float32Array(size) : noise(seed + 1, away * scale);
      const values = noise(seed, scale).map((x, i) => f32(f32(x + offset) + moved[i]));
      return [name, tf.tensor(values, shape)];
    }),
  );
}

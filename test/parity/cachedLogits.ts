/** @file The logits of rows that are read in pieces, each with the cache of what came before. */
import * as tf from "@tensorflow/tfjs-core";
import { headDim, type Qwen2Config } from "../../src/model/config.ts";
import { decoder, logits, type Parameters } from "../../src/model/qwen2.ts";
import { cacheMask } from "../../src/ops/attention.ts";

/** inputIds [B·T]; `pieces` sum up to T -> [B·T·V]. */
export async function cachedLogits(
  parameters: Parameters,
  config: Qwen2Config,
  { B, T, inputIds }: { B: number; T: number; inputIds: number[] },
  pieces: number[],
): Promise<Float32Array> {
  const V = config.vocabSize;
  const width = config.numKeyValueHeads * headDim(config);
  const empty = () => Array.from({ length: config.numHiddenLayers }, () => tf.zeros([B, T, width]));
  let cache = { keys: empty(), values: empty() };
  const all = new Float32Array(B * T * V);
  let start = 0;
  for (const n of pieces) {
    const { scores, ...next } = tf.tidy(() => {
      const ids = Array.from({ length: B }, (_, b) => inputIds.slice(b * T + start, b * T + start + n));
      const position = tf.fill([B], start, "int32");
      const input = {
        inputIds: tf.tensor2d(ids, [B, n], "int32"),
        positionIds: tf.tile(tf.expandDims(tf.range(start, start + n, 1, "int32"), 0), [B, 1]),
        mask: cacheMask(position, n, T),
        cache: { ...cache, position },
      };
      const { hidden, keys, values } = decoder(parameters, config, input);
      return { scores: logits(parameters, config, hidden), keys, values }; // [B·n, V]
    });
    const values = await scores.data();
    for (let b = 0; b < B; b++) all.set(values.subarray(b * n * V, (b + 1) * n * V), (b * T + start) * V);
    tf.dispose([cache, scores]);
    cache = next;
    start += n;
  }
  tf.dispose(cache);
  return all;
}

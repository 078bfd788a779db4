/** @file Embeddings of texts, in blocks on disk. */
import { join } from "node:path";
import type { Embed } from "../pairs/embeddings.ts";
import { inBlocks } from "./blocks.ts";

export interface Embedder {
  /** Names the model and its settings. */
  name: string;
  embed: Embed;
}

/** Texts of a block: the embedder has its own batches within it. CHOSEN. */
const BLOCK = 64;

export interface EmbedOptions {
  out: string;
  embedder: Embedder;
  /** Texts of item i, as many for each. */
  textsOf: (i: number) => string[];
  items: readonly number[];
  onProgress?: (done: number, total: number) => void;
  stop?: AbortSignal;
}

/** For each block of items the vectors of their texts, all as long, one after the other. */
export async function* embedInBlocks({ out, embedder, textsOf, items, ...rest }: EmbedOptions) {
  const blocks = inBlocks({
    ...{ folder: join(out, "work", "vectors"), computer: embedder.name, items, size: BLOCK, ...rest },
    contentOf: (i) => JSON.stringify(textsOf(i)),
    compute: async (block) => {
      const vectors = await embedder.embed(block.flatMap(textsOf));
      const width = vectors[0]?.length ?? 0;
      const all = new Float32Array(width * vectors.length);
      for (const [at, vector] of vectors.entries()) all.set(vector, at * width);
      return all;
    },
  });
  for await (const { items: block, numbers } of blocks) {
    const width = numbers.length / block.length; // of all texts of an item
    yield block.map((i, at) => ({ i, vector: Float32Array.from(numbers.subarray(at * width, (at + 1) * width)) }));
  }
}

/** One vector for each item, row by row. */
export async function embedAll(options: EmbedOptions): Promise<Float32Array> {
  let all = new Float32Array(0);
  let at = 0;
  for await (const block of embedInBlocks(options))
    for (const { vector } of block) {
      if (at === 0) all = new Float32Array(vector.length * options.items.length);
      all.set(vector, at);
      at += vector.length;
    }
  return all;
}

/** Cosine of two vectors; 0 where one is zero or not finite. */
export function cosine(a: Float32Array, b: Float32Array): number {
  let [both, left, right] = [0, 0, 0];
  for (let c = 0; c < a.length; c++) {
    both += a[c] * b[c];
    left += a[c] * a[c];
    right += b[c] * b[c];
  }
  const value = both / Math.sqrt(left * right);
  return Number.isFinite(value) ? value : 0;
}

/**
 * @file Numbers that are expensive to compute, in blocks that are on disk whole or not at all: a run that was stopped computes
 * again only its last block. Blocks have a fixed size, since a model's last bits depend on what it reads together.
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Stopped } from "../../util/assert.ts";
import { writeWhole } from "../../util/runDir.ts";

export interface BlockOptions<T> {
  /** Where the blocks are. */
  folder: string;
  /** Names what computes, e.g. a model and its settings: other numbers have other names. */
  computer: string;
  items: readonly T[];
  size: number;
  /** Numbers of some items, as many for each. */
  compute: (items: T[]) => Promise<Float32Array | Float64Array>;
  /** What the numbers of an item depend on. */
  contentOf: (item: T) => string;
  onProgress?: (done: number, total: number) => void;
  stop?: AbortSignal;
}

/** The numbers of all blocks, in order, as doubles. @throws Stopped between two blocks after `stop` */
export async function* inBlocks<T>(options: BlockOptions<T>): AsyncGenerator<{ items: T[]; numbers: Float64Array }> {
  const { folder, computer, items, size, compute, contentOf, onProgress, stop } = options;
  for (let start = 0; start < items.length; start += size) {
    const block = items.slice(start, start + size);
    const hash = createHash("sha256").update(computer);
    for (const item of block) hash.update("\0").update(contentOf(item));
    const path = join(folder, `${String(start / size).padStart(7, "0")}-${hash.digest("hex").slice(0, 24)}.f64`);
    if (!existsSync(path)) {
      if (stop?.aborted) throw new Stopped();
      const numbers = Float64Array.from(await compute(block));
      writeWhole(path, new Uint8Array(numbers.buffer));
      await new Promise<void>((resolve) => setImmediate(resolve)); // so that Ctrl-C and progress are seen
    }
    const bytes = readFileSync(path);
    yield {
      items: block,
      numbers: new Float64Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length)),
    };
    onProgress?.(Math.min(start + size, items.length), items.length);
  }
}

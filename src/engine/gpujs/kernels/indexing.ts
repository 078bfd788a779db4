/**
 * @file Kernels that read and write at indices.
 */
import { registerLaunches, type Thread } from "../launch.ts";

/**
 * x [L·V, C], ids [B, I] -> [L·I, C]: in each of the L stacks of V rows the rows that the ids say. `stacks` of them
 * share a row of ids.
 */
export function gatherRows(this: Thread, x: number[][], ids: number[][]): number {
  const stack = Math.floor((this.thread.y + 0.5) / this.constants.I);
  const i = this.thread.y - stack * this.constants.I;
  const batch = Math.floor((stack + 0.5) / this.constants.stacks);
  return x[stack * this.constants.V + ids[batch][i]][this.thread.x];
}

registerLaunches("GatherV2", (p, [x, ids], node) => {
  const [shape, indices] = node.inputs.map((input) => input.shape);
  const [axis, batch] = [node.attributes.axis as number, node.attributes.batch as number];
  const product = (sizes: number[]) => sizes.reduce((a, b) => a * b, 1);
  const [B, stacks, V, C] = [
    product(shape.slice(0, batch)),
    product(shape.slice(batch, axis)),
    shape[axis],
    product(shape.slice(axis + 1)),
  ];
  const I = product(indices.slice(batch));
  const source = p.view(x, [B * stacks * V, C]);
  return p.launch(gatherRows, [source, p.view(ids, [B, I])], [B * stacks * I, C], { I, V, stacks });
});

/** ids [N, 1], values [1, 2] -> [N, C]: values[1] in the column of the id, values[0] elsewhere. */
export function oneHot(this: Thread, ids: number[][], values: number[][]): number {
  if (ids[this.thread.y][0] === this.thread.x) return values[0][1];
  return values[0][0];
}

registerLaunches("OneHot", (p, [ids], node) => {
  const { depth, onValue, offValue } = node.attributes as Record<string, number>;
  const N = ids.rows * ids.columns;
  return p.launch(oneHot, [p.view(ids, [N, 1]), p.values([offValue, onValue])], [N, depth]);
});

/** cache [B·S, W], rows [B·T, W], position [1, B] -> the cache with rows[b, t] at position[b] + t of sequence b. */
export function cacheWrite(this: Thread, cache: number[][], rows: number[][], position: number[][]): number {
  const b = Math.floor((this.thread.y + 0.5) / this.constants.S);
  const t = this.thread.y - b * this.constants.S - position[0][b];
  if (t >= 0 && t < this.constants.T) return rows[b * this.constants.T + t][this.thread.x];
  return cache[this.thread.y][this.thread.x];
}

registerLaunches("CacheWrite", (p, [cache, rows, position], node) => {
  const [S, T] = [node.inputs[0].shape[1], node.inputs[1].shape[1]];
  return p.launch(cacheWrite, [cache, rows, position], [cache.rows, cache.columns], { S, T });
});

/**
 * @file Token embedding: y[n] = table[ids[n]]; its gradient adds dy[n] to row ids[n] of dtable.
 *
 * A GPU.js thread writes one number of its own and cannot add to another's, so the gradient is turned round: each row v
 * of dtable collects the rows of dy whose id is v. They are found by a chain, first[v] → next[...] → ..., whose links
 * are positions in the batch (-1 ends it).
 */
import { registerLaunches, type Thread } from "../launch.ts";

/** table [V, C], ids [N, 1] -> y [N, C]. */
export function embedding(this: Thread, table: number[][], ids: number[][]): number {
  return table[ids[this.thread.y][0]][this.thread.x];
}

/** ids [N, 1] -> [V, 1]: the first n with ids[n] = v. */
export function firstOccurrence(this: Thread, ids: number[][]): number {
  for (let n = 0; n < this.constants.N; n++) if (ids[n][0] === this.thread.y) return n;
  return -1;
}

/** ids [N, 1] -> [N, 1]: the next m > n with the same id. */
export function nextOccurrence(this: Thread, ids: number[][]): number {
  for (let i = 0; i < this.constants.N; i++) {
    const m = this.thread.y + 1 + i;
    if (m >= this.constants.N) return -1;
    if (ids[m][0] === ids[this.thread.y][0]) return m;
  }
  return -1;
}

/** first [V, 1], next [N, 1], dy [N, C] -> dtable [V, C]. */
export function embeddingGradient(this: Thread, first: number[][], next: number[][], dy: number[][]): number {
  let n = first[this.thread.y][0];
  let sum = 0;
  for (let i = 0; i < this.constants.N; i++) {
    if (n < 0) return sum;
    sum += dy[n][this.thread.x];
    n = next[n][0];
  }
  return sum;
}

registerLaunches("Embedding", (p, [table, ids]) => {
  const N = ids.columns;
  return p.launch(embedding, [table, p.view(ids, [N, 1])], [N, table.columns]);
});

registerLaunches("EmbeddingGrad", (p, [ids, dy], node) => {
  const [N, C, V] = [dy.rows, dy.columns, node.attributes.rows as number];
  const column = p.view(ids, [N, 1]);
  const first = p.launch(firstOccurrence, [column], [V, 1], { N });
  const next = p.launch(nextOccurrence, [column], [N, 1], { N });
  return p.launch(embeddingGradient, [first, next, dy], [V, C], { N });
});

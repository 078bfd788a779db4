/**
 * @file The matrix products of recorded programs: one, or a stack of them.
 */
import { type Matrix, type Program, registerLaunches, type Thread } from "../launch.ts";
import { product } from "./matMul.ts";
import { broadcast, transpose } from "./rearrange.ts";

/** a [B·M, K], b [B·K, N] -> [B·M, N]. */
export function batchMatMul(this: Thread, a: number[][], b: number[][]): number {
  const first = Math.floor((this.thread.y + 0.5) / this.constants.M) * this.constants.K;
  let sum = 0;
  for (let k = 0; k < this.constants.K; k++) sum += a[this.thread.y][k] * b[first + k][this.thread.x];
  return sum;
}

registerLaunches("BatchMatMul", (p, [a, b], node) => {
  const [shapeA, shapeB] = node.inputs.map(({ shape }) => shape);
  const { transposeA, transposeB } = node.attributes;
  const { shape } = node.outputs[0];
  if (shapeA.length === 2 && shapeB.length === 2) {
    if (transposeA && transposeB) return product(p, "transposedB", swapped(p, a, shapeA), b);
    return product(p, transposeA ? "transposedA" : transposeB ? "transposedB" : "plain", a, b);
  }
  const [M, N] = shape.slice(-2);
  const batch = shape.slice(0, -2);
  const K = shapeA.at(transposeA ? -2 : -1)!;
  const stack = (x: Matrix, from: number[], transposed: unknown, [rows, columns]: [number, number]) => {
    const upright = transposed ? swapped(p, x, from) : x;
    const full = [...batch, rows, columns];
    const own = [...from.slice(0, -2), rows, columns];
    const all = own.length === full.length && own.every((n, i) => n === full[i]);
    return p.as(all ? upright : broadcast(p, upright, own, full), full);
  };
  const stacks = [stack(a, shapeA, transposeA, [M, K]), stack(b, shapeB, transposeB, [K, N])];
  return p.launch(batchMatMul, stacks, [stacks[0].rows, N], { M, K });
});

/** The last two axes exchanged. */
function swapped(p: Program, x: Matrix, shape: number[]): Matrix {
  const n = shape.length;
  const made = transpose(p, x, shape, [...Array(n - 2).keys(), n - 1, n - 2]);
  return p.as(made, [...shape.slice(0, -2), shape[n - 1], shape[n - 2]]);
}

// biome-ignore-all lint/suspicious/noSelfCompare: GPU.js knows no Number.isNaN
/**
 * @file Kernels that reduce axes: sums, products, extremes and where they are. The reduced axes become columns; a thread
 * goes over a group of them, and the groups are reduced again until one column is left. That keeps a GPU busy, and one
 * float32 sum over millions of numbers would lose digits.
 */
import type { Node } from "../../lazy/graph.ts";
import { type Matrix, type Program, registerLaunches, type Thread } from "../launch.ts";
import { elementwise } from "./elementwise.ts";
import { transpose } from "./rearrange.ts";
import { softmax, softmaxParts } from "./softmax.ts";
import { columnSums } from "./sum.ts";

/** x [N, C] -> [N, ⌈C / G⌉]: of each group of G columns. */
export function groupSum(this: Thread, x: number[][]): number {
  const first = this.thread.x * this.constants.G;
  let sum = 0;
  for (let i = 0; i < this.constants.G; i++) if (first + i < this.constants.C) sum += x[this.thread.y][first + i];
  return sum;
}

export function groupProduct(this: Thread, x: number[][]): number {
  const first = this.thread.x * this.constants.G;
  let product = 1;
  for (let i = 0; i < this.constants.G; i++) if (first + i < this.constants.C) product *= x[this.thread.y][first + i];
  return product;
}

/** NaN is the largest number. */
export function groupMax(this: Thread, x: number[][]): number {
  const first = this.thread.x * this.constants.G;
  let max = x[this.thread.y][first];
  for (let i = 0; i < this.constants.G; i++)
    if (first + i < this.constants.C) {
      const a = x[this.thread.y][first + i];
      if (a > max || a !== a) max = a;
    }
  return max;
}

/** NaN is the smallest number. */
export function groupMin(this: Thread, x: number[][]): number {
  const first = this.thread.x * this.constants.G;
  let min = x[this.thread.y][first];
  for (let i = 0; i < this.constants.G; i++)
    if (first + i < this.constants.C) {
      const a = x[this.thread.y][first + i];
      if (a < min || a !== a) min = a;
    }
  return min;
}

/** x [N, C] -> [N, 1]: the first column with the largest number of sign · x; NaN never is. */
export function extremeColumn(this: Thread, x: number[][]): number {
  let best = this.constants.sign * x[this.thread.y][0];
  let column = 0;
  for (let c = 0; c < this.constants.C; c++) {
    const a = this.constants.sign * x[this.thread.y][c];
    if (a > best || (best !== best && a === a)) {
      best = a;
      column = c;
    }
  }
  return column;
}

/** Columns that one thread reduces when there are many. */
const GROUP = 64;

type GroupKernel = typeof groupSum;

/** x [N, C] -> [N, 1]. */
function reduceColumns(p: Program, kernel: GroupKernel, x: Matrix): Matrix {
  const G = x.columns <= 4 * GROUP ? x.columns : GROUP;
  const reduced = p.launch(kernel, [x], [x.rows, Math.ceil(x.columns / G)], { G, C: x.columns });
  return reduced.columns === 1 ? reduced : reduceColumns(p, kernel, reduced);
}

/** The node's reduced axes as columns, all others as rows. */
function axesAsColumns(p: Program, x: Matrix, node: Node): Matrix {
  const { shape } = node.inputs[0];
  const axes = node.attributes.axis as number[];
  const kept = shape.map((_, i) => i).filter((i) => !axes.includes(i));
  const columns = axes.reduce((n, axis) => n * shape[axis], 1);
  const rows = kept.reduce((n, axis) => n * shape[axis], 1);
  const perm = [...kept, ...axes.toSorted((a, b) => a - b)];
  const inPlace = perm.every((axis, i) => axis === i);
  return p.view(inPlace ? x : transpose(p, x, shape, perm), [rows, columns]);
}

function sum(p: Program, x: Matrix, node: Node): Matrix {
  const { shape } = node.inputs[0];
  const axes = node.attributes.axis as number[];
  const leading = axes.length > 0 && axes.length < shape.length && axes.every((axis) => axis < axes.length);
  if (!leading) return reduceColumns(p, groupSum, axesAsColumns(p, x, node));
  const rows = shape.slice(0, axes.length).reduce((a, b) => a * b, 1);
  return columnSums(p, p.view(x, [rows, (x.rows * x.columns) / rows]));
}

registerLaunches("Sum", (p, [x], node) => sum(p, x, node));
registerLaunches("Mean", (p, [x], node) => {
  const total = sum(p, x, node);
  const { shape } = node.outputs[0];
  const count = (x.rows * x.columns) / (total.rows * total.columns);
  return elementwise(p, "return a / b;", [total, p.values([count])], [shape, []], shape);
});
const GROUP_KERNELS: Record<string, GroupKernel> = {
  Prod: groupProduct,
  Max: groupMax,
  Min: groupMin,
  All: groupMin,
  Any: groupMax,
};
for (const [name, kernel] of Object.entries(GROUP_KERNELS))
  registerLaunches(name, (p, [x], node) => reduceColumns(p, kernel, axesAsColumns(p, x, node)));
for (const [name, sign] of Object.entries({ ArgMax: 1, ArgMin: -1 }))
  registerLaunches(name, (p, [x], node) => {
    const rows = axesAsColumns(p, x, node);
    return p.launch(extremeColumn, [rows], [rows.rows, 1], { sign, C: rows.columns });
  });
registerLaunches("Softmax", (p, [x]) => p.launch(softmax, [x, ...softmaxParts(p, x)], [x.rows, x.columns]));

/**
 * @file Kernels that move, repeat, cut and join elements. All but joining are one: the element of the result at
 * coordinates (i₀, i₁, …) is the source's at offset + Σ stride · i, or a number of its own outside the source.
 *
 * Their code is written for each case, as text: GPU.js has no loop over coordinates, and divides only in float32.
 */
import type { Node } from "../../lazy/graph.ts";
import { type LaunchRule, type Matrix, matrixSize, type Program, registerLaunches } from "../launch.ts";

/** An axis of the result. */
export interface Axis {
  size: number;
  /** Elements of the source from one coordinate to the next; 0 repeats, a negative one goes back. */
  stride: number;
  /** Coordinates from and up to which there is a source; all when left out. */
  inside?: [from: number, to: number];
}

/** The strides of a tensor of that shape. */
export function stridesOf(shape: number[]): number[] {
  const strides = shape.map(() => 1);
  for (let i = shape.length - 2; i >= 0; i--) strides[i] = strides[i + 1] * shape[i + 1];
  return strides;
}

/** ⌊i / n⌋ of whole numbers below 2^21; the half makes up for float32's rounding, which WebGPU has larger still. */
const quotient = (i: string, n: number) => `Math.floor((${i} + 0.5) / ${n})`;
const terms = (offset: number, parts: [number, string][]) =>
  [`${offset}`, ...parts.filter(([n]) => n !== 0).map(([n, i]) => `${n} * ${i}`)].join(" + ");

/** x of `shape` -> the tensor with these axes; `outside` [1, 1] is its number where the source has none. */
export function rearrange(
  p: Program,
  x: Matrix,
  shape: number[],
  axes: Axis[],
  offset = 0,
  outside: Matrix | null = null,
): Matrix {
  if (outside && x.rows * x.columns === 0)
    return rearrange(
      p,
      outside,
      [1, 1],
      axes.map(({ size }) => ({ size, stride: 0 })),
    );
  const columns = shape.at(-1) ?? 1; // of the source: a stride is some rows and some columns
  const split = (stride: number) => [Math.trunc(stride / columns), stride % columns];
  const merged = mergedAxes(axes, columns);
  const last = merged.at(-1)!;
  const lines: string[] = [];
  const coordinates = merged.map((_, i) => `i${i}`);
  coordinates[merged.length - 1] = "this.thread.x";
  let rest = "this.thread.y";
  for (let i = merged.length - 2; i > 0; i--) {
    lines.push(
      `const q${i} = ${quotient(rest, merged[i].size)};`,
      `const i${i} = ${rest} - q${i} * ${merged[i].size};`,
    );
    rest = `q${i}`;
  }
  if (merged.length > 1) lines.push(`const i0 = ${rest};`);
  merged.forEach(({ inside, size }, i) => {
    if (inside && inside[0] > 0) lines.push(`if (${coordinates[i]} < ${inside[0]}) return outside[0][0];`);
    if (inside && inside[1] < size) lines.push(`if (${coordinates[i]} >= ${inside[1]}) return outside[0][0];`);
  });
  const [row, column] = [0, 1].map((part) =>
    terms(
      split(offset)[part],
      merged.map(({ stride }, i): [number, string] => [split(stride)[part], coordinates[i]]),
    ),
  );
  const kernel = `function(x${outside ? ", outside" : ""}) {\n${lines.join("\n")}\nreturn x[${row}][${column}];\n}`;
  const rows = merged.slice(0, -1).reduce((n, { size }) => n * size, 1);
  return p.launch(kernel, [p.as(x, shape), ...(outside ? [outside] : [])], [rows, last.size]);
}

/** Neighbouring axes that are one: none of size 1, and those that step through whole rows of the source together. */
function mergedAxes(axes: Axis[], columns: number): Axis[] {
  const merged: Axis[] = [];
  for (const axis of axes) {
    const before = merged.at(-1);
    const wholeRows = axis.stride % columns === 0;
    if (axis.size === 1 && !axis.inside) continue;
    if (before && !before.inside && !axis.inside && wholeRows && before.stride === axis.size * axis.stride)
      merged[merged.length - 1] = { size: before.size * axis.size, stride: axis.stride };
    else merged.push(axis);
  }
  return merged.length > 0 ? merged : [{ size: 1, stride: 0 }];
}

/** x of `shape` -> repeated along the axes that it lacks or has with size 1. */
export function broadcast(p: Program, x: Matrix, shape: number[], to: number[]): Matrix {
  const strides = stridesOf(shape);
  const missing = to.length - shape.length;
  const axes = to.map((size, i) => ({
    size,
    stride: i < missing || shape[i - missing] === 1 ? 0 : strides[i - missing],
  }));
  return rearrange(p, x, shape, axes);
}

/** x of `shape` with its axes in another order. */
export function transpose(p: Program, x: Matrix, shape: number[], perm: number[]): Matrix {
  const strides = stridesOf(shape);
  return rearrange(
    p,
    x,
    shape,
    perm.map((axis) => ({ size: shape[axis], stride: strides[axis] })),
  );
}

/** The part of x of `shape` from `begin`, `size` of each axis, every `step`-th. */
function slice(p: Program, x: Matrix, shape: number[], begin: number[], size: number[], step = begin.map(() => 1)) {
  const strides = stridesOf(shape);
  const axes = size.map((n, i) => ({ size: n, stride: strides[i] * step[i] }));
  return rearrange(
    p,
    x,
    shape,
    axes,
    begin.reduce((at, b, i) => at + b * strides[i], 0),
  );
}

const shapeOf = (node: Node, i = 0) => node.inputs[i].shape;
const attribute = <T>(node: Node, name: string) => node.attributes[name] as T;

registerLaunches("Transpose", (p, [x], node) => transpose(p, x, shapeOf(node), attribute(node, "perm")));
registerLaunches("Slice", (p, [x], node) =>
  slice(p, x, shapeOf(node), attribute(node, "begin"), node.outputs[0].shape),
);
registerLaunches("StridedSlice", (p, [x], node) => {
  const [begin, end, strides] = ["begin", "end", "strides"].map((name) => attribute<number[]>(node, name));
  const size = begin.map((b, i) => Math.max(0, Math.ceil((end[i] - b) / strides[i])));
  return slice(p, x, shapeOf(node), begin, size, strides);
});
for (const kernel of ["Reverse", "FlipLeftRight"])
  registerLaunches(kernel, (p, [x], node) => {
    const shape = shapeOf(node);
    const axes = attribute<number[]>(node, "axes");
    const begin = shape.map((n, i) => (axes.includes(i) ? n - 1 : 0));
    return slice(
      p,
      x,
      shape,
      begin,
      shape,
      shape.map((_, i) => (axes.includes(i) ? -1 : 1)),
    );
  });
registerLaunches("Tile", (p, [x], node) => {
  const shape = shapeOf(node);
  const strides = stridesOf(shape);
  const repeats = attribute<number[]>(node, "reps");
  const axes = shape.flatMap((size, i) => [
    { size: repeats[i], stride: 0 },
    { size, stride: strides[i] },
  ]);
  return rearrange(p, x, shape, axes);
});
registerLaunches("PadV2", (p, [x], node) => {
  const shape = shapeOf(node);
  const strides = stridesOf(shape);
  const paddings = attribute<[number, number][]>(node, "paddings");
  const axes = shape.map((n, i): Axis => {
    const [before, after] = paddings[i];
    return {
      size: before + n + after,
      stride: strides[i],
      inside: before + after > 0 ? [before, before + n] : undefined,
    };
  });
  const offset = -paddings.reduce((at, [before], i) => at + before * strides[i], 0);
  return rearrange(p, x, shape, axes, offset, p.values([attribute(node, "constantValue")]));
});
for (const kernel of ["SplitV", "Unpack"])
  registerLaunches(kernel, (p, [x], node) => {
    const shape = shapeOf(node);
    const axis = attribute<number>(node, "axis");
    let at = 0;
    return node.outputs.map((output) => {
      const size = shape.map((n, i) => (i !== axis ? n : kernel === "Unpack" ? 1 : output.shape[axis]));
      const begin = shape.map((_, i) => (i === axis ? at : 0));
      at += size[axis];
      return slice(p, x, shape, begin, size);
    });
  });

/** Side by side: parts [N, Cₖ] -> [N, Σ C]. */
function joinColumns(p: Program, parts: Matrix[]): Matrix {
  if (parts.length === 1) return parts[0];
  if (parts.length > 7) return joinColumns(p, [joinColumns(p, parts.slice(0, 7)), ...parts.slice(7)]);
  let at = 0;
  const lines = parts.map(({ columns }, k) => {
    const line = `if (this.thread.x < ${at + columns}) return x${k}[this.thread.y][this.thread.x - ${at}];`;
    at += columns;
    return line;
  });
  const last = `return x0[this.thread.y][0];`; // never reached; a kernel must end with a number
  const kernel = `function(${parts.map((_, k) => `x${k}`).join(", ")}) {\n${lines.join("\n")}\n${last}\n}`;
  return p.launch(kernel, parts, [parts[0].rows, at]);
}

/** What comes before the axis is rows, what comes from it on is columns. */
const join: LaunchRule = (p, inputs, node) => {
  const axis = attribute<number>(node, "axis");
  const { shape } = node.outputs[0];
  if (inputs.length === 0) return p.launch("function() { return 0; }", [], matrixSize(shape)); // of empty tensors
  const rows = shape.slice(0, axis).reduce((a, b) => a * b, 1);
  return joinColumns(
    p,
    inputs.map((x) => p.view(x, [rows, (x.rows * x.columns) / rows])),
  );
};
registerLaunches("Concat", join);
registerLaunches("Pack", join);

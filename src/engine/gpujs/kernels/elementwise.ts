/**
 * @file Kernels that work on each element by itself: the body of each, in JavaScript, where a, b and c are the elements
 * of its operands. How an operand is read (whole, the same row or column again and again, one number) is written around
 * it, so that nothing is repeated in memory.
 */
import type { Node } from "../../lazy/graph.ts";
import { type Matrix, matrixSize, type Program, registerLaunches, type Size } from "../launch.ts";
import { broadcast } from "./rearrange.ts";

const YES_IF = (condition: string) => `if (${condition}) return 1; return 0;`;

const BODIES: Record<string, string> = {
  Abs: "return Math.abs(a);",
  Acos: "return Math.acos(a);",
  Acosh: "return Math.log(a + Math.sqrt(a * a - 1));",
  Add: "return a + b;",
  Asin: "return Math.asin(a);",
  Asinh: "if (a < 0) return -Math.log(Math.sqrt(a * a + 1) - a); return Math.log(a + Math.sqrt(a * a + 1));",
  Atan: "return Math.atan(a);",
  Atanh: "return 0.5 * Math.log((1 + a) / (1 - a));",
  Ceil: "return Math.ceil(a);",
  ClipByValue: "if (a < b) return b; if (a > c) return c; return a;",
  Cosh: "return 0.5 * (Math.exp(a) + Math.exp(-a));",
  Elu: "if (a < 0) return Math.exp(a) - 1; return a;",
  EluGrad: "if (b < 0) return a * (b + 1); return a;",
  Equal: YES_IF("a === b"),
  Exp: "return Math.exp(a);",
  Expm1: "return Math.exp(a) - 1;",
  Floor: "return Math.floor(a);",
  FloorDiv: "return Math.floor(a / b);",
  Greater: YES_IF("a > b"),
  GreaterEqual: YES_IF("a >= b"),
  IsFinite: YES_IF("Math.abs(a) <= 3.4028234e38"),
  IsInf: YES_IF("Math.abs(a) > 3.4028234e38"),
  IsNan: YES_IF("a !== a"),
  LeakyRelu: "if (a < 0) return a * b; return a;",
  Less: YES_IF("a < b"),
  LessEqual: YES_IF("a <= b"),
  Log: "return Math.log(a);",
  Log1p: "return Math.log(1 + a);",
  LogicalAnd: "return a * b;",
  LogicalNot: "return 1 - a;",
  LogicalOr: YES_IF("a + b > 0"),
  Maximum: "if (a < b) return b; if (b !== b) return b; return a;",
  Minimum: "if (a > b) return b; if (b !== b) return b; return a;",
  Mod: "return a - Math.floor(a / b) * b;",
  Multiply: "return a * b;",
  Neg: "return -a;",
  NotEqual: YES_IF("a !== b"),
  Prelu: "if (a < 0) return a * b; return a;",
  RealDiv: "return a / b;",
  Reciprocal: "return 1 / a;",
  Relu: "if (a < 0) return 0; return a;",
  Relu6: "if (a < 0) return 0; if (a > 6) return 6; return a;",
  Rsqrt: "return 1 / Math.sqrt(a);",
  Select: "if (a !== 0) return b; return c;",
  Selu: "if (a < 0) return 1.7580993408473768 * (Math.exp(a) - 1); return 1.0507009873554805 * a;",
  Sigmoid: "return 1 / (1 + Math.exp(-a));",
  Sign: "if (a > 0) return 1; if (a < 0) return -1; return 0;",
  Sinh: "return 0.5 * (Math.exp(a) - Math.exp(-a));",
  Softplus: "return Math.max(a, 0) + Math.log(1 + Math.exp(-Math.abs(a)));",
  Sqrt: "return Math.sqrt(a);",
  Square: "return a * a;",
  SquaredDifference: "return (a - b) * (a - b);",
  Step: "if (a > 0) return 1; if (a <= 0) return b; return a;",
  Sub: "return a - b;",
  // for large a, WebGPU's tanh may be infinity over infinity
  Tanh: "if (a > 10) return 1; if (a < -10) return -1; return Math.tanh(a);",
};

/** Operands that an attribute gives. */
const ATTRIBUTES: Record<string, string[]> = {
  ClipByValue: ["clipValueMin", "clipValueMax"],
  LeakyRelu: ["alpha"],
  Step: ["alpha"],
};

for (const [kernel, body] of Object.entries(BODIES))
  registerLaunches(kernel, (p, inputs, node) => {
    const numbers = (ATTRIBUTES[kernel] ?? []).map((name) => p.values([(node.attributes[name] as number) ?? 0]));
    const shapes = [...node.inputs.map(({ shape }) => shape), ...numbers.map(() => [])];
    return elementwise(p, body, [...inputs, ...numbers], shapes, node.outputs[0].shape);
  });

/** A kernel of that body over operands of these shapes, which broadcast to `shape`. */
export function elementwise(p: Program, body: string, operands: Matrix[], shapes: number[][], shape: number[]): Matrix {
  const size = sizeFor(shapes, shape);
  const given = operands.map((x, i): { x: Matrix; at: string } => {
    const [rows, columns] = repeats(shapes[i], shape) ?? [0, 0];
    const count = x.rows * x.columns;
    if (count === size[0] * size[1]) return { x: p.view(x, size), at: "[this.thread.y][this.thread.x]" };
    if (count === 1) return { x: p.view(x, [1, 1]), at: "[0][0]" };
    if (rows > 1 && count === size[1]) return { x: p.view(x, [1, count]), at: "[0][this.thread.x]" };
    if (columns > 1 && count === size[0]) return { x: p.view(x, [count, 1]), at: "[this.thread.y][0]" };
    return { x: p.view(broadcast(p, x, shapes[i], shape), size), at: "[this.thread.y][this.thread.x]" };
  });
  const names = ["a", "b", "c", "d", "e", "f", "g"].slice(0, operands.length);
  const elements = names.map((name, i) => `const ${name} = x${i}${given[i].at};`).join("\n");
  const kernel = `function(${names.map((_, i) => `x${i}`).join(", ")}) {\n${elements}\n${body}\n}`;
  return p.launch(
    kernel,
    given.map(({ x }) => x),
    size,
  );
}

/** How often an operand repeats as a block of rows, and each of its elements along columns; null: otherwise. */
function repeats(from: number[], to: number[]): [rows: number, columns: number] | null {
  const shape = [...Array(to.length - from.length).fill(1), ...from];
  const first = shape.findIndex((n) => n !== 1);
  const last = shape.findLastIndex((n) => n !== 1);
  const product = (sizes: number[]) => sizes.reduce((a, b) => a * b, 1);
  if (first < 0) return [product(to), 1]; // one number
  const middle = shape.slice(first, last + 1).some((n, i) => n !== to[first + i]);
  const [rows, columns] = [product(to.slice(0, first)), product(to.slice(last + 1))];
  return middle || (rows > 1 && columns > 1) ? null : [rows, columns];
}

/** Rows and columns in which as many operands as possible are read in place. */
function sizeFor(shapes: number[][], shape: number[]): Size {
  const [naturalRows, naturalColumns] = matrixSize(shape);
  const size = naturalRows * naturalColumns;
  for (const from of shapes) {
    const repeated = repeats(from, shape);
    if (!repeated || from.every((n) => n === 1)) continue;
    const [rows, columns] = repeated;
    if (rows > 1) return [rows, size / rows];
    if (columns > 1) return [size / columns, columns];
  }
  if (naturalColumns >= 32 && naturalRows > 1) return [naturalRows, naturalColumns];
  return flat(size);
}

/** As many columns as a thousand, if they divide the size: neither too narrow for SIMD nor too wide for a dispatch. */
function flat(size: number): Size {
  let columns = Math.min(size, 1024);
  while (columns > 32 && size % columns !== 0) columns--;
  return size % columns === 0 && size > 0 ? [size / columns, columns] : [1, size];
}

const isFloat = (node: Node) => node.inputs[0].value.dtype === "float32";

registerLaunches("Round", (p, [x], node) => {
  if (!isFloat(node)) return x;
  // a half goes to the even neighbour
  const body = "const r = Math.floor(a + 0.5); if (r - a === 0.5) return 2 * Math.floor(r * 0.5); return r;";
  return elementwise(p, body, [x], [node.inputs[0].shape], node.inputs[0].shape);
});
registerLaunches("Pow", (p, inputs, node) => {
  // WebGPU's power of a negative number is undefined
  const body = [
    "if (a >= 0) return Math.pow(a, b);",
    "if (b !== Math.floor(b)) return c;",
    "const power = Math.pow(-a, b); if (b - 2 * Math.floor(b * 0.5) !== 0) return -power; return power;",
  ].join("\n");
  const shapes = [...node.inputs.map(({ shape }) => shape), []];
  return elementwise(p, body, [...inputs, p.values([Number.NaN])], shapes, node.outputs[0].shape);
});
registerLaunches("Erf", (p, [x], node) => {
  // Abramowitz & Stegun 7.1.26, as TensorFlow.js' cpu backend; its error is below 1.5e-7
  const body = `const t = 1 / (1 + 0.3275911 * Math.abs(a));
    const y = 1 - ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t * Math.exp(-a * a);
    if (a < 0) return -y; return y;`;
  return elementwise(p, body, [x], [node.inputs[0].shape], node.inputs[0].shape);
});
registerLaunches("Cast", (p, [x], node) => {
  const { shape, dtype } = node.outputs[0];
  const from = node.inputs[0].value.dtype;
  if (dtype === "float32" || dtype === from || from === "bool") return x;
  const body = dtype === "bool" ? YES_IF("a !== 0") : "if (a < 0) return Math.ceil(a); return Math.floor(a);";
  return elementwise(p, body, [x], [shape], shape);
});
registerLaunches("AddN", (p, inputs, node) => {
  const { shape } = node.outputs[0];
  const sum = (terms: Matrix[]): Matrix => {
    if (terms.length === 1) return terms[0];
    const now = terms.slice(0, 7);
    const body = `return ${"abcdefg".slice(0, now.length).split("").join(" + ")};`;
    const shapes = now.map(() => shape);
    return sum([elementwise(p, body, now, shapes, shape), ...terms.slice(7)]);
  };
  return sum(inputs);
});
for (const [kernel, number] of Object.entries({ ZerosLike: 0, OnesLike: 1, Fill: null }))
  registerLaunches(kernel, (p, _, node) => {
    const value = number ?? (node.attributes.value as number);
    return elementwise(p, "return a;", [p.values([value])], [[]], node.outputs[0].shape);
  });

/** x, but not before what else is given has been computed, and never merged with x: see src/ops/checkpoint.ts. */
registerLaunches("Barrier", (p, [x], node) => {
  const { shape } = node.outputs[0];
  return elementwise(p, "return a;", [x], [shape], shape);
});

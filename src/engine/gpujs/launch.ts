/**
 * @file A recorded graph as a list of GPU.js kernel launches, and the table of rules that make it: what each kernel of
 * TensorFlow.js and each fused op is in launches. A rule is a pure function; nothing runs here.
 *
 * On the device every array is a float32 matrix, ids and booleans too. A tensor is one with its last axis as columns:
 * [B, T, C] is [B·T, C], [N] is the row [1, N], a scalar is [1, 1]; `view` gives the same numbers other sizes.
 */
import { describeNode, type Graph, type Node, sizeOf, type Value } from "../lazy/graph.ts";

/** What a kernel sees as `this`: the row `y` and the column `x` of the number that it returns, and its constants. */
export interface Thread {
  thread: { x: number; y: number };
  constants: Record<string, number>;
}

/** A kernel as GPU.js reads it: a plain function (no arrow, no closure, no function inside), or the source of one. */
export type Kernel = ((this: Thread, ...arrays: number[][][]) => number) | string;

/** A kernel whose threads return four numbers each, side by side in the result; GPU.js has no more. */
export type KernelOfFours = (this: Thread, ...arrays: number[][][]) => number[];

export type Size = readonly [rows: number, columns: number];

/** Numbers on the device that a program will have; not the numbers. */
export interface Matrix {
  /** Which array of the program it is; a view shares its array. */
  array: number;
  rows: number;
  columns: number;
}

export interface Launch {
  kernel: Kernel | KernelOfFours;
  /** Numbers that a thread returns; the output has as many times the columns of threads. */
  perThread: 1 | 4;
  inputs: Matrix[];
  output: Matrix;
  constants: Record<string, number>;
  /** No loop of the kernel may run longer: GPU.js cuts it off there, silently. */
  maxIterations: number;
  /** Functions that the kernel calls. */
  functions: Kernel[];
  /** The recorded kernel that it is a part of, for error messages. */
  origin: string;
}

/** GPU.js refuses more on WebGPU: a shader has 8 storage buffers, and one is the result. */
const MOST_INPUTS = 7;

/** Makes the launches of one recorded kernel and returns its results, of the sizes that its outputs have. */
export type LaunchRule = (p: Program, inputs: Matrix[], node: Node) => Matrix | Matrix[];

export const launchRules = new Map<string, LaunchRule>();

export function registerLaunches(kernel: string, rule: LaunchRule) {
  launchRules.set(kernel, rule);
}

/** The rows and columns that a tensor has on the device. */
export function matrixSize(shape: number[]): Size {
  const columns = shape.at(-1) ?? 1;
  return [sizeOf(shape.slice(0, -1)), columns];
}

/** Gives every kernel an identity: two launches with equal ones and equal inputs are one. */
const identities = new WeakMap<object, number>();
let numIdentities = 0;
export function identity(kernel: Kernel | KernelOfFours): string {
  if (typeof kernel === "string") return kernel;
  if (!identities.has(kernel)) identities.set(kernel, numIdentities++);
  return `#${identities.get(kernel)}`;
}

/** Builds a list of launches. Equal launches are made once, so a gradient may restate what its forward pass computed. */
export class Program {
  readonly launches: Launch[] = [];
  /** Arrays whose numbers are known when the program is made, by their place among the program's arrays. */
  readonly known = new Map<number, Float32Array>();
  private readonly made = new Map<string, Matrix>();
  private numArrays = 0;

  /** The kernel that is being lowered, for error messages. */
  origin = "";

  /** A new array of the program, which something else fills. */
  array([rows, columns]: Size): Matrix {
    return { array: this.numArrays++, rows, columns };
  }

  /** An array with these numbers, e.g. of a table of indices, or of a number that no literal can be (infinity). */
  values(numbers: ArrayLike<number>, size: Size = [1, numbers.length]): Matrix {
    const values = Float32Array.from(numbers);
    const key = `values ${new Uint32Array(values.buffer).join()}`;
    const matrix = this.made.get(key) ?? this.array(size);
    this.made.set(key, matrix);
    this.known.set(matrix.array, values);
    return this.view(matrix, size);
  }

  /** The same numbers, row by row, in other rows and columns. */
  view(x: Matrix, [rows, columns]: Size): Matrix {
    if (x.rows * x.columns !== rows * columns)
      throw new Error(`${this.origin}: ${x.rows} × ${x.columns} cannot be seen as ${rows} × ${columns}`);
    return { array: x.array, rows, columns };
  }

  /** A view as the tensor of that shape has it. */
  as(x: Matrix, shape: number[]): Matrix {
    return this.view(x, matrixSize(shape));
  }

  /**
   * The matrix of `size` whose number at row y and column x is `kernel` of the inputs there. `maxIterations` is the
   * largest of all sizes and constants unless given.
   */
  launch(
    kernel: Kernel,
    inputs: Matrix[],
    size: Size,
    constants: Record<string, number> = {},
    maxIterations = longest(inputs, size, constants),
    functions: Kernel[] = [],
  ): Matrix {
    const rest = { constants, maxIterations, functions };
    return this.add({ kernel, perThread: 1, inputs, ...rest }, size);
  }

  /** The same with a kernel of four numbers: as many threads as `size` says, four times the columns. */
  launchFours(kernel: KernelOfFours, inputs: Matrix[], size: Size, constants: Record<string, number> = {}): Matrix {
    const rest = { constants, maxIterations: longest(inputs, size, constants), functions: [] };
    return this.add({ kernel, perThread: 4, inputs, ...rest }, [size[0], 4 * size[1]]);
  }

  private add(launch: Omit<Launch, "output" | "origin">, [rows, columns]: Size): Matrix {
    const { kernel, inputs, constants, maxIterations } = launch;
    if (inputs.length > MOST_INPUTS)
      throw new Error(`${this.origin}: a kernel with ${inputs.length} arrays; WebGPU allows ${MOST_INPUTS}`);
    const key = [
      identity(kernel),
      inputs.map((x) => `${x.array}:${x.rows}x${x.columns}`).join(),
      `${rows}x${columns}`,
      Object.entries(constants).join(),
      maxIterations,
    ].join(" ");
    const known = this.made.get(key);
    if (known) return known;
    const output = this.array([rows, columns]);
    this.made.set(key, output);
    this.launches.push({ ...launch, output, origin: this.origin });
    return output;
  }
}

/** What a loop could run to: no size and no constant is larger. */
function longest(inputs: Matrix[], size: Size, constants: Record<string, number>): number {
  const sizes = [...size, ...inputs.flatMap((x) => [x.rows, x.columns]), ...Object.values(constants)];
  return Math.ceil(Math.max(1, ...sizes.filter((n) => n < 2 ** 31)));
}

export interface Lowered {
  program: Program;
  /** The launches that the outputs need, in order. */
  launches: Launch[];
  inputs: Matrix[];
  outputs: Matrix[];
}

/** The launches of a recorded graph: each kernel is replaced by its rule's. */
export function toLaunches(graph: Graph): Lowered {
  const program = new Program();
  const matrices = new Map<Value, Matrix>();
  for (const value of graph.inputs) matrices.set(value, program.array(matrixSize(value.shape)));
  for (const node of graph.nodes) {
    const rule = launchRules.get(node.kernel);
    if (!rule) throw new Error(`engine gpujs: it has no kernel for ${describeNode(node)}`);
    program.origin = describeNode(node);
    const inputs = node.inputs.map(({ value, shape }) => program.as(matrices.get(value)!, shape));
    const outputs = [rule(program, inputs, node)].flat();
    node.outputs.forEach((value, k) => {
      matrices.set(value, program.as(outputs[k], value.shape));
    });
  }
  const outputs = graph.outputs.map((value) => matrices.get(value)!);
  const needed = new Set(outputs.map(({ array }) => array)); // a rule may have built more than is asked for
  const launches: Launch[] = [];
  for (const launch of [...program.launches].reverse()) {
    if (!needed.has(launch.output.array)) continue;
    for (const { array } of launch.inputs) needed.add(array);
    launches.push(launch);
  }
  return { program, launches: launches.reverse(), inputs: graph.inputs.map((x) => matrices.get(x)!), outputs };
}

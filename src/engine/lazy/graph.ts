/**
 * @file The recorded program: values and the kernels between them.
 *
 * A {@link Value} is either there (as `data`, or on a `device`) or pending (it has a `producer`). Kernels are recorded
 * by their TensorFlow.js name with their attributes; what they mean is the executor's business (`../onnx/lowering.ts`,
 * `../gpujs/launch.ts`). The same semantics as PyTorch/XLA's lazy tensors.
 */
import type { backend_util, DataType } from "@tensorflow/tfjs-core";
import { UserError } from "../../util/assert.ts";

export type TypedArray = Float32Array | Int32Array | Uint8Array;

/** JSON-like kernel attributes; they are part of a program's identity. */
export type Attributes = Record<string, unknown>;

/** Numbers that are on a device: computed there, or sent there. */
export interface DeviceArray {
  read(): Promise<TypedArray>;
  /** Throws where the device can only be read asynchronously. */
  readSync(): TypedArray;
  /** The same numbers under a second owner. */
  share(): DeviceArray;
  dispose(): void;
}

export interface Value {
  shape: number[];
  dtype: DataType;
  /** The kernel that will make it; null once there is data, here or on the device. */
  producer: Node | null;
  data: TypedArray | null;
  device: DeviceArray | null;
}

/** A value that is there, in an array or on a device. */
export const isThere = ({ data, device }: Value) => data !== null || device !== null;

/** A value as a kernel reads it: TensorFlow.js' reshape shares data, so the shape belongs to the reader. */
export interface Operand {
  value: Value;
  shape: number[];
}

export interface Node {
  kernel: string;
  inputs: Operand[];
  attributes: Attributes;
  outputs: Value[];
}

/** A program in execution order: what it is given, what it does, what it returns. */
export interface Graph {
  inputs: Value[];
  nodes: Node[];
  outputs: Value[];
}

export interface Executable {
  /**
   * Reads `inputs` and returns the outputs, both in the graph's order. `into`: arrays of the outputs' sizes to write
   * them to, where the executor works in the host's memory. An executor with a device may return before it is done.
   */
  run(inputs: Value[], into: (TypedArray | undefined)[]): (TypedArray | DeviceArray)[];
  dispose(): void;
}

export interface Executor {
  /** Its results are arrays of the host, and kernels may change them in place. */
  readonly inHostMemory: boolean;
  compile(graph: Graph): Executable;
}

export const sizeOf = (shape: number[]) => shape.reduce((a, b) => a * b, 1);

/** Puts a result where its value is looked for. */
export function place(value: Value, result: TypedArray | DeviceArray) {
  if (ArrayBuffer.isView(result)) value.data = result;
  else value.device = result;
}

/** A kernel with the shapes that it reads and makes, for error messages: `Linear([8,4] [6,4]) -> [8,6]`. */
export const describeNode = ({ kernel, inputs, outputs }: Node) =>
  `${kernel}(${inputs.map(({ shape }) => `[${shape}]`).join(" ")}) -> ${outputs.map(({ shape }) => `[${shape}]`).join(" ")}`;

/** The user's to mend: what asked for memory, how much, and what needs less. */
export function outOfMemory(what: string, bytes: number | null): UserError {
  const asked = bytes === null ? "" : ` for another ${(bytes / 2 ** 30).toFixed(2)} GiB`;
  return new UserError(
    `out of memory: ${what} asked${asked} and there is no more; a smaller --micro-batch, --gradient-checkpointing or shorter rows need less`,
  );
}

const CONSTRUCTORS = { float32: Float32Array, int32: Int32Array, bool: Uint8Array };

/** Zeros; `what` they are for is said when there is no memory. */
export function allocate(dtype: DataType, size: number, what = `a tensor of ${size} numbers`): TypedArray {
  const array = CONSTRUCTORS[dtype as keyof typeof CONSTRUCTORS];
  if (array)
    try {
      return new array(size);
    } catch {
      throw outOfMemory(what, size * array.BYTES_PER_ELEMENT);
    }
  throw new Error(`engine: dtype ${dtype} is not supported; expected float32, int32 or bool`);
}

/** Values as TensorFlow.js hands them over; null is zeros. */
export function toTyped(values: backend_util.BackendValues, dtype: DataType, size: number): TypedArray {
  if (dtype === "string") return values as unknown as TypedArray; // only the host reads it
  if (values === null) return allocate(dtype, size);
  const wanted = allocate(dtype, 0).constructor as new (values: ArrayLike<number>) => TypedArray;
  return values instanceof wanted ? (values as TypedArray) : new wanted(values as unknown as ArrayLike<number>);
}

/** Everything that `outputs` need, in an order in which it can run. `inputs` are declared even when unused. */
export function collect(outputs: Value[], inputs: Value[] = []): Graph {
  const graph: Graph = { inputs: [...inputs], nodes: [], outputs };
  const seen = new Set<Value | Node>(inputs);
  const stack: { node: Node; next: number }[] = [];
  const visit = (value: Value) => {
    if (seen.has(value)) return;
    seen.add(value);
    if (isThere(value)) graph.inputs.push(value);
    else if (!value.producer) throw new Error("engine: a value has neither data nor a kernel that makes it");
    else if (!seen.has(value.producer)) {
      seen.add(value.producer);
      stack.push({ node: value.producer, next: 0 });
    }
  };
  for (const output of outputs) {
    visit(output);
    while (stack.length > 0) {
      const top = stack[stack.length - 1];
      if (top.next < top.node.inputs.length) visit(top.node.inputs[top.next++].value);
      else {
        graph.nodes.push(top.node);
        stack.pop();
      }
    }
  }
  return graph;
}

/** JSON has no infinities and no NaN, and writes them all as null. */
const exact = (_: string, x: unknown) => (typeof x === "number" && !Number.isFinite(x) ? String(x) : x);

/** A program's identity: equal for equal kernels, attributes, shapes, dtypes and wiring, whatever the data. */
export function signature(graph: Graph): string {
  const typeOf = (value: Value) => `${value.dtype}[${value.shape}]`;
  const names = new Map<Value, string>();
  graph.inputs.forEach((value, i) => {
    names.set(value, `i${i}`);
  });
  graph.nodes.forEach((node, n) => {
    node.outputs.forEach((value, k) => {
      names.set(value, `${n}.${k}`);
    });
  });
  const lines = [
    graph.inputs.map(typeOf).join(" "),
    ...graph.nodes.map(({ kernel, inputs, attributes, outputs }) => {
      const operands = inputs.map((x) => `${names.get(x.value)}[${x.shape}]`);
      return `${kernel}(${operands.join(" ")})${JSON.stringify(attributes, exact)}${outputs.map(typeOf).join(" ")}`;
    }),
    graph.outputs.map((v) => names.get(v)).join(" "),
  ];
  return lines.join("\n");
}

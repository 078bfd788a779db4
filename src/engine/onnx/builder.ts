/**
 * @file Builds an ONNX graph node by node. Equal nodes are made once (common subexpressions), so a gradient may
 * simply restate what its forward pass computed: both share one result.
 */
import type { OnnxAttribute, OnnxModel, OnnxNode, OnnxTensor, OnnxType } from "./proto.ts";

/** The name of a value in the graph; "" is an optional input that is absent. */
export type Name = string;

export class GraphBuilder {
  private readonly nodes: OnnxNode[] = [];
  private readonly constants = new Map<string, OnnxTensor & { bytes: Uint8Array }>();
  private readonly known = new Map<string, Name[]>();

  /** The kernel that is being lowered, for error messages. */
  origin = "";

  /** Appends an operator with `count` outputs. Names with a dot are com.microsoft's: `ms.FusedMatMul`. */
  ops(op: string, inputs: Name[], attributes: Record<string, OnnxAttribute> = {}, count = 1): Name[] {
    const key = `${op}(${inputs.join()})${JSON.stringify(attributes)}${count}`;
    const known = this.known.get(key);
    if (known) return known;
    const outputs = Array.from({ length: count }, (_, k) => `v${this.nodes.length}_${k}`);
    const domain = op.startsWith("ms.") ? "com.microsoft" : "";
    this.nodes.push({ op: op.replace("ms.", ""), domain, inputs, outputs, attributes, origin: this.origin });
    this.known.set(key, outputs);
    return outputs;
  }

  op(op: string, inputs: Name[], attributes: Record<string, OnnxAttribute> = {}): Name {
    return this.ops(op, inputs, attributes)[0];
  }

  private constant(type: OnnxType, shape: number[], values: ArrayBufferView): Name {
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    const key = `${type}[${shape}]${bytes.join()}`;
    const known = this.constants.get(key);
    if (known) return known.name;
    const name = `c${this.constants.size}`;
    this.constants.set(key, { name, type, shape, bytes });
    return name;
  }

  /** A list of integers as the int64 tensor that shapes, axes and sizes are given by. */
  int64s(values: number[]): Name {
    return this.constant("int64", [values.length], BigInt64Array.from(values, BigInt));
  }

  /** A scalar of the given type. */
  scalar(value: number, type: "float32" | "int32" = "float32"): Name {
    return this.constant(type, [], type === "float32" ? Float32Array.of(value) : Int32Array.of(value));
  }

  /** a + b, matrices of one shape. */
  sumOfMatrices(a: Name, b: Name): Name {
    return this.op(SUM_OF_MATRICES, [a, b]);
  }

  reshape(x: Name, shape: number[]): Name {
    return this.op("Reshape", [x, this.int64s(shape)], { allowzero: { int: 1 } });
  }

  transpose(x: Name, perm: number[]): Name {
    return this.op("Transpose", [x], { perm: { ints: perm } });
  }

  cast(x: Name, type: OnnxType): Name {
    return this.op("Cast", [x], { to: { int: { float32: 1, int32: 6, int64: 7, bool: 9 }[type] } });
  }

  sum(x: Name, axes: number[], keepDims = false): Name {
    return this.op("ReduceSum", [x, this.int64s(axes)], { keepdims: { int: keepDims ? 1 : 0 } });
  }

  /** The finished model. An output takes its place at the node that makes it; a second name for one value copies. */
  finish(inputs: OnnxTensor[], outputs: (OnnxTensor & { from: Name })[]): OnnxModel {
    const renamed = new Map<Name, Name>();
    const made = new Set(this.nodes.flatMap((node) => node.outputs));
    const copies: OnnxNode[] = [];
    for (const { from, name } of outputs) {
      if (made.has(from) && !renamed.has(from)) renamed.set(from, name);
      else copies.push({ op: "Identity", domain: "", inputs: [from], outputs: [name], attributes: {} });
    }
    const rename = (name: Name) => renamed.get(name) ?? name;
    const needed = new Set(outputs.map(({ name }) => name)); // a lowering may have built more than is asked for
    const nodes: OnnxNode[] = [];
    for (const node of [...this.nodes, ...copies].reverse()) {
      const kept = { ...node, inputs: node.inputs.map(rename), outputs: node.outputs.map(rename) };
      if (!kept.outputs.some((name) => needed.has(name))) continue;
      for (const name of kept.inputs) needed.add(name);
      nodes.push(kept);
    }
    const constants = [...this.constants.values()].filter(({ name }) => needed.has(name));
    return { nodes: foldSums(nodes.reverse(), this.scalar(0)), inputs, outputs, constants };
  }
}

/**
 * A sum of matrices, one pass over memory less: what is scattered into zeros is scattered into the other term (a tied
 * embedding's gradient), and a product takes the other term as Gemm's C.
 */
function foldSums(nodes: OnnxNode[], zero: Name): OnnxNode[] {
  const uses = new Map<Name, number>();
  const makers = new Map<Name, OnnxNode>();
  for (const node of nodes) {
    for (const name of node.inputs) uses.set(name, (uses.get(name) ?? 0) + 1);
    makers.set(node.outputs[0], node);
  }
  const folded = new Set<OnnxNode>();
  const sums = nodes.map((node) => {
    if (node.op !== SUM_OF_MATRICES) return node;
    const term = (fits: (maker: OnnxNode) => boolean) =>
      node.inputs.findLast((name) => uses.get(name) === 1 && makers.has(name) && fits(makers.get(name)!));
    const scattered = term(({ op, inputs: [data], attributes }) => {
      const zeros = makers.get(data);
      return (
        op === "ScatterElements" && "reduction" in attributes && zeros?.op === "Expand" && zeros.inputs[0] === zero
      );
    });
    const product = term(({ op, inputs }) => op === "Gemm" && inputs.length === 2);
    const absorbed = scattered ?? product;
    if (absorbed === undefined) return { ...node, op: "Add" };
    const maker = makers.get(absorbed)!;
    const other = node.inputs[node.inputs[0] === absorbed ? 1 : 0];
    folded.add(maker);
    const inputs = scattered ? [other, ...maker.inputs.slice(1)] : [...maker.inputs, other];
    return { ...maker, inputs, outputs: node.outputs };
  });
  return sums.filter((node) => !folded.has(node));
}

/** Add of two matrices of one shape, until {@link foldSums} has seen it. */
const SUM_OF_MATRICES = "SumOfMatrices";

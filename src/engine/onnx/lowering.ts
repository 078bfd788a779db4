/**
 * @file What each TensorFlow.js kernel is in ONNX operators. The fused ops add theirs with {@link registerLowering}
 * from `src/ops/`, so this file knows no model.
 */
import type { Node } from "../lazy/graph.ts";
import type { GraphBuilder, Name } from "./builder.ts";

/** Emits the operators of one kernel and returns the names of its outputs. */
export type Lowering = (g: GraphBuilder, inputs: Name[], node: Node) => Name | Name[];

export const lowerings = new Map<string, Lowering>();

export function registerLowering(kernel: string, lowering: Lowering) {
  lowerings.set(kernel, lowering);
}

const attribute = <T>(node: Node, name: string) => node.attributes[name] as T;
const shapeOf = (node: Node, i = 0) => node.inputs[i].shape;
const dtypeOf = (node: Node, i = 0) => node.inputs[i].value.dtype as "float32" | "int32" | "bool";
const number = (node: Node) => (dtypeOf(node) === "int32" ? "int32" : "float32");

/** Kernels that are one operator with the same inputs. */
const DIRECT: Record<string, string> = {
  Abs: "Abs",
  Acos: "Acos",
  Add: "Add",
  Asin: "Asin",
  Atan: "Atan",
  Ceil: "Ceil",
  Cos: "Cos",
  Cosh: "Cosh",
  Equal: "Equal",
  Erf: "Erf",
  Exp: "Exp",
  Floor: "Floor",
  Greater: "Greater",
  GreaterEqual: "GreaterOrEqual",
  IsNan: "IsNaN",
  Less: "Less",
  LessEqual: "LessOrEqual",
  Log: "Log",
  LogicalAnd: "And",
  LogicalNot: "Not",
  LogicalOr: "Or",
  Maximum: "Max",
  Minimum: "Min",
  Multiply: "Mul",
  Neg: "Neg",
  Pow: "Pow",
  RealDiv: "Div",
  Reciprocal: "Reciprocal",
  Relu: "Relu",
  Round: "Round",
  Sigmoid: "Sigmoid",
  Sign: "Sign",
  Sin: "Sin",
  Sinh: "Sinh",
  Softplus: "Softplus",
  Sqrt: "Sqrt",
  Sub: "Sub",
  Tan: "Tan",
  Tanh: "Tanh",
};
for (const [kernel, op] of Object.entries(DIRECT)) registerLowering(kernel, (g, inputs) => g.op(op, inputs));

registerLowering("Select", (g, [condition, t, e], node) => {
  if (dtypeOf(node, 1) !== "bool") return g.op("Where", [condition, t, e]);
  return g.cast(g.op("Where", [condition, g.cast(t, "int32"), g.cast(e, "int32")]), "bool"); // there is none of bool
});
registerLowering("NotEqual", (g, inputs) => g.op("Not", [g.op("Equal", inputs)]));
registerLowering("Square", (g, [x]) => g.op("Mul", [x, x]));
registerLowering("SquaredDifference", (g, inputs) => {
  const difference = g.op("Sub", inputs);
  return g.op("Mul", [difference, difference]);
});
registerLowering("Rsqrt", (g, [x]) => g.op("Reciprocal", [g.op("Sqrt", [x])]));
registerLowering("Log1p", (g, [x]) => g.op("Log", [g.op("Add", [x, g.scalar(1)])]));
registerLowering("Expm1", (g, [x]) => g.op("Sub", [g.op("Exp", [x]), g.scalar(1)]));
registerLowering("AddN", (g, inputs) => inputs.reduce((a, b) => g.op("Add", [a, b])));
registerLowering("ClipByValue", (g, [x], node) =>
  g.op("Clip", [
    x,
    g.scalar(attribute(node, "clipValueMin"), number(node)),
    g.scalar(attribute(node, "clipValueMax"), number(node)),
  ]),
);
registerLowering("ZerosLike", (g, _, node) => fill(g, 0, node));
registerLowering("OnesLike", (g, _, node) => fill(g, 1, node));
registerLowering("Fill", (g, _, node) => fill(g, attribute(node, "value"), node));

function fill(g: GraphBuilder, value: number, node: Node): Name {
  const { shape, dtype } = node.outputs[0];
  const scalar = g.scalar(value, dtype === "int32" ? "int32" : "float32");
  const full = g.op("Expand", [scalar, g.int64s(shape)]);
  return dtype === "bool" ? g.cast(full, "bool") : full;
}

// --- shapes ----------------------------------------------------------------------------------------------------------

registerLowering("Cast", (g, [x], node) => {
  const dtype = node.outputs[0].dtype as "float32" | "int32" | "bool";
  return g.cast(x, dtype);
});
registerLowering("Transpose", (g, [x], node) => g.transpose(x, attribute(node, "perm")));
registerLowering("Concat", (g, inputs, node) => g.op("Concat", inputs, { axis: { int: attribute(node, "axis") } }));
registerLowering("Pack", (g, inputs, node) => {
  const axis = attribute<number>(node, "axis");
  const rows = inputs.map((x) => g.op("Unsqueeze", [x, g.int64s([axis])]));
  return g.op("Concat", rows, { axis: { int: axis } });
});
registerLowering("Slice", (g, [x], node) => {
  const begin = attribute<number[]>(node, "begin");
  const end = begin.map((b, i) => b + node.outputs[0].shape[i]);
  return g.op("Slice", [x, g.int64s(begin), g.int64s(end)]);
});
registerLowering("SplitV", (g, [x], node) => {
  const axis = attribute<number>(node, "axis");
  const sizes = node.outputs.map(({ shape }) => shape[axis]);
  return g.ops("Split", [x, g.int64s(sizes)], { axis: { int: axis } }, sizes.length);
});
registerLowering("Tile", (g, [x], node) => g.op("Tile", [x, g.int64s(attribute(node, "reps"))]));
registerLowering("PadV2", (g, [x], node) => {
  const paddings = attribute<[number, number][]>(node, "paddings");
  const pads = g.int64s([...paddings.map(([before]) => before), ...paddings.map(([, after]) => after)]);
  return g.op("Pad", [x, pads, g.scalar(attribute(node, "constantValue"), number(node))]);
});
registerLowering("GatherV2", (g, inputs, node) =>
  g.op("Gather", inputs, { axis: { int: attribute<number>(node, "axis") } }),
);
registerLowering("OneHot", (g, [indices], node) => {
  const depth = attribute<number>(node, "depth");
  const classes = g.op("Range", [g.scalar(0, "int32"), g.scalar(depth, "int32"), g.scalar(1, "int32")]);
  const hit = g.op("Equal", [g.op("Unsqueeze", [indices, g.int64s([-1])]), classes]);
  const { dtype } = node.outputs[0];
  const value = (name: string) => g.scalar(attribute(node, name), dtype === "float32" ? "float32" : "int32");
  const chosen = g.op("Where", [hit, value("onValue"), value("offValue")]);
  return dtype === "bool" ? g.cast(chosen, "bool") : chosen;
});

// --- reductions ------------------------------------------------------------------------------------------------------

/** One of ONNX's reductions over the kernel's axes. */
function reduce(g: GraphBuilder, op: string, x: Name, node: Node): Name {
  const keepdims = { int: node.outputs[0].shape.length === shapeOf(node).length ? 1 : 0 };
  return g.op(op, [x, g.int64s(attribute(node, "axis"))], { keepdims, noop_with_empty_axes: { int: 1 } });
}
for (const kernel of ["Sum", "Max", "Min", "Prod"])
  registerLowering(kernel, (g, [x], node) => reduce(g, `Reduce${kernel}`, x, node));
registerLowering("Mean", (g, [x], node) =>
  reduce(g, "ReduceMean", dtypeOf(node) === "float32" ? x : g.cast(x, "float32"), node),
);
registerLowering("All", (g, [x], node) => g.cast(reduce(g, "ReduceMin", g.cast(x, "int32"), node), "bool"));
registerLowering("Any", (g, [x], node) => g.cast(reduce(g, "ReduceMax", g.cast(x, "int32"), node), "bool"));
for (const kernel of ["ArgMax", "ArgMin"])
  registerLowering(kernel, (g, [x], node) => {
    const axis = attribute<number[]>(node, "axis")[0];
    return g.cast(g.op(kernel, [x], { axis: { int: axis }, keepdims: { int: 0 } }), "int32");
  });
registerLowering("Softmax", (g, [x]) => g.op("Softmax", [x], { axis: { int: -1 } }));

// --- products --------------------------------------------------------------------------------------------------------

registerLowering("BatchMatMul", (g, [a, b], node) => {
  const transA = { int: attribute(node, "transposeA") ? 1 : 0 };
  const transB = { int: attribute(node, "transposeB") ? 1 : 0 };
  if (shapeOf(node, 0).length === 2 && shapeOf(node, 1).length === 2) return g.op("Gemm", [a, b], { transA, transB });
  return g.op("ms.FusedMatMul", [a, b], { transA, transB });
});

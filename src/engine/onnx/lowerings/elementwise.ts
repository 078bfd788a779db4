/** @file Kernels that work on each element by itself, in ONNX operators. */
import type { Node } from "../../lazy/graph.ts";
import type { GraphBuilder, Name } from "../builder.ts";
import { attribute, dtypeOf, number, registerLowering } from "../register.ts";

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
  Sigmoid: "Sigmoid",
  Sin: "Sin",
  Sinh: "Sinh",
  Softplus: "Softplus",
  Sqrt: "Sqrt",
  Sub: "Sub",
  Tanh: "Tanh",
};
for (const [kernel, op] of Object.entries(DIRECT)) registerLowering(kernel, (g, inputs) => g.op(op, inputs));

/** In float64 and back: for what float32 cannot hold on the way. */
function inDouble(g: GraphBuilder, x: Name, f: (x: Name) => Name): Name {
  return g.cast(f(g.op("Cast", [x], { to: { int: 11 } })), "float32");
}
registerLowering("Exp", (g, [x], node) =>
  dtypeOf(node) === "float32" ? g.op("Exp", [x]) : inDouble(g, x, (y) => g.op("Exp", [y])),
);
registerLowering("Round", (g, [x], node) => (dtypeOf(node) === "float32" ? g.op("Round", [x]) : x));
registerLowering("Sign", (g, [x], node) => {
  const sign = g.op("Sign", [x]);
  return dtypeOf(node) === "float32" ? g.op("Where", [g.op("IsNaN", [x]), g.scalar(0), sign]) : sign; // NaN has none
});
registerLowering("Tan", (g, [x]) => inDouble(g, x, (y) => g.op("Div", [g.op("Sin", [y]), g.op("Cos", [y])])));
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

export function fill(g: GraphBuilder, value: number, node: Node): Name {
  const { shape, dtype } = node.outputs[0];
  const scalar = g.scalar(value, dtype === "int32" ? "int32" : "float32");
  const full = g.op("Expand", [scalar, g.int64s(shape)]);
  return dtype === "bool" ? g.cast(full, "bool") : full;
}

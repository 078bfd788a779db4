/** @file Kernels that work on each element by itself, in ONNX operators. */
import type { Node } from "../../lazy/graph.ts";
import type { GraphBuilder, Name } from "../builder.ts";
import { attribute, dtypeOf, number, registerLowering } from "../register.ts";

/** Kernels that are one operator with the same inputs. */
const DIRECT: Record<string, string> = {
  Abs: "Abs",
  Acos: "Acos",
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

// --- activations and numbers -----------------------------------------------------------------------------------------

const float = (g: GraphBuilder, x: Name, node: Node, i = 0) =>
  dtypeOf(node, i) === "float32" ? x : g.cast(x, "float32");
const negative = (g: GraphBuilder, x: Name, type: "float32" | "int32" = "float32") =>
  g.op("Less", [x, g.scalar(0, type)]);
const unlessNaN = (g: GraphBuilder, x: Name, y: Name) => g.op("Where", [g.op("IsNaN", [x]), x, y]);
const EXPONENTIAL: Record<string, [alpha: number, scale: number]> = {
  Elu: [1, 1],
  Selu: [1.7580993408473768, 1.0507009873554805], // alpha times scale, scale
};

/** x where it is not negative, a share of it where it is. */
const leaky = (g: GraphBuilder, x: Name, alpha: Name) => g.op("Where", [negative(g, x), g.op("Mul", [x, alpha]), x]);
function exponential(g: GraphBuilder, x: Name, kernel: string): Name {
  const [alpha, scale] = EXPONENTIAL[kernel];
  const below = g.op("Mul", [g.op("Sub", [g.op("Exp", [x]), g.scalar(1)]), g.scalar(alpha)]);
  return g.op("Where", [negative(g, x), below, scale === 1 ? x : g.op("Mul", [x, g.scalar(scale)])]);
}

for (const kernel of ["Acosh", "Asinh", "Atanh"]) registerLowering(kernel, (g, [x]) => g.op(kernel, [x]));
for (const kernel of ["Elu", "Selu"]) registerLowering(kernel, (g, [x]) => exponential(g, x, kernel));
registerLowering("Relu6", (g, [x], node) => {
  const type = number(node);
  return g.op("Min", [g.op("Max", [x, g.scalar(0, type)]), g.scalar(6, type)]);
});
registerLowering("Step", (g, [x], node) => {
  const type = number(node);
  const above = g.op("Greater", [x, g.scalar(0, type)]);
  const step = g.op("Where", [above, g.scalar(1, type), g.scalar(attribute<number>(node, "alpha") ?? 0, type)]);
  return type === "float32" ? unlessNaN(g, x, step) : step;
});
registerLowering("LeakyRelu", (g, [x], node) =>
  leaky(g, float(g, x, node), g.scalar(attribute<number>(node, "alpha"))),
);
registerLowering("Prelu", (g, [x, alpha], node) => leaky(g, float(g, x, node), float(g, alpha, node, 1)));
registerLowering("EluGrad", (g, [dy, y]) =>
  g.op("Where", [negative(g, y), g.op("Mul", [dy, g.op("Add", [y, g.scalar(1)])]), dy]),
);
registerLowering("IsInf", (g, [x], node) => g.op("IsInf", [float(g, x, node)]));
registerLowering("IsFinite", (g, [x], node) => {
  const y = float(g, x, node);
  return g.op("Not", [g.op("Or", [g.op("IsInf", [y]), g.op("IsNaN", [y])])]);
});
registerLowering("Mod", (g, [a, b], node) => {
  // with the divisor's sign, where fmod has the dividend's
  const mod = (x: Name) => g.op("Mod", [x, b], { fmod: { int: 1 } });
  const rest = mod(a);
  const same = g.op("Equal", [negative(g, a, number(node)), negative(g, b, number(node))]);
  return g.op("Where", [same, rest, mod(g.op("Add", [rest, b]))]);
});
registerLowering("BitwiseAnd", (g, inputs) => g.op("BitwiseAnd", inputs));
registerLowering("FloorDiv", (g, inputs) => {
  const [a, b] = inputs.map((x) => g.op("Cast", [x], { to: { int: 11 } })); // float64 has every int32
  return g.cast(g.op("Floor", [g.op("Div", [a, b])]), "int32");
});
registerLowering("FusedBatchNorm", (g, [x, mean, variance, ...rest], node) => {
  const deviation = g.op("Sqrt", [g.op("Add", [variance, g.scalar(attribute(node, "varianceEpsilon"))])]);
  const offset = attribute(node, "offset") ? rest.shift()! : null;
  const normal = g.op("Div", [g.op("Sub", [x, mean]), deviation]);
  const scaled = attribute(node, "scale") ? g.op("Mul", [normal, rest[0]]) : normal;
  return offset ? g.op("Add", [scaled, offset]) : scaled;
});

/** @file Reductions in ONNX operators. */
import type { Node } from "../../lazy/graph.ts";
import type { GraphBuilder, Name } from "../builder.ts";
import { attribute, dtypeOf, registerLowering, shapeOf } from "../register.ts";

/** One of ONNX's reductions over the kernel's axes. */
function reduce(g: GraphBuilder, op: string, x: Name, node: Node): Name {
  const keepdims = { int: node.outputs[0].shape.length === shapeOf(node).length ? 1 : 0 };
  return g.op(op, [x, g.int64s(attribute(node, "axis"))], { keepdims, noop_with_empty_axes: { int: 1 } });
}
for (const kernel of ["Sum", "Prod"]) registerLowering(kernel, (g, [x], node) => reduce(g, `Reduce${kernel}`, x, node));
for (const kernel of ["Max", "Min"])
  registerLowering(kernel, (g, [x], node) => {
    const reduced = reduce(g, `Reduce${kernel}`, x, node);
    if (dtypeOf(node) !== "float32") return reduced;
    const nan = reduce(g, "ReduceMax", g.cast(g.op("IsNaN", [x]), "int32"), node); // ONNX Runtime passes over NaN
    return g.op("Where", [g.cast(nan, "bool"), g.scalar(Number.NaN), reduced]);
  });
registerLowering("Mean", (g, [x], node) =>
  reduce(g, "ReduceMean", dtypeOf(node) === "float32" ? x : g.cast(x, "float32"), node),
);
registerLowering("All", (g, [x], node) => g.cast(reduce(g, "ReduceMin", g.cast(x, "int32"), node), "bool"));
registerLowering("Any", (g, [x], node) => g.cast(reduce(g, "ReduceMax", g.cast(x, "int32"), node), "bool"));
for (const kernel of ["ArgMax", "ArgMin"])
  registerLowering(kernel, (g, [x], node) => {
    const axis = attribute<number[]>(node, "axis")[0];
    const worst = g.scalar(kernel === "ArgMax" ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY);
    const known = dtypeOf(node) === "float32" ? g.op("Where", [g.op("IsNaN", [x]), worst, x]) : g.cast(x, "int32"); // NaN never wins, and there is no ArgMax of bool
    return g.cast(g.op(kernel, [known], { axis: { int: axis }, keepdims: { int: 0 } }), "int32");
  });
registerLowering("Softmax", (g, [x]) => g.op("Softmax", [x], { axis: { int: -1 } }));

/** @file Kernels that move, join, cut and repeat elements, in ONNX operators. */
import type { Name } from "../builder.ts";
import { attribute, number, registerLowering, shapeOf } from "../register.ts";
import { fill } from "./elementwise.ts";

registerLowering("Cast", (g, [x], node) => {
  const dtype = node.outputs[0].dtype as "float32" | "int32" | "bool";
  return g.cast(x, dtype);
});
registerLowering("Transpose", (g, [x], node) => g.transpose(x, attribute(node, "perm")));
registerLowering("Concat", (g, inputs, node) => {
  if (inputs.length === 0) return fill(g, 0, node); // of empty tensors
  return g.op("Concat", inputs, { axis: { int: attribute(node, "axis") } });
});
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
registerLowering("GatherV2", (g, [x, indices], node) => {
  const [axis, batch] = [attribute<number>(node, "axis"), attribute<number>(node, "batch")];
  if (batch === 0) return g.op("Gather", [x, indices], { axis: { int: axis } });
  const gathered = (at: number, data: Name, index: Name, left: number): Name => {
    if (left === 0) return g.op("Gather", [data, index], { axis: { int: at } });
    const rows = Array.from({ length: shapeOf(node)[batch - left] }, (_, row) => {
      // one batch after the other
      const [part, where] = [data, index].map((y) => g.op("Gather", [y, g.scalar(row, "int32")], { axis: { int: 0 } }));
      return g.op("Unsqueeze", [gathered(at - 1, part, where, left - 1), g.int64s([0])]);
    });
    return g.op("Concat", rows, { axis: { int: 0 } });
  };
  return gathered(axis, x, indices, batch);
});
registerLowering("OneHot", (g, [indices], node) => {
  const depth = attribute<number>(node, "depth");
  const classes = g.op("Range", [g.scalar(0, "int32"), g.scalar(depth, "int32"), g.scalar(1, "int32")]);
  const hit = g.op("Equal", [g.op("Unsqueeze", [indices, g.int64s([-1])]), classes]);
  const { dtype } = node.outputs[0];
  const value = (name: string) => g.scalar(attribute(node, name), dtype === "float32" ? "float32" : "int32");
  const chosen = g.op("Where", [hit, value("onValue"), value("offValue")]);
  return dtype === "bool" ? g.cast(chosen, "bool") : chosen;
});

/** @file Kernels that rearrange whole axes, in ONNX operators. */
import type { Name } from "../builder.ts";
import { attribute, number, registerLowering, shapeOf } from "../register.ts";

/** Before the first element: an end that a backward slice never reaches. */
const NEVER = -(2 ** 31);

registerLowering("Unpack", (g, [x], node) => {
  const axis = attribute<number>(node, "axis");
  const ones = node.outputs.map(() => 1);
  const parts = g.ops("Split", [x, g.int64s(ones)], { axis: { int: axis } }, ones.length);
  return parts.map((part) => g.op("Squeeze", [part, g.int64s([axis])]));
});
registerLowering("Cumsum", (g, [x], node) => {
  const flag = (name: string) => ({ int: attribute(node, name) ? 1 : 0 });
  const terms = node.outputs[0].dtype === node.inputs[0].value.dtype ? x : g.cast(x, "int32");
  const axis = g.scalar(attribute(node, "axis"), "int32");
  return g.op("CumSum", [terms, axis], { exclusive: flag("exclusive"), reverse: flag("reverse") });
});
for (const kernel of ["Reverse", "FlipLeftRight"])
  registerLowering(kernel, (g, [x], node) => {
    const axes = attribute<number[]>(node, "axes");
    if (axes.length === 0) return x;
    const all = (value: number) => g.int64s(axes.map(() => value));
    return g.op("Slice", [x, all(-1), all(NEVER), g.int64s(axes), all(-1)]);
  });
registerLowering("StridedSlice", (g, [x], node) => {
  const [begin, end, strides] = ["begin", "end", "strides"].map((name) => attribute<number[]>(node, name));
  const stop = end.map((n, i) => (strides[i] < 0 && n < 0 ? NEVER : n));
  const axes = g.int64s(begin.map((_, i) => i));
  const cut = begin.length === 0 ? x : g.op("Slice", [x, g.int64s(begin), g.int64s(stop), axes, g.int64s(strides)]);
  return g.reshape(cut, node.outputs[0].shape);
});
registerLowering("MirrorPad", (g, [x], node) => {
  const edge = attribute(node, "mode") === "reflect" ? 1 : 0; // symmetric repeats the edge
  return attribute<[number, number][]>(node, "paddings").reduce((y: Name, [before, after], axis) => {
    const size = shapeOf(node)[axis];
    const index = Array.from({ length: before + size + after }, (_, i) => {
      const at = i - before;
      return at < 0 ? -at - 1 + edge : at >= size ? 2 * size - at - 1 - edge : at;
    });
    return before + after === 0 ? y : g.op("Gather", [y, g.int64s(index)], { axis: { int: axis } });
  }, x);
});
registerLowering("Diag", (g, [x], node) => {
  const size = shapeOf(node).reduce((a, b) => a * b, 1);
  const slots = g.op("Range", [g.scalar(0, "int32"), g.scalar(size, "int32"), g.scalar(1, "int32")]);
  const diagonal = g.op("Equal", [g.reshape(slots, [size, 1]), slots]);
  const isBool = node.outputs[0].dtype === "bool";
  const values = g.reshape(isBool ? g.cast(x, "int32") : x, [size, 1]);
  const zero = g.scalar(0, isBool ? "int32" : number(node));
  const full = g.reshape(g.op("Where", [diagonal, values, zero]), node.outputs[0].shape);
  return isBool ? g.cast(full, "bool") : full;
});
registerLowering("DepthToSpace", (g, [x], node) =>
  g.reshape(g.transpose(g.reshape(x, attribute(node, "split")), attribute(node, "perm")), node.outputs[0].shape),
);
registerLowering("BatchToSpaceND", (g, [x], node) => {
  const blocks = g.transpose(g.reshape(x, attribute(node, "split")), attribute(node, "perm"));
  const begin = attribute<number[]>(node, "begin");
  const end = begin.map((n, i) => n + node.outputs[0].shape[i]);
  return g.op("Slice", [g.reshape(blocks, attribute(node, "joined")), g.int64s(begin), g.int64s(end)]);
});
registerLowering("SpaceToBatchND", (g, [x], node) => {
  const paddings = attribute<[number, number][]>(node, "paddings");
  const pads = g.int64s([...paddings.map(([before]) => before), ...paddings.map(([, after]) => after)]);
  const padded = g.op("Pad", [x, pads, g.scalar(0, number(node))]);
  return g.reshape(
    g.transpose(g.reshape(padded, attribute(node, "split")), attribute(node, "perm")),
    node.outputs[0].shape,
  );
});
registerLowering("Einsum", (g, inputs, node) =>
  g.op("Einsum", inputs, { equation: { string: attribute<string>(node, "equation").replace(/\s/g, "") } }),
);

/** @file Kernels that read and write at indices, in ONNX operators. */
import { sizeOf } from "../../lazy/graph.ts";
import { attribute, registerLowering, shapeOf } from "../register.ts";
import { fill } from "./elementwise.ts";

registerLowering("GatherNd", (g, [x, indices]) => g.op("GatherND", [x, g.cast(indices, "int64")]));
registerLowering("ScatterNd", (g, [indices, updates], node) => {
  const [rank, count] = [attribute<number>(node, "sliceRank"), attribute<number>(node, "numUpdates")];
  const rows = g.cast(g.reshape(indices, [count, rank]), "int64");
  const terms = g.reshape(updates, [count, ...node.outputs[0].shape.slice(rank)]);
  return g.op("ScatterND", [fill(g, 0, node), rows, terms], { reduction: { string: "add" } });
});
registerLowering("TensorScatterUpdate", (g, [x, indices, updates]) =>
  g.op("ScatterND", [x, g.cast(indices, "int64"), updates]),
);
registerLowering("UnsortedSegmentSum", (g, [x, ids], node) => {
  const { shape, dtype } = node.outputs[0];
  const [segments, ...inner] = shape;
  const count = sizeOf(shapeOf(node, 1));
  const spare = { ...node, outputs: [{ ...node.outputs[0], shape: [segments + 1, ...inner] }] };
  const flat = g.reshape(ids, [count, 1]);
  const outside = g.op("Less", [flat, g.scalar(0, "int32")]); // a negative id counts nowhere: in the spare row
  const rows = g.cast(g.op("Where", [outside, g.scalar(segments, "int32"), flat]), "int64");
  const terms = g.reshape(dtype === "bool" ? g.cast(x, "int32") : x, [count, ...inner]);
  const sums = g.op("ScatterND", [fill(g, 0, spare), rows, terms], { reduction: { string: "add" } });
  return g.op("Slice", [sums, g.int64s([0]), g.int64s([segments]), g.int64s([0])]);
});
registerLowering("TopK", (g, [x], node) => {
  const k = node.outputs[0].shape.at(-1)!;
  const [values, indices] = g.ops("TopK", [x, g.int64s([k])], { axis: { int: -1 } }, 2);
  return [values, g.cast(indices, "int32")];
});

/**
 * @file Token embedding: y[n] = table[ids[n]]. Its gradient adds dy[n] to row ids[n], without a one-hot matrix.
 */
import * as tf from "@tensorflow/tfjs-core";
import { assertShape } from "../util/assert.ts";
import { hasKernel, registerLazyKernel, registerLowering, runKernel } from "./fused.ts";

/** table [V, C], ids [N] int32 -> [N, C]. Ids must lie in [0, V). */
export function embedding(table: tf.Tensor, ids: tf.Tensor): tf.Tensor {
  assertShape(table, [-1, -1], "embedding table");
  assertShape(ids, [-1], "embedding ids");
  return hasKernel("Embedding") ? runKernel("Embedding", { table, ids }) : tf.gather(table, ids);
}

registerLazyKernel("Embedding", ({ table, ids }) => ({
  inputs: [table, ids],
  outputs: [{ shape: [ids.shape[0], table.shape[1]], dtype: "float32" }],
}));
registerLowering("Embedding", (g, inputs) => g.op("Gather", inputs, { axis: { int: 0 } }));

registerLazyKernel("EmbeddingGrad", ({ ids, dy }, { rows }) => ({
  inputs: [ids, dy],
  attributes: { rows },
  outputs: [{ shape: [rows, dy.shape[1]], dtype: "float32" }],
}));
registerLowering("EmbeddingGrad", (g, [ids, dy], node) => {
  const [n, c] = node.inputs[1].shape;
  const zeros = g.op("Expand", [g.scalar(0), g.int64s(node.outputs[0].shape)]); // [V, C]
  const rows = g.op("Expand", [g.reshape(g.cast(ids, "int64"), [n, 1]), g.int64s([n, c])]); // [N, C]
  return g.op("ScatterElements", [zeros, rows, dy], { axis: { int: 0 }, reduction: { string: "add" } });
});

tf.registerGradient({
  kernelName: "Embedding",
  inputsToSave: ["table", "ids"],
  gradFunc: (dy, [table, ids]) => ({
    table: () => runKernel("EmbeddingGrad", { ids, dy: dy as tf.Tensor }, { rows: table.shape[0] }),
    ids: () => tf.zerosLike(ids),
  }),
});

/** @file Kernels that read and write at indices. */
import * as tf from "@tensorflow/tfjs-core";
import { registerLazyKernel } from "../register.ts";

registerLazyKernel("GatherNd", ({ params, indices }) => {
  const [shape] = tf.backend_util.prepareAndValidate(params as tf.Tensor, indices as tf.Tensor);
  return { inputs: [params, indices], outputs: [{ shape, dtype: params.dtype }] };
});
registerLazyKernel("ScatterNd", ({ indices, updates }, { shape }) => {
  const { sliceRank, numUpdates } = tf.backend_util.calculateShapes(updates, indices, shape);
  return {
    inputs: [indices, updates],
    attributes: { sliceRank, numUpdates },
    outputs: [{ shape, dtype: updates.dtype }],
  };
});
registerLazyKernel("TensorScatterUpdate", ({ tensor, indices, updates }) => ({
  inputs: [tensor, indices, updates],
  outputs: [{ shape: tensor.shape, dtype: tensor.dtype }],
}));
registerLazyKernel("UnsortedSegmentSum", ({ x, segmentIds }, { numSegments }) => ({
  inputs: [x, segmentIds],
  outputs: [{ shape: [numSegments, ...x.shape.slice(segmentIds.shape.length)], dtype: x.dtype }],
}));
registerLazyKernel("TopK", ({ x }, { k }) => {
  const shape = [...x.shape.slice(0, -1), k];
  return {
    inputs: [x],
    outputs: [
      { shape, dtype: x.dtype },
      { shape, dtype: "int32" },
    ],
  };
});

/** @file Kernels that move, join, cut and repeat elements, and those that only look at them under another shape. */
import * as tf from "@tensorflow/tfjs-core";
import { sizeOf } from "../graph.ts";
import { registerDirect, registerLazyKernel } from "../register.ts";

registerDirect("Identity", (backend, { x }) => backend.view(x, x.shape));
registerDirect("Reshape", (backend, { x }, { shape }) => backend.view(x, inferredShape(x.shape, shape)));
registerDirect("ExpandDims", (backend, { input }, { dim }) => {
  const rank = input.shape.length;
  if (dim < -rank - 1 || dim > rank)
    throw new Error(`expandDims: axis ${dim} of [${input.shape}]; expected ${-rank - 1} to ${rank}`);
  const at = dim < 0 ? dim + rank + 1 : dim;
  return backend.view(input, [...input.shape.slice(0, at), 1, ...input.shape.slice(at)]);
});

function inferredShape(from: number[], shape: number[]): number[] {
  const size = sizeOf(from);
  const known = shape.filter((n) => n !== -1).reduce((a, b) => a * b, 1);
  const full = shape.map((n) => (n === -1 ? size / known : n));
  if (sizeOf(full) !== size) throw new Error(`reshape: [${from}] has ${size} elements, [${shape}] has not`);
  return full;
}

registerLazyKernel("Cast", ({ x }, { dtype }) => ({ inputs: [x], outputs: [{ shape: x.shape, dtype }] }));
registerLazyKernel("Transpose", ({ x }, { perm }) => ({
  inputs: [x],
  attributes: { perm },
  outputs: [{ shape: perm.map((axis: number) => x.shape[axis]), dtype: x.dtype }],
}));
registerLazyKernel("Concat", (inputs, { axis }) => {
  const all = Object.values(inputs);
  const at = tf.util.parseAxisParam(axis, all[0].shape)[0];
  const shapes = all.map((x) => x.shape);
  tf.backend_util.assertParamsConsistent(shapes, at);
  const shape = tf.backend_util.computeOutShape(shapes, at);
  const parts = all.filter((x) => sizeOf(x.shape) > 0);
  return { inputs: parts, attributes: { axis: at }, outputs: [{ shape, dtype: all[0].dtype }] };
});
registerLazyKernel("Pack", (inputs, { axis }) => {
  const parts = Object.values(inputs);
  for (const { shape, dtype } of parts) {
    tf.util.assertShapesMatch(parts[0].shape, shape, "stack: all tensors must have one shape: ");
    if (dtype !== parts[0].dtype) throw new Error(`stack: dtypes ${parts[0].dtype} and ${dtype} differ`);
  }
  const at = axis < 0 ? axis + parts[0].shape.length + 1 : axis;
  const shape = [...parts[0].shape.slice(0, at), parts.length, ...parts[0].shape.slice(at)];
  return { inputs: parts, attributes: { axis: at }, outputs: [{ shape, dtype: parts[0].dtype }] };
});
registerLazyKernel("Slice", ({ x }, { begin, size }) => {
  const [start, shape] = tf.slice_util.parseSliceParams(x as tf.Tensor, begin, size);
  tf.slice_util.assertParamsValid(x as tf.Tensor, start, shape);
  return { inputs: [x], attributes: { begin: start }, outputs: [{ shape, dtype: x.dtype }] };
});
registerLazyKernel("SplitV", ({ x }, { numOrSizeSplits, axis }) => {
  const at = tf.util.parseAxisParam(axis, x.shape)[0];
  const sizes = tf.backend_util.prepareSplitSize(x as tf.Tensor, numOrSizeSplits, at);
  const outputs = sizes.map((n) => ({ shape: x.shape.map((m, i) => (i === at ? n : m)), dtype: x.dtype }));
  return { inputs: [x], attributes: { axis: at }, outputs, list: true };
});
registerLazyKernel("Tile", ({ x }, { reps }) => ({
  inputs: [x],
  attributes: { reps },
  outputs: [{ shape: x.shape.map((n, i) => n * reps[i]), dtype: x.dtype }],
}));
registerLazyKernel("PadV2", ({ x }, { paddings, constantValue }) => ({
  inputs: [x],
  attributes: { paddings, constantValue },
  outputs: [{ shape: x.shape.map((n, i) => n + paddings[i][0] + paddings[i][1]), dtype: x.dtype }],
}));
registerLazyKernel("GatherV2", ({ x, indices }, { axis, batchDims }, backend) => {
  const at = tf.util.parseAxisParam(axis, x.shape)[0];
  const values = backend.known(indices) ?? [];
  const wrong = values.findIndex((index) => index < 0 || index >= x.shape[at]);
  if (wrong >= 0) throw new Error(`GatherV2: the index value ${values[wrong]} is not in [0, ${x.shape[at] - 1}]`);
  const info = tf.backend_util.segment_util.collectGatherOpShapeInfo(
    x as tf.Tensor,
    indices as tf.Tensor,
    at,
    batchDims,
  );
  const batch = batchDims < 0 ? batchDims + indices.shape.length : (batchDims ?? 0);
  return {
    inputs: [x, indices],
    attributes: { axis: at, batch },
    outputs: [{ shape: info.outputShape, dtype: x.dtype }],
  };
});
registerLazyKernel("OneHot", ({ indices }, { depth, onValue, offValue, dtype }) => ({
  inputs: [indices],
  attributes: { depth, onValue, offValue },
  outputs: [{ shape: [...indices.shape, depth], dtype }],
}));

/** @file Kernels that rearrange whole axes: reversing, striding, mirroring, blocks of space to batch and depth. */
import * as tf from "@tensorflow/tfjs-core";
import { sizeOf } from "../graph.ts";
import { registerLazyKernel } from "../register.ts";

const U = tf.backend_util;

registerLazyKernel("Unpack", ({ value }, { axis }) => {
  const at = axis < 0 ? axis + value.shape.length : axis;
  const shape = value.shape.filter((_, i) => i !== at);
  const outputs = Array.from({ length: value.shape[at] }, () => ({ shape, dtype: value.dtype }));
  return { inputs: [value], attributes: { axis: at }, outputs, list: true };
});
registerLazyKernel("Cumsum", ({ x }, { axis, exclusive, reverse }) => ({
  inputs: [x],
  attributes: { axis, exclusive: !!exclusive, reverse: !!reverse },
  outputs: [{ shape: x.shape, dtype: x.dtype === "bool" ? "int32" : x.dtype }],
}));
registerLazyKernel("Reverse", ({ x }, { dims }) => ({
  inputs: [x],
  attributes: { axes: tf.util.parseAxisParam(dims, x.shape) },
  outputs: [{ shape: x.shape, dtype: x.dtype }],
}));
registerLazyKernel("FlipLeftRight", ({ image }) => ({
  inputs: [image],
  attributes: { axes: [2] },
  outputs: [{ shape: image.shape, dtype: image.dtype }],
}));
registerLazyKernel("StridedSlice", ({ x }, a) => {
  const { begin, end, strides, finalShape } = tf.slice_util.sliceInfo(
    x.shape,
    a.begin,
    a.end,
    a.strides,
    a.beginMask,
    a.endMask,
    a.ellipsisMask,
    a.newAxisMask,
    a.shrinkAxisMask,
  );
  return { inputs: [x], attributes: { begin, end, strides }, outputs: [{ shape: finalShape, dtype: x.dtype }] };
});
registerLazyKernel("MirrorPad", ({ x }, { paddings, mode }) => ({
  inputs: [x],
  attributes: { paddings, mode },
  outputs: [{ shape: x.shape.map((n, i) => n + paddings[i][0] + paddings[i][1]), dtype: x.dtype }],
}));
registerLazyKernel("Diag", ({ x }) => ({
  inputs: [x],
  outputs: [{ shape: [...x.shape, ...x.shape], dtype: x.dtype }],
}));
registerLazyKernel("DepthToSpace", ({ x }, { blockSize: n, dataFormat }) => {
  if (dataFormat !== "NHWC") throw new Error(`depthToSpace: data format ${dataFormat} is not supported; expected NHWC`);
  const [batch, height, width, depth] = x.shape;
  return {
    inputs: [x],
    attributes: { split: [batch, height, width, n, n, depth / (n * n)], perm: [0, 1, 3, 2, 4, 5] },
    outputs: [{ shape: [batch, height * n, width * n, depth / (n * n)], dtype: x.dtype }],
  };
});
registerLazyKernel("BatchToSpaceND", ({ x }, { blockShape, crops }) => {
  const blocks = sizeOf(blockShape);
  const split = U.getReshaped(x.shape, blockShape, blocks);
  const perm = U.getPermuted(split.length, blockShape.length);
  const joined = U.getReshapedPermuted(x.shape, blockShape, blocks);
  const begin = U.getSliceBeginCoords(crops, blockShape.length);
  const cropped = U.getSliceSize(joined, crops, blockShape.length);
  const shape = [...cropped, ...joined.slice(cropped.length)];
  return { inputs: [x], attributes: { split, perm, joined, begin }, outputs: [{ shape, dtype: x.dtype }] };
});
registerLazyKernel("SpaceToBatchND", ({ x }, { blockShape, paddings }) => {
  const blocks = sizeOf(blockShape);
  const all = x.shape.map((_, i) => (i > 0 && i <= blockShape.length ? paddings[i - 1] : [0, 0]));
  const padded = x.shape.map((n, i) => n + all[i][0] + all[i][1]);
  const split = U.getReshaped(padded, blockShape, blocks, false);
  const perm = U.getPermuted(split.length, blockShape.length, false);
  const shape = U.getReshapedPermuted(padded, blockShape, blocks, false);
  return { inputs: [x], attributes: { paddings: all, split, perm }, outputs: [{ shape, dtype: x.dtype }] };
});
registerLazyKernel("Einsum", (inputs, { equation }) => {
  const tensors = Object.values(inputs);
  const { allDims, summedDims, idDims } = U.decodeEinsumEquation(equation, tensors.length);
  U.checkEinsumDimSizes(allDims.length, idDims, tensors as tf.Tensor[]);
  const sizes = new Map(
    idDims.flatMap((ids, t) => ids.map((id, axis): [number, number] => [id, tensors[t].shape[axis]])),
  );
  const shape = allDims
    .map((_, id) => id)
    .filter((id) => !summedDims.includes(id))
    .map((id) => sizes.get(id)!);
  return { inputs: tensors, attributes: { equation }, outputs: [{ shape, dtype: tensors[0].dtype }] };
});

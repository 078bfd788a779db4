/** @file Kernels that reduce axes. */
import * as tf from "@tensorflow/tfjs-core";
import { registerLazyKernel } from "../register.ts";

for (const name of ["Sum", "Mean", "Max", "Min", "Prod", "All", "Any"])
  registerLazyKernel(name, ({ x }, { axis, reductionIndices, keepDims }) => {
    const axes = tf.util.parseAxisParam(axis ?? reductionIndices ?? null, x.shape); // Max calls them otherwise
    const [reduced] = tf.backend_util.computeOutAndReduceShapes(x.shape, axes);
    const shape = keepDims ? tf.backend_util.expandShapeToKeepDim(reduced, axes) : reduced;
    const dtype = name === "Mean" ? "float32" : x.dtype;
    return { inputs: [x], attributes: { axis: axes }, outputs: [{ shape, dtype }] };
  });
for (const name of ["ArgMax", "ArgMin"])
  registerLazyKernel(name, ({ x }, { axis }) => {
    const axes = tf.util.parseAxisParam(axis, x.shape);
    const shape = x.shape.filter((_, i) => i !== axes[0]);
    return { inputs: [x], attributes: { axis: axes }, outputs: [{ shape, dtype: "int32" }] };
  });
registerLazyKernel("Softmax", ({ logits }) => ({
  inputs: [logits],
  outputs: [{ shape: logits.shape, dtype: "float32" }],
}));

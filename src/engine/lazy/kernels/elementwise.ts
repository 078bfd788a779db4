/** @file Kernels that work on each element by itself, and the tensors made from a constant. */
import * as tf from "@tensorflow/tfjs-core";
import { registerDirect, registerLazyKernel } from "../register.ts";

const UNARY =
  "Abs Acos Asin Atan Ceil Cos Cosh Erf Expm1 Floor Log Log1p Neg Reciprocal Relu Round Rsqrt Sigmoid Sign Sin Sinh Softplus Sqrt Square Tan Tanh LogicalNot";
for (const name of UNARY.split(" "))
  registerLazyKernel(name, ({ x }) => ({ inputs: [x], outputs: [{ shape: x.shape, dtype: x.dtype }] }));
registerLazyKernel("Exp", ({ x }) => ({ inputs: [x], outputs: [{ shape: x.shape, dtype: "float32" }] }));
registerLazyKernel("IsNan", ({ x }) => ({ inputs: [x], outputs: [{ shape: x.shape, dtype: "bool" }] }));
registerLazyKernel("ClipByValue", ({ x }, attributes) => ({
  inputs: [x],
  attributes,
  outputs: [{ shape: x.shape, dtype: x.dtype }],
}));

const broadcast = (a: tf.TensorInfo, b: tf.TensorInfo) => tf.backend_util.assertAndGetBroadcastShape(a.shape, b.shape);
for (const name of "Add Sub Multiply RealDiv Maximum Minimum Pow SquaredDifference".split(" "))
  registerLazyKernel(name, ({ a, b }) => ({ inputs: [a, b], outputs: [{ shape: broadcast(a, b), dtype: a.dtype }] }));
for (const name of "Equal NotEqual Greater GreaterEqual Less LessEqual LogicalAnd LogicalOr".split(" "))
  registerLazyKernel(name, ({ a, b }) => ({ inputs: [a, b], outputs: [{ shape: broadcast(a, b), dtype: "bool" }] }));
registerLazyKernel("AddN", (inputs) => {
  const terms = Object.values(inputs);
  return { inputs: terms, outputs: [{ shape: terms[0].shape, dtype: terms[0].dtype }] };
});
registerLazyKernel("Select", ({ condition, t, e }) => ({
  inputs: [condition, t, e], // of one shape: tf.where broadcasts them
  outputs: [{ shape: t.shape, dtype: t.dtype }],
}));

for (const name of ["ZerosLike", "OnesLike"])
  registerLazyKernel(name, ({ x }) => ({ inputs: [], outputs: [{ shape: x.shape, dtype: x.dtype }] }));
registerLazyKernel("Fill", (_, { shape, value, dtype }) => ({
  inputs: [],
  attributes: { value },
  outputs: [{ shape, dtype: dtype ?? "float32" }],
}));
registerDirect("Range", (backend, _, { start, stop, step, dtype }) => {
  const values = rangeValues(start, stop, step, dtype);
  return { dataId: backend.write(values, [values.length], dtype), shape: [values.length], dtype };
});

function rangeValues(start: number, stop: number, step: number, dtype: tf.DataType) {
  const way = step === 1 && stop < start ? -1 : step; // the default step goes down by itself
  const size = start === stop || start < stop !== way > 0 ? 0 : Math.abs(Math.ceil((stop - start) / way));
  const values = dtype === "int32" ? new Int32Array(size) : new Float32Array(size);
  for (let i = 0; i < size; i++) values[i] = start + i * way;
  return values;
}

registerDirect("LinSpace", (backend, _, { start, stop, num }) => {
  const values = Float32Array.from({ length: num }, (_, i) => start + (num > 1 ? (i * (stop - start)) / (num - 1) : 0));
  return { dataId: backend.write(values, [num], "float32"), shape: [num], dtype: "float32" };
});

for (const name of "Acosh Asinh Atanh Elu Selu Relu6 Step".split(" "))
  registerLazyKernel(name, ({ x }, attributes) => ({
    inputs: [x],
    attributes,
    outputs: [{ shape: x.shape, dtype: x.dtype }],
  }));
registerLazyKernel("LeakyRelu", ({ x }, attributes) => ({
  inputs: [x],
  attributes,
  outputs: [{ shape: x.shape, dtype: "float32" }],
}));
registerLazyKernel("Prelu", ({ x, alpha }) => ({
  inputs: [x, alpha],
  outputs: [{ shape: broadcast(x, alpha), dtype: "float32" }],
}));
registerLazyKernel("EluGrad", ({ dy, y }) => ({
  inputs: [dy, y],
  outputs: [{ shape: y.shape, dtype: "float32" }],
}));
for (const name of ["IsFinite", "IsInf"])
  registerLazyKernel(name, ({ x }) => ({ inputs: [x], outputs: [{ shape: x.shape, dtype: "bool" }] }));
for (const name of ["Mod", "BitwiseAnd"])
  registerLazyKernel(name, ({ a, b }) => ({ inputs: [a, b], outputs: [{ shape: broadcast(a, b), dtype: a.dtype }] }));
registerLazyKernel("FloorDiv", ({ a, b }) => ({
  inputs: [a, b],
  outputs: [{ shape: broadcast(a, b), dtype: "int32" }],
}));
registerLazyKernel("FusedBatchNorm", ({ x, mean, variance, offset, scale }, { varianceEpsilon }) => ({
  inputs: [x, mean, variance, ...(offset ? [offset] : []), ...(scale ? [scale] : [])],
  attributes: { varianceEpsilon, offset: !!offset, scale: !!scale },
  outputs: [{ shape: x.shape, dtype: x.dtype }],
}));

/**
 * @file The TensorFlow.js kernels of the lazy backend: shape and dtype of every result, checked when recorded, so an
 * error names the op where it was written. The computing is the executor's (`../onnx/lowering.ts`).
 */
import * as tf from "@tensorflow/tfjs-core";
import type { LazyBackend } from "./backend.ts";
import { sizeOf } from "./graph.ts";

type Infos = Record<string, tf.TensorInfo>;
// biome-ignore lint/suspicious/noExplicitAny: kernel attributes are untyped in TensorFlow.js
type Attrs = Record<string, any>;
type Output = { shape: number[]; dtype: tf.DataType };
interface Inferred {
  /** Tensors in the order in which the lowering expects them. */
  inputs: tf.TensorInfo[];
  attributes?: Attrs;
  outputs: Output[];
}

const LAZY_BACKENDS = ["onnx"];

/** Registers a kernel that is recorded: `infer` gives its operands, attributes and result shapes. */
export function registerLazyKernel(kernelName: string, infer: (inputs: Infos, attributes: Attrs) => Inferred) {
  registerDirect(kernelName, (backend, infos, attrs) => {
    const { inputs, attributes = {}, outputs } = infer(infos, attrs);
    const made = backend.record(kernelName, inputs, attributes, outputs);
    return made.length === 1 ? made[0] : made;
  });
}

function registerDirect(
  kernelName: string,
  run: (backend: LazyBackend, inputs: Infos, attributes: Attrs) => tf.TensorInfo | tf.TensorInfo[],
) {
  for (const backendName of LAZY_BACKENDS)
    tf.registerKernel({
      kernelName,
      backendName,
      kernelFunc: ({ inputs, backend, attrs }) => run(backend as LazyBackend, inputs as Infos, attrs ?? {}),
    });
}

// --- elementwise -----------------------------------------------------------------------------------------------------

const UNARY =
  "Abs Acos Asin Atan Ceil Cos Cosh Erf Exp Expm1 Floor Log Log1p Neg Reciprocal Relu Round Rsqrt Sigmoid Sign Sin Sinh Softplus Sqrt Square Tan Tanh LogicalNot";
for (const name of UNARY.split(" "))
  registerLazyKernel(name, ({ x }) => ({ inputs: [x], outputs: [{ shape: x.shape, dtype: x.dtype }] }));
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

// --- constants -------------------------------------------------------------------------------------------------------

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
  const size = start === stop || start < stop !== step > 0 ? 0 : Math.abs(Math.ceil((stop - start) / step));
  const values = dtype === "int32" ? new Int32Array(size) : new Float32Array(size);
  for (let i = 0; i < size; i++) values[i] = start + i * step;
  return values;
}

// --- shapes ----------------------------------------------------------------------------------------------------------

registerDirect("Identity", (backend, { x }) => backend.view(x, x.shape));
registerDirect("Reshape", (backend, { x }, { shape }) => backend.view(x, inferredShape(x.shape, shape)));
registerDirect("ExpandDims", (backend, { input }, { dim }) => {
  const at = dim < 0 ? dim + input.shape.length + 1 : dim;
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
  const parts = Object.values(inputs).filter((x) => sizeOf(x.shape) > 0);
  const at = tf.util.parseAxisParam(axis, parts[0].shape)[0];
  const shape = tf.backend_util.computeOutShape(
    parts.map((x) => x.shape),
    at,
  );
  return { inputs: parts, attributes: { axis: at }, outputs: [{ shape, dtype: parts[0].dtype }] };
});
registerLazyKernel("Pack", (inputs, { axis }) => {
  const parts = Object.values(inputs);
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
  return { inputs: [x], attributes: { axis: at }, outputs };
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
registerLazyKernel("GatherV2", ({ x, indices }, { axis, batchDims }) => {
  if (batchDims) throw new Error(`gather: batchDims ${batchDims} is not supported by the lazy engines; expected 0`);
  const at = tf.util.parseAxisParam(axis, x.shape)[0];
  const shape = [...x.shape.slice(0, at), ...indices.shape, ...x.shape.slice(at + 1)];
  return { inputs: [x, indices], attributes: { axis: at }, outputs: [{ shape, dtype: x.dtype }] };
});
registerLazyKernel("OneHot", ({ indices }, { depth, onValue, offValue, dtype }) => ({
  inputs: [indices],
  attributes: { depth, onValue, offValue },
  outputs: [{ shape: [...indices.shape, depth], dtype }],
}));

// --- reductions ------------------------------------------------------------------------------------------------------

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

// --- products --------------------------------------------------------------------------------------------------------

registerLazyKernel("BatchMatMul", ({ a, b }, { transposeA, transposeB }) => {
  const [rows, innerA] = transposeA ? a.shape.slice(-2).reverse() : a.shape.slice(-2);
  const [innerB, columns] = transposeB ? b.shape.slice(-2).reverse() : b.shape.slice(-2);
  if (innerA !== innerB)
    throw new Error(`matMul: inner sizes ${innerA} and ${innerB} of [${a.shape}] and [${b.shape}] differ`);
  const batch = tf.broadcast_util.assertAndGetBroadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2));
  return {
    inputs: [a, b],
    attributes: { transposeA: !!transposeA, transposeB: !!transposeB },
    outputs: [{ shape: [...batch, rows, columns], dtype: a.dtype }],
  };
});

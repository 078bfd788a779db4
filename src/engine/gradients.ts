/**
 * @file The gradients of the TensorFlow.js ops that models and losses are written with.
 *
 * The Node build of @tensorflow/tfjs-core registers none by itself, and its own Sum and Mean allocate ones on the
 * host. Each entry is the textbook derivative, written with differentiable ops and explicit transposes (the wasm
 * backend is ten times slower with transposed matrix products).
 */
import * as tf from "@tensorflow/tfjs-core";

type Dy = tf.Tensor;
type Saved = tf.Tensor[];
// biome-ignore lint/suspicious/noExplicitAny: kernel attributes are untyped in TensorFlow.js
type Attrs = Record<string, any>;
type Gradients = Record<string, () => tf.Tensor>;

function register(
  kernelName: string,
  inputsToSave: string[],
  gradFunc: (dy: Dy, saved: Saved, attrs: Attrs) => Gradients,
) {
  tf.registerGradient({
    kernelName,
    inputsToSave,
    gradFunc: (dy, saved, attrs) => gradFunc(dy as Dy, saved, (attrs ?? {}) as Attrs),
  });
}

/** Sums what broadcasting repeated, so the result has the operand's shape again. */
function unbroadcast(gradient: tf.Tensor, shape: number[]): tf.Tensor {
  const axes = tf.broadcast_util.getReductionAxes(shape, gradient.shape);
  return tf.reshape(axes.length > 0 ? tf.sum(gradient, axes) : gradient, shape);
}

// --- elementwise -----------------------------------------------------------------------------------------------------

register("Add", ["a", "b"], (dy, [a, b]) => ({ a: () => unbroadcast(dy, a.shape), b: () => unbroadcast(dy, b.shape) }));
register("Sub", ["a", "b"], (dy, [a, b]) => ({
  a: () => unbroadcast(dy, a.shape),
  b: () => unbroadcast(tf.neg(dy), b.shape),
}));
register("Multiply", ["a", "b"], (dy, [a, b]) => ({
  a: () => unbroadcast(tf.mul(dy, b), a.shape),
  b: () => unbroadcast(tf.mul(dy, a), b.shape),
}));
register("RealDiv", ["a", "b"], (dy, [a, b]) => ({
  a: () => unbroadcast(tf.div(dy, b), a.shape),
  b: () => unbroadcast(tf.neg(tf.div(tf.mul(dy, a), tf.square(b))), b.shape),
}));
register("Maximum", ["a", "b"], (dy, [a, b]) => ({
  a: () => unbroadcast(tf.mul(dy, tf.cast(tf.greaterEqual(a, b), "float32")), a.shape),
  b: () => unbroadcast(tf.mul(dy, tf.cast(tf.less(a, b), "float32")), b.shape),
}));
register("Minimum", ["a", "b"], (dy, [a, b]) => ({
  a: () => unbroadcast(tf.mul(dy, tf.cast(tf.lessEqual(a, b), "float32")), a.shape),
  b: () => unbroadcast(tf.mul(dy, tf.cast(tf.greater(a, b), "float32")), b.shape),
}));
register("SquaredDifference", ["a", "b"], (dy, [a, b]) => {
  const slope = () => tf.mul(tf.mul(dy, 2), tf.sub(a, b));
  return { a: () => unbroadcast(slope(), a.shape), b: () => unbroadcast(tf.neg(slope()), b.shape) };
});

register("Neg", [], (dy) => ({ x: () => tf.neg(dy) }));
register("Abs", ["x"], (dy, [x]) => ({ x: () => tf.mul(dy, tf.sign(x)) }));
register("Exp", ["x"], (dy, [x]) => ({ x: () => tf.mul(dy, tf.exp(x)) }));
register("Log", ["x"], (dy, [x]) => ({ x: () => tf.div(dy, x) }));
register("Log1p", ["x"], (dy, [x]) => ({ x: () => tf.div(dy, tf.add(x, 1)) }));
register("Sqrt", ["x"], (dy, [x]) => ({ x: () => tf.div(dy, tf.mul(tf.sqrt(x), 2)) }));
register("Rsqrt", ["x"], (dy, [x]) => ({ x: () => tf.div(tf.mul(dy, tf.rsqrt(x)), tf.mul(x, -2)) }));
register("Reciprocal", ["x"], (dy, [x]) => ({ x: () => tf.neg(tf.div(dy, tf.square(x))) }));
register("Square", ["x"], (dy, [x]) => ({ x: () => tf.mul(dy, tf.mul(x, 2)) }));
register("Sigmoid", ["x"], (dy, [x]) => ({
  x: () => tf.mul(dy, tf.mul(tf.sigmoid(x), tf.sub(1, tf.sigmoid(x)))),
}));
register("Softplus", ["x"], (dy, [x]) => ({ x: () => tf.mul(dy, tf.sigmoid(x)) }));
register("Tanh", ["x"], (dy, [x]) => ({ x: () => tf.mul(dy, tf.sub(1, tf.square(tf.tanh(x)))) }));
register("Relu", ["x"], (dy, [x]) => ({ x: () => tf.mul(dy, tf.cast(tf.greater(x, 0), "float32")) }));
register("ClipByValue", ["x"], (dy, [x], { clipValueMin, clipValueMax }) => ({
  x: () =>
    tf.where(tf.logicalAnd(tf.greaterEqual(x, clipValueMin), tf.lessEqual(x, clipValueMax)), dy, tf.zerosLike(dy)),
}));
register("Select", ["condition"], (dy, [condition]) => ({
  condition: () => tf.cast(tf.zerosLike(condition), "float32"),
  t: () => tf.mul(dy, tf.cast(condition, dy.dtype)),
  e: () => tf.mul(dy, tf.cast(tf.logicalNot(condition), dy.dtype)),
}));
register("Cast", [], (dy) => ({ x: () => tf.clone(dy) }));
register("Identity", [], (dy) => ({ x: () => tf.clone(dy) }));
register("ZerosLike", [], (dy) => ({ x: () => tf.zerosLike(dy) }));

// --- shapes ----------------------------------------------------------------------------------------------------------

register("Reshape", ["x"], (dy, [x]) => ({ x: () => tf.reshape(dy, x.shape) }));
register("ExpandDims", ["input"], (dy, [input]) => ({ input: () => tf.reshape(dy, input.shape) }));
register("Transpose", [], (dy, _, { perm }) => ({
  x: () => tf.transpose(dy, tf.backend_util.getUndoAxesPermutation(perm)),
}));
register("Tile", ["x"], (dy, [x], { reps }) => {
  // each axis is [repetitions, size]: sum the repetitions
  const shape = x.shape.flatMap((n, i) => (reps[i] === 1 ? [n] : [reps[i], n]));
  let axis = 0;
  const repeated = x.shape.flatMap((_, i) => {
    const at = axis;
    axis += reps[i] === 1 ? 1 : 2;
    return reps[i] === 1 ? [] : [at];
  });
  return { x: () => tf.reshape(tf.sum(tf.reshape(dy, shape), repeated), x.shape) };
});
register("Slice", ["x"], (dy, [x], { begin, size }) => {
  const [start, shape] = tf.slice_util.parseSliceParams(x, begin, size);
  return { x: () => tf.pad(dy, x.shape.map((n, i) => [start[i], n - start[i] - shape[i]]) as [number, number][]) };
});
tf.registerGradient({
  kernelName: "Concat",
  saveAllInputs: true,
  gradFunc: (dy, saved, attrs) => {
    const axis = tf.util.parseAxisParam((attrs as Attrs).axis, saved[0].shape)[0];
    const parts = tf.split(
      dy as Dy,
      saved.map((x) => x.shape[axis]),
      axis,
    );
    return Object.fromEntries(parts.map((part, i) => [i, () => part])) as never;
  },
});
tf.registerGradient({
  kernelName: "Pack",
  saveAllInputs: true,
  gradFunc: (dy, saved, attrs) => {
    const parts = tf.split(dy as Dy, saved.length, (attrs as Attrs).axis);
    return Object.fromEntries(parts.map((part, i) => [i, () => tf.reshape(part, saved[i].shape)])) as never;
  },
});
tf.registerGradient({
  kernelName: "SplitV",
  gradFunc: (dy, _, attrs) => ({ x: () => tf.concat(dy as unknown as tf.Tensor[], (attrs as Attrs).axis) }),
});
/** The gradient of x gathered along `axis`: each row of dy is added to the row that it was read from. */
function scattered(dy: tf.Tensor, x: tf.Tensor, indices: tf.Tensor, axis: number): tf.Tensor {
  const before = tf.util.sizeFromShape(x.shape.slice(0, axis));
  const rows = tf.transpose(tf.reshape(dy, [before, indices.size, -1]), [1, 0, 2]); // [I, before, after]
  const slots = tf.range(0, x.shape[axis], 1, "int32");
  const hits = tf.cast(tf.equal(tf.reshape(slots, [-1, 1]), tf.reshape(indices, [1, -1])), "float32"); // [N, I]
  const sums = tf.matMul(hits, tf.reshape(rows, [indices.size, -1]));
  return tf.reshape(tf.transpose(tf.reshape(sums, [x.shape[axis], before, -1]), [1, 0, 2]), x.shape);
}
register("GatherV2", ["x", "indices"], (dy, [x, indices], { axis, batchDims }) => ({
  x: () => {
    const at = tf.util.parseAxisParam(axis, x.shape)[0];
    if (!batchDims) return scattered(dy, x, indices, at);
    if (batchDims !== 1) throw new Error(`gather: no gradient for batchDims ${batchDims}, expected 0 or 1`);
    const parts = [dy, x, indices].map((y) => tf.unstack(y));
    return tf.stack(parts[0].map((part, row) => scattered(part, parts[1][row], parts[2][row], at - 1)));
  },
  indices: () => tf.zerosLike(indices),
}));

// --- reductions ------------------------------------------------------------------------------------------------------

/** `dy` of a reduction with its reduced axes back as size 1. */
function kept(dy: tf.Tensor, shape: number[], axis: number | number[] | null): tf.Tensor {
  const axes = tf.util.parseAxisParam(axis as number, shape);
  return tf.reshape(
    dy,
    shape.map((n, i) => (axes.includes(i) ? 1 : n)),
  );
}
register("Sum", ["x"], (dy, [x], { axis }) => ({ x: () => tf.broadcastTo(kept(dy, x.shape, axis ?? null), x.shape) }));
register("Mean", ["x"], (dy, [x], { axis }) => ({
  x: () => {
    const wide = tf.broadcastTo(kept(dy, x.shape, axis ?? null), x.shape);
    return tf.mul(wide, dy.size / x.size);
  },
}));
register("Max", ["x"], (dy, [x], { axis, reductionIndices }) => ({
  x: () => {
    const axes = axis ?? reductionIndices ?? null;
    const hits = tf.cast(tf.equal(x, kept(tf.max(x, axes), x.shape, axes)), "float32");
    return tf.mul(hits, kept(dy, x.shape, axes));
  },
}));
register("Softmax", ["logits"], (dy, [logits]) => ({
  logits: () => {
    const p = tf.softmax(logits);
    const weighted = tf.mul(dy, p);
    return tf.sub(weighted, tf.mul(tf.sum(weighted, -1, true), p));
  },
}));

// --- products --------------------------------------------------------------------------------------------------------

const swap = (x: tf.Tensor) => {
  const n = x.shape.length;
  return tf.transpose(x, [...Array(n - 2).keys(), n - 1, n - 2]);
};
register("BatchMatMul", ["a", "b"], (dy, [a, b], { transposeA, transposeB }) => ({
  a: () => {
    const da = tf.matMul(dy, transposeB ? b : swap(b)); // of op(a)
    return unbroadcast(transposeA ? swap(da) : da, a.shape);
  },
  b: () => {
    const db = tf.matMul(transposeA ? a : swap(a), dy); // of op(b)
    return unbroadcast(transposeB ? swap(db) : db, b.shape);
  },
}));

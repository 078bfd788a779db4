/** @file Matrix products in ONNX operators. */
import type { GraphBuilder, Name } from "../builder.ts";
import { attribute, dtypeOf, registerLowering, shapeOf } from "../register.ts";

registerLowering("BatchMatMul", (g, [a, b], node) => {
  const [transposeA, transposeB] = [attribute(node, "transposeA"), attribute(node, "transposeB")];
  const [shapeA, shapeB] = [shapeOf(node, 0), shapeOf(node, 1)];
  if (dtypeOf(node) === "int32")
    return g.op("MatMul", [transposeA ? swap(g, a, shapeA) : a, transposeB ? swap(g, b, shapeB) : b]);
  const transB = { int: transposeB ? 1 : 0 };
  if (shapeA.length === 2 && shapeB.length === 2) {
    const left = transposeA ? swap(g, a, shapeA) : a; // MLAS transposes it once for each panel of b: slower
    return g.op("Gemm", [left, b], { transB });
  }
  return g.op("ms.FusedMatMul", [a, b], { transA: { int: transposeA ? 1 : 0 }, transB });
});

registerLowering("Add", (g, [a, b], node) => {
  const [shapeA, shapeB] = [shapeOf(node, 0), shapeOf(node, 1)];
  const matrices = shapeA.length === 2 && shapeA.join() === shapeB.join() && dtypeOf(node) === "float32";
  return matrices ? g.sumOfMatrices(a, b) : g.op("Add", [a, b]);
});

/** The last two axes exchanged. */
function swap(g: GraphBuilder, x: Name, shape: number[]): Name {
  const n = shape.length;
  return g.transpose(x, [...Array(n - 2).keys(), n - 1, n - 2]);
}

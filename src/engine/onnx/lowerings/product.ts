/** @file Matrix products in ONNX operators. */
import type { GraphBuilder, Name } from "../builder.ts";
import { attribute, dtypeOf, registerLowering, shapeOf } from "../register.ts";

registerLowering("BatchMatMul", (g, [a, b], node) => {
  const [transposeA, transposeB] = [attribute(node, "transposeA"), attribute(node, "transposeB")];
  const [shapeA, shapeB] = [shapeOf(node, 0), shapeOf(node, 1)];
  if (dtypeOf(node) === "int32")
    return g.op("MatMul", [transposeA ? swap(g, a, shapeA) : a, transposeB ? swap(g, b, shapeB) : b]);
  const flags = { transA: { int: transposeA ? 1 : 0 }, transB: { int: transposeB ? 1 : 0 } };
  return g.op(shapeA.length === 2 && shapeB.length === 2 ? "Gemm" : "ms.FusedMatMul", [a, b], flags);
});

/** The last two axes exchanged. */
function swap(g: GraphBuilder, x: Name, shape: number[]): Name {
  const n = shape.length;
  return g.transpose(x, [...Array(n - 2).keys(), n - 1, n - 2]);
}

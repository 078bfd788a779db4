/**
 * @file Linear layer in Hugging Face's layout (weight [out, in]) with the bias or a residual folded into the product:
 *
 *   y = x Wᵀ + b      dx = dy W      dW = dyᵀ x      db = Σₙ dy      dresidual = dy
 *
 * Without an addend it is {@link matMulTransposedB}; dx and dW are the other two products of matMul.ts.
 */
import { registerLaunches, type Thread } from "../launch.ts";
import { matMulTransposedB } from "./matMul.ts";

/** x [N, I], weight [O, I], bias [1, O] -> [N, O]. */
export function linearBias(this: Thread, x: number[][], weight: number[][], bias: number[][]): number {
  let sum = bias[0][this.thread.x];
  for (let i = 0; i < this.constants.I; i++) sum += x[this.thread.y][i] * weight[this.thread.x][i];
  return sum;
}

/** x [N, I], weight [O, I], residual [N, O] -> [N, O]. */
export function linearResidual(this: Thread, x: number[][], weight: number[][], residual: number[][]): number {
  let sum = residual[this.thread.y][this.thread.x];
  for (let i = 0; i < this.constants.I; i++) sum += x[this.thread.y][i] * weight[this.thread.x][i];
  return sum;
}

registerLaunches("Linear", (p, [x, weight, addend], node) => {
  const size = [x.rows, weight.rows] as const; // [N, O]
  if (!addend) return p.launch(matMulTransposedB, [x, weight], size, { K: x.columns });
  const isBias = node.inputs[2].shape.length === 1;
  return p.launch(isBias ? linearBias : linearResidual, [x, weight, addend], size, { I: x.columns });
});

/**
 * @file Linear layer in Hugging Face's layout (weight [out, in]) with the bias or a residual folded into the product:
 *
 *   y = x Wᵀ + b      dx = dy W      dW = dyᵀ x      db = Σₙ dy      dresidual = dy
 *
 * The products are matMul.ts'; these two kernels are for a number of rows that cannot be blocked, as in generation.
 */
import { registerLaunches, type Thread } from "../launch.ts";
import { groupedProduct, product, ungroupRowsAdd, ungroupRowsAddRow } from "./matMul.ts";

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
  if (!addend) return product(p, "transposedB", x, weight);
  const size = [x.rows, weight.rows] as const; // [N, O]
  const isBias = node.inputs[2].shape.length === 1;
  const grouped = groupedProduct(p, "transposedB", x, weight);
  if (grouped) return p.launch(isBias ? ungroupRowsAddRow : ungroupRowsAdd, [grouped, addend], size);
  return p.launch(isBias ? linearBias : linearResidual, [x, weight, addend], size, { I: x.columns });
});

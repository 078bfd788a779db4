/**
 * @file Linear layer in Hugging Face's layout (weight [out, in]) with the bias or a residual folded into the product:
 *
 *   y = x Wᵀ + b      dx = dy W      dW = dyᵀ x      db = Σₙ dy      dresidual = dy
 */
import * as tf from "@tensorflow/tfjs-core";
import { assertShape } from "../util/assert.ts";
import { hasKernel, registerLazyKernel, registerLowering, runKernel } from "./fused.ts";

/** x [N, I], weight [O, I], addend: bias [O] or residual [N, O] -> [N, O]. */
export function linear(x: tf.Tensor, weight: tf.Tensor, addend?: tf.Tensor): tf.Tensor {
  assertShape(x, [-1, -1], "linear x");
  const [N, I] = x.shape as [number, number];
  assertShape(weight, [-1, I], "linear weight");
  const O = weight.shape[0];
  if (addend) assertShape(addend, addend.shape.length === 1 ? [O] : [N, O], "linear addend");
  if (!hasKernel("Linear")) {
    const y = tf.matMul(x, tf.transpose(weight));
    return addend ? tf.add(y, addend) : y;
  }
  return runKernel("Linear", addend ? { x, weight, addend } : { x, weight }, { addendRank: addend?.shape.length ?? 0 });
}

registerLazyKernel("Linear", ({ x, weight, addend }) => ({
  inputs: addend ? [x, weight, addend] : [x, weight],
  outputs: [{ shape: [x.shape[0], weight.shape[0]], dtype: "float32" }],
}));
registerLowering("Linear", (g, inputs) => g.op("Gemm", inputs, { transB: { int: 1 } }));

tf.registerGradient({
  kernelName: "Linear",
  inputsToSave: ["x", "weight"],
  gradFunc: (dy, [x, weight], attributes) => {
    const d = dy as tf.Tensor;
    const { addendRank } = attributes as unknown as { addendRank: number };
    return {
      x: () => tf.matMul(d, weight), // [N, I]
      weight: () => tf.matMul(d, x, true, false), // [O, I]
      addend: () => (addendRank === 1 ? tf.sum(d, 0) : tf.clone(d)),
    };
  },
});

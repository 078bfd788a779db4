/** @file Matrix products. */
import * as tf from "@tensorflow/tfjs-core";
import { registerLazyKernel } from "../register.ts";

registerLazyKernel("BatchMatMul", ({ a, b }, { transposeA, transposeB }) => {
  if (a.shape.length < 2 || b.shape.length < 2)
    throw new Error(`matMul: got [${a.shape}] and [${b.shape}], expected two matrices or stacks of them`);
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

/**
 * @file How far an engine may be from the float64 reference: one table, by dtype, each number with its reason. One
 * float32 rounding is 6e-8. A difference counts as a fraction of the largest value of the tensor (or of 0.1: what
 * cancels to nothing is compared with the size of its terms). The numbers hold for sums of 1 and of 1,500 terms: the
 * rounding of a sum grows with the number of terms about as the sum of random terms itself does.
 */
import { expect } from "vitest";
import { largest } from "../ops/finiteDifferences.ts";

export const TOLERANCE = {
  float32: {
    embedding: 1e-6, // copies; the gradient adds the rows of a repeated token
    linear: 2e-6, // sums of products
    rmsNorm: 2e-5, // dx subtracts two nearly equal terms when a row has one or two numbers
    /** Per unit of the largest angle in radians: angles are float32, as Hugging Face has them. */
    rope: 3e-7,
    attention: 1e-5, // softmax between two products
    swiglu: 2e-6, // elementwise, with ONNX Runtime's rational sigmoid
    tokenLogprobs: 1e-5, // logsumexp, then two products
    cacheWrite: 0, // copies
    /** Whole models of up to three layers: some fifty roundings behind each other. Loss, logits, log-probabilities. */
    model: 2e-5,
    /** Their gradients and the parameters after three AdamW steps: the same again backwards. */
    training: 1e-4,
    /** Hugging Face's own numbers are float32 too, and rounded otherwise. */
    golden: 1e-4,
  },
  int32: 0, // token ids and positions are exact
} as const;

/** Every element within `tolerance` of the largest expected one. */
export const expectClose = (actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number, what: string) =>
  expect(actual, what).toBeAllClose(expected, { atol: tolerance * Math.max(0.1, largest(expected)) });

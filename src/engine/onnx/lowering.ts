/** @file What each TensorFlow.js kernel is in ONNX operators, by family. */
import "./lowerings/elementwise.ts";
import "./lowerings/gatherScatter.ts";
import "./lowerings/product.ts";
import "./lowerings/rearrange.ts";
import "./lowerings/reduction.ts";
import "./lowerings/shape.ts";

export { lowerings, registerLowering } from "./register.ts";

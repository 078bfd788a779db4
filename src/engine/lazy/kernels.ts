/** @file The TensorFlow.js kernels of the lazy backend, by family. */
import "./kernels/elementwise.ts";
import "./kernels/gatherScatter.ts";
import "./kernels/host.ts";
import "./kernels/product.ts";
import "./kernels/rearrange.ts";
import "./kernels/reduction.ts";
import "./kernels/shape.ts";

export { registerLazyKernel } from "./register.ts";

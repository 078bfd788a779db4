/**
 * @file The TensorFlow.js ops for which the GPU.js engine has no kernels: none of them is in a program of this project.
 * They are errors that name the op (test/engine/gpujs/executor.test.ts).
 */
import type { Exclusion } from "./exclusions.ts";

const exclusions: Exclusion[] = [
  {
    tests:
      /^(RGBToGrayscale|batchNorm[234]D|batchToSpaceND|bitwiseAnd a|cumsum|depthToSpace|diag|einsum|gatherND|mirrorPad|scatterND|spaceToBatchND|tensorScatterUpdate|topk|unsortedSegmentSum)\b/,
    reason: "the engine has no kernel for the op, and says so by name",
  },
  { tests: /^pool.* d=2/, reason: "dilated pooling needs spaceToBatchND, which the engine has not" },
  { tests: /^tan numbers exceed/, reason: "sine and cosine are good to 30,000 radians" },
];

export const GPUJS_EXCLUSIONS = exclusions.map((one) => ({ ...one, engines: ["gpujs-webasm", "gpujs-webgpu"] }));

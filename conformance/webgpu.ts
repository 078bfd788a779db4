/**
 * @file What @tensorflow/tfjs-backend-webgpu 4.22 does not have or does otherwise, seen in Node on Dawn with software
 * Vulkan. Its own list of tests left out (setup_test.ts in its repository) is longer: whole ops that pass here.
 */
import type { Exclusion } from "./exclusions.ts";

const exclusions: Exclusion[] = [
  {
    tests:
      /^(bitwiseAnd a|nonMaxSuppression NonMaxSuppressionPadded select|ragged|sparse(FillEmptyRows|Reshape)|staticRegexReplace|string(Split|ToHashBucketFast (one|multiple|empty|preserve))|unique)/,
    reason: "the backend has no such kernel, and says so by name",
  },
  {
    tests: /^(acosh|asinh|atanh|log log|sigmoid|softmax) [Pp]ropagates NaNs/,
    reason: "WGSL lets exp, log and max overlook NaN (training does not: test/engine/webgpu.test.ts)",
  },
  {
    tests:
      /^(gather throws when index|sparseSegmentMean throw error if (indices [<>]|segment ids? (are|is))|sparseSegmentSum (indices invalid [12]|segments invalid [2-467]))/,
    reason: "a shader cannot throw, and the backend does not look at indices before",
  },
  {
    tests: /^(slice {2}shallow slicing delayed sync read|tensor\.toString .*complex64)/,
    reason: "reads that cannot wait: not in Node, and an error that says so",
  },
  { tests: /^threshold method otsu/, reason: "the backend's bincount of an image is a shader that WGSL refuses" },
  { tests: /^fromPixels, mock canvas accepts/, reason: "images from a canvas: not in Node" },
  { tests: /^(exp int32|tan numbers exceed)/, reason: "last digits of exp(10) in float32, and of tan(1e9)" },
  {
    tests: /^time cpu simple upload/,
    reason:
      "Dawn counts a kernel's time in units of 65,536 ns: 15 of 200 times of this one are 0, and more is expected",
  },
];

export const WEBGPU_EXCLUSIONS = exclusions.map((each) => ({ ...each, engines: ["webgpu"] }));

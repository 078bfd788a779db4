/**
 * @file What @tensorflow/tfjs-node 4.22 does not have or does otherwise. That the build is sound shows in its own list of
 * tests left out (IGNORE_LIST of its dist/run_tests.js), which has all of these but the missing kernels, the fused
 * convolutions in NCHW, and the two that say so.
 */
import type { Exclusion } from "./exclusions.ts";

const exclusions: Exclusion[] = [
  {
    tests:
      /^(bitwiseAnd a|denseBincount|image\.transform|lowerBound|maxPoolWithArgmax|ragged|searchSorted|sparse(FillEmptyRows|Reshape|Segment)|string(NGrams|Split|ToHashBucketFast)|upperBound)/,
    reason: "tfjs-node has no such kernel, and says so by name",
  },
  {
    tests: /^(avgPool|avgPool3d|conv2dTranspose|maxPool|maxPool3d|maxPoolBackprop|pool)\b.*\bp(ad)?=(explicit|[1-9])/,
    reason: "tfjs-node pads 'same' or 'valid', and says so",
  },
  { tests: /^(fused )?conv2d .*NCHW/, reason: "libtensorflow convolves NHWC on a CPU; tfjs-node fuses no NCHW at all" },
  {
    tests: /^(depthwiseConv2D|separableConv2d) .*\bd=[2-9]|^depthwiseConv2d gradients throws error on dilations/,
    reason: "libtensorflow has no dilated depthwise convolution on a CPU (the error of the gradient has other words)",
  },
  {
    tests: /^conv2dTranspose .*vec4|^avgPool3d x=\[1,1,1,1,1\] f=\[1,1,3\]/,
    reason: "windows larger than libtensorflow allows",
  },
  { tests: /^(greater|less)(Equal)? should support string/, reason: "libtensorflow orders no strings" },
  {
    tests: /^(leakyrelu int32|diag bool|step kernel with int32)/,
    reason: "libtensorflow has these for floats (the third is not in tfjs-node's list)",
  },
  {
    tests: /^scatterND should (work for (2d|simple 1d|multiple 1d|tensorLike)|sum the duplicated)/,
    reason: "libtensorflow wants indices [N, 1] where the tests give [N]",
  },
  { tests: /^sign (basic|does not propagate|accepts)/, reason: "sign(NaN) is NaN in libtensorflow, 0 in the test" },
  {
    tests: /^(tan numbers exceed|unique 1d tensor with NaN)/,
    reason: "last digit of tan(1e9); NaN is unique each time",
  },
  { tests: /^multinomial creates the same/, reason: "libtensorflow's generator keeps a state of its own" },
  {
    tests: /^einsum (2d matrix calculate trace|nonexistent)/,
    reason: "libtensorflow computes what the test expects to be refused",
  },
];

export const TENSORFLOW_EXCLUSIONS = exclusions.map((each) => ({ ...each, engines: ["tensorflow", "cuda"] }));

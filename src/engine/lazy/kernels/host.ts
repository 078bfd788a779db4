/**
 * @file The kernels that run on the host (see `../host.ts`), and why. A training program of this project uses none.
 */
import { runOnHost } from "../host.ts";
import { registerDirect } from "../register.ts";

const HOST_KERNELS: Record<string, string> = {
  "complex numbers and strings do not exist in a recorded program":
    "Complex Real Imag ComplexAbs FFT IFFT StaticRegexReplace StringNGrams StringSplit StringToHashBucketFast",
  "the shape of the result depends on the data":
    "NonMaxSuppressionV3 NonMaxSuppressionV4 NonMaxSuppressionV5 RaggedGather RaggedRange RaggedTensorToTensor SparseFillEmptyRows SparseReshape Unique",
  "ONNX has no such operator":
    "AvgPool3DGrad AvgPoolGrad Bincount BroadcastArgs DenseBincount Dilation2D Dilation2DBackpropFilter Dilation2DBackpropInput Draw LRNGrad MaxPool3DGrad MaxPoolGrad MaxPoolWithArgmax Multinomial ResizeBilinearGrad ResizeNearestNeighborGrad RotateWithOffset SearchSorted SparseSegmentMean SparseSegmentSum SparseToDense Transform UnsortedSegmentSum",
  "not lowered":
    "_FusedMatMul Acosh Asinh Atan2 Atanh AvgPool AvgPool3D FusedBatchNorm BatchToSpaceND BitwiseAnd Conv2D Conv2DBackpropFilter Conv2DBackpropInput Conv3D Conv3DBackpropFilterV2 Conv3DBackpropInputV2 CropAndResize Cumprod Cumsum DepthToSpace DepthwiseConv2dNative DepthwiseConv2dNativeBackpropFilter DepthwiseConv2dNativeBackpropInput Diag Einsum Elu EluGrad FlipLeftRight FloorDiv FusedConv2D FusedDepthwiseConv2D GatherNd IsFinite IsInf LeakyRelu LinSpace LRN MaxPool MaxPool3D MirrorPad Mod Prelu Relu6 ResizeBilinear ResizeNearestNeighbor Reverse ScatterNd Selu SpaceToBatchND Step StridedSlice TensorScatterUpdate TopK Unpack",
};

for (const name of Object.values(HOST_KERNELS).flatMap((names) => names.split(" ")))
  registerDirect(name, (backend, inputs, attrs) => runOnHost(name, backend, inputs, attrs));

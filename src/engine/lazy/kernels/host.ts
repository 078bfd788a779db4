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
    "AvgPool3DGrad AvgPoolGrad Bincount BroadcastArgs DenseBincount Dilation2D Dilation2DBackpropFilter Dilation2DBackpropInput Draw LRNGrad MaxPool3DGrad MaxPoolGrad MaxPoolWithArgmax Multinomial ResizeBilinearGrad ResizeNearestNeighborGrad RotateWithOffset SearchSorted SparseSegmentMean SparseSegmentSum SparseToDense Transform",
  "convolutions, pooling, images and a few others, not lowered yet":
    "_FusedMatMul Atan2 AvgPool AvgPool3D Conv2D Conv2DBackpropFilter Conv2DBackpropInput Conv3D Conv3DBackpropFilterV2 Conv3DBackpropInputV2 CropAndResize Cumprod DepthwiseConv2dNative DepthwiseConv2dNativeBackpropFilter DepthwiseConv2dNativeBackpropInput FusedConv2D FusedDepthwiseConv2D LRN MaxPool MaxPool3D ResizeBilinear ResizeNearestNeighbor",
};

for (const name of Object.values(HOST_KERNELS).flatMap((names) => names.split(" ")))
  registerDirect(name, (backend, inputs, attrs) => runOnHost(name, backend, inputs, attrs));

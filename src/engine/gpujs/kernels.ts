/** @file Every kernel of the engine: the fused ops of src/ops, one per file, then what TensorFlow.js' own kernels need. */
import "./kernels/adamw.ts";
import "./kernels/attention.ts";
import "./kernels/embedding.ts";
import "./kernels/globalNorm.ts";
import "./kernels/linear.ts";
import "./kernels/rmsNorm.ts";
import "./kernels/rope.ts";
import "./kernels/swiglu.ts";
import "./kernels/tokenLogprobs.ts";
import "./kernels/tokenStatistics.ts";

import "./kernels/elementwise.ts";
import "./kernels/indexing.ts";
import "./kernels/product.ts";
import "./kernels/rearrange.ts";
import "./kernels/reduce.ts";
import "./kernels/sine.ts";

/**
 * @file Kernels of the stock WebGPU backend that are wrong where training uses them.
 *
 * AddN reads all its inputs in one shader, of which a device allows eight by default: a sum of more is refused.
 *
 * Sin and Cos are WGSL's own, which may be wrong by 2^-11 (WGSL, "Floating Point Accuracy"; SwiftShader's are, by 4e-4);
 * rotary embeddings carry that into every logit. These are the textbook ones: take n quarter turns off in three exact
 * parts (Cody & Waite), then Cephes' polynomials on [-π/4, π/4].
 *
 * Cumsum and Cumprod from the end compile the length into the shader, which is then used again for other lengths.
 */
import * as tf from "@tensorflow/tfjs-core";

/** π/2 in parts of few bits, so that n times the first two has no rounding up to 30,000 radians. */
const QUARTER_TURN = [1.5703125, 4.837512969970703e-4, 7.549789954891881e-8];

/** sin(x + shift · π/2), made of exact and correctly rounded steps only. */
function sine(x: tf.Tensor, shift: number): tf.Tensor {
  const n = tf.round(tf.mul(x, 2 / Math.PI));
  let r = x;
  for (const part of QUARTER_TURN) r = tf.sub(r, tf.mul(n, part)); // in [-π/4, π/4]
  const z = tf.square(r);
  const polynomial = (...coefficients: number[]) =>
    coefficients.slice(1).reduce<tf.Tensor>((sum, c) => tf.add(tf.mul(sum, z), c), tf.fill(z.shape, coefficients[0]));
  const sin = tf.add(tf.mul(tf.mul(polynomial(-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1), z), r), r);
  const bent = tf.mul(polynomial(2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2), tf.square(z));
  const cos = tf.add(tf.sub(bent, tf.mul(z, 0.5)), 1);
  const modulo = (a: tf.Tensor, b: number) => tf.sub(a, tf.mul(tf.floor(tf.div(a, b)), b));
  const quadrant = modulo(tf.add(n, shift), 4);
  const odd = modulo(quadrant, 2);
  const sign = tf.sub(1, tf.sub(quadrant, odd)); // 1 in quadrants 0 and 1, -1 in 2 and 3
  return tf.mul(sign, tf.add(tf.mul(odd, cos), tf.mul(tf.sub(1, odd), sin)));
}

function replace(kernelName: string, compute: (inputs: tf.Tensor[]) => tf.Tensor) {
  tf.unregisterKernel(kernelName, "webgpu");
  tf.registerKernel({
    kernelName,
    backendName: "webgpu",
    kernelFunc: ({ inputs }) => tf.tidy(() => compute(Object.values(inputs) as tf.Tensor[])),
  });
}
replace("Sin", ([x]) => sine(x, 0));
replace("Cos", ([x]) => sine(x, 1));
replace("AddN", ([first, ...rest]) => rest.reduce<tf.Tensor>((sum, x) => tf.add(sum, x), tf.clone(first)));

for (const [kernelName, op] of [
  ["Cumsum", tf.cumsum],
  ["Cumprod", tf.cumprod],
] as const) {
  const { kernelFunc } = tf.getKernel(kernelName, "webgpu");
  tf.unregisterKernel(kernelName, "webgpu");
  tf.registerKernel({
    kernelName,
    backendName: "webgpu",
    kernelFunc: (call) => {
      const { axis, exclusive, reverse } = call.attrs as { axis: number; exclusive: boolean; reverse: boolean };
      if (!reverse) return kernelFunc(call);
      const x = call.inputs.x as tf.Tensor;
      return tf.tidy(() => tf.reverse(op(tf.reverse(x, axis), axis, exclusive), axis));
    },
  });
}

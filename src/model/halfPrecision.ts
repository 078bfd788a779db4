/**
 * @file The float types of checkpoints and their conversion to and from float32. bfloat16 is the upper half of a
 * float32; float16 has 5 bits of exponent and 10 of fraction (IEEE 754 binary16). Widening is exact; narrowing rounds
 * to nearest, ties to even, as PyTorch's `.to()` does: NaN stays NaN, and what is too large for float16 is infinite.
 *
 * Numbers are read and written as the machine has them, which is little-endian wherever Node runs today.
 */

/** As safetensors names them. */
export const DTYPES = ["F32", "F16", "BF16"] as const;
export type Dtype = (typeof DTYPES)[number];
export const BYTES: Record<Dtype, number> = { F32: 4, F16: 2, BF16: 2 };

let halves: Uint32Array | undefined;

/** The bits of the float32 that equals each float16. */
function float16Table(): Uint32Array {
  halves ??= Uint32Array.from({ length: 2 ** 16 }, (_, h) => {
    const sign = (h & 0x8000) << 16;
    const exponent = (h >>> 10) & 0x1f;
    const fraction = h & 0x3ff;
    if (exponent === 0x1f) return sign | 0x7f800000 | (fraction << 13); // infinity, NaN
    if (exponent > 0) return sign | ((exponent + 112) << 23) | (fraction << 13);
    const value = new Uint32Array(Float32Array.of(fraction * 2 ** -24).buffer)[0]; // 0 and subnormals
    return sign | value;
  });
  return halves;
}

/** source.length numbers of 16 bits -> bits of float32. `source` may be the second half of `target`'s memory. */
export function widen(dtype: "F16" | "BF16", source: Uint16Array, target: Uint32Array) {
  const n = source.length;
  if (dtype === "BF16") for (let i = 0; i < n; i++) target[i] = source[i] << 16;
  else {
    const table = float16Table();
    for (let i = 0; i < n; i++) target[i] = table[source[i]];
  }
}

/** Bits of float32 -> numbers of 16 bits. */
export function narrow(dtype: "F16" | "BF16", source: Uint32Array, target: Uint16Array) {
  const n = source.length;
  const one = dtype === "BF16" ? toBfloat16 : toFloat16;
  for (let i = 0; i < n; i++) target[i] = one(source[i]);
}

function toBfloat16(bits: number): number {
  if ((bits & 0x7fffffff) > 0x7f800000) return (bits >>> 16) | 0x40; // NaN, made quiet so that it stays one
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}

function toFloat16(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00; // NaN
  if (magnitude >= 0x477ff000) return sign | 0x7c00; // 65520 and more: infinity
  if (magnitude >= 0x38800000) return sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
  if (magnitude <= 0x33000000) return sign; // 2^-25 is half of the smallest subnormal, and a tie
  const shift = 126 - (magnitude >>> 23); // 14 to 24
  const fraction = (magnitude & 0x7fffff) | 0x800000;
  return sign | ((fraction + (1 << (shift - 1)) - 1 + ((fraction >>> shift) & 1)) >>> shift); // subnormal
}

/**
 * @file Two in-place kernels in WebAssembly SIMD for the optimiser, assembled here instruction by instruction.
 *
 * AdamW reads and writes every parameter once per step: inside the graph that is a dozen passes over memory, here
 * it is one. Arrays live in one WebAssembly.Memory, which ONNX Runtime reads and writes directly; sizes are
 * multiples of 4 (zero padding stays zero under AdamW).
 */
import { UserError } from "../util/assert.ts";

type Code = number[];

/** LEB128, unsigned and signed. */
const u = (n: number): Code => (n < 128 ? [n] : [(n & 127) | 128, ...u(n >>> 7)]);
const s = (n: number): Code => (n >= -64 && n < 64 ? [n & 127] : [(n & 127) | 128, ...s(n >> 7)]);
const list = (items: Code[]): Code => [...u(items.length), ...items.flat()];
const section = (id: number, body: Code): Code => [id, ...u(body.length), ...body];

const I32 = 0x7f;
const F64 = 0x7c;
const V128 = 0x7b;
const F32 = 0x7d;

const get = (local: number): Code => [0x20, ...u(local)];
const set = (local: number): Code => [0x21, ...u(local)];
const i32 = (n: number): Code => [0x41, ...s(n)];
const simd = (opcode: number): Code => [0xfd, ...u(opcode)];
const load = (pointer: Code): Code => [...pointer, ...simd(0x00), 4, 0]; // v128.load, 16-byte aligned
const store = (pointer: Code, value: Code): Code => [...pointer, ...value, ...simd(0x0b), 4, 0];
const splat = (local: number): Code => [...get(local), ...simd(0x13)]; // f32x4.splat
const add = (a: Code, b: Code): Code => [...a, ...b, ...simd(0xe4)]; // f32x4.add
const sub = (a: Code, b: Code): Code => [...a, ...b, ...simd(0xe5)];
const mul = (a: Code, b: Code): Code => [...a, ...b, ...simd(0xe6)];
const div = (a: Code, b: Code): Code => [...a, ...b, ...simd(0xe7)];
const sqrt = (a: Code): Code => [...a, ...simd(0xe3)];

/** do { body; at += 16 } while (at < end), with byte offsets in the two locals; nothing when end is 0. */
function loop(at: number, end: number, body: Code): Code {
  const step = [...get(at), ...i32(16), 0x6a, ...set(at)]; // i32.add
  const again = [...get(at), ...get(end), 0x49, 0x0d, 0]; // i32.lt_u, br_if 0
  return [...get(end), 0x04, 0x40, 0x03, 0x40, ...body, ...step, ...again, 0x0b, 0x0b]; // if, loop, end, end
}

const pointer = (base: number, at: number): Code => [...get(base), ...get(at), 0x6a];

/** sumSquares(x, bytes) -> Σ x², in float64 in a fixed order. */
function sumSquares(): Code {
  const [x, end, at, sum, v] = [0, 1, 2, 3, 4];
  const high = [...get(v), ...get(v), ...simd(0x0d), 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15]; // shuffle
  const wide = (value: Code): Code => [...value, ...simd(0x5f)]; // f64x2.promote_low_f32x4
  const squared = (value: Code): Code => [...wide(value), ...wide(value), ...simd(0xf2)]; // f64x2.mul
  const addWide = (a: Code, b: Code): Code => [...a, ...b, ...simd(0xf0)]; // f64x2.add
  const body = [
    ...[...load(pointer(x, at)), ...set(v)],
    ...[...addWide(get(sum), addWide(squared(get(v)), squared(high))), ...set(sum)],
  ];
  const lane = (i: number): Code => [...get(sum), ...simd(0x21), i]; // f64x2.extract_lane
  return [...loop(at, end, body), ...lane(0), ...lane(1), 0xa0]; // f64.add
}

/**
 * adamw(p, g, m, v, bytes, beta1, 1-beta1, beta2, 1-beta2, clip, keep, rate, epsilon):
 *   g ← clip g      m ← β₁ m + (1-β₁) g      v ← β₂ v + (1-β₂) g²      p ← keep p - rate m / (√v + ε)
 * Both bias corrections are in `rate` and ε, so that there is one division.
 */
function adamw(): Code {
  const [p, g, m, v, end] = [0, 1, 2, 3, 4];
  const [beta1, rest1, beta2, rest2, clip, keep, rate, epsilon] = [5, 6, 7, 8, 9, 10, 11, 12];
  const [at, grad, first, second] = [13, 14, 15, 16];
  const body = [
    ...[...mul(load(pointer(g, at)), splat(clip)), ...set(grad)],
    ...[...add(mul(load(pointer(m, at)), splat(beta1)), mul(get(grad), splat(rest1))), ...set(first)],
    ...[...add(mul(load(pointer(v, at)), splat(beta2)), mul(mul(get(grad), get(grad)), splat(rest2))), ...set(second)],
    ...store(pointer(m, at), get(first)),
    ...store(pointer(v, at), get(second)),
    ...store(
      pointer(p, at),
      sub(
        mul(load(pointer(p, at)), splat(keep)),
        div(mul(get(first), splat(rate)), add(sqrt(get(second)), splat(epsilon))),
      ),
    ),
  ];
  return loop(at, end, body);
}

function module(): Uint8Array<ArrayBuffer> {
  const types = [
    [0x60, ...list([[I32], [I32]]), ...list([[F64]])],
    [0x60, ...list([...Array(5).fill([I32]), ...Array(8).fill([F32])]), ...list([])],
  ];
  const name = (text: string): Code => [...u(text.length), ...new TextEncoder().encode(text)];
  const func = (locals: [number, number][], body: Code): Code => {
    const code = [...list(locals.map(([count, type]) => [...u(count), type])), ...body, 0x0b];
    return [...u(code.length), ...code];
  };
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, list(types)),
    ...section(2, list([[...name("env"), ...name("memory"), 2, 0, ...u(0)]])),
    ...section(3, list([[0], [1]])),
    ...section(
      7,
      list([
        [...name("sumSquares"), 0, 0],
        [...name("adamw"), 0, 1],
      ]),
    ),
    ...section(
      10,
      list([
        func(
          [
            [1, I32],
            [2, V128],
          ],
          sumSquares(),
        ),
        func(
          [
            [1, I32],
            [3, V128],
          ],
          adamw(),
        ),
      ]),
    ),
  ]);
}

export interface SimdKernels {
  /** Σ x² over `bytes` bytes at `x`. */
  sumSquares(x: number, bytes: number): number;
  /** One AdamW update in place; the arguments are those of {@link adamw}. */
  adamw(p: number, g: number, m: number, v: number, bytes: number, ...scalars: number[]): void;
}

/** Memory for `bytes` bytes (it never grows, so arrays over it stay valid) and the kernels that work in it. */
export function makeSimdMemory(bytes: number): { memory: WebAssembly.Memory; kernels: SimdKernels } {
  const pages = Math.ceil(bytes / 65536);
  let memory: WebAssembly.Memory;
  try {
    memory = new WebAssembly.Memory({ initial: pages });
  } catch (error) {
    const gib = (bytes / 2 ** 30).toFixed(2);
    throw new UserError(
      `out of memory: ${gib} GiB for parameters, gradients and moments cannot be had (${(error as Error).message}); choose a smaller model, or end other programs`,
    );
  }
  const instance = new WebAssembly.Instance(new WebAssembly.Module(module()), { env: { memory } });
  return { memory, kernels: instance.exports as unknown as SimdKernels };
}

/**
 * @file The inner loops of MinHash in WebAssembly, assembled here instruction by instruction, because JavaScript has no
 * fast arithmetic in 64 bits: hashes of many short strings, and the minimum of (a x + b) mod (2^61 - 1) over all
 * hashes x for each permutation (a, b). hashes.ts and minHash.ts give them memory and names.
 */
import {
  add32,
  assemble,
  below32,
  type Code,
  call,
  get,
  I32,
  I64,
  i32,
  i64,
  loop,
  mul32,
  op,
  set,
  step,
  sub32,
  u,
  when,
} from "../../util/wasm.ts";
import { sha1 } from "./sha1.ts";

const atMost32 = op(0x4d); // i32.le_u
const [add, sub, mul, and, xor, shr, rotl, below] = [0x7c, 0x7d, 0x7e, 0x83, 0x85, 0x88, 0x89, 0x54].map((code) =>
  op(code),
);
const load32 = (at: Code, offset = 0): Code => [...at, 0x28, 0, ...u(offset)];
const load64 = (at: Code, offset = 0): Code => [...at, 0x29, 0, ...u(offset)];
const load32As64 = (at: Code): Code => [...at, 0x35, 0, 0];
const load8As64 = (at: Code): Code => [...at, 0x31, 0, 0];
const store64 = (at: Code, value: Code, offset = 0): Code => [...at, ...value, 0x37, 0, ...u(offset)];
const select = (yes: Code, no: Code, condition: Code): Code => [...yes, ...no, ...condition, 0x1b];
const wide = (value: Code): Code => [...value, 0xad]; // i64.extend_i32_u

const [P1, P2, P3, P4, P5] = [
  0x9e3779b185ebca87n,
  0xc2b2ae3d27d4eb4fn,
  0x165667b19e3779f9n,
  0x85ebca77c2b2ae63n,
  0x27d4eb2f165667c5n,
];

/** xxh64(at, length) -> hash with seed 0. */
function xxh64(): Code {
  const [at, length, end, hash] = [0, 1, 2, 3];
  const lanes = [4, 5, 6, 7];
  const round = (lane: Code, input: Code): Code => mul(rotl(add(lane, mul(input, i64(P2))), i64(31n)), i64(P1));
  const merge = (lane: number): Code =>
    set(hash, add(mul(xor(get(hash), round(i64(0n), get(lane))), i64(P1)), i64(P4)));
  const mixed = (value: Code, turn: bigint, by: bigint, plus?: bigint): Code => {
    const product = mul(rotl(xor(get(hash), value), i64(turn)), i64(by));
    return set(hash, plus === undefined ? product : add(product, i64(plus)));
  };
  const fold = (by: bigint): Code => xor(get(hash), shr(get(hash), i64(by)));
  const [one, two, three, four] = lanes.map(get);
  return [
    ...set(end, add32(get(at), get(length))),
    ...when(below32(get(length), i32(32)), set(hash, i64(P5)), [
      ...[P1 + P2, P2, 0n, -P1].flatMap((start, i) => set(lanes[i], i64(start))),
      ...loop(atMost32(add32(get(at), i32(32)), get(end)), [
        ...lanes.flatMap((lane, i) => set(lane, round(get(lane), load64(get(at), 8 * i)))),
        ...step(at, 32),
      ]),
      ...set(hash, add(add(rotl(one, i64(1n)), rotl(two, i64(7n))), add(rotl(three, i64(12n)), rotl(four, i64(18n))))),
      ...lanes.flatMap(merge),
    ]),
    ...set(hash, add(get(hash), wide(get(length)))),
    ...loop(atMost32(add32(get(at), i32(8)), get(end)), [
      ...mixed(round(i64(0n), load64(get(at))), 27n, P1, P4),
      ...step(at, 8),
    ]),
    ...when(
      atMost32(add32(get(at), i32(4)), get(end)),
      [...mixed(mul(load32As64(get(at)), i64(P1)), 23n, P2, P3), ...step(at, 4)],
      [],
    ),
    ...loop(below32(get(at), get(end)), [...mixed(mul(load8As64(get(at)), i64(P5)), 11n, P1), ...step(at, 1)]),
    ...set(hash, mul(fold(33n), i64(P2))),
    ...set(hash, mul(fold(29n), i64(P3))),
    ...fold(32n),
  ];
}

/**
 * The loop over shingles (bytes, starts, count, words, out, scratch): out[i] = the hash of the bytes from word i to the
 * end of word i + words - 1. Word i begins at starts[i]; one space is between words, so it ends at starts[i + 1] - 1.
 * `hash` takes an address and a length.
 */
function eachShingle(hash: (scratch: number) => Code): Code {
  const [bytes, starts, count, words, out, scratch, end, from] = [0, 1, 2, 3, 4, 5, 6, 7];
  const next = load32(add32(get(starts), mul32(get(words), i32(4))));
  return [
    ...set(end, add32(get(starts), mul32(get(count), i32(4)))),
    ...loop(below32(get(starts), get(end)), [
      ...set(from, load32(get(starts))),
      ...store64(get(out), [
        ...add32(get(bytes), get(from)),
        ...sub32(sub32(next, i32(1)), get(from)),
        ...hash(scratch),
      ]),
      ...step(starts, 4),
      ...step(out, 8),
    ]),
  ];
}

/** Permutations in one pass over the hashes: their number is a multiple of it. */
export const LANES = 4;

/**
 * minima(hashes, count, permutations, number, mask, out): out[j] = min over i of
 *   ((a_j x_i + b_j) mod 2^64 mod (2^61 - 1)) & mask
 * The product wraps at 64 bits first, as numpy's does. `permutations` holds a and b in turn. No hashes: all ones.
 */
function minima(): Code {
  const [hashes, count, permutations, number, mask, out] = [0, 1, 2, 3, 4, 5];
  const [end, last, at, x, y] = [6, 7, 8, 9, 10];
  const lanes = Array.from({ length: LANES }, (_, i) => ({ i, a: 11 + 3 * i, b: 12 + 3 * i, least: 13 + 3 * i }));
  const prime = i64((1n << 61n) - 1n);
  return [
    ...set(end, add32(get(permutations), mul32(get(number), i32(16)))),
    ...set(last, add32(get(hashes), mul32(get(count), i32(8)))),
    ...loop(below32(get(permutations), get(end)), [
      ...lanes.flatMap(({ i, a, b, least }) => [
        ...set(a, load64(get(permutations), 16 * i)),
        ...set(b, load64(get(permutations), 16 * i + 8)),
        ...set(least, i64(-1n)),
      ]),
      ...set(at, get(hashes)),
      ...loop(below32(get(at), get(last)), [
        ...set(x, load64(get(at))),
        ...lanes.flatMap(({ a, b, least }) => [
          ...set(y, add(mul(get(a), get(x)), get(b))),
          ...set(y, add(and(get(y), prime), shr(get(y), i64(61n)))), // below 2^61 + 7
          ...set(y, and(select(get(y), sub(get(y), prime), below(get(y), prime)), get(mask))),
          ...set(least, select(get(y), get(least), below(get(y), get(least)))),
        ]),
        ...step(at, 8),
      ]),
      ...lanes.flatMap(({ i, least }) => store64(get(out), get(least), 8 * i)),
      ...step(permutations, 16 * LANES),
      ...step(out, 8 * LANES),
    ]),
  ];
}

type HashShingles = (bytes: number, starts: number, count: number, words: number, out: number, scratch: number) => void;

export interface HashKernels {
  xxh64(at: number, length: number): bigint;
  sha1(at: number, length: number, scratch: number): bigint;
  xxh64Shingles: HashShingles;
  sha1Shingles: HashShingles;
  minima(hashes: number, count: number, permutations: number, number: number, mask: bigint, out: number): void;
}

const ints = (n: number): number[] => Array(n).fill(I32);
const longs = (n: number): number[] => Array(n).fill(I64);
let compiled: WebAssembly.Module | undefined;

/** The kernels over `memory`; all addresses are byte offsets in it. */
export function makeHashKernels(memory: WebAssembly.Memory): HashKernels {
  const shingles = { parameters: ints(6), locals: ints(2) };
  compiled ??= assemble([
    { name: "xxh64", parameters: ints(2), result: I64, locals: [I32, ...longs(5)], body: xxh64() },
    sha1(),
    { name: "xxh64Shingles", ...shingles, body: eachShingle(() => call(0)) },
    { name: "sha1Shingles", ...shingles, body: eachShingle((scratch) => [...get(scratch), ...call(1)]) },
    {
      name: "minima",
      parameters: [...ints(4), I64, I32],
      locals: [...ints(3), ...longs(2 + 3 * LANES)],
      body: minima(),
    },
  ]);
  return new WebAssembly.Instance(compiled, { env: { memory } }).exports as unknown as HashKernels;
}

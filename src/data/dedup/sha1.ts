/**
 * @file The first 64 bits of SHA-1, as WebAssembly: for millions of short strings, where a call of Node's own costs more
 * than the hash. Compared with node:crypto in the tests. Used as a hash, not for security.
 */
import { add32, type Code, get, I32, I64, i32, loop, op, set, step, sub32, u, when } from "../../util/wasm.ts";

const [and, or, xor, shl, shr, rotl, different] = [0x71, 0x72, 0x73, 0x74, 0x76, 0x77, 0x47].map((code) => op(code));
const load = (at: Code, offset: number): Code => [...at, 0x28, 0, ...u(offset)];
const store = (at: Code, value: Code, offset = 0): Code => [...at, ...value, 0x36, 0, ...u(offset)];
const store8 = (at: Code, value: Code): Code => [...at, ...value, 0x3a, 0, 0];
const fill = (at: Code, value: Code, length: Code): Code => [...at, ...value, ...length, 0xfc, 11, 0];
const copy = (to: Code, from: Code, length: Code): Code => [...to, ...from, ...length, 0xfc, 10, 0, 0];
const swap = (x: Code): Code => or(and(rotl(x, i32(8)), i32(0x00ff00ff)), and(rotl(x, i32(24)), i32(0xff00ff00 | 0)));

const START = [0x67452301, 0xefcdab89 | 0, 0x98badcfe | 0, 0x10325476, 0xc3d2e1f0 | 0];
const CONSTANTS = [0x5a827999, 0x6ed9eba1, 0x8f1bbcdc | 0, 0xca62c1d6 | 0];

/**
 * Bytes of scratch memory that {@link sha1} needs, before the text: two blocks, and one more between so that no address of
 * the text is the end of these.
 */
export const SCRATCH = 192;

/**
 * sha1(at, length, scratch) -> the first 8 bytes of the digest as datatrove reads them (`<Q`). datasketch's 32 bits are the
 * low half. The last bytes, the padding and the length go to the scratch memory; then it is one loop over blocks.
 */
function body(): Code {
  const [at, length, scratch, whole, rest, end] = [0, 1, 2, 3, 4, 5];
  const hash = [6, 7, 8, 9, 10];
  const state = [11, 12, 13, 14, 15];
  const w = Array.from({ length: 16 }, (_, i) => 16 + i);
  const rounds = Array.from({ length: 80 }, (_, i) => {
    // Each round gives its variables other names instead of moving their values.
    const [a, b, c, d, e] = state.map((_, j) => state[(j + 4 * i) % 5]);
    const [x, y, z] = [get(b), get(c), get(d)];
    const f =
      i < 20 ? xor(z, and(x, xor(y, z))) : i >= 40 && i < 60 ? or(and(x, y), and(z, or(x, y))) : xor(x, xor(y, z));
    const word =
      i < 16
        ? swap(load(get(at), 4 * i))
        : rotl(
            xor(xor(get(w[(i - 3) & 15]), get(w[(i - 8) & 15])), xor(get(w[(i - 14) & 15]), get(w[i & 15]))),
            i32(1),
          );
    return [
      ...set(w[i & 15], word),
      ...set(
        e,
        add32(add32(add32(rotl(get(a), i32(5)), f), add32(get(e), get(w[i & 15]))), i32(CONSTANTS[Math.floor(i / 20)])),
      ),
      ...set(b, rotl(get(b), i32(30))),
    ];
  });
  const wide = (value: Code): Code => [...value, 0xad]; // i64.extend_i32_u
  return [
    ...set(whole, add32(get(at), and(get(length), i32(-64)))),
    ...set(rest, and(get(length), i32(63))),
    ...fill(get(scratch), i32(0), i32(128)),
    ...copy(get(scratch), get(whole), get(rest)),
    ...store8(add32(get(scratch), get(rest)), i32(0x80)),
    ...when([...get(rest), ...i32(56), 0x49], set(end, i32(64)), set(end, i32(128))), // i32.lt_u
    ...set(end, add32(get(scratch), get(end))),
    ...store(sub32(get(end), i32(8)), swap(shr(get(length), i32(29)))),
    ...store(sub32(get(end), i32(4)), swap(shl(get(length), i32(3)))),
    ...hash.flatMap((h, i) => set(h, i32(START[i]))),
    ...loop(different(get(at), get(end)), [
      ...when([...get(at), ...get(whole), 0x46], set(at, get(scratch)), []), // i32.eq
      ...state.flatMap((s, i) => set(s, get(hash[i]))),
      ...rounds.flat(),
      ...hash.flatMap((h, i) => set(h, add32(get(h), get(state[i])))),
      ...step(at, 64),
    ]),
    ...[...wide(swap(get(hash[0]))), ...wide(swap(get(hash[1]))), 0x42, 32, 0x86, 0x84], // i64: high << 32 | low
  ];
}

export const sha1 = () => ({
  name: "sha1",
  parameters: [I32, I32, I32],
  result: I64,
  locals: Array<number>(29).fill(I32),
  body: body(),
});

/**
 * @file Products of vectors with WebAssembly SIMD: rows of floats in one memory, and the product of one with many. It is
 * what semantic.ts spends its time on; JavaScript alone does a tenth of it in the same time.
 */
import {
  add32,
  assemble,
  below32,
  type Code,
  get,
  I32,
  i32,
  loop,
  mul32,
  op,
  set,
  step,
  u,
  V128,
} from "../../util/wasm.ts";

/** Rows in one pass over the vector. */
const ROWS = 4;

const simd = (opcode: number): Code => [0xfd, ...u(opcode)];
const load = (at: Code): Code => [...at, ...simd(0x00), 2, 0]; // v128.load
const addFloats = op(...simd(0xe4)); // f32x4.add
const mulFloats = op(...simd(0xe6)); // f32x4.mul
const addFloat = op(0x92); // f32.add
const storeFloat = (at: Code, value: Code, offset: number): Code => [...at, ...value, 0x38, 2, ...u(offset)];

/** products(x, bytes, rows, groups, out): out[i] = x · row i, for `groups` times {@link ROWS} rows of `bytes` bytes. */
function products(): Code {
  const [x, bytes, rows, groups, out] = [0, 1, 2, 3, 4];
  const [end, at] = [5, 6];
  const starts = Array.from({ length: ROWS }, (_, i) => 7 + i);
  const sums = Array.from({ length: ROWS }, (_, i) => 7 + ROWS + i);
  const vector = 7 + 2 * ROWS;
  const lane = (sum: number, i: number): Code => [...get(sum), ...simd(0x1f), i]; // f32x4.extract_lane
  const total = (sum: number) => addFloat(addFloat(lane(sum, 0), lane(sum, 1)), addFloat(lane(sum, 2), lane(sum, 3)));
  return [
    ...set(end, add32(get(out), mul32(get(groups), i32(4 * ROWS)))),
    ...loop(below32(get(out), get(end)), [
      ...starts.flatMap((start, i) => set(start, add32(get(rows), mul32(get(bytes), i32(i))))),
      ...sums.flatMap((sum) => set(sum, [...simd(0x0c), ...Array<number>(16).fill(0)])), // v128.const
      ...set(at, i32(0)),
      ...loop(below32(get(at), get(bytes)), [
        ...set(vector, load(add32(get(x), get(at)))),
        ...sums.flatMap((sum, i) =>
          set(sum, addFloats(get(sum), mulFloats(get(vector), load(add32(get(starts[i]), get(at)))))),
        ),
        ...step(at, 16),
      ]),
      ...sums.flatMap((sum, i) => storeFloat(get(out), total(sum), 4 * i)),
      ...set(rows, add32(get(rows), mul32(get(bytes), i32(ROWS)))),
      ...step(out, 4 * ROWS),
    ]),
  ];
}

let compiled: WebAssembly.Module | undefined;

export interface Rows {
  /** [rows, width], row by row; the width is the dimension rounded up, and what is beyond it stays 0. */
  data: Float32Array;
  width: number;
  /** The products of row `row` with the rows from `from` up to `to`. A view: the next call overwrites it. */
  products(row: number, from: number, to: number): Float32Array;
}

/** Room for `count` rows; at most `most` products are asked for at once. */
export function makeRows(count: number, dimension: number, most: number): Rows {
  const width = Math.ceil(dimension / 4) * 4;
  const outAt = 4 * width * (count + ROWS); // the last group may reach beyond the last row
  const pages = Math.ceil((outAt + 4 * (most + ROWS)) / 65536);
  const memory = new WebAssembly.Memory({ initial: pages });
  compiled ??= assemble([
    {
      name: "products",
      parameters: Array(5).fill(I32),
      locals: [...Array(2 + ROWS).fill(I32), ...Array(ROWS + 1).fill(V128)],
      body: products(),
    },
  ]);
  const kernels = new WebAssembly.Instance(compiled, { env: { memory } }).exports as unknown as {
    products(x: number, bytes: number, rows: number, groups: number, out: number): void;
  };
  return {
    data: new Float32Array(memory.buffer, 0, width * count),
    width,
    products: (row, from, to) => {
      const bytes = 4 * width;
      kernels.products(row * bytes, bytes, from * bytes, Math.ceil((to - from) / ROWS), outAt);
      return new Float32Array(memory.buffer, outAt, to - from);
    },
  };
}

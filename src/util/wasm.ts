/**
 * @file A small assembler for WebAssembly: instructions as lists of bytes, and a module of functions over one memory that
 * is given to it. For the few inner loops that JavaScript cannot do well: arithmetic in 64 bits, four floats at once.
 */

export type Code = number[];

/** LEB128, unsigned and signed. */
export const u = (n: number): Code => (n < 128 ? [n] : [(n & 127) | 128, ...u(n >>> 7)]);
const s = (n: bigint): Code => (n >= -64n && n < 64n ? [Number(n & 127n)] : [Number(n & 127n) | 128, ...s(n >> 7n)]);
const list = (items: Code[]): Code => [...u(items.length), ...items.flat()];
const section = (id: number, body: Code): Code => [id, ...u(body.length), ...body];

export const I32 = 0x7f;
export const I64 = 0x7e;
export const V128 = 0x7b;
const VOID = 0x40;

export const get = (local: number): Code => [0x20, ...u(local)];
export const set = (local: number, value: Code): Code => [...value, 0x21, ...u(local)];
export const i32 = (n: number): Code => [0x41, ...s(BigInt(n))];
export const i64 = (n: bigint): Code => [0x42, ...s(BigInt.asIntN(64, n))];
export const op =
  (...opcode: number[]) =>
  (a: Code, b: Code): Code => [...a, ...b, ...opcode];
export const [add32, sub32, mul32, below32] = [0x6a, 0x6b, 0x6c, 0x49].map((code) => op(code));
/** while (condition) body */
export const loop = (condition: Code, body: Code): Code => [
  ...[0x02, VOID, 0x03, VOID, ...condition, 0x45, 0x0d, 1], // block, loop, i32.eqz, br_if out
  ...[...body, 0x0c, 0, 0x0b, 0x0b], // br again, end, end
];
export const when = (condition: Code, yes: Code, no: Code): Code => [
  ...[...condition, 0x04, VOID],
  ...[...yes, 0x05, ...no, 0x0b],
];
export const step = (local: number, by: number): Code => set(local, add32(get(local), i32(by)));
export const call = (index: number): Code => [0x10, ...u(index)];

/** A function: types of its parameters, its result (if any) and its further locals, in order of their numbers. */
export interface Func {
  name: string;
  parameters: number[];
  result?: number;
  locals: number[];
  body: Code;
}

/** A module that exports `functions` (callable by their place in the list) and works in the memory `env.memory`. */
export function assemble(functions: readonly Func[]): WebAssembly.Module {
  const name = (text: string): Code => [...u(text.length), ...new TextEncoder().encode(text)];
  const types = functions.map(({ parameters, result }) => [
    ...[0x60, ...list(parameters.map((type) => [type]))],
    ...list(result === undefined ? [] : [[result]]),
  ]);
  const codes = functions.map(({ locals, body }) => {
    const code = [...list(locals.map((type) => [1, type])), ...body, 0x0b];
    return [...u(code.length), ...code];
  });
  const bytes = [
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, list(types)),
    ...section(2, list([[...name("env"), ...name("memory"), 2, 0, ...u(0)]])),
    ...section(3, list(functions.map((_, i) => u(i)))),
    ...section(7, list(functions.map((func, i) => [...name(func.name), 0, ...u(i)]))),
    ...section(10, list(codes)),
  ];
  return new WebAssembly.Module(Uint8Array.from(bytes));
}

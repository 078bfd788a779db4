/**
 * @file float16 and bfloat16: every one of the 65,536 patterns, against the definition and against PyTorch's results
 * (checksums that test/fixtures/qwen2/crossing.py made).
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { narrow, widen } from "../../src/model/halfPrecision.ts";

const golden = JSON.parse(readFileSync("test/fixtures/qwen2/crossing/halves.json", "utf8"));
const patterns = Uint16Array.from({ length: 2 ** 16 }, (_, i) => i);
const sha256 = (x: NodeJS.ArrayBufferView) => createHash("sha256").update(x).digest("hex");

const TYPES = [
  { dtype: "F16", name: "float16", exponentBits: 5, fractionBits: 10, step: 13 },
  { dtype: "BF16", name: "bfloat16", exponentBits: 8, fractionBits: 7, step: 16 },
] as const;

describe.each(TYPES)("$dtype", ({ dtype, name, exponentBits, fractionBits, step }) => {
  const bits = new Uint32Array(2 ** 16);
  widen(dtype, patterns, bits);
  const values = new Float32Array(bits.buffer);
  const quietNaN = dtype === "F16" ? 0x7e00 : 0x7fc0;
  const narrowed = (source: Uint32Array) => {
    const out = new Uint16Array(source.length);
    narrow(dtype, source, out);
    return out;
  };
  /** As crossing.py has it: every NaN the same. */
  const sameNaN = (out: Uint16Array) =>
    out.map((h) => ((h & 0x7fff) > (2 ** exponentBits - 1) << fractionBits ? quietNaN : h));

  test("every pattern has the value that its sign, exponent and fraction say", () => {
    const bias = 2 ** (exponentBits - 1) - 1;
    for (const h of patterns) {
      const sign = h >>> 15 ? -1 : 1;
      const exponent = (h >>> fractionBits) & (2 ** exponentBits - 1);
      const fraction = (h & (2 ** fractionBits - 1)) / 2 ** fractionBits;
      const special = fraction === 0 ? sign * Infinity : Number.NaN;
      const normal = sign * 2 ** (exponent - bias) * (1 + fraction);
      const subnormal = sign * 2 ** (1 - bias) * fraction;
      const expected = exponent === 2 ** exponentBits - 1 ? special : exponent > 0 ? normal : subnormal;
      if (!Object.is(values[h], expected)) expect.fail(`${h.toString(16)}: ${values[h]}, expected ${expected}`);
    }
  });

  test("every pattern comes back as itself, NaN as a NaN", () => {
    expect(Array.from(sameNaN(narrowed(bits)))).toEqual(Array.from(sameNaN(patterns)));
  });

  test("widened and narrowed as PyTorch does, ties and what overflows included", () => {
    const canonical = bits.map((x) => ((x & 0x7fffffff) > 0x7f800000 ? 0x7fc00000 : x));
    expect(sha256(canonical)).toBe(golden[name].widened);
    const { offsets, count } = golden[name];
    expect(offsets[3]).toBe(2 ** (step - 1)); // ties are among them
    const source = new Uint32Array(count);
    offsets.forEach((offset: number, part: number) => {
      for (let i = 0; i < 2 ** 16; i++) source[part * 2 ** 16 + i] = bits[i] + offset;
    });
    let at = offsets.length * 2 ** 16;
    for (const sign of [0, 2 ** 31]) for (let x = 0x32000000; x < 0x39000000; x += 331) source[at++] = x + sign;
    expect(at).toBe(count);
    expect(sha256(sameNaN(narrowed(source)))).toBe(golden[name].narrowed);
  });

  test("rounds to nearest, ties to even; float16 has nothing beyond 65504 but infinity", () => {
    const one = (x: number) => values[narrowed(new Uint32Array(Float32Array.of(x).buffer))[0]];
    const ulp = 2 ** -fractionBits;
    expect(one(1 + ulp / 2)).toBe(1); // a tie, down to even
    expect(one(1 + 1.5 * ulp)).toBe(1 + 2 * ulp); // a tie, up to even
    expect(one(1 + 0.51 * ulp)).toBe(1 + ulp);
    expect(one(-1 - 0.51 * ulp)).toBe(-1 - ulp);
    expect(one(Number.NaN)).toBeNaN();
    expect(one(65519)).toBe(dtype === "F16" ? 65504 : 65536);
    expect(one(65520)).toBe(dtype === "F16" ? Infinity : 65536);
    expect(one(3.4028235e38)).toBe(Infinity);
    expect(one(2 ** -25)).toBe(dtype === "F16" ? 0 : 2 ** -25); // half of the smallest float16, to even
    expect(one(-(2 ** -24) * 0.75)).toBe(dtype === "F16" ? -(2 ** -24) : -(2 ** -24) * 0.75);
  });
});

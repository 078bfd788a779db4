import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bitsApart, findNear, fingerprint, makeSimHasher, ROOTS, TEXT_DEDUP } from "../../../src/data/dedup/simHash.ts";
import { english, vectors } from "./fixtures.ts";

const halves = (value: bigint) => [Number(value & 0xffffffffn), Number(value >> 32n)];

describe("SimHash", () => {
  test("has the value of text-dedup's docstring", () => {
    const { in: hashes, out } = vectors.simhash_compute;
    const data = Uint32Array.from(hashes.flatMap((hash: string) => halves(BigInt(hash))));
    expect(fingerprint(data)).toEqual(halves(BigInt(out)));
  });

  test("counts bits as the obvious sum does", () => {
    fc.assert(
      fc.property(fc.array(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), { minLength: 1, maxLength: 9 }), (hashes) => {
        let expected = 0n;
        for (let bit = 0n; bit < 64n; bit++) {
          const sum = hashes.reduce((total, hash) => total + ((hash >> bit) & 1n ? 1 : -1), 0);
          if (sum > 0) expected |= 1n << bit;
        }
        expect(fingerprint(Uint32Array.from(hashes.flatMap(halves)))).toEqual(halves(expected));
      }),
    );
  });

  test("is close for a text with a word changed, far for another, and none for a text without shingles", () => {
    const hasher = makeSimHasher(TEXT_DEDUP);
    const texts = [english[0], english[0].replace(" the ", " some "), english[1]];
    const data = Uint32Array.from(texts.flatMap((text) => hasher(text, "en")!));
    expect(bitsApart(data, 0, 1)).toBeLessThanOrEqual(6);
    expect(bitsApart(data, 0, 2)).toBeGreaterThan(10);
    for (const text of ["", "?!", "two words"]) expect(hasher(text, "en")).toBeUndefined();
  });

  test.each([TEXT_DEDUP, ROOTS, { words: 1, distance: 0, blocks: 1 }])(
    "finds every pair within $distance bits",
    (config) => {
      const flips = fc.array(fc.nat(63), { maxLength: 6 });
      fc.assert(
        fc.property(
          fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
          fc.array(flips, { minLength: 1, maxLength: 8 }),
          (base, all) => {
            const prints = all.map((bits) => bits.reduce((value, bit) => value ^ (1n << BigInt(bit)), base));
            const data = Uint32Array.from(prints.flatMap(halves));
            // The obvious way: join all pairs that are near, until nothing changes.
            const of = prints.map((_, i) => i);
            for (let round = 0; round < prints.length; round++)
              for (let i = 0; i < prints.length; i++)
                for (let j = 0; j < i; j++) {
                  const apart = (prints[i] ^ prints[j]).toString(2).replaceAll("0", "").length;
                  expect(bitsApart(data, i, j)).toBe(apart);
                  if (apart <= config.distance) of[i] = of[j] = Math.min(of[i], of[j]);
                }
            const found = prints.map((_, i) => i);
            for (const near of findNear(data, config)) {
              found[near.document] = near.of;
              expect(near.bits).toBe(bitsApart(data, near.document, near.of));
            }
            expect(found).toEqual(of);
          },
        ),
      );
    },
  );

  test("of ten thousand equal texts is found without comparing all pairs", () => {
    const data = new Uint32Array(20_000).fill(5);
    expect(findNear(data, TEXT_DEDUP)).toHaveLength(9999);
  });
});

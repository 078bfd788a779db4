/**
 * @file safetensors files and shards: what is written is read back, byte for byte as Hugging Face writes it, in bounded
 * memory; random bytes are refused and never worse.
 */
import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { readSafetensors, SafetensorsFile, writeSafetensors } from "../../src/model/safetensors.ts";
import { divide, openWeights, saveWeights } from "../../src/model/shards.ts";
import { UserError } from "../../src/util/assert.ts";

const folder = mkdtempSync(join(tmpdir(), "marco-safetensors-"));
afterAll(() => rmSync(folder, { recursive: true }));
let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(folder, "case-"));
});
const CROSSING = "test/fixtures/qwen2/crossing";

/** A file with this header and, from the first offset on, these bytes; the rest is a hole that takes no disk. */
function sparse(path: string, header: object, parts: Record<number, Uint8Array>, dataBytes: number) {
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  const file = openSync(path, "w");
  writeSync(file, Buffer.concat([length, json]));
  for (const [at, bytes] of Object.entries(parts))
    writeSync(file, bytes, 0, bytes.length, 8 + json.length + Number(at));
  ftruncateSync(file, 8 + json.length + dataBytes);
  closeSync(file);
}

describe("a safetensors file", () => {
  test.each(["float32", "float16"])("of transformers (%s) is what we write for its tensors", (name) => {
    const original = `${CROSSING}/${name}/model.safetensors`;
    const path = join(directory, "again.safetensors");
    writeSafetensors(path, readSafetensors(original), name === "float16" ? "F16" : "F32");
    expect(readFileSync(path).equals(readFileSync(original))).toBe(true);
  });

  test("has scalars and empty tensors, in any place and order of the header", () => {
    const path = join(directory, "x.safetensors");
    const header = {
      last: { dtype: "F32", shape: [], data_offsets: [4, 8] },
      none: { dtype: "BF16", shape: [3, 0], data_offsets: [4, 4] },
      first: { dtype: "BF16", shape: [2, 1], data_offsets: [0, 4] },
      end: { dtype: "F16", shape: [0], data_offsets: [8, 8] },
    };
    sparse(path, header, { 0: Uint8Array.of(0x80, 0x3f, 0x00, 0xc0), 4: Uint8Array.of(0, 0, 0x40, 0x40) }, 8);
    const tensors = readSafetensors(path);
    expect(tensors.first).toEqual({ shape: [2, 1], data: Float32Array.of(1, -2) });
    expect(tensors.last).toEqual({ shape: [], data: Float32Array.of(3) });
    expect(tensors.none).toEqual({ shape: [3, 0], data: new Float32Array(0) });
    expect(tensors.end.data.length).toBe(0);
  });

  test("beyond 4 GiB is read where it is asked for, with the memory of that tensor", () => {
    const path = join(directory, "large.safetensors");
    const before = 5 * 2 ** 30;
    const header = {
      large: { dtype: "BF16", shape: [before / 2], data_offsets: [0, before] },
      small: { dtype: "F32", shape: [2], data_offsets: [before, before + 8] },
    };
    sparse(path, header, { [before]: new Uint8Array(Float32Array.of(1.5, -2.5).buffer) }, before + 8);
    const file = new SafetensorsFile(path);
    expect(Array.from(file.read("small"))).toEqual([1.5, -2.5]);
    file.close();
  });

  test("compares a tensor with values bit for bit, in pieces", () => {
    const n = (1 << 20) + 3; // more than one piece
    const data = Float32Array.from({ length: n }, (_, i) => (i % 256) - 128);
    for (const dtype of ["F32", "F16", "BF16"] as const) {
      const path = join(directory, `${dtype}.safetensors`);
      writeSafetensors(path, { x: { shape: [n], data } }, dtype);
      const file = new SafetensorsFile(path);
      expect(Buffer.from(file.read("x").buffer).equals(Buffer.from(data.buffer))).toBe(true);
      expect(file.equals("x", data)).toBe(true);
      for (const at of [0, 1 << 20, n - 1]) {
        const other = data.slice();
        other[at] += 1;
        expect(file.equals("x", other)).toBe(false);
      }
      const zero = data.slice();
      zero[128] = -0; // equal as a number
      expect(file.equals("x", zero)).toBe(false);
      expect(file.equals("x", data.subarray(1))).toBe(false);
      file.close();
    }
  });

  test("that cannot be written leaves nothing behind", () => {
    const path = join(directory, "x.safetensors");
    const data = Float32Array.of(1);
    const failing = {
      get data(): Float32Array {
        throw new Error("no value");
      },
      shape: [1],
    };
    expect(() => writeSafetensors(path, { a: { shape: [1], data }, b: failing })).toThrow("no value");
    expect(readdirSync(directory)).toEqual([]);
    expect(() => writeSafetensors(join(directory, "none", "x"), {})).toThrow(/none\/x: cannot be written \(ENOENT\)/);
  });
});

describe("shards", () => {
  const shapes = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`t${i}`, [8]]));
  const save = (count: number, maxShardSize: number, value = 1) =>
    saveWeights(directory, shapes(count), () => new Float32Array(8).fill(value), "F32", maxShardSize);
  const load = () => {
    const weights = openWeights(directory);
    try {
      return Object.fromEntries([...weights.tensors].map(([name, file]) => [name, file.read(name)[0]]));
    } finally {
      weights.close();
    }
  };

  test("are filled in order; a tensor that is too large has one for itself", () => {
    expect(divide({ a: 6, b: 6, c: 2, d: 6, e: 2, f: 2 }, 10)).toEqual([["a"], ["b", "c"], ["d", "e", "f"]]); // huggingface_hub's own example
    expect(divide({ a: 2, b: 11, c: 2 }, 10)).toEqual([["b"], ["a", "c"]]);
    expect(divide({ a: 10 }, 10)).toEqual([["a"]]);
  });

  test("of transformers are what we write for its tensors, index included", async () => {
    const original = readSafetensors(`${CROSSING}/float32/model.safetensors`);
    const shapes = Object.fromEntries(Object.entries(original).map(([name, { shape }]) => [name, shape]));
    await saveWeights(directory, shapes, (name) => original[name].data, "BF16", 2000);
    const files = readdirSync(directory).sort();
    expect(files).toEqual(
      readdirSync(`${CROSSING}/bfloat16`)
        .filter((name) => name !== "config.json")
        .sort(),
    );
    for (const file of files)
      expect(readFileSync(join(directory, file)).equals(readFileSync(`${CROSSING}/bfloat16/${file}`)), file).toBe(true);
  });

  test("have their layers in the order of their numbers", async () => {
    const names = [
      "model.layers.10.a",
      "model.layers.2.a",
      "model.norm",
      "model.layers.2.a.b",
      "lm_head",
      "model.embed",
    ];
    await saveWeights(
      directory,
      Object.fromEntries(names.map((name) => [name, [1]])),
      () => Float32Array.of(1),
      "F32",
      4,
    );
    const { weight_map } = JSON.parse(readFileSync(join(directory, "model.safetensors.index.json"), "utf8"));
    const inOrder = Object.keys(weight_map).sort((a, b) => (weight_map[a] < weight_map[b] ? -1 : 1));
    expect(inOrder).toEqual([
      "lm_head",
      "model.embed",
      "model.layers.2.a",
      "model.layers.2.a.b",
      "model.layers.10.a",
      "model.norm",
    ]);
  });

  test("of an earlier save are removed, whichever way it was divided", async () => {
    writeFileSync(join(directory, "tokenizer.json"), "{}"); // not ours to remove
    writeFileSync(join(directory, "model-00001-of-00009.safetensors.partial"), "of a save that was killed");
    for (const [count, limit, files] of [
      [4, 64, 4],
      [6, 64, 5],
      [6, 1e9, 2],
      [3, 32, 5],
      [2, 64, 2],
    ]) {
      await save(count, limit, count);
      expect(readdirSync(directory).length).toBe(files);
      expect(load()).toEqual(Object.fromEntries(Object.keys(shapes(count)).map((name) => [name, count])));
    }
    expect(existsSync(join(directory, "tokenizer.json"))).toBe(true);
  });

  test("that could not all be written leave the earlier save as it was", async () => {
    await save(4, 64, 7);
    const files = readdirSync(directory);
    const failing = (name: string) => {
      if (name === "t3") throw new Error("no value");
      return new Float32Array(8);
    };
    await expect(saveWeights(directory, shapes(4), failing, "F32", 64)).rejects.toThrow("no value");
    expect(readdirSync(directory)).toEqual(files);
    expect(load()).toEqual({ t0: 7, t1: 7, t2: 7, t3: 7 });
  });
});

describe("any bytes at all", () => {
  /** Either read, or refused in one line that names the file; and never more memory than the file justifies. */
  const survives = (path: string, bytes: Uint8Array) => {
    writeFileSync(path, bytes);
    try {
      const tensors = readSafetensors(path);
      const taken = Object.values(tensors).reduce((sum, { data }) => sum + data.byteLength, 0);
      expect(taken).toBeLessThanOrEqual(2 * bytes.length);
    } catch (error) {
      expect(error).toBeInstanceOf(UserError);
      expect((error as UserError).message).toMatch(/^[^\n]*fuzz\.safetensors: [^\n]{1,1000}$/);
    }
  };

  test("as a file", () => {
    const path = join(directory, "fuzz.safetensors");
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => survives(path, bytes)),
      { numRuns: 300 },
    );
  });

  test("as a header", () => {
    const path = join(directory, "fuzz.safetensors");
    const number = fc.oneof(fc.nat(20), fc.integer(), fc.double(), fc.constantFrom(2 ** 53, 1e15, 1e300));
    const entry = fc.record(
      {
        dtype: fc.oneof(fc.constantFrom("F32", "F16", "BF16", "I64"), fc.string()),
        shape: fc.oneof(fc.array(number, { maxLength: 4 }), fc.jsonValue()),
        data_offsets: fc.oneof(fc.tuple(number, number), fc.jsonValue()),
      },
      { requiredKeys: [] },
    );
    const header = fc.oneof(fc.dictionary(fc.string(), fc.oneof(entry, fc.jsonValue())), fc.jsonValue());
    fc.assert(
      fc.property(header, fc.uint8Array({ maxLength: 40 }), (json, data) => {
        const text = Buffer.from(JSON.stringify(json));
        const length = Buffer.alloc(8);
        length.writeBigUInt64LE(BigInt(text.length));
        survives(path, Buffer.concat([length, text, data]));
      }),
      { numRuns: 300 },
    );
  });

  test("changed, cut or put in anywhere in a valid file", () => {
    const path = join(directory, "fuzz.safetensors");
    const valid = readFileSync(`${CROSSING}/bfloat16/model-00006-of-00006.safetensors`);
    const change = fc.record({
      at: fc.nat(valid.length - 1),
      remove: fc.nat(4),
      insert: fc.oneof(
        fc.uint8Array({ maxLength: 4 }),
        fc.constantFrom(...'0123456789-.e"{}[]:,\\'.split("")).map((c) => Uint8Array.from(Buffer.from(c))),
      ),
    });
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 3 }), (changes) => {
        let bytes = Buffer.from(valid);
        for (const { at, remove, insert } of changes)
          bytes = Buffer.concat([bytes.subarray(0, at), insert, bytes.subarray(at + remove)]);
        survives(path, bytes);
      }),
      { numRuns: 400 },
    );
  });
});

/**
 * @file Malformed model directories, one a line: bytes of safetensors files, indices, config.json. Each is refused in
 * one line that names the file and the reason.
 */
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startEngine } from "../../src/engine/engine.ts";
import { loadModel, readSafetensors } from "../../src/model/checkpoint.ts";
import { UserError } from "../../src/util/assert.ts";

const folder = mkdtempSync(join(tmpdir(), "marco-malformed-"));
afterAll(() => rmSync(folder, { recursive: true }));
beforeAll(async () => {
  await startEngine("cpu");
});

/** The message of the error, which must be for the user, in one line, not too long, and begin with the file. */
function refusal(run: () => unknown, file: string): string {
  try {
    run();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    expect(error.message).not.toContain("\n");
    expect(error.message.length).toBeLessThan(file.length + 400);
    expect(error.message.startsWith(`${file}: `), error.message).toBe(true);
    return error.message;
  }
  throw new Error("was accepted");
}

type Case = [what: string, bytes: Uint8Array, reason: string];
const u64 = (n: number | bigint) => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(n));
  return bytes;
};
/** A file with this header (an object, text or bytes) and as many zeros of data. */
const file = (header: unknown, dataBytes = 0, headerLength?: number | bigint): Uint8Array => {
  const text = header instanceof Uint8Array || typeof header === "string" ? header : JSON.stringify(header);
  const json = Buffer.from(text as string);
  return Buffer.concat([u64(headerLength ?? json.length), json, Buffer.alloc(dataBytes)]);
};
const F32 = (shape: unknown, from: unknown, to: unknown, dtype: unknown = "F32") => ({
  ...{ dtype, shape, data_offsets: [from, to] },
});
const one = (entry: string) => `{"a":${entry}}`;
const A = '{"dtype":"F32","shape":[1],"data_offsets":[0,4]}';

const SAFETENSORS: Case[] = [
  ["no bytes at all", Buffer.alloc(0), "0 bytes are too short"],
  ["seven bytes", Buffer.alloc(7), "7 bytes are too short"],
  ["a header of no bytes", file(""), "does not begin with {"],
  ["a header longer than the file", file("{}", 0, 1000), "header length 1000 is over the file's 10 bytes"],
  ["a header one byte longer than the file", file("{}", 0, 3), "header length 3 is over the file's 10 bytes"],
  ["a header of 100,000,001 bytes", file("{}", 0, 100_000_001), "over the format's limit, 100000000"],
  ["a header of 2^53 bytes", file("{}", 0, 2 ** 53), "over the format's limit"],
  ["a header of 2^64 - 1 bytes", file("{}", 0, 2n ** 64n - 1n), "over the format's limit"],
  ["a header cut in the middle", file(one(A), 4, 20), "the header is not JSON"],
  ["text instead of a header", file("{not json"), "the header is not JSON"],
  ["a header with a comment", file(`{/**/"a":${A}}`, 4), "the header is not JSON"],
  ["a header with a trailing comma", file(`{"a":${A},}`, 4), "the header is not JSON"],
  ["a header with zeros behind", file(`${one(A)}\0\0`, 4), "the header is not JSON"],
  ["a header with NaN", file(one('{"dtype":"F32","shape":[NaN],"data_offsets":[0,4]}'), 4), "the header is not JSON"],
  ["a header that is not UTF-8", file(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])), "not UTF-8"],
  ["a name with half a UTF-8 character", file(Buffer.from([0x7b, 0x22, 0xe4, 0xb8, 0x22, 0x3a, 0x31, 0x7d])), "UTF-8"],
  ["a header with a byte order mark", file(`\ufeff${one(A)}`, 4), "does not begin with {"],
  ["a header with a space in front", file(` ${one(A)}`, 4), "does not begin with {"],
  ["null as header", file("null"), "does not begin with {"],
  ["a list as header", file("[]"), "does not begin with {"],
  ["a number as header", file("7"), "does not begin with {"],
  ["a pickle", Buffer.from("\x80\x02}q\0X\x01\0\0\0aq\x01K\x01s.", "latin1"), "over the format's limit"],
  ["a zip file, as torch.save makes", Buffer.from("PK\x03\x04\0\0\x08\x08\0\0", "latin1"), "over the format's limit"],
  ["a page of HTML instead of a file", Buffer.from("<!DOCTYPE html><html></html>"), "over the format's limit"],
  ["a Git LFS pointer", Buffer.from("version https://git-lfs.github.com/spec/v1\n"), "git lfs pull"],
  ["the same tensor twice", file(`{"a":${A},"a":${A}}`, 4), 'the key "a" is there twice'],
  ["the same tensor twice, once escaped", file(`{"a":${A},"\\u0061":${A}}`, 4), 'the key "a" is there twice'],
  [
    "the same field twice",
    file(one('{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}'), 4),
    'key "dtype" is there twice',
  ],
  [
    "__metadata__ twice",
    file(`{"__metadata__":{},"__metadata__":{},"a":${A}}`, 4),
    'key "__metadata__" is there twice',
  ],
  ["__metadata__ with a number", file({ __metadata__: { format: 1 } }), "__metadata__: format is not text"],
  ["__metadata__ with an object", file({ __metadata__: { x: {} } }), "__metadata__: x is not text"],
  ["__metadata__ that is a list", file({ __metadata__: ["pt"] }), "__metadata__ is not an object"],
  ["__metadata__ that is text", file({ __metadata__: "pt" }), "__metadata__ is not an object"],
  ["a tensor of the name __proto__", file(`{"__proto__":${A}}`, 4), "__proto__ is no name for a tensor"],
  ["half a surrogate pair as name", file(`{"\\ud800":${A}}`, 4), '"\\ud800" is no name for a tensor'],
  ["a tensor that is null", file(one("null")), "a is not an object"],
  ["a tensor that is a number", file(one("1")), "a is not an object"],
  ["a tensor that is a list", file(one("[]")), "a is not an object"],
  ["a name of many lines", file('{"a\\nb\\u001b[2J":1}'), 'header: "a\\nb\\u001b[2J" is not an object'],
  ["a name of 10,000 letters", file({ ["x".repeat(10_000)]: 1 }), "…"],
  ["no dtype", file(one('{"shape":[1],"data_offsets":[0,4]}'), 4), "a has no dtype"],
  ["a dtype that is a number", file({ a: F32([1], 0, 4, 32) }, 4), "a has no dtype"],
  ["a dtype nobody knows", file({ a: F32([1], 0, 4, "F23") }, 4), "an unknown dtype, F23; expected F32, F16, BF16"],
  ["a dtype in small letters", file({ a: F32([1], 0, 4, "f32") }, 4), "an unknown dtype, f32"],
  ["a dtype that every object has", file({ a: F32([1], 0, 4, "toString") }, 4), "an unknown dtype, toString"],
  ...["I64", "I32", "U8", "BOOL", "F64", "F8_E4M3", "F8_E5M2", "F4", "C64"].map(
    (dtype): Case => [
      `the dtype ${dtype}`,
      file({ a: F32([1], 0, 4, dtype) }, 4),
      `a has dtype ${dtype}, which is not supported; expected F32, F16, BF16: convert it`,
    ],
  ),
  ["no shape", file(one('{"dtype":"F32","data_offsets":[0,4]}'), 4), "a has no shape"],
  ["a shape that is a number", file({ a: F32(1, 0, 4) }, 4), "a has no shape"],
  ["a negative size", file({ a: F32([-1], 0, 4) }, 4), "-1 is not a whole number"],
  ["two negative sizes", file({ a: F32([-1, -1], 0, 4) }, 4), "-1 is not a whole number"],
  ["minus zero as size", file(one('{"dtype":"F32","shape":[-0],"data_offsets":[0,0]}')), "-0 is not a whole number"],
  ["half a size", file({ a: F32([0.5], 0, 2) }, 2), "0.5 is not a whole number"],
  ["a size as 1.0", file(one('{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}'), 4), "1.0 is not a whole number"],
  ["a size as 1e0", file(one('{"dtype":"F32","shape":[1e0],"data_offsets":[0,4]}'), 4), "1e0 is not a whole number"],
  ["a size that is text", file({ a: F32(["1"], 0, 4) }, 4), "a shape with something else than whole numbers"],
  ["a size that is null", file({ a: F32([null], 0, 4) }, 4), "a shape with something else than whole numbers"],
  ["a size that is true", file({ a: F32([true], 0, 4) }, 4), "a shape with something else than whole numbers"],
  ["a size of 2^53", file({ a: F32([2 ** 53], 0, 4) }, 4), "whole numbers below 2^53"],
  ["a size of 2^64", file(one('{"dtype":"F32","shape":[18446744073709551616],"data_offsets":[0,4]}'), 4), "below 2^53"],
  ["sizes whose product overflows", file({ a: F32([2 ** 40, 2 ** 40], 0, 4) }, 4), "overflows"],
  ["sizes whose product overflows to 0 in 64 bits", file({ a: F32([2 ** 32, 2 ** 32], 0, 0) }), "overflows"],
  ["sizes whose product overflows before a 0", file({ a: F32([2 ** 40, 2 ** 40, 0], 0, 0) }), "overflows"],
  ["10^15 numbers in an empty file", file({ a: F32([1e15], 0, 4e15) }), "ends at 4000000000000000, beyond the 0 bytes"],
  [
    "10^15 numbers that take no bytes",
    file({ a: F32([1e15], 0, 0) }),
    "takes 4000000000000000 bytes, data_offsets say 0",
  ],
  ["no offsets", file(one('{"dtype":"F32","shape":[1]}'), 4), "data_offsets are not two whole numbers"],
  ["one offset", file(one('{"dtype":"F32","shape":[1],"data_offsets":[4]}'), 4), "not two whole numbers"],
  ["three offsets", file(one('{"dtype":"F32","shape":[1],"data_offsets":[0,4,4]}'), 4), "not two whole numbers"],
  ["offsets as text", file({ a: F32([1], "0", "4") }, 4), "not two whole numbers"],
  ["offsets as 4.0", file(one('{"dtype":"F32","shape":[1],"data_offsets":[0,4.0]}'), 4), "4.0 is not a whole number"],
  ["negative offsets", file({ a: F32([1], -4, 0) }, 4), "-4 is not a whole number"],
  ["offsets of 2^53 and more", file({ a: F32([1], 2 ** 53, 2 ** 53 + 4) }, 4), "below 2^53"],
  ["offsets that are reversed", file({ a: F32([1], 4, 0) }, 4), "data_offsets 4..0 are reversed"],
  ["fewer bytes than the shape takes", file({ a: F32([3], 0, 8) }, 8), "F32 [3] takes 12 bytes, data_offsets say 8"],
  ["more bytes than the shape takes", file({ a: F32([1], 0, 8) }, 8), "F32 [1] takes 4 bytes, data_offsets say 8"],
  ["the bytes of another dtype", file({ a: F32([2], 0, 8, "BF16") }, 8), "BF16 [2] takes 4 bytes"],
  ["no bytes for a scalar", file({ a: F32([], 0, 0) }), "F32 [] takes 4 bytes"],
  ["a gap in front", file({ a: F32([1], 4, 8) }, 8), "a begins at 4, expected 0 (gap)"],
  ["a gap between", file({ a: F32([1], 0, 4), b: F32([1], 8, 12) }, 12), "b begins at 8, expected 4 (gap)"],
  ["an overlap", file({ a: F32([2], 0, 8), b: F32([2], 4, 12) }, 12), "b begins at 4, expected 8 (overlap)"],
  [
    "two tensors in one place",
    file({ a: F32([2], 0, 8), b: F32([2], 0, 8) }, 8),
    "b begins at 0, expected 8 (overlap)",
  ],
  ["an empty tensor inside another", file({ a: F32([2], 0, 8), b: F32([0], 4, 4) }, 8), "b begins at 4, expected 8"],
  ["a tensor inside the header", file({ a: F32([1], 0, 4) }, 4, 51n), "not JSON"],
  ["data that are cut", file({ a: F32([2], 0, 8), b: F32([2], 8, 16) }, 12), "b ends at 16, beyond the 12 bytes"],
  ["data that are missing", file({ a: F32([1], 0, 4) }), "a ends at 4, beyond the 0 bytes of data (truncated)"],
  ["bytes behind the last tensor", file({ a: F32([1], 0, 4) }, 5), "there are 1 bytes after the last tensor"],
  ["bytes and no tensor", file({}, 8), "there are 8 bytes after the last tensor"],
  ["a hundred thousand brackets", file(one("[".repeat(1e5) + "]".repeat(1e5))), "a is not an object"],
  [
    "a shape of a million sizes",
    file({ a: F32(new Array(1e6).fill(3), 0, 4) }, 4),
    "shape [3,3,3,3,3,3,3,3,…] overflows",
  ],
];

describe("a safetensors file with", () => {
  test.each(SAFETENSORS)("%s", (_, bytes, reason) => {
    const path = join(folder, "bad.safetensors");
    writeFileSync(path, bytes);
    expect(refusal(() => readSafetensors(path), path)).toContain(reason);
  });

  test("nothing there, or a directory, or a link to nowhere or to itself", () => {
    const path = join(folder, "absent.safetensors");
    expect(refusal(() => readSafetensors(path), path)).toContain(
      "cannot be read (ENOENT); expected a safetensors file",
    );
    mkdirSync(path);
    expect(refusal(() => readSafetensors(path), path)).toContain("cannot be read (not a file)");
    rmSync(path, { recursive: true });
    symlinkSync("nowhere", path);
    expect(refusal(() => readSafetensors(path), path)).toContain("ENOENT");
    rmSync(path);
    symlinkSync("absent.safetensors", path);
    expect(refusal(() => readSafetensors(path), path)).toContain("ELOOP");
  });
});

const CROSSING = "test/fixtures/qwen2/crossing";
const NORM = "model.norm.weight";

/** A copy of a directory, and what is in it. */
function copyOf(name: string) {
  const directory = mkdtempSync(join(folder, "model-"));
  cpSync(`${CROSSING}/${name}`, directory, { recursive: true });
  return { directory, at: (name: string) => join(directory, name) };
}
type Directory = ReturnType<typeof copyOf>;
const INDEX = "model.safetensors.index.json";
const shard = (i: number) => `model-0000${i}-of-00006.safetensors`;
type WeightMap = Record<string, unknown>;

const set = (name: string, file: unknown) => (map: WeightMap) => {
  map[name] = file;
};

const INDICES: [what: string, change: (map: WeightMap, d: Directory) => unknown, file: string, reason: string][] = [
  ["text", () => "weights", INDEX, "it is not JSON"],
  ["nothing in it", () => "", INDEX, "it is not JSON"],
  ["null", () => "null", INDEX, "weight_map is not an object"],
  ["a list", () => "[]", INDEX, "weight_map is not an object"],
  ["no weight_map", () => ({ metadata: {} }), INDEX, "weight_map is not an object"],
  ["a weight_map that is a list", () => ({ weight_map: [shard(1)] }), INDEX, "weight_map is not an object"],
  ["an empty weight_map", () => ({ weight_map: {} }), INDEX, "weight_map is empty"],
  [
    "a tensor twice",
    (map) => JSON.stringify({ weight_map: map }).replace("{", `{"weight_map":{"a":"b"},`),
    INDEX,
    'the key "weight_map" is there twice',
  ],
  ["a number for a file", set(NORM, 6), INDEX, `${NORM} is in 6, expected the name of`],
  ["null for a file", set(NORM, null), INDEX, `${NORM} is in null, expected the name of`],
  ["an object for a file", set(NORM, {}), INDEX, "expected the name of"],
  ["no name for a file", set(NORM, ""), INDEX, "expected the name of"],
  ...[
    "../x.safetensors",
    "..",
    "sub/x.safetensors",
    "/etc/x.safetensors",
    "..\\x.safetensors",
    "C:x.safetensors",
    "a\nb.safetensors",
    "\u001b[2J.safetensors",
    "\\\\host\\x.safetensors",
    "x.safetensors\0.json",
    "x\0/../y.safetensors",
    "pytorch_model.bin",
    ".safetensors/",
  ].map((name): (typeof INDICES)[number] => [
    `the path ${JSON.stringify(name)}`,
    set(NORM, name),
    INDEX,
    "expected the name of a .safetensors file beside the index",
  ]),
  ["a shard that is missing", (_, { at }) => rmSync(at(shard(3))), shard(3), "cannot be read (ENOENT)"],
  ["a shard that is cut", (_, { at }) => truncateSync(at(shard(3)), 1900), shard(3), "(truncated)"],
  ["a shard that is empty", (_, { at }) => truncateSync(at(shard(3)), 0), shard(3), "0 bytes are too short"],
  [
    "a tensor that its shard does not have",
    set("lm_head.weight", shard(6)),
    INDEX,
    `lm_head.weight is said to be in ${shard(6)}, but is not`,
  ],
  [
    "a tensor in another shard than listed",
    set(NORM, shard(1)),
    INDEX,
    `${NORM} is said to be in ${shard(1)}, but is not`,
  ],
  [
    "a tensor that is not listed",
    (map) => delete map[NORM] && undefined,
    INDEX,
    `${NORM} is in ${shard(6)}, but not listed`,
  ],
  [
    "a tensor in two shards",
    (map, { at }) => {
      cpSync(at(shard(6)), at("again.safetensors"));
      map["model.embed_tokens.weight"] = shard(1);
      map[NORM] = "again.safetensors";
    },
    INDEX,
    "is in model-0000",
  ],
  ["a name that every object has", set("toString", shard(1)), INDEX, "toString is said to be in"],
  [
    "model.safetensors beside it",
    (_, { at }) => cpSync(`${CROSSING}/float32/model.safetensors`, at("model.safetensors")),
    INDEX,
    "model.safetensors is beside it",
  ],
];

describe("an index with", () => {
  test.each(INDICES)("%s", (_, change, named, reason) => {
    const copy = copyOf("bfloat16");
    const index = JSON.parse(readFileSync(copy.at(INDEX), "utf8"));
    const changed = change(index.weight_map, copy) ?? index;
    if (existsSync(copy.at(INDEX)))
      writeFileSync(copy.at(INDEX), typeof changed === "string" ? changed : JSON.stringify(changed));
    expect(refusal(() => loadModel(copy.directory), copy.at(named))).toContain(reason);
  });
});

const CONFIGS: [what: string, change: Record<string, unknown> | string, reason: string][] = [
  ["nothing in it", "", "it is not JSON"],
  ["text", "model", "it is not JSON"],
  ["several lines that are not JSON", "{\n  model\n}", "it is not JSON"],
  ["null", "null", "expected a Qwen2 model's config.json"],
  ["a list", "[]", "expected a Qwen2 model's config.json"],
  ["nothing but braces", "{}", "model_type"],
  [
    "a key twice",
    '{"model_type":"qwen2","rms_norm_eps":1e-5,"rms_norm_eps":1e-6}',
    'the key "rms_norm_eps" is there twice',
  ],
  ["a billion layers", { num_hidden_layers: 1e9, use_sliding_window: true, sliding_window: 8 }, "num_hidden_layers"],
  [
    "a key of several lines",
    { rope_parameters: { rope_type: "default", rope_theta: 1e6, "a\nb": 1 } },
    "rope_parameters",
  ],
  ["a key of 10,000 letters", { rope_parameters: { rope_theta: 1e6, ["x".repeat(10_000)]: 1 } }, "rope_parameters"],
  ["another architecture", { model_type: "llama" }, "model_type"],
  ["a mixture of experts", { model_type: "qwen2_moe" }, "model_type"],
  ["another activation", { hidden_act: "gelu" }, "hidden_act"],
  ...[
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "max_position_embeddings",
  ].flatMap((key): (typeof CONFIGS)[number][] => [
    [`${key} -1`, { [key]: -1 }, key],
    [`${key} 0`, { [key]: 0 }, key],
    [`${key} as text`, { [key]: "16" }, key],
  ]),
  ["a negative size", { hidden_size: -16 }, "hidden_size"],
  ["half a size", { hidden_size: 16.5 }, "hidden_size"],
  ["a size of 1e300", { hidden_size: 1e300 }, "hidden_size"],
  ["no epsilon, which has no default", { rms_norm_eps: undefined }, "rms_norm_eps"],
  ["an epsilon of 0", { rms_norm_eps: 0 }, "rms_norm_eps"],
  ["an epsilon as text", { rms_norm_eps: "1e-6" }, "rms_norm_eps"],
  ["no rotary base", { rope_theta: undefined, rope_parameters: undefined }, "rope_theta"],
  ["a negative rotary base", { rope_theta: -1 }, "rope_theta"],
  ["another kind of rotary embedding", { rope_parameters: { rope_type: "llama3", rope_theta: 1e6 } }, "rope_"],
  ["tying that is not said", { tie_word_embeddings: undefined }, "tie_word_embeddings"],
  ["tying as text", { tie_word_embeddings: "true" }, "tie_word_embeddings"],
  ["heads that do not divide the width", { num_attention_heads: 5, num_key_value_heads: 5 }, "num_attention_heads"],
  ["no width", { hidden_size: undefined }, "hidden_size"],
  ["no layers", { num_hidden_layers: undefined }, "num_hidden_layers"],
  ["heads of odd width", { head_dim: 5 }, "head_dim: 5 is odd"],
  ["quantized weights", { quantization_config: { bits: 4 } }, "quantization_config: quantized weights cannot be read"],
  ["dropout in attention", { attention_dropout: 0.1 }, "attention_dropout: expected 0"],
  [
    "a sliding window without its size",
    { use_sliding_window: true, sliding_window: null },
    "sliding_window: is missing",
  ],
  ["layers of a type nobody knows", { layer_types: ["full_attention", "linear_attention"] }, "layer_types.1"],
  [
    "types for another number of layers",
    { layer_types: ["full_attention"] },
    "layer_types: has 1 entries for 2 layers",
  ],
  ["heads that do not divide into groups", { num_key_value_heads: 3 }, "num_key_value_heads"],
];

/** Good configurations of another model than the weights are of. */
const OTHER_MODELS: [what: string, change: Record<string, unknown>, reason: string][] = [
  ["another vocabulary", { vocab_size: 33 }, "model.embed_tokens.weight has shape [32,16]"],
  ["another width of the MLP", { intermediate_size: 48 }, "mlp.gate_proj.weight has shape [24,16]"],
  ["other groups of heads", { num_key_value_heads: 4 }, "self_attn.k_proj.weight has shape [8,16]"],
  ["a layer more", { num_hidden_layers: 3 }, "tensor model.layers.2.self_attn.q_proj.weight [16,16] is missing"],
  ["a layer less", { num_hidden_layers: 1 }, "unknown tensor model.layers.1."],
  [
    "ten thousand layers",
    { num_hidden_layers: 10_000 },
    "tensor model.layers.2.self_attn.q_proj.weight [16,16] is missing",
  ],
  ["a head of its own", { tie_word_embeddings: false }, "tensor lm_head.weight [32,16] is missing"],
];

describe("a config.json with", () => {
  const changed = (change: Record<string, unknown> | string) => {
    const copy = copyOf("float32");
    const config = { ...JSON.parse(readFileSync(copy.at("config.json"), "utf8")), layer_types: undefined };
    const text = typeof change === "string" ? change : JSON.stringify({ ...config, ...change });
    writeFileSync(copy.at("config.json"), text);
    return copy;
  };

  test.each(CONFIGS)("%s", (_, change, reason) => {
    const { directory, at } = changed(change);
    expect(refusal(() => loadModel(directory), at("config.json"))).toContain(reason);
  });

  test.each(OTHER_MODELS)("%s than the weights", (_, change, reason) => {
    const { directory, at } = changed(change);
    const message = refusal(() => loadModel(directory), at("model.safetensors"));
    expect(message).toContain(reason);
    expect(message).toContain(at("config.json"));
  });
});

describe("any bytes at all", () => {
  test.each([
    ["float32", "config.json"],
    ["bfloat16", "config.json"],
    ["bfloat16", INDEX],
  ])("in %s/%s: the model is read, or refused in one line", (name, file) => {
    const { directory, at } = copyOf(name);
    const valid = readFileSync(at(file), "utf8");
    const change = fc.record({
      at: fc.nat(valid.length - 1),
      remove: fc.nat(5),
      insert: fc.oneof(
        fc.string({ maxLength: 3 }),
        fc.constantFrom('"', "{", "}", "[", "]", ",", ":", "9", "-", ".", "e9", "null"),
      ),
    });
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 3 }), (changes) => {
        let text = valid;
        for (const { at, remove, insert } of changes) text = text.slice(0, at) + insert + text.slice(at + remove);
        writeFileSync(at(file), text);
        try {
          tf.dispose(loadModel(directory).parameters);
        } catch (error) {
          expect(error).toBeInstanceOf(UserError);
          expect((error as UserError).message).toMatch(/^[^\n]{1,600}$/);
        }
      }),
      { numRuns: 100 },
    );
  });
});

describe("a model directory", () => {
  test("without configuration, without weights, or with a pickle for weights", () => {
    const { directory, at } = copyOf("float32");
    rmSync(at("model.safetensors"));
    expect(refusal(() => loadModel(directory), at("model.safetensors"))).toContain("and so is model.safetensors.index");
    writeFileSync(at("pytorch_model.bin"), "");
    expect(refusal(() => loadModel(directory), at("model.safetensors"))).toContain("pytorch_model.bin is not read");
    rmSync(at("config.json"));
    expect(refusal(() => loadModel(directory), at("config.json"))).toContain("cannot be read (ENOENT)");
    expect(readdirSync(directory)).toEqual(["pytorch_model.bin"]); // nothing is mended by itself
  });

  test("the table has more than a hundred cases", () => {
    expect(SAFETENSORS.length + INDICES.length + CONFIGS.length + OTHER_MODELS.length).toBeGreaterThan(150);
  });
});

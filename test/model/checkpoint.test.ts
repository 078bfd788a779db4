/**
 * @file Model directories: what is saved is read back bit for bit; what is malformed is refused in one line.
 */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { startEngine } from "../../src/engine/engine.ts";
import { loadModel, readSafetensors, saveModel, writeSafetensors } from "../../src/model/checkpoint.ts";
import { fromHuggingFace } from "../../src/model/config.ts";
import { initParameters } from "../../src/model/init.ts";
import { UserError } from "../../src/util/assert.ts";
import { snapshot, TINY } from "../train/tiny.ts";

const folder = mkdtempSync(join(tmpdir(), "marco-checkpoint-"));
afterAll(() => rmSync(folder, { recursive: true }));
beforeAll(async () => {
  await startEngine("cpu");
});

/** The message of the error, which must be for the user, in one line, and name the file. */
function refusal(run: () => unknown, file: string): string {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(UserError);
    const { message } = error as UserError;
    expect(message).not.toContain("\n");
    expect(message).toContain(file);
    return message;
  }
  throw new Error("was accepted");
}

describe("a saved model", () => {
  test("comes back bit for bit, with its configuration, and leaves no half-written file", async () => {
    for (const config of [TINY, { ...TINY, tieWordEmbeddings: false, ropeTheta: 5e5, rmsNormEps: 1e-5 }]) {
      const directory = mkdtempSync(join(folder, "saved-"));
      const parameters = initParameters(config, 3);
      parameters["model.norm.weight"].dispose();
      const hard = [Number.NaN, Infinity, -Infinity, -0, 1e-45, 3.4028235e38, ...Array(10).fill(1 / 3)];
      parameters["model.norm.weight"] = tf.tensor1d(hard);
      await saveModel(directory, parameters, config, 39);
      const loaded = loadModel(directory);
      expect(loaded.config).toEqual(config);
      const bits = (values: Record<string, Float32Array>) =>
        Object.fromEntries(Object.entries(values).map(([name, x]) => [name, new Uint32Array(x.slice().buffer)]));
      expect(bits(snapshot(loaded.parameters))).toEqual(bits(snapshot(parameters)));
      expect(readdirSync(directory).sort()).toEqual(["config.json", "generation_config.json", "model.safetensors"]);
      expect(JSON.parse(readFileSync(join(directory, "generation_config.json"), "utf8"))).toEqual({ eos_token_id: 39 });
      tf.dispose([parameters, loaded.parameters]);
    }
  });

  test("is a safetensors file as the format says: aligned header, tensors side by side", () => {
    const path = join(folder, "two.safetensors");
    writeSafetensors(path, {
      b: { shape: [2], data: Float32Array.of(1, 2) },
      a: { shape: [1, 3], data: Float32Array.of(3, 4, 5) },
    });
    const bytes = readFileSync(path);
    const length = Number(bytes.readBigUInt64LE(0));
    expect(length % 8).toBe(0);
    expect(JSON.parse(bytes.toString("utf8", 8, 8 + length))).toEqual({
      __metadata__: { format: "pt" },
      a: { dtype: "F32", shape: [1, 3], data_offsets: [0, 12] },
      b: { dtype: "F32", shape: [2], data_offsets: [12, 20] },
    });
    expect(bytes.length).toBe(8 + length + 20);
    expect(bytes.readFloatLE(8 + length)).toBe(3);
    expect(bytes.readFloatLE(8 + length + 12)).toBe(1);
  });

  test("of Hugging Face loads, whatever the version that wrote its configuration", () => {
    const read = (name: string) => JSON.parse(readFileSync(`test/fixtures/qwen2/tied/${name}`, "utf8"));
    expect(fromHuggingFace(read("config.json"))).toEqual(fromHuggingFace(read("config.released.json")));
  });
});

describe("a malformed safetensors file", () => {
  const path = join(folder, "bad.safetensors");
  type Entry = { dtype: string; shape: unknown; data_offsets: unknown };
  const entry = (shape: unknown, from: number, to: number, dtype = "F32"): Entry => ({
    dtype,
    shape,
    data_offsets: [from, to],
  });
  /** Writes header and data; says why the file is refused. */
  const reasonFor = (header: unknown, dataBytes: number, headerLength?: number) => {
    const json = Buffer.from(typeof header === "string" ? header : JSON.stringify(header));
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(headerLength ?? json.length));
    writeFileSync(path, Buffer.concat([length, json, Buffer.alloc(dataBytes)]));
    return refusal(() => readSafetensors(path), path);
  };

  test.each([
    ["truncated data", { a: entry([2], 0, 8), b: entry([2], 8, 16) }, 12, "b ends beyond the file (truncated)"],
    ["a gap", { a: entry([2], 0, 8), b: entry([2], 12, 20) }, 20, "b [2] at 12..20 (gap, overlap or wrong length)"],
    ["an overlap", { a: entry([2], 0, 8), b: entry([2], 4, 12) }, 12, "b [2] at 4..12 (gap, overlap or wrong length)"],
    ["a length that is not the shape's", { a: entry([3], 0, 8) }, 8, "a [3] at 0..8 (gap, overlap or wrong length)"],
    ["bytes after the last tensor", { a: entry([2], 0, 8) }, 9, "there are bytes after the last tensor"],
    ["another dtype", { a: entry([4], 0, 8, "BF16") }, 8, "a has dtype BF16, expected F32; convert it to float32"],
    ["a header that is not JSON", "{not json", 0, "the header is not a JSON object"],
    ["a header that is null", "null", 0, "the header is not a JSON object"],
    ["an entry without a shape", { a: { dtype: "F32", data_offsets: [0, 8] } }, 8, "header: a.shape"],
    ["a negative size", { a: entry([-1, -2], 0, 8) }, 8, "header: a.shape.0"],
    [
      "offsets that are not two numbers",
      { a: { dtype: "F32", shape: [2], data_offsets: [0] } },
      8,
      "header: a.data_offsets",
    ],
    ["an entry that is not an object", { a: 1 }, 8, "header: a"],
  ])("with %s", (_, header, dataBytes, reason) => {
    expect(reasonFor(header, dataBytes)).toContain(reason);
  });

  test("with a header longer than the file, or longer than the format allows", () => {
    expect(reasonFor("{}", 0, 1000)).toContain("header length 1000");
    expect(reasonFor("{}", 0, 2 ** 53)).toContain("header length 9007199254740992");
  });

  test("with fewer than eight bytes, or not there at all", () => {
    writeFileSync(path, "1234567");
    expect(refusal(() => readSafetensors(path), path)).toContain("7 bytes is too short");
    const missing = join(folder, "none.safetensors");
    expect(refusal(() => readSafetensors(missing), missing)).toContain("cannot be read (ENOENT)");
  });
});

describe("a model directory", () => {
  let directory: string;
  const at = (name: string) => join(directory, name);
  beforeEach(() => {
    directory = mkdtempSync(join(folder, "model-"));
    cpSync("test/fixtures/qwen2/tied", directory, { recursive: true });
  });
  const changeTensors = (change: (tensors: ReturnType<typeof readSafetensors>) => void) => {
    const tensors = readSafetensors(at("model.safetensors"));
    change(tensors);
    writeSafetensors(at("model.safetensors"), tensors);
    return refusal(() => loadModel(directory), at("model.safetensors"));
  };
  const changeConfig = (change: Record<string, unknown>) => {
    const config = { ...JSON.parse(readFileSync(at("config.json"), "utf8")), ...change };
    writeFileSync(at("config.json"), JSON.stringify(config));
    return refusal(() => loadModel(directory), at("config.json"));
  };

  test("with an unknown tensor", () => {
    const extra = { shape: [1], data: new Float32Array(1) };
    expect(changeTensors((t) => Object.assign(t, { "lm_head.bias": extra }))).toContain("unknown tensor lm_head.bias");
    expect(changeTensors((t) => Object.assign(t, { toString: extra }))).toContain("unknown tensor"); // not a property of objects
  });

  test("without one of its tensors", () => {
    expect(changeTensors((t) => delete t["model.norm.weight"])).toContain("tensor model.norm.weight [32] is missing");
  });

  test("with a tensor of another shape, even of the same size", () => {
    const message = changeTensors((t) => t["model.layers.0.mlp.down_proj.weight"].shape.reverse());
    expect(message).toMatch(/down_proj\.weight has shape \[\d+,32\], .*config\.json asks for \[32,\d+\]/);
  });

  test.each([
    ["another architecture", { model_type: "llama" }, "model_type"],
    ["another activation", { hidden_act: "gelu" }, "hidden_act"],
    ["sliding-window attention", { use_sliding_window: true }, "use_sliding_window"],
    ["a size that is not whole", { hidden_size: 32.5 }, "hidden_size"],
    ["a size that is text", { vocab_size: "64" }, "vocab_size"],
    ["no epsilon, which has no default", { rms_norm_eps: undefined }, "rms_norm_eps"],
    ["no rotary base", { rope_theta: undefined, rope_parameters: undefined }, "rope_theta: is missing"],
    ["heads that do not divide the width", { num_attention_heads: 5 }, "multiple of num_attention_heads"],
    ["heads that do not divide into groups", { num_key_value_heads: 3 }, "multiple of num_key_value_heads"],
  ])("with %s", (_, change, reason) => {
    expect(changeConfig(change)).toContain(reason);
  });

  test("whose configuration is not JSON, or is missing", () => {
    writeFileSync(at("config.json"), "{\n  model\n}");
    expect(refusal(() => loadModel(directory), at("config.json"))).toContain("it is not JSON");
    rmSync(at("config.json"));
    expect(refusal(() => loadModel(directory), at("config.json"))).toContain("ENOENT");
  });

  test("without weights", () => {
    rmSync(at("model.safetensors"));
    expect(refusal(() => loadModel(directory), at("model.safetensors"))).toContain("ENOENT");
  });
});

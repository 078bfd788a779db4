/**
 * @file Model directories: what is saved is read back bit for bit, crosses to and from Hugging Face transformers, and is
 * refused when the tensors are not the configuration's. Malformed files: malformed.test.ts.
 */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { startEngine } from "../../src/engine/engine.ts";
import { loadModel, readSafetensors, saveModel, writeSafetensors } from "../../src/model/checkpoint.ts";
import { fromHuggingFace } from "../../src/model/config.ts";
import { initParameters } from "../../src/model/init.ts";
import { decoder, logits } from "../../src/model/qwen2.ts";
import { causalMask } from "../../src/ops/attention.ts";
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

const CROSSING = "test/fixtures/qwen2/crossing";

describe("a checkpoint crosses:", () => {
  const golden = JSON.parse(readFileSync(`${CROSSING}/golden.json`, "utf8"));
  const ids: number[][] = golden.input_ids;
  const logitsOf = ({ parameters, config }: ReturnType<typeof loadModel>) =>
    tf.tidy(() => {
      const inputIds = tf.tensor2d(ids, undefined, "int32");
      const positionIds = tf.tensor2d(
        ids.map((row) => row.map((_, i) => i)),
        undefined,
        "int32",
      );
      const input = { inputIds, positionIds, mask: causalMask(tf.zerosLike(inputIds)) };
      return logits(parameters, config, decoder(parameters, config, input).hidden).dataSync();
    });

  test.each(["float32", "float16", "bfloat16"])("made by transformers in %s, with the same logits here", (name) => {
    const model = loadModel(`${CROSSING}/${name}`);
    expect(logitsOf(model)).toBeAllClose(golden.logits[name].flat(2), { atol: 1e-5 });
    tf.dispose(model.parameters);
  });

  test.each([
    ["float32", undefined],
    ["float16", undefined],
    ["bfloat16", golden.max_shard_size],
  ] as const)("saved here in %s, every byte as transformers writes it", async (dtype, maxShardSize) => {
    const { parameters, config } = loadModel(`${CROSSING}/float32`);
    const directory = mkdtempSync(join(folder, "saved-"));
    await saveModel(directory, parameters, config, 39, { dtype, maxShardSize });
    const weights = (path: string) =>
      readdirSync(path)
        .filter((name) => name.startsWith("model"))
        .sort();
    const files = weights(`${CROSSING}/${dtype}`);
    expect(weights(directory)).toEqual(files);
    expect(files.length).toBe(dtype === "bfloat16" ? 7 : 1);
    for (const file of files)
      expect(readFileSync(join(directory, file)).equals(readFileSync(`${CROSSING}/${dtype}/${file}`)), file).toBe(true);
    expect(JSON.parse(readFileSync(join(directory, "config.json"), "utf8")).torch_dtype).toBe(dtype);
    const again = loadModel(directory);
    expect(logitsOf(again)).toBeAllClose(golden.logits[dtype].flat(2), { atol: 1e-5 });
    tf.dispose([parameters, again.parameters]);
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

  test("of a tied model may bring its head, when it is the embedding bit for bit", () => {
    const add = (change: (head: Float32Array) => void) => {
      const tensors = readSafetensors(at("model.safetensors"));
      const { shape, data } = tensors["model.embed_tokens.weight"];
      tensors["lm_head.weight"] = { shape, data: data.slice() };
      change(tensors["lm_head.weight"].data);
      writeSafetensors(at("model.safetensors"), tensors);
    };
    add(() => {});
    const { parameters } = loadModel(directory);
    expect(Object.keys(parameters)).not.toContain("lm_head.weight");
    tf.dispose(parameters);
    const tensors = tf.memory().numTensors;
    add((head) => head.fill(-head[5], 5, 6));
    expect(refusal(() => loadModel(directory), at("model.safetensors"))).toContain(
      "lm_head.weight differs from model.embed_tokens.weight",
    );
    expect(tf.memory().numTensors).toBe(tensors);
  });

  test("may bring the rotary frequencies that old versions of transformers saved; they are not read", () => {
    const tensors = readSafetensors(at("model.safetensors"));
    const wrong = { shape: [4], data: new Float32Array(4) };
    for (const name of ["model.layers.0.self_attn.rotary_emb.inv_freq", "model.rotary_emb.inv_freq"])
      tensors[name] = wrong;
    writeSafetensors(at("model.safetensors"), tensors);
    const { parameters } = loadModel(directory);
    expect(Object.keys(parameters).filter((name) => name.includes("rotary"))).toEqual([]);
    tf.dispose(parameters);
    tensors["model.layers.0.self_attn.rotary_emb.cos"] = wrong;
    writeSafetensors(at("model.safetensors"), tensors);
    expect(refusal(() => loadModel(directory), at("model.safetensors"))).toContain("unknown tensor");
  });

  test("may be made of links, as the Hugging Face cache is", () => {
    const linked = mkdtempSync(join(folder, "linked-"));
    for (const name of readdirSync(`${CROSSING}/bfloat16`))
      symlinkSync(resolve(`${CROSSING}/bfloat16/${name}`), join(linked, name));
    const { parameters } = loadModel(linked);
    expect(Object.keys(parameters).length).toBe(26);
    tf.dispose(parameters);
  });
});

/**
 * @file Model directories as Hugging Face has them: `config.json`, `generation_config.json` and the weights as
 * safetensors, in one file or in shards. What is read becomes float32; what is written is F32, F16 or BF16.
 * docs/checkpoints.md says how real ones come in and how ours go out.
 */
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { UserError } from "../util/assert.ts";
import { laxJson } from "../util/json.ts";
import { writeWhole } from "../util/runDir.ts";
import { fromHuggingFace, type Qwen2Config, toHuggingFace } from "./config.ts";
import type { Dtype } from "./halfPrecision.ts";
import { parameterShapes } from "./init.ts";
import type { Parameters } from "./qwen2.ts";
import { show } from "./safetensors.ts";
import { openWeights, saveWeights } from "./shards.ts";

export { type Array32, readSafetensors, writeSafetensors } from "./safetensors.ts";

/** The types that weights are saved in: by the names of config.json, and of safetensors. */
export const SAVED_AS = { float32: "F32", float16: "F16", bfloat16: "BF16" } as const satisfies Record<string, Dtype>;

export interface SaveOptions {
  /** float32 unless said otherwise: nothing is lost. */
  dtype?: keyof typeof SAVED_AS;
  /** Bytes of a file of weights at most, before they are divided into shards; 50 GB, as transformers has it. */
  maxShardSize?: number;
}

/** Writes `config.json`, `generation_config.json` and the weights of a model, and removes an earlier save's weights. */
export async function saveModel(
  directory: string,
  parameters: Parameters,
  config: Qwen2Config,
  eosTokenId: number,
  { dtype = "float32", maxShardSize = 50e9 }: SaveOptions = {},
) {
  mkdirSync(directory, { recursive: true });
  const shapes = Object.fromEntries(Object.entries(parameters).map(([name, x]) => [name, x.shape]));
  const valuesOf = async (name: string) => (await parameters[name].data()) as Float32Array;
  await saveWeights(directory, shapes, valuesOf, SAVED_AS[dtype], maxShardSize);
  writeConfig(directory, config, eosTokenId, dtype);
}

/** Writes `config.json`, which says what the weights were saved as, and `generation_config.json`. */
export function writeConfig(
  directory: string,
  config: Qwen2Config,
  eosTokenId: number,
  dtype: keyof typeof SAVED_AS = "float32",
) {
  const json = (name: string, value: unknown) => {
    writeWhole(join(directory, name), `${JSON.stringify(value, null, 2)}\n`);
  };
  json("generation_config.json", { eos_token_id: eosTokenId });
  json("config.json", toHuggingFace(config, eosTokenId, dtype));
}

/** Reads `config.json`, or that of a directory. @throws UserError when it is not a Qwen2 model's. */
export function readConfig(path: string): Qwen2Config {
  let text: string;
  let json: unknown;
  try {
    text = readFileSync(path, "utf8");
    json = JSON.parse(text);
  } catch (error) {
    const reason = error instanceof SyntaxError ? "it is not JSON" : (error as NodeJS.ErrnoException).code;
    throw new UserError(`${path}: cannot be read (${reason}); expected a Hugging Face model directory`);
  }
  const lax = laxJson(text);
  if (lax !== undefined) throw new UserError(`${path}: ${lax}; which one is meant is unknown, remove the other`);
  return fromHuggingFace(json, path);
}

/** Buffers that transformers once saved with each layer, and does not read (modeling_utils.py): they follow from the configuration. */
const OLD_BUFFER = /^model\.(layers\.\d+\.self_attn\.)?rotary_emb\.inv_freq$/;
const HEAD = "lm_head.weight";
const EMBEDDING = "model.embed_tokens.weight";

/**
 * Reads a model directory. Names and shapes are checked first, then each tensor is read straight into its own memory.
 * A tied model may bring its head, if that is the embedding bit for bit.
 * @throws UserError when a tensor is missing, unknown, of another shape, or a file malformed.
 */
export function loadModel(directory: string): { parameters: Parameters; config: Qwen2Config } {
  const path = join(directory, "config.json");
  const config = readConfig(path);
  const weights = openWeights(directory);
  const parameters: Parameters = {};
  try {
    const { tensors } = weights;
    const shapes = parameterShapes(config);
    const known = (name: string) =>
      Object.hasOwn(shapes, name) || OLD_BUFFER.test(name) || (name === HEAD && config.tieWordEmbeddings);
    for (const [name, { path: file }] of tensors)
      if (!known(name))
        throw new UserError(
          `${file}: unknown tensor ${show(name)}; expected those of the Qwen2 that ${path} describes`,
        );
    for (const [name, shape] of Object.entries(shapes)) {
      const file = tensors.get(name);
      if (!file) throw new UserError(`${weights.path}: tensor ${name} [${shape}] is missing; ${path} asks for it`);
      const found = file.tensors.get(name)!.shape;
      if (found.join() !== shape.join())
        throw new UserError(`${file.path}: ${name} has shape [${found}], ${path} asks for [${shape}]`);
    }
    for (const [name, shape] of Object.entries(shapes)) {
      const data = tensors.get(name)!.read(name);
      if (name === EMBEDDING && config.tieWordEmbeddings && tensors.get(HEAD)?.equals(HEAD, data) === false)
        throw new UserError(
          `${tensors.get(HEAD)!.path}: ${HEAD} differs from ${EMBEDDING}, but ${path} ties them; set tie_word_embeddings to false`,
        );
      parameters[name] = tf.tensor(data, shape);
    }
    return { parameters, config };
  } catch (error) {
    tf.dispose(parameters);
    throw error;
  } finally {
    weights.close();
  }
}

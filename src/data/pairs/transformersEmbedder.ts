/**
 * @file Sentence vectors of a model in a directory (LaBSE, multilingual E5, ...) through `@huggingface/transformers`, when
 * the user has installed it: it is an optional peer, and nothing is downloaded here.
 *
 *     const embed = await transformersEmbedder("models/LaBSE", { pooling: "cls" });
 *     const scores = await marginScorer(embed).score(pairs);
 */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join, resolve } from "node:path";
import { UserError } from "../../util/assert.ts";
import type { Embed } from "./embeddings.ts";

export interface EmbedderOptions {
  /** What stands for the sentence: LaBSE the first token, E5 and LASER-like models the mean. */
  pooling?: "mean" | "cls";
  /** Of the model's weights: `fp32` is `onnx/model.onnx`, `q8` is `onnx/model_quantized.onnx`. */
  dtype?: string;
  batchSize?: number;
}

export const INSTALL = "npm install @huggingface/transformers";

/** The part of the package that is used. */
interface Transformers {
  env: { allowRemoteModels: boolean; localModelPath: string };
  pipeline(task: "feature-extraction", model: string, options: object): Promise<Extractor>;
}
type Extractor = (
  texts: string[],
  options: { pooling: "mean" | "cls"; normalize: boolean },
) => Promise<{ data: Float32Array; dims: number[] }>;

export async function transformersEmbedder(directory: string, options: EmbedderOptions = {}): Promise<Embed> {
  const { pooling = "mean", dtype = "fp32", batchSize = 32 } = options;
  if (!existsSync(join(directory, "config.json")) || !existsSync(join(directory, "tokenizer.json")))
    throw new UserError(
      `Embedding model: ${directory} has no config.json or tokenizer.json, expected a model directory with an onnx folder`,
    );
  const { env, pipeline } = await load();
  env.allowRemoteModels = false;
  env.localModelPath = dirname(resolve(directory));
  const extract = await pipeline("feature-extraction", basename(resolve(directory)), { dtype, local_files_only: true });
  return async (texts) => {
    const vectors: Float32Array[] = [];
    for (let at = 0; at < texts.length; at += batchSize) {
      const batch = texts.slice(at, at + batchSize);
      const { data, dims } = await extract(batch, { pooling, normalize: true }); // [B, C]
      const width = dims[dims.length - 1];
      for (let i = 0; i < batch.length; i++) vectors.push(Float32Array.from(data.subarray(i * width, (i + 1) * width)));
    }
    return vectors;
  };
}

async function load(): Promise<Transformers> {
  const name = "@huggingface/transformers"; // not a literal in the import: its types are not installed either
  try {
    return (await import(name)) as Transformers;
  } catch (error) {
    const why = isInstalled(name) ? `does not load (${(error as Error).message.split("\n")[0]})` : "is not installed";
    throw new UserError(`Embedding model: ${name} ${why}, expected it beside marco-mini; ${INSTALL}`);
  }
}

function isInstalled(name: string): boolean {
  try {
    createRequire(import.meta.url).resolve(name);
    return true;
  } catch {
    return false;
  }
}

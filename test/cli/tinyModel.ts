/** @file A model's directory with a tiny random model, for what starts from one. */
import * as tf from "@tensorflow/tfjs-core";
import { startEngine } from "../../src/engine/engine.ts";
import { saveModel } from "../../src/model/checkpoint.ts";
import type { Qwen2Config } from "../../src/model/config.ts";
import { initParameters } from "../../src/model/init.ts";
import { makeTokenizer } from "../../src/tokenizer/bpe.ts";
import { saveTokenizer } from "../../src/tokenizer/tokenizerFiles.ts";
import { trainBpe } from "../../src/tokenizer/trainBpe.ts";
import { TINY } from "../train/tiny.ts";

export async function saveTinyModel(folder: string, contextLength: number, more: Partial<Qwen2Config> = {}) {
  await startEngine("onnx");
  const ranks = trainBpe({ en: ["one two three two one, öäü 水 three"] }, { vocabSize: 275 });
  const tokenizer = makeTokenizer(ranks);
  const config = { ...TINY, vocabSize: tokenizer.vocabSize, maxPositionEmbeddings: contextLength, ...more };
  const parameters = initParameters(config, 5);
  await saveModel(folder, parameters, config, tokenizer.special.imEnd);
  saveTokenizer(folder, ranks, { defaultSystem: null });
  tf.dispose(parameters);
}

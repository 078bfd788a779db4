/**
 * @file Checkpoints cross between this project and an installed transformers, both ways, with equal logits, when
 * MARCO_PYTHON names a Python that has it (test/fixtures/qwen2/crossing.py says which versions). The same without
 * Python, on golden files: test/model/checkpoint.test.ts.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startEngine } from "../../src/engine/engine.ts";
import { loadModel, type SaveOptions, saveModel } from "../../src/model/checkpoint.ts";
import type { Qwen2Config } from "../../src/model/config.ts";
import { initParameters } from "../../src/model/init.ts";
import { decoder, logits } from "../../src/model/qwen2.ts";
import { causalMask } from "../../src/ops/attention.ts";
import { TINY } from "../train/tiny.ts";

/** `npm run parity` runs this folder once for each engine; files are the same on all. */
const once = ["cpu", undefined].includes(process.env.PARITY_ENGINE);
const python = once ? process.env.MARCO_PYTHON : undefined;
const why = once ? "MARCO_PYTHON names no Python: not tested" : "tested with engine cpu";
const atol = 1e-4;
const IDS = [
  [3, 1, 4, 1, 5, 9, 2, 6],
  [31, 27, 18, 28, 18, 28, 4, 5],
];

describe.skipIf(!python)(`checkpoints cross (${python ? "MARCO_PYTHON is set" : why})`, () => {
  const folder = mkdtempSync(join(tmpdir(), "marco-crossing-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  const at = (name: string) => join(folder, name);
  const run = (...args: string[]) =>
    execFileSync(python!, ["test/fixtures/qwen2/crossing.py", ...args], {
      encoding: "utf8",
      maxBuffer: 2 ** 28,
      stdio: ["ignore", "pipe", "pipe"],
    });
  const logitsHere = (directory: string) =>
    tf.tidy(() => {
      const { parameters, config } = loadModel(directory);
      const inputIds = tf.tensor2d(IDS, undefined, "int32"); // [B, T]
      const positionIds = tf.tensor2d(
        IDS.map((row) => row.map((_, t) => t)),
        undefined,
        "int32",
      );
      const input = { inputIds, positionIds, mask: causalMask(tf.zerosLike(inputIds)) };
      return logits(parameters, config, decoder(parameters, config, input).hidden).dataSync(); // [B·T, V]
    });

  const UNTIED: Qwen2Config = { ...TINY, tieWordEmbeddings: false, numKeyValueHeads: 1, rmsNormEps: 1e-5 };
  const SAVED: [name: string, config: Qwen2Config, options: SaveOptions][] = [
    ["float32", TINY, {}],
    ["float32 in shards, untied", UNTIED, { maxShardSize: 4000 }],
    ["float16", TINY, { dtype: "float16" }],
    ["bfloat16 in shards", TINY, { dtype: "bfloat16", maxShardSize: 2000 }],
    [
      "bfloat16, untied, 11 layers in shards",
      { ...UNTIED, numHiddenLayers: 11 },
      { dtype: "bfloat16", maxShardSize: 9000 },
    ],
  ];
  let theirs: Record<string, number[][][]>;
  beforeAll(async () => {
    await startEngine("cpu");
    writeFileSync(at("ids.json"), JSON.stringify(IDS));
    for (const [name, config, options] of SAVED) {
      const parameters = initParameters(config, 5);
      await saveModel(at(name), parameters, config, 1, options);
      tf.dispose(parameters);
    }
    theirs = JSON.parse(run("logits", at("ids.json"), ...SAVED.map(([name]) => at(name))));
    run("make", at("made"));
  }, 120_000);

  test.each(SAVED)("written here, loaded there: %s", (name, _, { maxShardSize }) => {
    expect(readdirSync(at(name)).length > 3).toBe(maxShardSize !== undefined);
    expect(logitsHere(at(name))).toBeAllClose(theirs[at(name)].flat(2), { atol });
  });

  test.each(["float32", "float16", "bfloat16"])("written there, loaded here: %s", (name) => {
    const golden = JSON.parse(readFileSync(at("made/golden.json"), "utf8"));
    expect(golden.input_ids).toEqual(IDS);
    expect(logitsHere(at(`made/${name}`))).toBeAllClose(golden.logits[name].flat(2), { atol });
  });
});

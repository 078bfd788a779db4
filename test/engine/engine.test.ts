/** @file Choosing an engine: names, reasons, fallbacks. */
import * as tf from "@tensorflow/tfjs-core";
import { afterEach, expect, test, vi } from "vitest";
import { ENGINES, lazyBackend, startEngine } from "../../src/engine/engine.ts";
import { UserError } from "../../src/util/assert.ts";

afterEach(() => vi.unstubAllEnvs());

test("an unknown engine is the user's error and the message lists the known ones", async () => {
  const error = await startEngine("onxx").catch((e) => e);
  expect(error).toBeInstanceOf(UserError);
  expect(error.message).toBe("--engine onxx: no such engine; expected auto, onnx, wasm, cpu");
});

test("an engine that cannot start: asked for, the user's error with its reason; auto takes the next and says why", async () => {
  vi.stubEnv("MARCO_ORT", "no JSON");
  const error = await startEngine("onnx").catch((e) => e);
  expect(error).toBeInstanceOf(UserError);
  expect(error.message).toMatch(/^--engine onnx: cannot start here \(.*JSON.*\); leave --engine out/);
  const engine = await startEngine("auto");
  expect(engine.name).toBe("wasm");
  expect(engine.reason).toMatch(/^onnx cannot start: .*JSON/);
  expect(tf.getBackend()).toBe("wasm");
});

test("auto picks onnx and says why", async () => {
  expect(await startEngine()).toEqual({ name: "onnx", reason: "the fastest one here" });
  expect(tf.getBackend()).toBe("onnx");
  expect(lazyBackend()).not.toBeNull();
});

test.each(ENGINES)("%s starts by name and computes", async (name) => {
  expect(await startEngine(name)).toEqual({ name, reason: "asked for with --engine" });
  expect(tf.getBackend()).toBe(name);
  expect((lazyBackend() !== null) === (name === "onnx")).toBe(true);
  tf.tidy(() => {
    expect(tf.add(tf.tensor1d([1, 2]), 1).dataSync()).toBeAllClose([2, 3]);
  });
});

test("a tensor moves with its values to the engine that needs it", async () => {
  await startEngine("onnx");
  const x = tf.mul(tf.tensor1d([1, 2]), 3); // not computed yet
  await startEngine("cpu");
  const y = tf.add(x, 1);
  expect(y.dataSync()).toBeAllClose([4, 7]);
  await startEngine("onnx");
  const z = tf.add(y, x);
  expect(z.dataSync()).toBeAllClose([7, 13]);
  tf.dispose([x, y, z]);
});

/** @file Choosing an engine: names, reasons, fallbacks. */
import * as tf from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import { ENGINES, lazyBackend, startEngine } from "../../src/engine/engine.ts";
import { UserError } from "../../src/util/assert.ts";
import { ALWAYS } from "../engines.ts";

test("an unknown engine is the user's error and the message lists the known ones", async () => {
  const error = await startEngine("onxx").catch((e) => e);
  expect(error).toBeInstanceOf(UserError);
  expect(error.message).toBe(`--engine onxx: no such engine; expected auto, ${ENGINES.join(", ")}`);
});

test("an engine that cannot start: asked for, the user's error with its reason; auto takes the next and says why", async () => {
  const options = { onnxSession: { executionProviders: ["nonesuch"] } }; // ONNX Runtime refuses it
  const error = await startEngine("onnx", options).catch((e) => e);
  expect(error).toBeInstanceOf(UserError);
  expect(error.message).toMatch(/^--engine onnx: cannot start here \(.*'nonesuch'.*\); leave --engine out/);
  const engine = await startEngine("auto", options);
  expect(ENGINES.indexOf(engine.name)).not.toBe(ENGINES.indexOf("onnx"));
  if (ENGINES.indexOf(engine.name) > ENGINES.indexOf("onnx")) expect(engine.reason).toMatch(/; onnx: .*'nonesuch'/);
  expect(engine.reason).not.toMatch(/^[^;]*software/); // nobody asked for a GPU that is none
});

test("auto picks the first that starts and says why the others before it did not", async () => {
  const engine = await startEngine();
  expect(ENGINES.indexOf(engine.name)).toBeLessThanOrEqual(ENGINES.indexOf("onnx"));
  expect(engine.reason).toMatch(/^the fastest that starts here/);
  for (const name of ENGINES.slice(0, ENGINES.indexOf(engine.name))) expect(engine.reason).toContain(`; ${name}: `);
});

test.for(ENGINES)("%s starts by name and computes", async (name, { skip }) => {
  const engine = await startEngine(name).catch((e) => e);
  if (engine instanceof UserError && !ALWAYS.includes(name)) skip(engine.message);
  expect(engine.name).toBe(name);
  expect(engine.reason).toMatch(/^asked for with --engine(, on \S.*)?$/);
  expect((lazyBackend() !== null) === (name === "onnx" || name.startsWith("gpujs"))).toBe(true);
  const y = tf.tidy(() => tf.add(tf.tensor1d([1, 2]), 1));
  expect(await y.data()).toBeAllClose([2, 3]);
  y.dispose();
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

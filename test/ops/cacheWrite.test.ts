import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { ENGINES, startEngine } from "../../src/engine/engine.ts";
import { cacheWrite } from "../../src/ops/cacheWrite.ts";

describe.each(ENGINES)("cacheWrite on %s", (engine) => {
  beforeAll(async () => {
    await startEngine(engine);
  });

  test("writes each sequence's row at its own position and keeps the rest", () => {
    const cache = tf.tensor3d([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], [2, 3, 2]);
    const rows = tf.tensor3d([-1, -2, -3, -4], [2, 1, 2]);
    const y = cacheWrite(cache, rows, tf.tensor1d([2, 0], "int32"));
    expect(y.dataSync()).toBeAllClose([1, 2, 3, 4, -1, -2, -3, -4, 9, 10, 11, 12]);
    expect(cache.dataSync()[4]).toBe(5); // the old cache is as it was
  });

  test("refuses rows of another width and names the op", () => {
    const write = () => cacheWrite(tf.zeros([2, 3, 2]), tf.zeros([2, 1, 3]), tf.zeros([2], "int32"));
    expect(write).toThrow("cacheWrite rows");
  });
});

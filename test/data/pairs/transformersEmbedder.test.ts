/**
 * @file The adapter for `@huggingface/transformers` with the real package, where it is installed, and a model small enough
 * to pool by hand (test/fixtures/data/tinyEmbedder); and what it says where it is not.
 */
import { mkdtempSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { cosineScorer } from "../../../src/data/pairs/embeddings.ts";
import { transformersEmbedder } from "../../../src/data/pairs/transformersEmbedder.ts";

const MODEL = "test/fixtures/data/tinyEmbedder";
const installed = (() => {
  try {
    createRequire(import.meta.url).resolve("@huggingface/transformers");
    return true;
  } catch {
    return false;
  }
})();

/** Rows of the model's embedding. */
const row = (token: number) => [0, 1, 2, 3].map((c) => ((token * 4 + c) % 5) - 2);
const [CLS, SEP, THE, HOUSE, HAUS] = [2, 3, 4, 5, 6].map(row);
const unit = (v: number[]) => v.map((x) => x / Math.hypot(...v));
const meanOf = (...rows: number[][]) => unit([0, 1, 2, 3].map((c) => rows.reduce((sum, r) => sum + r[c], 0)));

describe("the embedder", () => {
  it.skipIf(!installed)("pools the tokens of each text, not its padding, in batches", async () => {
    const embed = await transformersEmbedder(MODEL, { batchSize: 2 });
    const vectors = await embed(["The house", "haus", "the"]);
    const expected = [meanOf(CLS, THE, HOUSE, SEP), meanOf(CLS, HAUS, SEP), meanOf(CLS, THE, SEP)];
    expect(vectors).toHaveLength(3);
    for (const [i, vector] of vectors.entries())
      for (const [c, value] of vector.entries()) expect(value).toBeCloseTo(expected[i][c], 6);
    const cls = await transformersEmbedder(MODEL, { pooling: "cls" });
    for (const [c, value] of (await cls(["haus"]))[0].entries()) expect(value).toBeCloseTo(unit(CLS)[c], 6);
    const pair = { id: "1", source: "the house", target: "haus", sourceLanguage: "en", targetLanguage: "de" };
    const cosine = expected[0].reduce((sum, x, c) => sum + x * expected[1][c], 0);
    expect((await cosineScorer(embed).score([pair]))[0]).toBeCloseTo(cosine, 6);
  });

  it.skipIf(installed)("says how to install the package where it is absent", async () => {
    await expect(transformersEmbedder(MODEL)).rejects.toThrow(
      /^Embedding model: @huggingface\/transformers is not installed.*npm install @huggingface\/transformers$/,
    );
  });

  it("refuses a directory without a model", async () => {
    const empty = mkdtempSync(join(tmpdir(), "marco-embedder-"));
    await expect(transformersEmbedder(empty)).rejects.toThrow("has no config.json or tokenizer.json");
  });
});

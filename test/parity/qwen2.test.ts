/**
 * @file Small Qwen2 configurations of every kind against Hugging Face transformers, on every engine: logits, padding,
 * cache, every gradient, ten training steps, greedy and beam tokens. `npm run parity -- --suite qwen2` prints the table.
 */
import { describe, expect, test } from "vitest";
import { onEveryEngine, SLOW } from "./engines.ts";
import { ALLOWED, compareCase, KINDS, liveGrid, randomCase, readGrid } from "./qwen2Grid.ts";

const grid = readGrid();

onEveryEngine(
  (engine) => {
    const cases = SLOW.includes(engine) ? grid.cases.filter((_, i) => i % 4 === 0) : grid.cases;
    test.each(cases)("$name", async (one) => {
      const differences = await compareCase(one, grid);
      for (const kind of KINDS) expect(differences[kind] ?? Infinity, kind).toBeLessThanOrEqual(ALLOWED[kind]);
    });
  },
  ["onnx"],
);

/** A Python with transformers; the product never needs one. */
const python = process.env.MARCO_PYTHON;
describe.skipIf(!python)("transformers itself (MARCO_PYTHON names a Python that has it)", () => {
  onEveryEngine(() => {
    test("random configurations", { timeout: 120_000 }, async () => {
      const seeds = [1, 2, 3].map((n) => Math.floor(Date.now() / 1000) * 10 + n);
      const live = liveGrid(python!, seeds.map(randomCase));
      for (const one of live.cases) {
        const differences = await compareCase(one, live);
        for (const kind of KINDS)
          expect(differences[kind] ?? 0, `${kind} of ${one.name}`).toBeLessThanOrEqual(ALLOWED[kind]);
      }
    });
  }, ["onnx"]);
});

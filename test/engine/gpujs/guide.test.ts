/** @file The TypeScript of docs/gpujs.md, as it stands there: it runs, and does what the guide says. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import * as reference from "../../../src/ops/reference.ts";

test("the guide's programs run, and its model learns", async () => {
  const guide = readFileSync("docs/gpujs.md", "utf8");
  const blocks = [...guide.matchAll(/^```ts\n(.*?)^```/gms)].map(([, code]) => code);
  expect(blocks.length).toBeGreaterThan(3);
  const source = `${blocks.join("\n").replaceAll('"../src/', `"${resolve("src")}/`)}\nexport { losses, numbers, V };\n`;
  mkdirSync(".cache", { recursive: true });
  const folder = mkdtempSync(join(".cache", "guide-"));
  try {
    writeFileSync(join(folder, "guide.ts"), source);
    const { losses, numbers, V } = await import(resolve(folder, "guide.ts"));
    expect(numbers).toBeAllClose(reference.rmsNorm([1, 2, 3, 4, 5, 6], [1, 1, 2], 1e-6), { rtol: 1e-6 });
    expect(guide).toContain(
      `// ${[0, 3].map((i) => [...numbers.slice(i, i + 3)].map((x) => x.toFixed(2)).join(", ")).join("; ")}`,
    );
    expect(losses[0]).toBeCloseTo(Math.log(V), 0); // knows next to nothing
    expect(losses.at(-1)).toBeLessThan(1); // most letters of this text leave no choice for the next
  } finally {
    rmSync(folder, { recursive: true });
  }
});

/**
 * @file docs/testing-kit.md names every claim, and its example in two languages runs: the second where TORCH_PYTHON names
 * a Python with torch.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { CLAIMS as PREFERENCE } from "../../src/testing/preferenceClaims.ts";
import { CLAIMS as STEP } from "../../src/testing/step.ts";
import { CLAIMS as TOKENS } from "../../src/testing/tokens.ts";

const guide = readFileSync("docs/testing-kit.md", "utf8");

test("docs/testing-kit.md names the claims of each kind, all of them and no others", () => {
  for (const [kind, claims] of Object.entries({ preference: PREFERENCE, tokens: TOKENS, step: STEP })) {
    const line = guide.split("\n").find((one) => one.startsWith(`**${kind}**: `))!;
    expect(line.slice(`**${kind}**: `.length).split(" · ")).toEqual(claims.map(({ name }) => name));
  }
});

test("a loss in Python behind a process keeps its claims", ({ skip }) => {
  const python = process.env.TORCH_PYTHON;
  if (!python) skip("TORCH_PYTHON is not set");
  const folder = mkdtempSync(join(tmpdir(), "kit-"));
  const block = (language: string, from: string) =>
    [...guide.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, "g"))].find(([, code]) =>
      code.includes(from),
    )![1];
  writeFileSync(join(folder, "loss.py"), block("python", "import torch"));
  const code = block("ts", "spawn").replace(
    '"marco-mini/testing"',
    JSON.stringify(join(process.cwd(), "src/testing/index.ts")),
  );
  writeFileSync(join(folder, "check.mts"), code.replace('"python3"', JSON.stringify(python)));
  const tsx = join(process.cwd(), "node_modules/.bin/tsx");
  const { stdout, stderr } = spawnSync(tsx, ["check.mts"], { cwd: folder, encoding: "utf8", timeout: 60_000 });
  rmSync(folder, { recursive: true });
  expect(stdout, stderr).toMatch(/^13 of 13 claims hold/m);
});

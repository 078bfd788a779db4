/** @file The example that a newcomer starts from says what holds, and explains what does not. */
import { expect, test, vi } from "vitest";

test("examples/property-test-your-loss.ts tells a right DPO from one that takes means", async () => {
  const log = vi.spyOn(console, "log").mockImplementation(() => {});
  await import("../../examples/property-test-your-loss.ts");
  const [mine, wrong] = log.mock.calls.map(([text]) => text as string);
  log.mockRestore();
  expect(mine).toMatch(/^\nmine\nholds {3}the same twice\n/);
  expect(mine).toContain("13 of 13 claims hold (100 cases each, seed 1)");
  expect(wrong).toContain("\nholds   ln 2 at initialisation\n");
  expect(wrong).toContain("\nBROKEN  sums, not means, of log-probabilities: an answer");
  expect(wrong).toContain("likely cause: log-probabilities averaged over the tokens, not summed (gives");
  expect(wrong).toMatch(/counterexample: policyChosen -?\d+, policyRejected -?\d+, referenceChosen/);
});

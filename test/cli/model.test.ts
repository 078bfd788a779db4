/**
 * @file `marco model`: the numbers that it prints, and what it refuses.
 */
import { Command } from "commander";
import { afterEach, expect, test, vi } from "vitest";
import { addModelCommand } from "../../src/cli/model.ts";
import { parseAsync } from "../../src/cli/options.ts";
import { UserError } from "../../src/util/assert.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

/** What the command prints. */
async function model(...args: string[]): Promise<string> {
  const program = new Command("marco");
  addModelCommand(program);
  const log = vi.spyOn(console, "log").mockImplementation(() => {});
  await parseAsync(program, ["node", "marco", "model", ...args]);
  const printed = log.mock.calls.join("\n");
  log.mockClear();
  return printed;
}

test("prints parameters, operations and memory of a size", async () => {
  const printed = await model("--preset", "7b");
  for (const line of [
    "Qwen2-7B: 28 layers, width 3584, 28 heads of 128, 4 of keys and values, MLP 18944, vocabulary 152064, head not tied",
    /^ +total +7,615,616,512 +100.0 %$/m,
    /^ +tensors +339$/m,
    /^ +training +47.35 G +6 N \+ 12 L H D T$/m,
    /^ +master weights, moments +56.74 GiB +56.74 GiB +85.11 GiB +85.11 GiB$/m,
    /^ +KV cache of a token +112.00 KiB +56.00 KiB$/m,
  ])
    expect(printed).toMatch(line);
});

test("reads a config.json or a model directory, and prints exact numbers as JSON", async () => {
  const directory = "test/fixtures/qwen2/untied";
  const a = JSON.parse(await model("--config", directory, "--json", "--batch-size", "3", "--sequence-length", "7"));
  const b = JSON.parse(await model("--config", `${directory}/config.json`, "--json"));
  expect(a).toMatchObject({ name: directory, batchSize: 3, sequenceLength: 7, config: { hiddenSize: 24 } });
  expect(a.parameters).toEqual(b.parameters);
  expect(a.inferenceBytes.bfloat16.cache).toBe(21 * a.inferenceBytes.bfloat16.cachePerToken);
});

test.each([
  [["--preset", "8b"], "argument '8b' is invalid. Allowed choices are 0.5b, 1.5b, 7b, 72b"],
  [[], "model: say which, with --preset (0.5b, 1.5b, 7b, 72b) or --config <path>"],
  [["--preset", "7b", "--config", "x"], "'--config <path>' cannot be used with option '--preset <size>'"],
  [["--config", "none"], "none: cannot be read (ENOENT)"],
  [["--config", "package.json"], "package.json: model_type"],
  [["--preset", "7b", "--batch-size", "0"], "--batch-size 0: expected a whole number of at least 1"],
  [["--preset", "7b", "--sequence"], "unknown option '--sequence'"],
  [["7b"], "too many arguments"],
])("refuses %j", async (args, reason) => {
  const error = await model(...args).then(
    () => new Error("was accepted"),
    (error) => error,
  );
  expect(error).toBeInstanceOf(UserError);
  expect(error.message).toContain(reason);
  expect(error.message).not.toContain("\n");
});

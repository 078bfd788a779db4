/**
 * @file `marco check-losses` on dumps that TRL wrote, on the same dumps with a mistake in them, and on what is no dump.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { afterAll, afterEach, describe, expect, test, vi } from "vitest";
import { addCheckLossesCommand } from "../../src/cli/checkLosses.ts";
import { parseAsync } from "../../src/cli/options.ts";
import { UserError } from "../../src/util/assert.ts";

const folder = mkdtempSync(join(tmpdir(), "dump-"));
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = 0;
});

const FIXTURES = new URL("../fixtures/trl-dump/", import.meta.url);
type Row = Record<string, number | number[] | number[][]>;
const rowsOf = (name: string): Row[] =>
  readFileSync(new URL(`${name}.jsonl`, FIXTURES), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
const write = (text: string) => {
  const path = join(folder, "dump.jsonl");
  writeFileSync(path, text);
  return path;
};
const lines = (rows: Row[]) => rows.map((row) => JSON.stringify(row)).join("\n");

async function run(path: string, ...args: string[]) {
  const printed: string[] = [];
  vi.spyOn(console, "log").mockImplementation((text) => printed.push(text));
  vi.spyOn(process.stderr, "write").mockReturnValue(true);
  const program = new Command("marco");
  addCheckLossesCommand(program);
  process.exitCode = 0;
  await parseAsync(program, ["node", "marco", "check-losses", path, ...args]);
  const { exitCode } = process;
  process.exitCode = 0;
  return { text: printed.join("\n"), exitCode };
}
/** The report of rows, as JSON. */
const report = async (rows: Row[], ...args: string[]) => {
  const { text, exitCode } = await run(write(lines(rows)), "--json", ...args);
  const { quantities } = JSON.parse(text);
  const of = (name: string) => quantities.find((one: { name: string }) => one.name === name);
  return { exitCode, quantities, of };
};

describe("what TRL 1.16 wrote agrees:", () => {
  test("DPO, its rewards and log-probabilities", async () => {
    const { text, exitCode } = await run(new URL("dpo.jsonl", FIXTURES).pathname);
    expect(exitCode).toBe(0);
    expect(text.split("\n").map((line) => line.replace(/e-\d+$|[\d.]+(e-\d+)?$/, "#"))).toEqual([
      `${new URL("dpo.jsonl", FIXTURES).pathname}: 4 rows; loss sigmoid, β #`,
      ...[
        "loss",
        "rewards/chosen",
        "rewards/rejected",
        "rewards/margins",
        "rewards/accuracies",
        "logps/chosen",
        "logps/rejected",
      ].map((name) => `${name.padEnd(18)}  4 of 4 agree, largest difference #`),
      "all agree",
    ]);
  });

  test("IPO by its own name, and nothing else", async () => {
    const path = new URL("ipo.jsonl", FIXTURES).pathname;
    expect((await run(path, "--loss-type", "ipo", "--beta", "0.2")).exitCode).toBe(0);
    const { text, exitCode } = await run(path, "--beta", "0.2");
    expect(exitCode).toBe(1);
    expect(text).toContain("loss                0 of 4 agree");
    expect(text).toContain("likely cause: the loss is ipo, not sigmoid (gives their number in every row)");
    expect(text.endsWith("they differ")).toBe(true);
  });

  test("SFT with two uneven micro-batches a step", async () => {
    const { of, exitCode } = await report(rowsOf("sft"));
    expect(exitCode).toBe(0);
    expect(of("loss of a step")).toMatchObject({ compared: 4, agree: 4, mistakes: [] });
    expect(of("loss of a step").largestDifference).toBeLessThan(1e-6);
  });
});

describe("a mistake in them is found, and named:", () => {
  const dpo = rowsOf("dpo").slice(1); // the first has policy = reference
  const changed = (name: string, of: (row: Row) => number) => dpo.map((row) => ({ ...row, [name]: of(row) }));
  const number = (row: Row, name: string) => row[name] as number;
  const list = (row: Row, name: string) => row[name] as number[];
  const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;

  test("log-probabilities averaged over the tokens", async () => {
    const loss = (row: Row) =>
      mean(
        list(row, "chosen_logps").map((x, i) => {
          const a = (x - list(row, "ref_chosen_logps")[i]) / list(row, "chosen_tokens")[i];
          const b =
            (list(row, "rejected_logps")[i] - list(row, "ref_rejected_logps")[i]) / list(row, "rejected_tokens")[i];
          return Math.log1p(Math.exp(-0.1 * (a - b)));
        }),
      );
    const { of, exitCode } = await report(changed("loss", loss), "--tolerance", "1e-5");
    expect(exitCode).toBe(1);
    expect(of("loss")).toMatchObject({
      agree: 0,
      firstDiffering: { line: 1 },
      mistakes: ["log-probabilities averaged over the tokens, not summed"],
    });
    expect(of("rewards/margins").agree).toBe(3);
  });

  test("rewards without β, margins that are summed, a tie that is won", async () => {
    const rows = dpo.map((row) => ({
      ...row,
      "rewards/chosen": 10 * number(row, "rewards/chosen"),
      "rewards/margins": 3 * number(row, "rewards/margins"),
    }));
    const { of } = await report(rows);
    expect(of("rewards/chosen").mistakes).toEqual(["β left out"]);
    // of three pairs each, so the two cannot be told apart
    expect(of("rewards/margins").mistakes).toEqual(["β is 0.3, not 0.1", "summed over the pairs, not averaged"]);
    const tied = [{ ...rowsOf("dpo")[0], "rewards/accuracies": 1 }];
    expect((await report(tied)).of("rewards/accuracies").mistakes).toEqual(["a tie counted as a win"]);
  });

  test("a run with another β than it says", async () => {
    const { of } = await report(dpo, "--beta", "0.2");
    expect(of("loss").mistakes).toEqual(["β is 0.1, not 0.2"]);
    expect(of("rewards/margins").mistakes).toEqual(["β is 0.1, not 0.2"]);
    const squared = await report(dpo, "--beta", String(Math.sqrt(0.1)));
    expect(squared.of("loss").mistakes).toEqual(["β applied twice"]);
  });

  test("answers' sums against their tokens: means, or the first one lost", async () => {
    const row = (logps: (tokens: number[]) => number) => ({
      ...{ chosen_logps: logps([-1, -2, -4]), rejected_logps: -3, ref_chosen_logps: -7, ref_rejected_logps: -3 },
      chosen_token_logps: [-1, -2, -4],
    });
    const of = async (logps: (tokens: number[]) => number) =>
      (await report([row(logps)])).of("chosen_logps, of its tokens");
    const sum = (values: number[]) => values.reduce((a, b) => a + b, 0);
    expect(await of(sum)).toMatchObject({ agree: 1, mistakes: [] });
    expect((await of((x) => sum(x) / 3)).mistakes).toEqual(["averaged over the tokens, not summed"]);
    expect((await of((x) => sum(x.slice(1)))).mistakes).toEqual(["the first answer token left out"]);
  });

  test("micro-batches' means averaged whatever their counts, or never divided", async () => {
    const sft = rowsOf("sft");
    const meanOf = (row: Row) => {
      const nats = (row.logprobs as number[][]).flatMap((x, b) =>
        x.filter((_, t) => t > 0 && (row.labels as number[][])[b][t] >= 0),
      );
      return -mean(nats);
    };
    const means = sft.map((row) => ({ ...row, loss: meanOf(row), backward_loss: meanOf(row) / 2 }));
    const averaged = await report(means);
    expect(averaged.of("loss")).toMatchObject({ compared: 8, agree: 8 });
    expect(averaged.of("loss of a step").mistakes).toEqual([
      "the mean of the micro-batches' means, whatever their counts",
    ]);
    const summed = await report(sft.map((row) => ({ ...row, backward_loss: meanOf(row) })));
    expect(summed.of("loss of a step").mistakes).toEqual([
      "the micro-batches' means summed, not divided by their number",
    ]);
    const positions = await report(
      sft.map(({ backward_loss: _, ...row }) => ({ ...row, loss: (row.labels as number[][]).length })),
    );
    expect(positions.of("loss").mistakes).toEqual([]); // no known mistake
    const counted = await report(means.map(({ backward_loss: _, ...row }) => ({ ...row, loss: row.loss / Math.LN2 })));
    expect(counted.of("loss").mistakes).toEqual(["logarithms to the base 2, not e"]);
  });

  test("label smoothing that was not applied", async () => {
    const { of } = await report(dpo, "--label-smoothing", "0.2");
    expect(of("loss").mistakes).toEqual(["label smoothing left out"]);
    expect(of("rewards/chosen").agree).toBe(3);
  });
});

describe("what cannot be used is one line:", () => {
  const pair = { chosen_logps: -1, rejected_logps: -2, ref_chosen_logps: -1, ref_rejected_logps: -2 };
  const cases: [what: string, text: string, error: string][] = [
    ["no rows", "\n\n", "no rows; expected a JSON object per line"],
    ["no JSON", '{"loss": ', "line 1: not JSON ("],
    [
      "Python's NaN",
      `${JSON.stringify(pair)}\n{"loss": NaN}`,
      "line 2: NaN, which is no JSON: the trainer computed no number",
    ],
    ["an unknown key", JSON.stringify({ ...pair, los: 1 }), 'line 1: Unrecognized key: "los"'],
    [
      "a missing key",
      JSON.stringify({ ...pair, rejected_logps: undefined }),
      "line 1: no rejected_logps (or policy_rejected_logps, policy_rejected): expected",
    ],
    ["text for a number", JSON.stringify({ ...pair, loss: "1" }), "line 1: loss: Invalid input"],
    [
      "the same twice",
      JSON.stringify({ ...pair, policy_chosen: -1 }),
      "line 1: chosen_logps and policy_chosen are the same quantity",
    ],
    [
      "other lengths",
      JSON.stringify({ ...pair, chosen_logps: [-1, -1], loss: 1 }),
      "line 1: rejected_logps: one number, but chosen_logps is a list of 2",
    ],
    ["nothing computed", JSON.stringify(pair), "nothing to compare in 1 rows; give what the trainer computed: loss, "],
    [
      "no reference",
      JSON.stringify({ chosen_logps: -1, rejected_logps: -2, loss: 1 }),
      "line 1: no ref_chosen_logps; sigmoid needs",
    ],
    [
      "labels of another shape",
      '{"labels": [1, 2], "logprobs": [0], "loss": 1}',
      "line 1: logprobs have the lengths [1], labels [2]",
    ],
    [
      "a step that is not named",
      '{"labels": [1, 2], "logprobs": [0, -1], "backward_loss": 1}',
      "line 1: backward_loss without step",
    ],
  ];
  for (const [what, text, message] of cases)
    test(what, async () => {
      const error = await run(write(text)).catch((e) => e);
      expect(error).toBeInstanceOf(UserError);
      expect(error.message).toContain(message);
      expect(error.message).not.toContain("\n");
    });

  test("a file that is not there, and options out of range", async () => {
    await expect(run(join(folder, "none.jsonl"))).rejects.toThrow("none.jsonl: cannot be read (ENOENT)");
    await expect(run("x", "--beta", "0")).rejects.toThrow("expected a number above 0");
    await expect(run("x", "--loss-type", "dpo")).rejects.toThrow("Allowed choices are sigmoid, hinge");
    await expect(run("x", "--label-smothing", "0.1")).rejects.toThrow("unknown option");
    const ipo = write(JSON.stringify({ ...pair, loss: 1 }));
    await expect(run(ipo, "--loss-type", "ipo")).rejects.toThrow("line 1: no chosen_tokens; ipo takes means");
  });
});

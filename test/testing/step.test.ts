/**
 * @file The kit on gradient accumulation: the right step holds, and each historical average breaks it by its name.
 */
import { checkLoss, reportText, type StepCheck } from "marco-mini/testing";
import { describe, expect, test } from "vitest";

/** Rows of a least-squares problem, of n targets each: ℓ = mean of (θ - y)², dℓ/dθ = mean of 2 (θ - y), at θ = (0, 1). */
type Example = number[];
const EXAMPLES: Example[] = [[1], [2, 0, -1, 3, 1, 1, 2], [4, 4], [], [-3, 5, 1]];
const THETA = [0, 1];
const sum = (values: number[]) => values.reduce((a, b) => a + b, 0);
const total = (part: Example[]) => {
  const targets = part.flat();
  return {
    count: targets.length,
    loss: sum(targets.flatMap((y) => THETA.map((theta) => (theta - y) ** 2))),
    gradient: THETA.map((theta) => sum(targets.map((y) => 2 * (theta - y)))),
  };
};

/** A step that weighs every micro-batch's sums by a number. */
const stepOf =
  (weight: (count: number, counts: number[], k: number) => number): StepCheck<Example>["step"] =>
  (microBatches) => {
    const parts = microBatches.map(total);
    const counts = parts.map(({ count }) => count);
    const weights = counts.map((count, k) => weight(count, counts, k));
    return {
      loss: sum(parts.map(({ loss, count }, k) => (count > 0 ? weights[k] * loss : 0))),
      gradient: THETA.map((_, i) =>
        sum(parts.map(({ gradient, count }, k) => (count > 0 ? weights[k] * gradient[i] : 0))),
      ),
    };
  };
const right = stepOf((_, counts) => 1 / sum(counts));
const check = (step: StepCheck<Example>["step"], more: Partial<StepCheck<Example>> = {}) =>
  checkLoss({
    kind: "step",
    step,
    examples: EXAMPLES,
    count: (example: Example) => example.length,
    tolerance: 1e-12,
    numRuns: 25,
    ...more,
  });

test("the right step keeps every claim", async () => {
  expect(reportText(await check(right))).toMatch(/^5 of 5 claims hold/m);
});

describe("a wrong one is caught, and its mistake named:", () => {
  const K = (counts: number[]) => counts.filter((n) => n > 0).length;
  const cases: [what: string, step: StepCheck<Example>["step"], mistake: string][] = [
    [
      "mean of means",
      stepOf((n, counts) => 1 / n / K(counts)),
      "the mean of the micro-batches' means, whatever their counts",
    ],
    ["never divided", stepOf((n) => 1 / n), "the micro-batches' means summed, not divided by their number"],
    [
      "divided twice",
      stepOf((_, counts) => 1 / sum(counts) / K(counts)),
      "the right mean divided by the number of micro-batches once more",
    ],
    [
      "means divided twice",
      stepOf((n, counts) => 1 / n / K(counts) ** 2),
      "the micro-batches' means divided by their number twice",
    ],
    [
      "multiplied",
      stepOf((_, counts) => K(counts) / sum(counts)),
      "the right mean multiplied by the number of micro-batches",
    ],
    ["only the last", stepOf((n, counts, k) => (k === counts.length - 1 ? 1 / n : 0)), "only the last micro-batch"],
    [
      "the last one's targets",
      stepOf((_, counts) => 1 / counts[counts.length - 1]),
      "divided by the targets of the last micro-batch only",
    ],
  ];
  for (const [what, step, mistake] of cases)
    test(what, async () => {
      const { claims } = await check(step);
      const found = claims.find(({ name }) => name === "any partition gives the same")!;
      expect(found.holds).toBe(false);
      expect(found.mistakes).toEqual([`loss: ${mistake}`, `gradient: ${mistake}`]);
    });

  test("a loss that is right beside a gradient that is not", async () => {
    const wrong = stepOf((n) => 1 / n);
    const step: StepCheck<Example>["step"] = async (parts) => ({
      ...((await wrong(parts)) as object),
      loss: ((await right(parts)) as { loss: number }).loss,
    });
    const { claims } = await check(step);
    const found = claims.find(({ name }) => name === "any partition gives the same")!;
    expect(found.mistakes).toEqual(["gradient: the micro-batches' means summed, not divided by their number"]);
    expect(found.counterexample!.expected).toContain("the gradient, all in one batch");
  });

  test("a micro-batch without targets that is NaN", async () => {
    const nan: StepCheck<Example>["step"] = (parts) => {
      const result = right(parts) as { loss: number; gradient: number[] };
      return { ...result, loss: result.loss + (parts.some((part) => part.flat().length === 0) ? Number.NaN : 0) };
    };
    const broken = (await check(nan)).claims.filter(({ holds }) => !holds).map(({ name }) => name);
    expect(broken).toContain("a micro-batch without targets changes nothing");
  });
});

test("the counterexample is the fewest examples and cuts that show it", async () => {
  const { claims } = await check(stepOf((n, counts) => 1 / n / counts.length));
  const { input } = claims.find(({ name }) => name === "any partition gives the same")!.counterexample!;
  expect(input).toMatchObject({ "micro-batches of examples": [[0], [1]], "their counts": [[1], [7]] });
});

test("pairs weigh the same each, and fewer than three examples are refused", async () => {
  const pairs = EXAMPLES.filter((example) => example.length > 0);
  const byPair: StepCheck<Example>["step"] = (parts) =>
    sum(parts.flat().map((one) => total([one]).loss / one.length)) / parts.flat().length;
  const report = await check(byPair, { examples: pairs, count: () => 1 });
  expect(report.holds).toBe(true);
  expect(report.skipped).toEqual([
    { name: "a micro-batch without targets changes nothing", why: "no example has count 0" },
  ]);
  await expect(check(right, { examples: [[1], []] })).rejects.toThrow("2 examples with counts 1, 0; expected three");
});

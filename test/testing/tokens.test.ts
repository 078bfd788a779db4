/**
 * @file The kit on masked cross-entropies: the right one holds, as a mean and as DPO's sum; each classic mistake breaks
 * the claim that is about it, and is named.
 */
import {
  checkLoss,
  crossEntropyOf,
  reportText,
  type TokenBatch,
  type TokensCheck,
  type TokensClaim,
} from "marco-mini/testing";
import { describe, expect, test } from "vitest";

const IGNORE = -100;
type Target = [z: number[], token: number];

/** A newcomer's cross-entropy: which targets, and how they are averaged. */
const crossEntropy =
  (targets: (batch: TokenBatch, b: number) => Target[], reduce: (nats: number[][], batch: TokenBatch) => number) =>
  (batch: TokenBatch) => {
    const nats = batch.logits.map((_, b) =>
      targets(batch, b).map(([z, token]) => {
        const max = Math.max(...z);
        return max + Math.log(z.reduce((sum, x) => sum + Math.exp(x - max), 0)) - z[token];
      }),
    );
    return reduce(nats, batch);
  };
const sum = (values: number[]) => values.reduce((a, b) => a + b, 0);
const mean = (values: number[]) => sum(values) / values.length;
const overAll = (nats: number[][]) => mean(nats.flat());
/** Targets at a distance of `shift`, where `counted` says so of the label's position. */
const shifted =
  (shift: number, counted = ({ labels }: TokenBatch, b: number, t: number) => labels[b][t] !== IGNORE) =>
  (batch: TokenBatch, b: number): Target[] =>
    batch.inputIds[b].flatMap((id, t) =>
      t >= shift && counted(batch, b, t) ? [[batch.logits[b][t - shift], id] as Target] : [],
    );
const right = crossEntropy(shifted(1), overAll);

const broken = async (loss: TokensCheck["loss"], more: Partial<TokensCheck> = {}) => {
  const { claims } = await checkLoss({ kind: "tokens", loss, numRuns: 20, tolerance: 1e-9, ...more });
  return Object.fromEntries(claims.filter(({ holds }) => !holds).map((claim) => [claim.name, claim]));
};

describe("the right cross-entropy", () => {
  test("keeps every claim, and says which were not asked", async () => {
    const report = await checkLoss({ kind: "tokens", loss: right });
    expect(reportText(report)).toMatch(/^13 of 13 claims hold/m);
    expect(report.skipped.map(({ name }) => name)).toContain("the gradient sums to 0");
  });

  test("summed, as the log-probabilities of DPO are", async () => {
    expect(
      await broken(
        crossEntropy(shifted(1), (nats) => sum(nats.flat())),
        { reduction: "sum" },
      ),
    ).toEqual({});
    const found = await broken(right, { reduction: "sum" });
    expect(found["agrees with the reference"].mistakes).toEqual(["averaged over the tokens, not summed"]);
  });

  test("with its gradient", async () => {
    const gradientOf = ({ logits, labels }: TokenBatch) => {
      const n = labels.flat().filter((label) => label !== IGNORE).length;
      return logits.map((row, b) =>
        row.map((z, t) => {
          const next = labels[b][t + 1] ?? IGNORE;
          const e = z.map(Math.exp);
          return next === IGNORE ? z.map(() => 0) : e.map((x, v) => (x / sum(e) - (v === next ? 1 : 0)) / n);
        }),
      );
    };
    const loss = (batch: TokenBatch) => ({ loss: right(batch), gradient: gradientOf(batch) });
    expect(await broken(loss, { gradient: true })).toEqual({});
    const leaking = (batch: TokenBatch) => {
      const { loss, gradient } = { loss: right(batch), gradient: gradientOf(batch) };
      return { loss, gradient: gradient.map((row) => row.map((z) => z.map((g) => g + 1e-4))) };
    };
    expect(Object.keys(await broken(leaking, { gradient: true }))).toEqual([
      "the gradient sums to 0",
      "ignored positions have no gradient",
      "the gradient is softmax less one-hot",
    ]);
  });
});

describe("a wrong one is caught, and its mistake named:", () => {
  const real = ({ attentionMask }: TokenBatch, b: number, t: number) => attentionMask[b][t] === 1;
  const label = ({ labels }: TokenBatch, b: number, t: number) => labels[b][t] !== IGNORE;
  const cases: [what: string, loss: TokensCheck["loss"], breaks: TokensClaim, mistake: string][] = [
    ["no shift", crossEntropy(shifted(0), overAll), "one shift", "no shift: a position is scored on its own token"],
    [
      "shifted twice",
      crossEntropy(shifted(2), (nats) => (nats.flat().length > 0 ? overAll(nats) : 0)),
      "one shift",
      "shifted twice: a position is scored on the token after the next",
    ],
    [
      "the prompt counted",
      crossEntropy(shifted(1, real), overAll),
      "ignored labels do not count",
      "the prompt counted too",
    ],
    [
      "the last token predicts padding",
      crossEntropy(
        shifted(1, (batch, b, t) => label(batch, b, t) || (!real(batch, b, t) && real(batch, b, t - 1))),
        overAll,
      ),
      "the last token is not asked to predict padding",
      "the last token asked to predict padding",
    ],
    [
      "padding counted",
      crossEntropy(
        shifted(1, (batch, b, t) => label(batch, b, t) || !real(batch, b, t)),
        overAll,
      ),
      "padding does not matter",
      "padding counted",
    ],
    [
      "padding masked by its id",
      crossEntropy(
        shifted(1, (batch, b, t) => label(batch, b, t) && batch.inputIds[b][t] !== batch.padId),
        (nats) => (nats.flat().length > 0 ? overAll(nats) : 0),
      ),
      "the end counts, though padding has its id",
      "labels with the id of padding left out, the answer's own end among them",
    ],
    [
      "the first answer token lost",
      crossEntropy(
        (batch, b) => shifted(1)(batch, b).slice(1),
        (nats) => (nats.flat().length > 0 ? overAll(nats) : 0),
      ),
      "the first answer token counts",
      "the first answer token left out",
    ],
    [
      "row by row",
      crossEntropy(shifted(1), (nats) => mean(nats.map(mean))),
      "every counted token weighs the same",
      "each row averaged by itself, then the rows",
    ],
    [
      "divided by the positions",
      crossEntropy(shifted(1), (nats, { labels }) => sum(nats.flat()) / labels.flat().length),
      "padding does not matter",
      "divided by all B·T positions",
    ],
    [
      "two of them",
      crossEntropy(shifted(1, real), (nats) => mean(nats.map(mean))),
      "ignored labels do not count",
      "the prompt counted too, and each row averaged by itself, then the rows",
    ],
  ];
  for (const [what, loss, breaks, mistake] of cases)
    test(what, async () => {
      const found = await broken(loss, { claims: [breaks] });
      expect(Object.keys(found)).toEqual([breaks]);
      expect(found[breaks].mistakes).toEqual([mistake]);
    });

  test("exp without the maximum taken off", async () => {
    const naive = (batch: TokenBatch) => {
      const of = ([z, token]: Target) => Math.log(sum(z.map(Math.exp))) - z[token];
      return mean(batch.logits.flatMap((_, b) => shifted(1)(batch, b).map(of)));
    };
    expect(Object.keys(await broken(naive))).toEqual(["finite at 1e4"]);
  });

  test("0/0 where nothing counts, only where that is claimed", async () => {
    const found = await broken(right, { claims: ["a batch without labels is not NaN"] });
    expect(found["a batch without labels is not NaN"].counterexample).toMatchObject({
      got: "NaN",
      expected: "0, or an error",
    });
    const refusing = (batch: TokenBatch) => {
      if (batch.labels.flat().every((x) => x === IGNORE)) throw new Error("nothing to learn");
      return right(batch);
    };
    expect(await broken(refusing, { claims: ["a batch without labels is not NaN"] })).toEqual({});
  });
});

test("its counterexample is a row that can be read", async () => {
  const found = await broken(
    crossEntropy(
      shifted(1, ({ attentionMask }, b, t) => attentionMask[b][t] === 1),
      overAll,
    ),
  );
  const { input } = found["ignored labels do not count"].counterexample!;
  expect(input).toMatchObject({ prompt: [0, 0], answer: [0], padding: 0 });
  expect(found["ignored labels do not count"].explanation).toContain(
    "counterexample: prompt [0, 0], answer [0], padding 0",
  );
});

test("the reference is -log softmax, by hand", () => {
  const batch: TokenBatch = {
    logits: [
      [
        [Math.log(3), 0],
        [0, 0],
        [9, 9],
      ],
    ],
    labels: [[IGNORE, 0, 1]],
    inputIds: [[0, 0, 1]],
    attentionMask: [[1, 1, 1]],
    padId: 0,
  };
  expect(crossEntropyOf(batch, "sum").loss).toBeCloseTo(Math.log(4 / 3) + Math.log(2), 12);
  expect(crossEntropyOf(batch, "mean").loss).toBeCloseTo((Math.log(4 / 3) + Math.log(2)) / 2, 12);
});

/**
 * @file What can be claimed of a masked cross-entropy, and which claims hold for every right one.
 */
import fc from "fast-check";
import { IGNORE_INDEX } from "../losses/crossEntropy.ts";
import { makeRandom } from "../util/random.ts";
import { bind, digits, firstOf, makeClaim, named, type Plan, unequal } from "./claim.ts";
import { close } from "./quantity.ts";
import { type AskTokens, batchOf, type Row, rows, type TokenBatch, type TokensLoss, V } from "./tokenBatch.ts";
import { crossEntropyOf, nameTokenMistakes, rightTargets } from "./tokenMistakes.ts";

/** A masked cross-entropy, and what it claims. */
export interface TokensCheck {
  kind: "tokens";
  loss: TokensLoss;
  /** Over the counted tokens of the batch: their mean, or their sum as the log-probabilities of DPO are; mean unless told. */
  reduction?: "mean" | "sum";
  /** The loss gives `{ loss, gradient }`: the claims about gradients too. */
  gradient?: boolean;
  /** All that holds for every masked cross-entropy unless told. */
  claims?: readonly TokensClaim[];
}

const several = () => fc.array(rows(), { minLength: 2, maxLength: 3 });
/** The batch with other logits at one position of its first row. */
const withLogits = (batch: TokenBatch, position: number, change: (z: number[]) => number[]): TokenBatch => ({
  ...batch,
  logits: batch.logits.map((row, b) => row.map((z, t) => (b === 0 && t === position ? change(z) : z))),
});
const real = ({ prompt, answer }: Row) => prompt.length + answer.length;
const raised = (token: number) => (z: number[]) => z.map((x, v) => (v === token ? x + 1 : x));

/** Whether the loss changes as the reference does when the logit of an answer token rises, at the position before it. */
async function counts(row: Row, which: number, ask: AskTokens, padId: number) {
  const batch = batchOf([row], { padId });
  const token = row.answer[which];
  const other = withLogits(batch, row.prompt.length + which - 1, raised(token));
  const change = (await ask.loss(other)) - (await ask.loss(batch));
  const expected = crossEntropyOf(other, ask.reduction).loss - crossEntropyOf(batch, ask.reduction).loss;
  const input = { ...row, padId, [`logit of token ${token} at position ${row.prompt.length + which - 1}`]: "1 more" };
  return unequal(change, expected, ask.tolerance, input, "change of the loss");
}

const gradientOf = async (batch: TokenBatch, ask: AskTokens) => {
  const gradient = await ask.gradient(batch);
  if (!gradient) throw new Error("the loss gives no gradient: { loss, gradient }, the gradient as [B, T, V]");
  return gradient;
};

export const CLAIMS = [
  makeClaim({
    name: "the same twice",
    statement: "the same batch has the same loss whenever it is asked (dropout is off)",
    cases: (_: AskTokens) => rows(),
    check: async (row, ask) =>
      unequal(await ask.loss(batchOf([row])), await ask.loss(batchOf([row])), 0, row, "the first time"),
  }),
  makeClaim({
    name: "agrees with the reference",
    statement: "the loss is what the formula gives in float64",
    cases: (_: AskTokens) => fc.array(rows(), { minLength: 1, maxLength: 3 }),
    check: async (drawn, ask) => {
      const batch = batchOf(drawn);
      return unequal(await ask.loss(batch), crossEntropyOf(batch, ask.reduction).loss, ask.tolerance, drawn);
    },
  }),
  makeClaim({
    name: "ln V for uniform logits",
    statement: "logits that are all alike cost ln V per counted token",
    cases: (_: AskTokens) => fc.record({ row: rows(), z: fc.integer({ min: -4, max: 4 }) }),
    check: async ({ row, z }, ask) => {
      const batch = batchOf([{ ...row, logits: row.logits.map((position) => position.map(() => z)) }]);
      const tokens = ask.reduction === "mean" ? 1 : row.answer.length;
      return unequal(
        await ask.loss(batch),
        tokens * Math.log(V),
        ask.tolerance,
        { ...row, logits: z },
        `${tokens} ln ${V}`,
      );
    },
  }),
  makeClaim({
    name: "shift-invariant",
    statement: "a constant added to all logits of a position changes nothing",
    cases: (_: AskTokens) => fc.record({ row: rows(), at: fc.nat(20), shift: fc.integer({ min: 1, max: 50 }) }),
    check: async ({ row, at, shift }, ask) => {
      const batch = batchOf([row]);
      const position = at % row.logits.length;
      const moved = withLogits(batch, position, (z) => z.map((x) => x + shift));
      const input = { ...row, [`added at position ${position}`]: shift };
      return unequal(await ask.loss(moved), await ask.loss(batch), ask.tolerance, input, "as before");
    },
  }),
  makeClaim({
    name: "one shift",
    statement: "logits that are sure of the NEXT token cost nothing, so position t is scored on token t + 1",
    cases: (_: AskTokens) => rows(),
    check: async (row, ask) => {
      const ids = [...row.prompt, ...row.answer];
      const logits = row.logits.map((z, t) => z.map((_, v) => (v === ids[t + 1] ? 100 : 0)));
      return unequal(await ask.loss(batchOf([{ ...row, logits }])), 0, ask.tolerance, {
        ...row,
        logits: "100 at the next token",
      });
    },
  }),
  makeClaim({
    name: "ignored labels do not count",
    statement: "logits before a label of -100 may be anything",
    cases: (_: AskTokens) => fc.record({ row: rows(), at: fc.nat(20), token: fc.nat(V - 1) }),
    check: async ({ row, at, token }, ask) => {
      const batch = batchOf([row]);
      const free = row.logits.map((_, t) => t).filter((t) => (batch.labels[0][t + 1] ?? IGNORE_INDEX) === IGNORE_INDEX);
      const position = free[at % free.length]; // there is one: after the last real token
      const other = withLogits(batch, position, raised(token));
      const input = { ...row, [`logit of token ${token} at position ${position}`]: "1 more" };
      return unequal(await ask.loss(other), await ask.loss(batch), ask.tolerance, input, "as before");
    },
  }),
  makeClaim({
    name: "the first answer token counts",
    statement: "the last prompt position is scored on the first token of the answer",
    cases: (_: AskTokens) => rows(),
    check: (row, ask) => counts(row, 0, ask, (row.answer[0] + 1) % V),
  }),
  makeClaim({
    name: "the end counts, though padding has its id",
    statement: "what is padding is said by the labels, not by the id: an end of text that pads too is still learnt",
    cases: (_: AskTokens) => rows(),
    check: (row, ask) => counts(row, row.answer.length - 1, ask, row.answer[row.answer.length - 1]),
  }),
  makeClaim({
    name: "the last token is not asked to predict padding",
    statement: "the logits of a row's last real token change nothing, whatever follows",
    cases: (_: AskTokens) => fc.record({ row: rows(), token: fc.nat(V - 1) }),
    check: async ({ row, token }, ask) => {
      const padded = { ...row, padding: 1 };
      const batch = batchOf([padded]);
      const other = withLogits(batch, real(row) - 1, raised(token));
      const input = { ...padded, [`logit of token ${token} at position ${real(row) - 1}`]: "1 more" };
      return unequal(await ask.loss(other), await ask.loss(batch), ask.tolerance, input, "as before");
    },
  }),
  makeClaim({
    name: "padding does not matter",
    statement: "more padding, or padding of another id, changes nothing",
    cases: (_: AskTokens) => fc.record({ row: rows(), padding: fc.nat(4), padId: fc.nat(V - 1) }),
    check: async ({ row, padding, padId }, ask) =>
      unequal(
        await ask.loss(batchOf([row], { padding, padId })),
        await ask.loss(batchOf([{ ...row, padding: 0 }])),
        ask.tolerance,
        { ...row, padding: row.padding + padding, padId },
        "as without padding",
      ),
  }),
  makeClaim({
    name: "every counted token weighs the same",
    statement: "the loss of a batch is the mean over all its counted tokens (or their sum), not a mean of row means",
    cases: (_: AskTokens) => several(),
    check: async (drawn, ask) => {
      let total = 0;
      for (const row of drawn) {
        const weight = ask.reduction === "mean" ? row.answer.length : 1;
        total += weight * (await ask.loss(batchOf([row])));
      }
      const tokens = drawn.reduce((n, row) => n + row.answer.length, 0);
      const expected = ask.reduction === "mean" ? total / tokens : total;
      return unequal(await ask.loss(batchOf(drawn)), expected, ask.tolerance, drawn, "from the rows alone");
    },
  }),
  makeClaim({
    name: "the order of the rows does not matter",
    statement: "a batch read backwards has the same loss",
    cases: (_: AskTokens) => several(),
    check: async (drawn, ask) =>
      unequal(
        await ask.loss(batchOf([...drawn].reverse())),
        await ask.loss(batchOf(drawn)),
        ask.tolerance,
        drawn,
        "as forwards",
      ),
  }),
  makeClaim({
    name: "finite at 1e4",
    statement: "logits of 1e4, beyond what exp can hold, have a loss",
    cases: (_: AskTokens) => fc.record({ row: rows(), scale: fc.integer({ min: 100, max: 10_000 }) }),
    check: async ({ row, scale }, ask) => {
      const logits = row.logits.map((z) => z.map((x) => x * scale));
      const got = await ask.loss(batchOf([{ ...row, logits }]));
      return Number.isFinite(got)
        ? undefined
        : { input: { ...row, logits }, got: digits(got), expected: "a finite number" };
    },
  }),
  makeClaim({
    name: "the gradient sums to 0",
    statement: "at every position the gradient of the logits is softmax less one-hot, which sums to 0",
    cases: (_: AskTokens) => rows(),
    check: async (row, ask) => {
      const [gradient] = await gradientOf(batchOf([row]), ask);
      const sums = gradient.map((z) => z.reduce((a, b) => a + b, 0));
      return firstOf(sums.map((sum, t) => async () => unequal(sum, 0, ask.tolerance, { ...row, position: t })));
    },
  }),
  makeClaim({
    name: "ignored positions have no gradient",
    statement: "the gradient is exactly 0 at positions that predict nothing that counts",
    cases: (_: AskTokens) => rows(),
    check: async (row, ask) => {
      const batch = batchOf([row]);
      const scored = new Set(targetsOf(batch).map(([t]) => t));
      const [gradient] = await gradientOf(batch, ask);
      const wrong = gradient
        .flatMap((z, t) => (scored.has(t) ? [] : z.map((g) => ({ g, t }))))
        .find(({ g }) => g !== 0);
      return wrong && { input: { ...row, position: wrong.t }, got: digits(wrong.g), expected: "exactly 0" };
    },
  }),
  makeClaim({
    name: "the gradient is softmax less one-hot",
    statement: "d loss / d logits = (softmax - one-hot) / counted tokens at the positions that count",
    cases: (_: AskTokens) => rows(),
    check: async (row, ask) => {
      const batch = batchOf([row]);
      const [gradient] = await gradientOf(batch, ask);
      const [expected] = crossEntropyOf(batch, ask.reduction).gradient;
      return firstOf(
        expected.flatMap((z, t) =>
          z.map(
            (g, token) => async () => unequal(gradient[t][token], g, ask.tolerance, { ...row, position: t, token }),
          ),
        ),
      );
    },
  }),
  makeClaim({
    name: "a batch without labels is not NaN",
    statement: "where nothing counts the loss is a number, or the batch is refused with an error; never 0/0",
    cases: (_: AskTokens) => rows(),
    check: async (row, ask) => {
      const batch = batchOf([row]);
      const got = await ask.loss({ ...batch, labels: [batch.labels[0].map(() => IGNORE_INDEX)] }).catch(() => 0);
      return Number.isNaN(got)
        ? { input: { ...row, labels: "all -100" }, got: "NaN", expected: "0, or an error" }
        : undefined;
    },
  }),
];

const targetsOf = ({ logits, labels, inputIds, attentionMask }: TokenBatch) =>
  rightTargets({ logits: logits[0], labels: labels[0], inputIds: inputIds[0], attentionMask: attentionMask[0] });

export type TokensClaim = (typeof CLAIMS)[number]["name"];

const OF_GRADIENTS: TokensClaim[] = [
  "the gradient sums to 0",
  "ignored positions have no gradient",
  "the gradient is softmax less one-hot",
];
/** Only on demand: PyTorch's own cross-entropy is NaN there, and many trainers drop such batches before. */
const ON_DEMAND: TokensClaim[] = ["a batch without labels is not NaN"];

/** Batches with prompts, uneven answers and padding whose id is an answer's too. */
function probes(): TokenBatch[] {
  const random = makeRandom(2, "probes of the testing kit");
  const ids = (n: number) => Array.from({ length: n }, () => random.int(V));
  const row = (): Row => {
    const parts = { prompt: ids(1 + random.int(4)), answer: ids(2 + random.int(5)), padding: random.int(4) };
    const T = real({ ...parts, logits: [] }) + parts.padding;
    return { ...parts, logits: Array.from({ length: T }, () => Array.from({ length: V }, () => 3 * random.normal())) };
  };
  return Array.from({ length: 8 }, (_, i) =>
    batchOf(i % 2 ? [row(), row(), row()] : [row()], { padId: i % V, padding: 2 }),
  );
}

export function planTokens({ loss, reduction = "mean", gradient, claims }: TokensCheck, tolerance: number): Plan {
  const call = async (batch: TokenBatch) => {
    const result = await loss(structuredClone(batch)); // a loss may write into what it is given
    return typeof result === "number" ? { loss: result, gradient: undefined } : result;
  };
  const ask: AskTokens = {
    tolerance,
    reduction,
    loss: async (batch) => (await call(batch)).loss,
    gradient: async (batch) => (await call(batch)).gradient,
  };
  const unasked = claims || gradient ? [] : OF_GRADIENTS;
  const all = CLAIMS.map(({ name }) => name).filter((name) => ![...ON_DEMAND, ...unasked].includes(name));
  return {
    claims: bind(named(CLAIMS, claims ?? all), ask),
    skipped: unasked.map((name) => ({ name, why: "say gradient: true where the loss gives { loss, gradient }" })),
    async diagnose() {
      const observations: { batch: TokenBatch; loss: number }[] = [];
      for (const batch of probes()) observations.push({ batch, loss: await ask.loss(batch) });
      return nameTokenMistakes(observations, reduction, (got, expected) => close(got, expected, 10 * tolerance));
    },
  };
}

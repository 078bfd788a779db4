/**
 * @file The cross-entropy of a batch in float64, and the ways in which trainers have got it wrong: other targets, other
 * averages. A wrong loss is named by the simplest of them that gives its numbers.
 */
import { crossEntropyLoss, IGNORE_INDEX, nextLabels } from "../losses/crossEntropy.ts";
import type { TokenBatch } from "./tokenBatch.ts";

/** What is scored in a row: the logits of a position, on a token. */
type Target = readonly [position: number, token: number];

interface Row {
  logits: number[][];
  labels: number[];
  inputIds: number[];
  attentionMask: number[];
}

interface Targets {
  name: string;
  of: (row: Row, padId: number) => Target[];
}

const positions = ({ labels }: Row) => labels.map((_, t) => t);
const counts = (label: number) => label !== IGNORE_INDEX;

/** Position t predicts label t + 1; what is ignored is no target. */
export const rightTargets = (row: Row): Target[] =>
  positions(row).flatMap((t) => (t > 0 && counts(row.labels[t]) ? [[t - 1, row.labels[t]] as const] : []));

const TARGETS: readonly Targets[] = [
  { name: "", of: rightTargets },
  {
    name: "no shift: a position is scored on its own token",
    of: (row) => positions(row).flatMap((t) => (counts(row.labels[t]) ? [[t, row.labels[t]] as const] : [])),
  },
  {
    name: "shifted twice: a position is scored on the token after the next",
    of: (row) =>
      positions(row).flatMap((t) => (t > 1 && counts(row.labels[t]) ? [[t - 2, row.labels[t]] as const] : [])),
  },
  {
    name: "the first answer token left out",
    of: (row) => rightTargets(row).slice(1),
  },
  {
    name: "the last answer token (the end of the answer) left out",
    of: (row) => rightTargets(row).slice(0, -1),
  },
  {
    name: "labels with the id of padding left out, the answer's own end among them",
    of: (row, padId) => rightTargets(row).filter(([, token]) => token !== padId),
  },
  {
    name: "the prompt counted too",
    of: (row) =>
      positions(row).flatMap((t) => (t > 0 && row.attentionMask[t] ? [[t - 1, row.inputIds[t]] as const] : [])),
  },
  {
    name: "the last token asked to predict padding",
    of: (row) => {
      const end = row.attentionMask.lastIndexOf(1) + 1;
      return [...rightTargets(row), ...(end < row.inputIds.length ? [[end - 1, row.inputIds[end]] as const] : [])];
    },
  },
  {
    name: "padding counted",
    of: (row) =>
      positions(row).flatMap((t) =>
        t > 0 && (counts(row.labels[t]) || !row.attentionMask[t]) ? [[t - 1, row.inputIds[t]] as const] : [],
      ),
  },
  {
    name: "prompt and padding counted",
    of: (row) => positions(row).flatMap((t) => (t > 0 ? [[t - 1, row.inputIds[t]] as const] : [])),
  },
  {
    name: "ignored labels taken for token 0",
    of: (row) => positions(row).flatMap((t) => (t > 0 ? [[t - 1, Math.max(0, row.labels[t])] as const] : [])),
  },
];

interface Reduction {
  name: string;
  /** Of the -log p of every row's targets. */
  of: (nats: readonly number[][], batch: Pick<TokenBatch, "labels"> & Partial<TokenBatch>) => number;
}

const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
const mean = (values: readonly number[]) => sum(values) / values.length;

const REDUCTIONS = {
  mean: (nats: readonly number[][]) => mean(nats.flat()),
  sum: (nats: readonly number[][]) => sum(nats.flat()),
};

const OTHER_REDUCTIONS: readonly Reduction[] = [
  {
    name: "each row averaged by itself, then the rows",
    of: (nats) => mean(nats.filter((row) => row.length > 0).map(mean)),
  },
  {
    name: "divided by all B·T positions",
    of: (nats, { labels }) => sum(nats.flat()) / (labels.length * labels[0].length),
  },
  {
    name: "divided by all B·(T - 1) predictions",
    of: (nats, { labels }) => sum(nats.flat()) / (labels.length * (labels[0].length - 1)),
  },
  {
    name: "divided by the real tokens, prompt and all",
    of: (nats, { attentionMask }) => (attentionMask ? sum(nats.flat()) / sum(attentionMask.flat()) : Number.NaN),
  },
  { name: "divided by the rows", of: (nats) => sum(nats.flat()) / nats.length },
  { name: "the sign of the loss turned round", of: (nats) => -mean(nats.flat()) },
  { name: "logarithms to the base 2, not e", of: (nats) => mean(nats.flat()) / Math.LN2 },
];

/** The right average under "", then the wrong ones. */
export function reductionsOf(reduction: keyof typeof REDUCTIONS): Reduction[] {
  const other =
    reduction === "mean"
      ? { name: "summed over the tokens, not averaged", of: REDUCTIONS.sum }
      : { name: "averaged over the tokens, not summed", of: REDUCTIONS.mean };
  return [{ name: "", of: REDUCTIONS[reduction] }, other, ...OTHER_REDUCTIONS];
}

/** -log softmax(z)[token], nats. */
function surprise(z: readonly number[], token: number): number {
  const max = Math.max(...z);
  return max + Math.log(sum(z.map((x) => Math.exp(x - max)))) - z[token];
}

function lossOf(batch: TokenBatch, targets: Targets["of"], reduce: Reduction["of"]): number {
  const nats = batch.logits.map((logits, b) => {
    const row = { logits, labels: batch.labels[b], inputIds: batch.inputIds[b], attentionMask: batch.attentionMask[b] };
    return targets(row, batch.padId).map(([t, token]) => surprise(logits[t], token));
  });
  return reduce(nats, batch);
}

/** Cross-entropy in nats over the counted tokens of the whole batch, their mean or sum; the gradient as [B, T, V]. */
export function crossEntropyOf({ logits, labels }: TokenBatch, reduction: keyof typeof REDUCTIONS) {
  const T = labels[0].length;
  const flat = { logits: logits.flat(), labels: labels.flatMap(nextLabels) };
  const { loss, gradient } = crossEntropyLoss(flat, {}, reduction === "sum" ? 1 : undefined);
  return { loss, gradient: labels.map((_, b) => gradient.slice(b * T, (b + 1) * T)) };
}

/**
 * The simplest mistakes that give every observed loss: other targets or another average, then both; three at most, and
 * none where the right loss fits too.
 */
export function nameTokenMistakes(
  observations: readonly { batch: TokenBatch; loss: number }[],
  reduction: keyof typeof REDUCTIONS,
  fits: (got: number, expected: number) => boolean,
): string[] {
  const reductions = reductionsOf(reduction);
  const found = TARGETS.flatMap((targets) =>
    reductions.map((reduction) => ({
      targets,
      reduction,
      parts: Number(targets.name !== "") + Number(reduction.name !== ""),
    })),
  ).filter(({ targets, reduction }) =>
    observations.every(({ batch, loss }) => fits(loss, lossOf(batch, targets.of, reduction.of))),
  );
  const fewest = Math.min(...found.map(({ parts }) => parts));
  if (fewest === 0) return [];
  return found
    .filter(({ parts }) => parts === fewest)
    .slice(0, 3)
    .map(({ targets, reduction }) => [targets.name, reduction.name].filter(Boolean).join(", and "));
}

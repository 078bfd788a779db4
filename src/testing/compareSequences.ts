/**
 * @file The loss of dumped sequences, and of the optimiser steps that their micro-batches make up.
 */
import { IGNORE_INDEX } from "../losses/crossEntropy.ts";
import { groupBy } from "../util/arrays.ts";
import type { SequencesRow } from "./dump.ts";
import { type Fits, type Numbered, type QuantityReport, quantity } from "./quantity.ts";
import { nameStepMistakes, rightStep, type Single } from "./stepMistakes.ts";
import { reductionsOf } from "./tokenMistakes.ts";

/** -log p of what counts in each sequence; a sequence's first token is predicted by nothing. */
const natsOf = (
  { logprobs, labels }: SequencesRow,
  counts: (label: number) => boolean = (label) => label !== IGNORE_INDEX,
) => logprobs.map((row, b) => row.flatMap((x, t) => (t > 0 && counts(labels[b][t]) ? [-x] : [])));
const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
/** 0 where nothing counts, as in TRL. */
const lossOf = (row: SequencesRow) => sum(natsOf(row).flat()) / Math.max(1, natsOf(row).flat().length);

const TARGETS: Record<string, (row: SequencesRow) => number[][]> = {
  "": natsOf,
  "the first answer token left out": (row) => natsOf(row).map((nats) => nats.slice(1)),
  "the last answer token (the end of the answer) left out": (row) => natsOf(row).map((nats) => nats.slice(0, -1)),
  "the ignored labels counted": (row) => natsOf(row, () => true),
};

export function compareSequences(rows: readonly Numbered<SequencesRow>[], fits: Fits): QuantityReport[] {
  const given = rows.filter(({ loss }) => loss !== undefined);
  const values = given.map((row) => ({ line: row.line, theirs: row.loss!, ours: lossOf(row) }));
  return [
    ...(given.length > 0 ? [quantity("loss", values, fits, () => lossMistakes(given, fits))] : []),
    ...compareSteps(rows, fits),
  ];
}

/** Another average, other targets, or both. */
function lossMistakes(rows: readonly SequencesRow[], fits: Fits): string[] {
  const found = Object.entries(TARGETS).flatMap(([targets, nats]) =>
    reductionsOf("mean")
      .filter(({ of }) => rows.every((row) => fits(row.loss!, of(nats(row), { labels: row.labels }))))
      .map(({ name }) => [targets, name].filter(Boolean)),
  );
  const fewest = Math.min(...found.map((parts) => parts.length));
  return found
    .filter((parts) => parts.length === fewest)
    .slice(0, 3)
    .map((parts) => parts.join(", and "));
}

/** The step's loss, Σ n ℓ / Σ n over its micro-batches, against what was called backward() on. */
function compareSteps(rows: readonly Numbered<SequencesRow>[], fits: Fits): QuantityReport[] {
  const given = rows.filter(({ backwardLoss }) => backwardLoss !== undefined);
  if (given.length === 0) return [];
  const singles = new Map<number, Single>();
  for (const [i, row] of given.entries()) {
    const count = natsOf(row).flat().length;
    if (count > 0) singles.set(i, { count, loss: lossOf(row), gradient: [] });
  }
  const indices = groupBy([...given.keys()], (i) => given[i].step);
  const steps = [...indices.values()].map((members) => ({
    parts: members.map((i) => [i]),
    outcome: { loss: sum(members.map((i) => given[i].backwardLoss!)), gradient: [] },
  }));
  const values = steps.map(({ parts, outcome }) => ({
    line: given[parts[0][0]].line,
    theirs: outcome.loss,
    ours: rightStep(parts, singles).loss,
  }));
  // a micro-batch is one example here, so that more than one name may fit; the first is the one about micro-batches
  const mistakes = () => nameStepMistakes(steps, singles, fits).map((name) => name.replace("loss: ", ""));
  return [quantity("loss of a step", values, fits, () => mistakes().slice(0, 1))];
}

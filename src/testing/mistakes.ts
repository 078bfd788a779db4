/**
 * @file Mistakes that trainers have made in preference losses, as changes of the right one: what goes in (`Change`), or
 * what comes out (`Reading`). A wrong loss is named by the simplest mistakes that give its numbers on every pair it was
 * tried on. The gallery (examples/bugs) has the public reports of those that were shipped.
 */
import { type PairLogps, PREFERENCE_LOSSES, type PreferenceLossOptions, preferenceLoss } from "../losses/preference.ts";

interface Input {
  pairs: PairLogps;
  options: PreferenceLossOptions;
}
type Columns = (pairs: PairLogps) => Partial<PairLogps>;
type Settings = (options: PreferenceLossOptions) => Partial<PreferenceLossOptions>;

interface Change {
  name: string;
  columns?: Columns;
  settings?: Settings;
}

const perToken = (sums: readonly number[], tokens: readonly number[]) => sums.map((sum, i) => sum / tokens[i]);
const zeros = (values: readonly number[]) => values.map(() => 0);

/** In the order in which they are named where several fit. */
const CHANGES: readonly Change[] = [
  {
    name: "log-probabilities averaged over the tokens, not summed",
    columns: (p) => ({
      policyChosen: perToken(p.policyChosen, p.chosenTokens),
      policyRejected: perToken(p.policyRejected, p.rejectedTokens),
      referenceChosen: perToken(p.referenceChosen, p.chosenTokens),
      referenceRejected: perToken(p.referenceRejected, p.rejectedTokens),
    }),
  },
  { name: "β applied twice", settings: ({ beta }) => ({ beta: beta * beta }) },
  { name: "β left out", settings: () => ({ beta: 1 }) },
  {
    name: "chosen and rejected swapped",
    columns: (p) => ({
      policyChosen: p.policyRejected,
      policyRejected: p.policyChosen,
      referenceChosen: p.referenceRejected,
      referenceRejected: p.referenceChosen,
      chosenTokens: p.rejectedTokens,
      rejectedTokens: p.chosenTokens,
    }),
  },
  {
    name: "policy and reference swapped",
    columns: (p) => ({
      policyChosen: p.referenceChosen,
      policyRejected: p.referenceRejected,
      referenceChosen: p.policyChosen,
      referenceRejected: p.policyRejected,
    }),
  },
  {
    name: "the reference left out",
    columns: (p) => ({ referenceChosen: zeros(p.referenceChosen), referenceRejected: zeros(p.referenceRejected) }),
  },
  {
    name: "the reference added, not subtracted",
    columns: (p) => ({
      referenceChosen: p.referenceChosen.map((x) => -x),
      referenceRejected: p.referenceRejected.map((x) => -x),
    }),
  },
  {
    name: "the reference's two answers swapped",
    columns: (p) => ({ referenceChosen: p.referenceRejected, referenceRejected: p.referenceChosen }),
  },
  { name: "label smoothing left out", settings: () => ({ labelSmoothing: 0 }) },
];

/** What people set β to; another one than was said is a common mistake, of the run or of whoever checks it. */
export const USUAL_BETAS = [0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 2];

interface Reading {
  name: string;
  /** What is given for a batch, of its losses. */
  of: (losses: readonly number[], beta: number) => number;
}

const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
const mean = (values: readonly number[]) => sum(values) / values.length;
const READINGS: readonly Reading[] = [
  { name: "", of: mean },
  { name: "summed over the pairs, not averaged", of: sum },
  { name: "divided by the 2B rows of the batch, not by its B pairs", of: (losses) => mean(losses) / 2 },
  { name: "the sign of the loss turned round", of: (losses) => -mean(losses) },
  { name: "the loss multiplied by β once more", of: (losses, beta) => beta * mean(losses) },
  { name: "the logarithm left out: -σ, not -log σ", of: (losses) => -mean(losses.map((x) => Math.exp(-x))) },
];

/** A batch and the loss that was given for it. */
export interface Observation {
  pairs: PairLogps;
  loss: number;
}

interface Candidate {
  name: string;
  loss: (pairs: PairLogps) => number;
}

export const betaIs = (beta: number, said: number) => `β is ${beta}, not ${said}`;

/** The right formula; every mistake alone; another β; every other loss; two mistakes at a time: the simplest first. */
function candidates(options: PreferenceLossOptions): Candidate[][] {
  const apply = ({ pairs, options }: Input, { columns, settings }: Change): Input => ({
    pairs: { ...pairs, ...columns?.(pairs) },
    options: { ...options, ...settings?.(options) },
  });
  const candidate = (changes: readonly Change[], { name, of }: Reading): Candidate => ({
    name: [...changes.map((change) => change.name), name].filter(Boolean).join(", and "),
    loss(pairs) {
      const changed = changes.reduce(apply, { pairs, options });
      return of(preferenceLoss(changed.pairs, changed.options).losses, options.beta);
    },
  });
  const [plain, ...readings] = READINGS;
  const changes = CHANGES.filter(({ name }) => options.labelSmoothing || !name.startsWith("label smoothing"));
  const others = PREFERENCE_LOSSES.filter((lossType) => lossType !== options.lossType);
  return [
    [candidate([], plain)],
    [...changes.map((change) => candidate([change], plain)), ...readings.map((reading) => candidate([], reading))],
    USUAL_BETAS.map((beta) => candidate([{ name: betaIs(beta, options.beta), settings: () => ({ beta }) }], plain)),
    others.map((lossType) => ({
      name: `the loss is ${lossType}, not ${options.lossType}`,
      loss: (pairs: PairLogps) => mean(preferenceLoss(pairs, { lossType, beta: options.beta }).losses),
    })),
    [
      ...changes.flatMap((one, i) => changes.slice(i + 1).map((other) => candidate([one, other], plain))),
      ...changes.flatMap((change) => readings.map((reading) => candidate([change], reading))),
    ],
  ];
}

/**
 * The simplest mistakes that give every observed loss within `fits`; none where the right formula gives them too, or
 * where nothing does. Several are named where the observations cannot tell them apart, three at most.
 */
export function nameMistakes(
  observations: readonly Observation[],
  options: PreferenceLossOptions,
  fits: (got: number, expected: number) => boolean,
): string[] {
  const explains = ({ loss }: Candidate) => {
    try {
      return observations.every((seen) => fits(seen.loss, loss(seen.pairs)));
    } catch {
      return false; // the variant refuses these settings
    }
  };
  const [right, ...wrong] = candidates(options);
  if (right.some(explains)) return [];
  for (const tier of wrong) {
    const found = tier.filter(explains);
    if (found.length > 0) return found.slice(0, 3).map(({ name }) => name);
  }
  return [];
}

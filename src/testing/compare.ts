/**
 * @file What the rows of a dump say against what the float64 losses make of the same log-probabilities, quantity by
 * quantity; and which known mistake gives the numbers that differ.
 */
import { type PairLogps, type PreferenceLossOptions, preferenceLoss } from "../losses/preference.ts";
import { UserError } from "../util/assert.ts";
import { compareSequences } from "./compareSequences.ts";
import { isPairsRow, PAIR_QUANTITIES, type PairsRow, type SequencesRow } from "./dump.ts";
import { rewardMistakes, tokenSumMistakes } from "./metricMistakes.ts";
import { nameMistakes } from "./mistakes.ts";
import { type Compared, close, type Fits, type Numbered, type QuantityReport, quantity } from "./quantity.ts";

export interface DumpReport {
  rows: number;
  agrees: boolean;
  quantities: QuantityReport[];
}

/**
 * Compares every value that the rows hold. `tolerance` is relative to max(1, |ours|).
 * @throws UserError where there is nothing to compare, or the rows lack what the loss needs
 */
export function compareDump(
  rows: readonly Numbered<PairsRow | SequencesRow>[],
  options: PreferenceLossOptions,
  tolerance: number,
): DumpReport {
  const fits: Fits = (theirs, ours) => close(theirs, ours, tolerance);
  const pairRows = rows.filter(isPairsRow) as Numbered<PairsRow>[];
  const sequences = rows.filter((row) => !isPairsRow(row)) as Numbered<SequencesRow>[];
  const quantities = [...comparePairs(pairRows, options, fits), ...compareSequences(sequences, fits)];
  if (quantities.length === 0)
    throw new UserError(
      `nothing to compare in ${rows.length} rows; give what the trainer computed: loss, rewards/chosen, rewards/margins, ...`,
    );
  return { rows: rows.length, agrees: quantities.every(({ compared, agree }) => compared === agree), quantities };
}

const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
const NO_REFERENCE = ["simpo", "orpo", "sft"];
const NEEDS_TOKENS = ["ipo", "sigmoid_norm", "simpo", "orpo", "sft"];

function comparePairs(
  rows: readonly Numbered<PairsRow>[],
  options: PreferenceLossOptions,
  fits: Fits,
): QuantityReport[] {
  for (const { line, hasReference, hasTokens } of rows) {
    if (!hasReference && !NO_REFERENCE.includes(options.lossType))
      throw new UserError(
        `line ${line}: no ref_chosen_logps; ${options.lossType} needs the reference's log-probabilities`,
      );
    if (!hasTokens && NEEDS_TOKENS.includes(options.lossType))
      throw new UserError(`line ${line}: no chosen_tokens; ${options.lossType} takes means over the answers' tokens`);
  }
  const ofName = (name: (typeof PAIR_QUANTITIES)[number]): QuantityReport[] => {
    const given = rows.filter(({ said }) => said[name] !== undefined);
    if (given.length === 0) return [];
    const values = given.flatMap(({ line, pairs, said }) => beside(line, said[name], quantityOf(name, pairs, options)));
    const observed = given.map(({ pairs, said }) => ({ pairs, said: said[name] }));
    return [
      quantity(name, values, fits, () =>
        name === "loss"
          ? nameMistakes(
              observed.map(({ pairs, said }) => ({ pairs, loss: mean([said].flat()) })),
              options,
              fits,
            )
          : rewardMistakes(name, observed, options.beta, fits),
      ),
    ];
  };
  return [...compareTokenSums(rows, fits), ...PAIR_QUANTITIES.flatMap(ofName)];
}

/** A mean beside the mean, or value by value. */
export const beside = (line: number, said: number | number[], ours: readonly number[]): Compared[] =>
  typeof said === "number"
    ? [{ line, theirs: said, ours: mean(ours) }]
    : said.map((theirs, i) => ({ line, theirs, ours: ours[i] }));

/** Per pair, as TRL defines it. */
function quantityOf(
  name: (typeof PAIR_QUANTITIES)[number],
  pairs: PairLogps,
  options: PreferenceLossOptions,
): number[] {
  if (name === "loss") return preferenceLoss(pairs, options).losses;
  const { beta } = options;
  const chosen = pairs.policyChosen.map((x, i) => beta * (x - pairs.referenceChosen[i]));
  const rejected = pairs.policyRejected.map((x, i) => beta * (x - pairs.referenceRejected[i]));
  switch (name) {
    case "rewards/chosen":
      return chosen;
    case "rewards/rejected":
      return rejected;
    case "rewards/margins":
      return chosen.map((x, i) => x - rejected[i]);
    case "rewards/accuracies":
      return chosen.map((x, i) => (x > rejected[i] ? 1 : 0)); // a tie is not a win
    case "logps/chosen":
      return pairs.policyChosen;
    case "logps/rejected":
      return pairs.policyRejected;
  }
}

/** Answers' log-probabilities against the sums of their tokens'. */
function compareTokenSums(rows: readonly Numbered<PairsRow>[], fits: Fits): QuantityReport[] {
  const names = {
    policyChosen: "chosen_logps",
    policyRejected: "rejected_logps",
    referenceChosen: "ref_chosen_logps",
    referenceRejected: "ref_rejected_logps",
  } as const;
  return Object.entries(names).flatMap(([entry, name]) => {
    const key = entry as keyof typeof names;
    const answers = rows.flatMap(({ line, pairs, perToken }) =>
      (perToken[key] ?? []).map((tokens, i) => ({ line, tokens, theirs: pairs[key][i] })),
    );
    if (answers.length === 0) return [];
    const values = answers.map(({ line, tokens, theirs }) => ({
      line,
      theirs,
      ours: tokens.reduce((a, b) => a + b, 0),
    }));
    return [quantity(`${name}, of its tokens`, values, fits, () => tokenSumMistakes(answers, fits))];
  });
}

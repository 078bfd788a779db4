/**
 * @file Someone's preference loss as the claims ask it: a pair at a time, or a batch; and the random pairs it is asked.
 */
import fc from "fast-check";
import { type PairLogps, type PreferenceLossOptions, preferenceLoss } from "../losses/preference.ts";

/** One pair of {@link PairLogps}. */
export type Pair = Record<keyof PairLogps, number>;

/** What a preference loss may give back; the gradient is of the mean where `loss` is a number, of the sum otherwise. */
export type PreferenceResult =
  | number
  | ArrayLike<number>
  | { loss: number | ArrayLike<number>; gradients: Record<"policyChosen" | "policyRejected", ArrayLike<number>> };

/**
 * The loss: its mean over the pairs, or one value per pair. It may be a promise, e.g. of a Python process. A loss that
 * takes the options is also asked with another β.
 */
export type PreferenceLoss = (
  pairs: PairLogps,
  options: PreferenceLossOptions,
) => PreferenceResult | Promise<PreferenceResult>;

/** A preference loss and what it claims. */
export interface PreferenceSubject extends Omit<PreferenceLossOptions, "lossType"> {
  kind: "preference";
  loss: PreferenceLoss;
}

export interface AskPreference {
  options: PreferenceLossOptions;
  tolerance: number;
  /** Whether the loss heeds another β than its own. */
  takesOptions: boolean;
  /** The loss of one pair. */
  one(pair: Pair, options?: Partial<PreferenceLossOptions>): Promise<number>;
  /** The mean over a batch. */
  mean(pairs: readonly Pair[]): Promise<number>;
  /** What the loss says its gradient is, of one pair; undefined where it says none. */
  gradient(pair: Pair): Promise<Record<"policyChosen" | "policyRejected", number> | undefined>;
  /** Our float64 loss: its mean over a batch. */
  reference(pairs: readonly Pair[]): number;
}

const KEYS = [
  "policyChosen",
  "policyRejected",
  "referenceChosen",
  "referenceRejected",
  "chosenTokens",
  "rejectedTokens",
] as const satisfies (keyof PairLogps)[];

/** Pairs as the columns that losses take. */
export const columns = (pairs: readonly Pair[]): PairLogps => {
  const column = (key: keyof PairLogps) => pairs.map((pair) => pair[key]);
  return Object.fromEntries(KEYS.map((key) => [key, column(key)])) as unknown as PairLogps;
};

export const meanOf = (values: ArrayLike<number>) => Array.from(values).reduce((a, b) => a + b, 0) / values.length;

/** @throws Error where what it gives back is neither a number nor one per pair */
export function askPreference(
  { kind: _, loss, ...settings }: PreferenceSubject,
  lossType: PreferenceLossOptions["lossType"],
  tolerance: number,
): AskPreference {
  const options: PreferenceLossOptions = { ...settings, lossType };
  const call = async (pairs: readonly Pair[], changed: Partial<PreferenceLossOptions> = {}) => {
    const result = await loss(columns(pairs), { ...options, ...changed });
    const whole = typeof result === "object" && "loss" in result ? result : { loss: result, gradients: undefined };
    if (typeof whole.loss !== "number" && whole.loss?.length !== pairs.length)
      throw new Error(
        `it gave ${whole.loss?.length === undefined ? JSON.stringify(whole.loss) : `${whole.loss.length} numbers`} for ${pairs.length} pairs; expected the mean, or a number per pair`,
      );
    return whole;
  };
  const mean = async (pairs: readonly Pair[], changed?: Partial<PreferenceLossOptions>) => {
    const result = await call(pairs, changed);
    return typeof result.loss === "number" ? result.loss : meanOf(result.loss);
  };
  return {
    options,
    tolerance,
    takesOptions: loss.length > 1,
    mean,
    one: (pair, changed) => mean([pair], changed),
    async gradient(pair) {
      const { gradients } = await call([pair]);
      return gradients && { policyChosen: gradients.policyChosen[0], policyRejected: gradients.policyRejected[0] };
    },
    reference: (pairs) => meanOf(preferenceLoss(columns(pairs), options).losses),
  };
}

/** Nats of an answer, whole: float32 adds and subtracts them exactly, so that what a claim finds is no rounding. */
const logprob = (highest: number) => fc.integer({ min: -40, max: highest });

const tokens = fc.integer({ min: 1, max: 16 });

/** Random pairs; ORPO's odds p / (1 - p) need answers that are not certain. */
export function pairs({ lossType }: PreferenceLossOptions): fc.Arbitrary<Pair> {
  const nats = logprob(lossType === "orpo" ? -1 : 0);
  return fc.record({
    policyChosen: nats,
    policyRejected: nats,
    referenceChosen: nats,
    referenceRejected: nats,
    chosenTokens: tokens,
    rejectedTokens: tokens,
  });
}

/** (policy - reference) of the chosen answer less that of the rejected one. */
export const deltaOf = (pair: Pair) =>
  pair.policyChosen - pair.referenceChosen - (pair.policyRejected - pair.referenceRejected);

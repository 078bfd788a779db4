/**
 * @file Which claims hold for which preference loss, and what a wrong one is called: the loss is asked for a dozen more
 * batches, and the known mistakes are tried on them.
 */
import { PREFERENCE_LOSSES, type PreferenceLossOptions, type PreferenceLossType } from "../losses/preference.ts";
import { makeRandom } from "../util/random.ts";
import { bind, named, type Plan } from "./claim.ts";
import { nameMistakes } from "./mistakes.ts";
import { askPreference, columns, type Pair, type PreferenceSubject } from "./preference.ts";
import { CLAIMS, type PreferenceClaim } from "./preferenceClaims.ts";
import { close } from "./quantity.ts";

export type PreferenceCheck = PreferenceSubject & {
  /** The loss that this is: all that holds for it is claimed, and its numbers are the formula's. */
  as?: PreferenceLossType;
  /** What is claimed besides; the formulas in these claims are those of `as`, or of `sigmoid`. */
  claims?: readonly PreferenceClaim[];
};

const ALWAYS: PreferenceClaim[] = [
  "the same twice",
  "agrees with the reference",
  "the order of the pairs does not matter",
];
/** Losses of Δ alone. */
const OF_DELTA: PreferenceClaim[] = ["shift-invariant", "sums, not means, of log-probabilities", "mean over the pairs"];

/** What holds for a loss, see test/testing/preference.test.ts. */
export function claimsOf({ lossType, labelSmoothing, ...options }: PreferenceLossOptions): PreferenceClaim[] {
  const smoothed = (labelSmoothing ?? 0) > 0;
  if ("fDivergenceType" in options && options.fDivergenceType && options.fDivergenceType !== "reverse_kl")
    return ALWAYS;
  const sigmoid: PreferenceClaim[] = [...OF_DELTA, "ln 2 at initialisation", "antisymmetric", "convex"];
  const special: Partial<Record<PreferenceLossType, PreferenceClaim[]>> = {
    sigmoid: smoothed
      ? [...sigmoid, "depends on βΔ only", "gradient as Rafailov", "label smoothing minimum", "finite at 1e4"]
      : [...sigmoid, "monotone", "limits", "depends on βΔ only", "gradient as Rafailov", "finite at 1e4"],
    robust: [...sigmoid, "monotone", "depends on βΔ only", "robust unbiased", "finite at 1e4"],
    hinge: [...OF_DELTA, "monotone", "convex", "depends on βΔ only", "zero beyond the margin", "finite at 1e4"],
    ipo: [
      "mean over the pairs",
      "means, not sums, of log-probabilities",
      "minimum at 1/(2β)",
      "convex",
      "finite at 1e4",
    ],
    ipo_sum: [...OF_DELTA, "minimum at 1/(2β)", "convex", "finite at 1e4"],
    sigmoid_norm: ["mean over the pairs", "means, not sums, of log-probabilities", "ln 2 at initialisation"],
    aot: ["ln 2 at initialisation"],
    aot_unpaired: ["ln 2 at initialisation"],
    discopop: OF_DELTA,
  };
  return [...ALWAYS, ...(special[lossType] ?? [])];
}

/** Pairs as trainers meet them: 5 to 60 nats, the policy near its reference, answers of different lengths. */
function probes(): Pair[][] {
  const random = makeRandom(1, "probes of the testing kit");
  const pair = (): Pair => {
    const [referenceChosen, referenceRejected] = [-5 - 55 * random.next(), -5 - 55 * random.next()];
    return {
      referenceChosen,
      referenceRejected,
      policyChosen: referenceChosen - 3 + 5 * random.next(),
      policyRejected: referenceRejected - 4 + 5 * random.next(),
      chosenTokens: 2 + random.int(18),
      rejectedTokens: 2 + random.int(18),
    };
  };
  return [...Array.from({ length: 10 }, () => [pair()]), [pair(), pair(), pair()], [pair(), pair()]];
}

/** @throws Error where neither `as` nor a claim is given, or a name is unknown */
export function planPreference(subject: PreferenceCheck, tolerance: number): Plan {
  const { as, claims = [], ...rest } = subject;
  if (as !== undefined && !PREFERENCE_LOSSES.includes(as))
    throw new Error(`as: ${JSON.stringify(as)}; expected one of ${PREFERENCE_LOSSES.join(", ")}`);
  if (as === undefined && claims.length === 0)
    throw new Error('nothing is claimed: give `as`, e.g. as: "sigmoid", or a list of `claims`');
  const ask = askPreference(rest, as ?? "sigmoid", tolerance);
  const ofVariant = as ? claimsOf(ask.options) : [];
  const askable = (name: PreferenceClaim) => name !== "depends on βΔ only" || ask.takesOptions || claims.includes(name);
  return {
    claims: bind(named(CLAIMS, [...ofVariant.filter(askable), ...claims]), ask),
    skipped: ofVariant
      .filter((name) => !askable(name))
      .map((name) => ({ name, why: "the loss takes no options, so it cannot be asked with another β" })),
    async diagnose() {
      const observations = [];
      for (const pairs of probes()) observations.push({ pairs: columns(pairs), loss: await ask.mean(pairs) });
      const fits = (got: number, expected: number) => close(got, expected, 10 * tolerance);
      return nameMistakes(observations, ask.options, fits);
    },
  };
}

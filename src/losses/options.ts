/**
 * @file The preference losses by name, their options, and what each refuses. Names and keys are TRL 1.16's
 * (`DPOConfig`, and `CPOConfig` for SimPO) in camelCase; our own: `ipo_sum`, the IPO of the paper's code; `simpo` and
 * `orpo`, which TRL has in trainers of their own.
 */
import { UserError } from "../util/assert.ts";

export const PREFERENCE_LOSSES = [
  "sigmoid",
  "hinge",
  "ipo",
  "ipo_sum",
  "exo_pair",
  "nca_pair",
  "robust",
  "bco_pair",
  "sppo_hard",
  "aot",
  "aot_unpaired",
  "apo_zero",
  "apo_down",
  "discopop",
  "sft",
  "sigmoid_norm",
  "simpo",
  "orpo",
] as const;
export type PreferenceLossType = (typeof PREFERENCE_LOSSES)[number];

export const F_DIVERGENCES = ["reverse_kl", "forward_kl", "js_divergence", "alpha_divergence"] as const;
export type FDivergenceType = (typeof F_DIVERGENCES)[number];

export interface PreferenceLossOptions {
  lossType: PreferenceLossType;
  /** Above 0. Of `ipo` and `ipo_sum` the paper's τ; of `orpo` the weight λ of the odds-ratio term. */
  beta: number;
  /**
   * ε, the probability that a label is wrong; 0 unless given. With `sigmoid` this is cDPO (Mitchell 2023), as in the
   * DPO authors' code, TRL before 1.0 and LLaMA-Factory (`dpo_label_smoothing`); TRL 1.16 ignores it there. `robust`:
   * below 1/2. `exo_pair`: above 0 (the paper: 1e-3). Also of `aot`, `aot_unpaired` and `simpo`.
   */
  labelSmoothing?: number;
  /** What a log ratio becomes before the two answers are subtracted (f-DPO, Wang et al. 2023); `reverse_kl` is DPO. */
  fDivergenceType?: FDivergenceType;
  /** α of `alpha_divergence`; 0.5 unless given. */
  fAlphaDivergenceCoef?: number;
  /** τ of `discopop`, in (0, 1); 0.05 unless given. */
  discopopTau?: number;
  /** γ of `simpo`, in nats after β: 0.5 unless given, as in TRL and LLaMA-Factory. */
  simpoGamma?: number;
  /** Adds this times the loss `sft`; 0 unless given. TRL 1.16 writes it `loss_type: [..., "sft"]` and `loss_weights`. */
  rpoAlpha?: number;
}

/** Losses that have ε. */
const SMOOTHED: readonly PreferenceLossType[] = ["sigmoid", "robust", "exo_pair", "aot", "aot_unpaired", "simpo"];

/** The losses of a difference of scores, where f-DPO's unknown β log Z cancels; TRL has the same list, and `sft`. */
const WITH_F_DIVERGENCE: readonly PreferenceLossType[] = [
  "sigmoid",
  "sigmoid_norm",
  "hinge",
  "ipo",
  "ipo_sum",
  "exo_pair",
  "robust",
  "discopop",
];

/** Losses that divide by the counted tokens of an answer. */
const TAKES_MEAN: readonly PreferenceLossType[] = ["ipo", "sigmoid_norm", "sft", "simpo", "orpo"];
export const takesMean = ({ lossType, rpoAlpha = 0 }: PreferenceLossOptions) =>
  TAKES_MEAN.includes(lossType) || rpoAlpha > 0;

const DEFAULTS = {
  labelSmoothing: 0,
  fDivergenceType: "reverse_kl",
  fAlphaDivergenceCoef: 0.5,
  discopopTau: 0.05,
  simpoGamma: 0.5,
  rpoAlpha: 0,
} as const;

/**
 * Every option, with its default where it was left out.
 * @throws UserError for a value out of range, and for an option that this loss would ignore
 */
export function completeOptions(options: PreferenceLossOptions): Required<PreferenceLossOptions> {
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const all = { ...DEFAULTS, ...given } as Required<PreferenceLossOptions>;
  const { lossType, beta, labelSmoothing, fDivergenceType, fAlphaDivergenceCoef, discopopTau, simpoGamma } = all;
  const need = (fits: boolean, option: keyof PreferenceLossOptions, expected: string) => {
    if (!fits) throw new UserError(`preference loss ${lossType}: ${option} is ${all[option]}; expected ${expected}`);
  };
  need(PREFERENCE_LOSSES.includes(lossType), "lossType", `one of ${PREFERENCE_LOSSES.join(", ")}`);
  need(beta > 0 && Number.isFinite(beta), "beta", "a number above 0");
  need(F_DIVERGENCES.includes(fDivergenceType), "fDivergenceType", `one of ${F_DIVERGENCES.join(", ")}`);
  need(Number.isFinite(fAlphaDivergenceCoef), "fAlphaDivergenceCoef", "a number");
  need(discopopTau > 0 && discopopTau < 1, "discopopTau", "a number between 0 and 1");
  need(Number.isFinite(simpoGamma), "simpoGamma", "a number of nats");
  need(all.rpoAlpha >= 0 && Number.isFinite(all.rpoAlpha), "rpoAlpha", "a weight of at least 0");
  need(labelSmoothing >= 0 && labelSmoothing <= 0.5, "labelSmoothing", "a probability from 0 to 0.5");
  if (lossType === "robust") need(labelSmoothing < 0.5, "labelSmoothing", "less than 0.5 (it divides by 1 - 2ε)");
  if (lossType === "exo_pair")
    need(labelSmoothing > 0, "labelSmoothing", "more than 0 (it takes ln ε), e.g. the paper's 0.001");
  /** An option that would change nothing is a mistake of whoever set it. */
  const only = (option: keyof typeof DEFAULTS, used: boolean, users: readonly string[]) =>
    need(used || all[option] === DEFAULTS[option], option, `it to be left out: it is for ${users.join(", ")}`);
  only("labelSmoothing", SMOOTHED.includes(lossType), SMOOTHED);
  only("fDivergenceType", WITH_F_DIVERGENCE.includes(lossType), WITH_F_DIVERGENCE);
  only("fAlphaDivergenceCoef", fDivergenceType === "alpha_divergence", ["fDivergenceType alpha_divergence"]);
  only("discopopTau", lossType === "discopop", ["discopop"]);
  only("simpoGamma", lossType === "simpo", ["simpo"]);
  return all;
}

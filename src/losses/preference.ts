/**
 * @file The preference losses (DPO and its relatives) in float64: value and hand-written gradient, one formula a line.
 * The slow, obvious version: `train/preferenceLosses.ts` has the same formulas on tensors, and tests compare the two.
 *
 *   a = log π(chosen) - log π_ref(chosen), b the same of the rejected answer; both SUMS over the answer's tokens, nats
 *   h = score(a) - score(b), the margin; score is the identity except under another f-divergence
 *   L(z) = -log σ(z) = softplus(-z)
 *
 * Formulas as in TRL 1.16's `dpo_trainer.py` (`cpo_trainer.py`, `orpo_trainer.py`), which names each paper. Where
 * LLaMA-Factory (`train/dpo/trainer.py`) or an earlier TRL differs, the line says so.
 */
import { UserError } from "../util/assert.ts";
import { ascending, sigmoid, softplus } from "./numerics.ts";
import { completeOptions, type PreferenceLossOptions, type PreferenceLossType, takesMean } from "./options.ts";

export * from "./options.ts";

/** Per pair, in nats: SUMS of the answers' log-probabilities; lengths in counted tokens. All arrays are as long. */
export interface PairLogps {
  policyChosen: number[];
  policyRejected: number[];
  referenceChosen: number[];
  referenceRejected: number[];
  chosenTokens: number[];
  rejectedTokens: number[];
}

export interface PreferenceLossResult {
  /** One per pair. Of `aot` and `aot_unpaired` in the order of their sorted ratios, so not of one pair each. */
  losses: number[];
  /** d(sum of losses)/d(each log-probability). The reference is a constant. */
  gradients: { policyChosen: number[]; policyRejected: number[] };
}

type Options = Required<PreferenceLossOptions>;
/** A loss and its derivative. */
type Slope = readonly [loss: number, slope: number];
/** A loss and its derivatives with respect to a and b. */
type Slopes = readonly [loss: number, chosen: number, rejected: number];

// --- losses of the margin h ------------------------------------------------------------------------------------------

/** (1 - ε) L(βh) + ε L(-βh): DPO (Rafailov et al. 2023, equation 7), with ε > 0 cDPO. */
function smoothed(h: number, { beta, labelSmoothing }: Options): Slope {
  const z = beta * h;
  const loss = (1 - labelSmoothing) * softplus(-z) + labelSmoothing * softplus(z);
  return [loss, beta * (labelSmoothing * sigmoid(z) - (1 - labelSmoothing) * sigmoid(-z))];
}

/** (h - 1/(2β))²: IPO (Azar et al. 2023, equation 17). */
function squared(h: number, { beta }: Options): Slope {
  const error = h - 1 / (2 * beta);
  return [error ** 2, 2 * error];
}

const OF_MARGIN = {
  sigmoid: smoothed,
  /** L of the difference of token MEANS. */
  sigmoid_norm: smoothed,
  hinge: (h, { beta }) => [Math.max(0, 1 - beta * h), beta * h < 1 ? -beta : 0],
  /** TRL and LLaMA-Factory: h is the difference of token MEANS. */
  ipo: squared,
  /** The DPO authors' code and OpenRLHF: h is the difference of sums, so long answers weigh more. */
  ipo_sum: squared,
  /** KL(σ(βh), σ(-βh) ‖ 1 - ε, ε): EXO (Ji et al. 2024, equation 16). */
  exo_pair: (h, { beta, labelSmoothing }) => {
    const z = beta * h;
    const [p, q] = [sigmoid(z), sigmoid(-z)];
    const loss = p * (-softplus(-z) - Math.log1p(-labelSmoothing)) + q * (-softplus(z) - Math.log(labelSmoothing));
    return [loss, beta * p * q * (z - Math.log1p(-labelSmoothing) + Math.log(labelSmoothing))];
  },
  /** ((1 - ε) L(βh) - ε L(-βh)) / (1 - 2ε): robust DPO (Chowdhury et al. 2024). Unbounded below. */
  robust: (h, { beta, labelSmoothing: e }) => {
    const z = beta * h;
    const loss = ((1 - e) * softplus(-z) - e * softplus(z)) / (1 - 2 * e);
    return [loss, (-beta * ((1 - e) * sigmoid(-z) + e * sigmoid(z))) / (1 - 2 * e)];
  },
  /**
   * (1 - m) L(z) + m e^-z with z = βh and m = σ(z/τ): DiscoPOP (Lu et al. 2024, equation 5). m e^-z as one exponential:
   * TRL's product is 0 · ∞ = NaN far on the left.
   */
  discopop: (h, { beta, discopopTau: tau }) => {
    const z = beta * h;
    const [m, rest] = [sigmoid(z / tau), sigmoid(-z / tau)];
    const exponential = Math.exp(-softplus(-z / tau) - z); // m e^-z
    const slope = -rest * sigmoid(-z) - (m * rest * softplus(-z)) / tau + exponential * (rest / tau - 1);
    return [rest * softplus(-z) + exponential, beta * slope];
  },
} satisfies Partial<Record<PreferenceLossType, (h: number, options: Options) => Slope>>;

// --- losses of the two log ratios a and b ----------------------------------------------------------------------------

const OF_RATIOS = {
  /** L(βa) + ½ L(-βa) + ½ L(-βb): NCA (Chen et al. 2024). */
  nca_pair: (a, b, { beta }) => [
    softplus(-beta * a) + 0.5 * softplus(beta * a) + 0.5 * softplus(beta * b),
    beta * (0.5 * sigmoid(beta * a) - sigmoid(-beta * a)),
    0.5 * beta * sigmoid(beta * b),
  ],
  /**
   * L(βa) + L(-βb): BCO (Jung et al. 2024) as in TRL 1.16. TRL before 1.0 and LLaMA-Factory (`pref_bco_weight`) subtract
   * the running mean δ of all rewards from βa and βb; TRL dropped it, and a running mean would make the loss depend on
   * the batches before.
   */
  bco_pair: (a, b, { beta }) => [
    softplus(-beta * a) + softplus(beta * b),
    -beta * sigmoid(-beta * a),
    beta * sigmoid(beta * b),
  ],
  /** (a - 1/(2β))² + (b + 1/(2β))²: SPPO with certain labels (Wu et al. 2024, equation 4.7). */
  sppo_hard: (a, b, { beta }) => {
    const [won, lost] = [a - 0.5 / beta, b + 0.5 / beta];
    return [won ** 2 + lost ** 2, 2 * won, 2 * lost];
  },
  /** 1 - σ(βa) + σ(βb): APO-zero (D'Oosterlinck et al. 2024, equation 7): chosen up, rejected down. */
  apo_zero: (a, b, { beta }) => [
    sigmoid(-beta * a) + sigmoid(beta * b),
    -beta * sigmoid(beta * a) * sigmoid(-beta * a),
    beta * sigmoid(beta * b) * sigmoid(-beta * b),
  ],
  /** σ(βa) + 1 - σ(β(a - b)): APO-down (equation 8): both down, the rejected one more. */
  apo_down: (a, b, { beta }) => {
    const z = beta * (a - b);
    const apart = beta * sigmoid(z) * sigmoid(-z);
    return [sigmoid(beta * a) + sigmoid(-z), beta * sigmoid(beta * a) * sigmoid(-beta * a) - apart, apart];
  },
} satisfies Partial<Record<PreferenceLossType, (a: number, b: number, options: Options) => Slopes>>;

// --- losses without a reference --------------------------------------------------------------------------------------

/** Mean log-probabilities above this count as this: at 0, probability 1, the odds are infinite. CHOSEN. */
export const ORPO_LARGEST_MEAN = -1e-6;

/** log(p / (1 - p)) of p = e^mean, and its derivative. */
function logOdds(mean: number): Slope {
  const x = Math.min(mean, ORPO_LARGEST_MEAN);
  return [x - Math.log(-Math.expm1(x)), x === mean ? -1 / Math.expm1(x) : 0];
}

/**
 * -x̄ + β L(log odds of the chosen - log odds of the rejected), of token means: ORPO (Hong et al. 2024) as in
 * LLaMA-Factory. TRL's first term is the batch's cross-entropy over prompt and answer instead.
 */
function orpo(x: number, y: number, { beta }: Options): Slopes {
  const [[chosen, dChosen], [rejected, dRejected]] = [logOdds(x), logOdds(y)];
  const push = beta * sigmoid(rejected - chosen);
  return [-x + beta * softplus(rejected - chosen), -1 - push * dChosen, push * dRejected];
}

// --- f-divergences ---------------------------------------------------------------------------------------------------

/** TRL's clamp of the exponent under alpha_divergence; ours also under forward_kl, where TRL's float32 overflows. */
export const LARGEST_EXPONENT = 80;

/** f'(e^r), the score that a log ratio r becomes (f-DPO, Wang et al. 2023, table 1), and its derivative. */
function score(r: number, { fDivergenceType, fAlphaDivergenceCoef: alpha }: Options): Slope {
  const power = (t: number, coefficient: number): Slope => {
    const x = Math.min(t, LARGEST_EXPONENT);
    return [Math.expm1(x) * coefficient, x === t ? Math.exp(x) : 0];
  };
  if (fDivergenceType === "forward_kl") return power(-r, -1); // 1 - e^-r
  if (fDivergenceType === "js_divergence") return [Math.LN2 - softplus(-r), sigmoid(-r)];
  if (fDivergenceType === "alpha_divergence" && Math.abs(alpha - 1) >= 1e-6)
    return power((alpha - 1) * r, 1 / (alpha - 1));
  return [r, 1]; // reverse_kl, and the limit of alpha_divergence at 1
}

// --- all of them -----------------------------------------------------------------------------------------------------

/**
 * The loss of each pair, and d(sum of losses)/d(each log-probability of the policy).
 * @throws UserError for options that do not fit the loss, for arrays of different lengths, and for an answer with no
 *   counted token where the loss takes a mean over them
 */
export function preferenceLoss(pairs: PairLogps, options: PreferenceLossOptions): PreferenceLossResult {
  const all = completeOptions(options);
  checkPairs(pairs, all);
  const result = withoutSft(pairs, all);
  if (all.rpoAlpha === 0) return result;
  const { losses, gradients } = sft(pairs);
  const add = (x: number[], y: number[]) => x.map((value, i) => value + all.rpoAlpha * y[i]);
  return {
    losses: add(result.losses, losses),
    gradients: {
      policyChosen: add(result.gradients.policyChosen, gradients.policyChosen),
      policyRejected: result.gradients.policyRejected,
    },
  };
}

function withoutSft(pairs: PairLogps, options: Options): PreferenceLossResult {
  const { policyChosen, policyRejected, referenceChosen, referenceRejected, chosenTokens, rejectedTokens } = pairs;
  const { lossType, beta } = options;
  const a = minus(policyChosen, referenceChosen);
  const b = minus(policyRejected, referenceRejected);
  switch (lossType) {
    case "sft":
      return sft(pairs);
    case "aot": {
      // optimal transport (Melnyk et al. 2024): the k-th smallest ratio of the policy against that of the reference
      const ofPolicy = minus(policyChosen, policyRejected);
      const ofReference = minus(referenceChosen, referenceRejected);
      const [order, other] = [ascending(ofPolicy), ascending(ofReference)];
      const slopes = order.map((i, k) => smoothed(ofPolicy[i] - ofReference[other[k]], options));
      return sorted(slopes, order, order);
    }
    case "aot_unpaired": {
      const [order, other] = [ascending(a), ascending(b)];
      const slopes = order.map((i, k) => smoothed(a[i] - b[other[k]], options));
      return sorted(slopes, order, other);
    }
    case "simpo": // Meng et al. 2024; γ is after β, as in TRL and LLaMA-Factory
      return collect(a, (i) => {
        const [n, m] = [chosenTokens[i], rejectedTokens[i]];
        const margin = policyChosen[i] / n - policyRejected[i] / m - options.simpoGamma / beta;
        const [loss, slope] = smoothed(margin, options);
        return [loss, slope / n, -slope / m];
      });
    case "orpo":
      return collect(a, (i) => {
        const [n, m] = [chosenTokens[i], rejectedTokens[i]];
        const [loss, chosen, rejected] = orpo(policyChosen[i] / n, policyRejected[i] / m, options);
        return [loss, chosen / n, rejected / m];
      });
    case "nca_pair":
    case "bco_pair":
    case "sppo_hard":
    case "apo_zero":
    case "apo_down":
      return collect(a, (i) => OF_RATIOS[lossType](a[i], b[i], options));
    default: {
      const mean = lossType === "ipo" || lossType === "sigmoid_norm"; // of the scores, as in TRL
      return collect(a, (i) => {
        const [n, m] = mean ? [chosenTokens[i], rejectedTokens[i]] : [1, 1];
        const [[chosen, dChosen], [rejected, dRejected]] = [score(a[i], options), score(b[i], options)];
        const [loss, slope] = OF_MARGIN[lossType](chosen / n - rejected / m, options);
        return [loss, (slope * dChosen) / n, (-slope * dRejected) / m];
      });
    }
  }
}

/**
 * Cross-entropy of the chosen answers: the mean over pairs is the mean over the batch's tokens, as in TRL. (LLaMA-Factory,
 * `pref_ftx`, and RPO, Pang et al. 2024, average each answer by itself, so that a short answer weighs as much.)
 */
function sft({ policyChosen, chosenTokens }: PairLogps): PreferenceLossResult {
  const tokensPerPair = chosenTokens.reduce((sum, n) => sum + n, 0) / chosenTokens.length;
  return collect(policyChosen, (i) => [-policyChosen[i] / tokensPerPair, -1 / tokensPerPair, 0]);
}

const minus = (x: number[], y: number[]) => x.map((value, i) => value - y[i]);

/** One formula for each pair. */
function collect(pairs: number[], formula: (i: number) => Slopes): PreferenceLossResult {
  const slopes = pairs.map((_, i) => formula(i));
  const [losses, policyChosen, policyRejected] = [0, 1, 2].map((part) => slopes.map((slope) => slope[part]));
  return { losses, gradients: { policyChosen, policyRejected } };
}

/** Losses in sorted order; the k-th margin is made of the chosen answer of pair order[k] and the rejected of other[k]. */
function sorted(slopes: Slope[], order: number[], other: number[]): PreferenceLossResult {
  const [policyChosen, policyRejected] = [order.map(() => 0), order.map(() => 0)];
  for (const [k, [, slope]] of slopes.entries()) {
    policyChosen[order[k]] = slope;
    policyRejected[other[k]] = -slope;
  }
  return { losses: slopes.map(([loss]) => loss), gradients: { policyChosen, policyRejected } };
}

function checkPairs(pairs: PairLogps, options: Options) {
  const count = pairs.policyChosen.length;
  for (const [name, values] of Object.entries(pairs))
    if (values.length !== count)
      throw new UserError(`preference loss: ${name} holds ${values.length} values; expected ${count}, one per pair`);
  if (!takesMean(options)) return;
  for (const side of ["chosen", "rejected"] as const) {
    const empty = pairs[`${side}Tokens`].findIndex((n) => !(n > 0));
    if (empty >= 0)
      throw new UserError(
        `preference loss ${options.lossType}: the ${side} answer of pair ${empty} has ${pairs[`${side}Tokens`][empty]} ` +
          "counted tokens, and the loss takes a mean over them; drop the pair, or truncate less",
      );
  }
}

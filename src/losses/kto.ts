/**
 * @file KTO (Ethayarajh et al. 2024, equation 7) in float64: answers that are each good or bad by themselves, no pairs.
 *
 *   r = log π(y|x) - log π_ref(y|x), a sum over the answer's tokens, in nats
 *   z = max(0, mean over the batch of log π(y'|x) - log π_ref(y'|x)), y' the answer to another prompt: an estimate of
 *       KL(π ‖ π_ref), and a constant to the gradient
 *   loss = w_D (1 - σ(β (r - z))) of a desirable answer, w_U (1 - σ(β (z - r))) of an undesirable one
 *
 * As in TRL 1.16's `kto_trainer.py`, which LLaMA-Factory calls. The estimate takes a batch of at least two, and TRL's is
 * that of the micro-batch (over all devices), so that KTO depends on how a step is divided.
 */
import { UserError } from "../util/assert.ts";
import { sigmoid } from "./numerics.ts";

/** Per answer: summed log-probabilities in nats under both models, of the prompt's own answer and of another's. */
export interface KtoLogps {
  policy: number[];
  reference: number[];
  desirable: boolean[];
  /** The same prompts with answers that belong to others, e.g. the batch's own answers moved on by one. */
  policyKl: number[];
  referenceKl: number[];
}

export interface KtoOptions {
  beta: number;
  /** 1 unless given. The paper: desirable weight × count within 1 to 4/3 of undesirable weight × count. */
  desirableWeight?: number;
  undesirableWeight?: number;
}

/** Defaults filled in. @throws UserError for a value out of range */
export function completeKtoOptions(options: KtoOptions): Required<KtoOptions> {
  const all = {
    ...options,
    desirableWeight: options.desirableWeight ?? 1,
    undesirableWeight: options.undesirableWeight ?? 1,
  };
  for (const [name, value] of Object.entries(all))
    if (!(value > 0 && Number.isFinite(value)))
      throw new UserError(`KTO: ${name} is ${value}; expected a number above 0`);
  return all;
}

/** The loss of each answer, d(sum of losses)/d(policy) with the estimate z as a constant, and z. */
export function ktoLoss(answers: KtoLogps, options: KtoOptions): { losses: number[]; gradient: number[]; kl: number } {
  const { beta, desirableWeight, undesirableWeight } = completeKtoOptions(options);
  const { policy, reference, desirable, policyKl, referenceKl } = answers;
  for (const [name, values] of Object.entries(answers))
    if (values.length !== policy.length)
      throw new UserError(`KTO: ${name} holds ${values.length} values; expected ${policy.length}, one per answer`);
  const mean = policyKl.reduce((sum, x, i) => sum + x - referenceKl[i], 0) / policyKl.length;
  const kl = Math.max(0, mean);
  const parts = policy.map((x, i) => {
    const z = beta * (x - reference[i] - kl);
    const [weight, sign] = desirable[i] ? [desirableWeight, -1] : [undesirableWeight, 1];
    return [weight * sigmoid(sign * z), sign * weight * beta * sigmoid(z) * sigmoid(-z)];
  });
  return { losses: parts.map(([loss]) => loss), gradient: parts.map(([, slope]) => slope), kl };
}

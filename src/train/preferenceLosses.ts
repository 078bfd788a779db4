/**
 * @file The preference losses on tensors: the formulas of `losses/preference.ts`, where each is explained, without the
 * gradients, which TensorFlow.js derives. Float32: softplus and single exponentials keep |βΔ| = 1e4 finite.
 */
import * as tf from "@tensorflow/tfjs-core";
import {
  completeOptions,
  LARGEST_EXPONENT,
  ORPO_LARGEST_MEAN,
  type PairLogps,
  type PreferenceLossOptions,
} from "../losses/preference.ts";

type Options = Required<PreferenceLossOptions>;

/** L(z) = -log σ(z). */
const logistic = (z: tf.Tensor) => tf.softplus(tf.neg(z));

/** e^x - 1. The op of that name is written exp(x) - 1 on ONNX Runtime and GPU.js: no digits are left near 0. */
const expm1 = (x: tf.Tensor) => tf.mul(tf.tanh(tf.mul(x, 0.5)), tf.add(tf.exp(x), 1));

/** (1 - ε) L(βh) + ε L(-βh). */
function smoothed(h: tf.Tensor, { beta, labelSmoothing }: Options): tf.Tensor {
  const z = tf.mul(h, beta);
  if (labelSmoothing === 0) return logistic(z);
  return tf.add(tf.mul(logistic(z), 1 - labelSmoothing), tf.mul(tf.softplus(z), labelSmoothing));
}

/** f'(e^r) of a log ratio r. */
function score(r: tf.Tensor, { fDivergenceType, fAlphaDivergenceCoef: alpha }: Options): tf.Tensor {
  const power = (t: tf.Tensor, coefficient: number) => tf.mul(expm1(tf.minimum(t, LARGEST_EXPONENT)), coefficient);
  if (fDivergenceType === "forward_kl") return power(tf.neg(r), -1);
  if (fDivergenceType === "js_divergence") return tf.sub(Math.LN2, logistic(r));
  if (fDivergenceType === "alpha_divergence" && Math.abs(alpha - 1) >= 1e-6)
    return power(tf.mul(r, alpha - 1), 1 / (alpha - 1));
  return r;
}

/**
 * x [B], smallest first, equal values in their order, as a product with a permutation matrix: every engine has that, and
 * the gradient goes back to where each value came from.
 */
const sorted: (x: tf.Tensor) => tf.Tensor = tf.customGrad((...args) => {
  const [x, save] = args as [tf.Tensor, tf.GradSaveFunc];
  const B = x.shape[0];
  const [column, row] = [tf.reshape(x, [B, 1]), tf.reshape(x, [1, B])];
  const index = tf.range(0, B, 1, "int32");
  const earlier = tf.less(tf.reshape(index, [1, B]), tf.reshape(index, [B, 1]));
  const before = tf.logicalOr(tf.less(row, column), tf.logicalAnd(tf.equal(row, column), earlier)); // [i, j]: j before i
  const rank = tf.sum(tf.cast(before, "int32"), 1); // [B]
  const place = tf.cast(tf.equal(tf.reshape(index, [B, 1]), tf.reshape(rank, [1, B])), "float32"); // [k, i]
  save([place]);
  const gradFunc = (dy: tf.Tensor, [place]: tf.Tensor[]) =>
    tf.reshape(tf.matMul(tf.transpose(place), tf.reshape(dy, [B, 1])), [B]);
  return { value: tf.reshape(tf.matMul(place, column), [B]), gradFunc };
});

/** log(p / (1 - p)) of p = e^mean. */
function logOdds(mean: tf.Tensor): tf.Tensor {
  const x = tf.minimum(mean, ORPO_LARGEST_MEAN);
  return tf.sub(x, tf.log(tf.neg(expm1(x))));
}

/** Cross-entropy of the chosen answers over the mean number of their tokens. */
const sft = (policyChosen: tf.Tensor, chosenTokens: tf.Tensor) => tf.neg(tf.div(policyChosen, tf.mean(chosenTokens)));

/**
 * The loss of each pair [B], from tensors [B] with the meaning of {@link PairLogps}. Of `aot` and `aot_unpaired` in the
 * order of their sorted ratios. An answer without counted tokens is not refused here, where no value can be looked at:
 * where a mean is taken its length counts as 1 (as in TRL).
 * @throws UserError for options that do not fit the loss
 */
export function preferenceLosses(pairs: Record<keyof PairLogps, tf.Tensor>, options: PreferenceLossOptions): tf.Tensor {
  const all = completeOptions(options);
  const losses = withoutSft(pairs, all);
  return all.rpoAlpha === 0
    ? losses
    : tf.add(losses, tf.mul(sft(pairs.policyChosen, pairs.chosenTokens), all.rpoAlpha));
}

function withoutSft(pairs: Record<keyof PairLogps, tf.Tensor>, options: Options): tf.Tensor {
  const { policyChosen, policyRejected, referenceChosen, referenceRejected } = pairs;
  const { lossType, beta, labelSmoothing } = options;
  const [n, m] = [tf.maximum(pairs.chosenTokens, 1), tf.maximum(pairs.rejectedTokens, 1)];
  const a = tf.sub(policyChosen, referenceChosen);
  const b = tf.sub(policyRejected, referenceRejected);
  const [za, zb] = [tf.mul(a, beta), tf.mul(b, beta)];
  const mean = lossType === "ipo" || lossType === "sigmoid_norm";
  const scores = [score(a, options), score(b, options)];
  const h = mean ? tf.sub(tf.div(scores[0], n), tf.div(scores[1], m)) : tf.sub(scores[0], scores[1]);
  const z = tf.mul(h, beta);
  switch (lossType) {
    case "sigmoid":
    case "sigmoid_norm":
      return smoothed(h, options);
    case "hinge":
      return tf.relu(tf.sub(1, z));
    case "ipo":
    case "ipo_sum":
      return tf.square(tf.sub(h, 1 / (2 * beta)));
    case "exo_pair": {
      const chosen = tf.mul(tf.sigmoid(z), tf.sub(-Math.log1p(-labelSmoothing), logistic(z)));
      const rejected = tf.mul(tf.sigmoid(tf.neg(z)), tf.sub(-Math.log(labelSmoothing), tf.softplus(z)));
      return tf.add(chosen, rejected);
    }
    case "robust": {
      const clean = tf.mul(logistic(z), 1 - labelSmoothing);
      return tf.div(tf.sub(clean, tf.mul(tf.softplus(z), labelSmoothing)), 1 - 2 * labelSmoothing);
    }
    case "discopop": {
      const scaled = tf.div(z, options.discopopTau);
      const exponential = tf.exp(tf.neg(tf.add(logistic(scaled), z)));
      return tf.add(tf.mul(tf.sigmoid(tf.neg(scaled)), logistic(z)), exponential);
    }
    case "nca_pair":
      return tf.add(logistic(za), tf.mul(tf.add(tf.softplus(za), tf.softplus(zb)), 0.5));
    case "bco_pair":
      return tf.add(logistic(za), tf.softplus(zb));
    case "sppo_hard":
      return tf.add(tf.square(tf.sub(a, 0.5 / beta)), tf.square(tf.add(b, 0.5 / beta)));
    case "apo_zero":
      return tf.add(tf.sigmoid(tf.neg(za)), tf.sigmoid(zb));
    case "apo_down":
      return tf.add(tf.sigmoid(za), tf.sigmoid(tf.sub(zb, za)));
    case "aot": {
      const ratios = sorted(tf.sub(policyChosen, policyRejected));
      return smoothed(tf.sub(ratios, sorted(tf.sub(referenceChosen, referenceRejected))), options);
    }
    case "aot_unpaired":
      return smoothed(tf.sub(sorted(a), sorted(b)), options);
    case "simpo": {
      const margin = tf.sub(tf.div(policyChosen, n), tf.div(policyRejected, m));
      return smoothed(tf.sub(margin, options.simpoGamma / beta), options);
    }
    case "orpo": {
      const [x, y] = [tf.div(policyChosen, n), tf.div(policyRejected, m)];
      return tf.sub(tf.mul(logistic(tf.sub(logOdds(x), logOdds(y))), beta), x);
    }
    case "sft":
      return sft(policyChosen, pairs.chosenTokens);
  }
}

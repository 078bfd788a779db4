/**
 * @file Cross-entropy over logits in float64, value and gradient: ignored labels, label smoothing, z-loss, and the one
 * correct average over the micro-batches of a step. The slow, obvious version of `train/losses.ts`.
 *
 *   per counted position: log Z - (1 - ε) z[label] - ε mean(z) + c (log Z)²,   log Z = logsumexp(z)
 *   loss = sum over counted positions / counted positions OF THE WHOLE STEP
 *
 * Smoothing as in PyTorch (the target is 1 - ε + ε/V, ε/V elsewhere); z-loss as in PaLM (Chowdhery et al. 2022,
 * section 5: c = 1e-4).
 */
import { UserError } from "../util/assert.ts";

/** The label of a position that does not count: Hugging Face's and PyTorch's. */
export const IGNORE_INDEX = -100;

export interface CrossEntropyOptions {
  /** ε in [0, 1); 0 unless given. */
  labelSmoothing?: number;
  /** c, the coefficient of (log Z)²; 0 unless given. */
  zLoss?: number;
}

/** Defaults filled in. @throws UserError for a value out of range */
export function completeCrossEntropyOptions(options: CrossEntropyOptions): Required<CrossEntropyOptions> {
  const { labelSmoothing = 0, zLoss = 0 } = options;
  if (!(labelSmoothing >= 0 && labelSmoothing < 1))
    throw new UserError(`cross-entropy: labelSmoothing is ${labelSmoothing}; expected from 0 to below 1`);
  if (!(zLoss >= 0 && Number.isFinite(zLoss)))
    throw new UserError(`cross-entropy: zLoss is ${zLoss}; expected a coefficient of at least 0, e.g. 1e-4`);
  return { labelSmoothing, zLoss };
}

/** One micro-batch: logits [N][V], and for each row the label that it predicts, or {@link IGNORE_INDEX}. */
export interface Predictions {
  logits: readonly (readonly number[])[];
  labels: readonly number[];
}

export interface CrossEntropyResult {
  /** In nats per counted position; 0 when nothing counts. */
  loss: number;
  /** d loss / d logits [N][V]; rows of ignored positions are exactly 0. */
  gradient: number[][];
  /** Counted positions. */
  tokens: number;
}

/** Labels as long as the input -> what each position predicts: the label after it; after the last, nothing. ONE shift. */
export const nextLabels = (labels: readonly number[]): number[] => [...labels.slice(1), IGNORE_INDEX];

const countTokens = (labels: readonly number[]) => labels.filter((label) => label !== IGNORE_INDEX).length;

/**
 * The loss of one batch, or a micro-batch's share of its step's loss: then `numItemsInBatch` is the counted positions of
 * the step, and losses and gradients of the parts add up to those of the whole.
 * @throws UserError for a label that is not in the vocabulary
 */
export function crossEntropyLoss(
  { logits, labels }: Predictions,
  options: CrossEntropyOptions = {},
  numItemsInBatch = Math.max(countTokens(labels), 1),
): CrossEntropyResult {
  const { labelSmoothing, zLoss } = completeCrossEntropyOptions(options);
  if (labels.length !== logits.length)
    throw new UserError(`cross-entropy: ${labels.length} labels for ${logits.length} rows of logits`);
  let loss = 0;
  const gradient = logits.map((z, n) => {
    const [V, label] = [z.length, labels[n]];
    if (label === IGNORE_INDEX) return z.map(() => 0);
    if (!(Number.isInteger(label) && label >= 0 && label < V))
      throw new UserError(`cross-entropy: label ${label} at row ${n}; expected ${IGNORE_INDEX} or 0 to ${V - 1}`);
    const max = z.reduce((largest, x) => Math.max(largest, x), -Infinity);
    const logZ = max + Math.log(z.reduce((sum, x) => sum + Math.exp(x - max), 0));
    const mean = z.reduce((sum, x) => sum + x, 0) / V;
    loss += logZ - (1 - labelSmoothing) * z[label] - labelSmoothing * mean + zLoss * logZ ** 2;
    return z.map((x, v) => {
      const target = (v === label ? 1 - labelSmoothing : 0) + labelSmoothing / V;
      return ((1 + 2 * zLoss * logZ) * Math.exp(x - logZ) - target) / numItemsInBatch;
    });
  });
  return { loss: loss / numItemsInBatch, gradient, tokens: countTokens(labels) };
}

/**
 * A step of several micro-batches (gradient accumulation): counts the labels of all of them FIRST, then adds up their
 * shares. The mean of the micro-batches' means is another loss wherever their counts differ: it weighs a token of a short
 * batch more (huggingface/transformers, October 2024).
 */
export function accumulatedCrossEntropy(microBatches: readonly Predictions[], options: CrossEntropyOptions = {}) {
  const tokens = microBatches.reduce((sum, { labels }) => sum + countTokens(labels), 0);
  const parts = microBatches.map((part) => crossEntropyLoss(part, options, Math.max(tokens, 1)));
  return {
    loss: parts.reduce((sum, { loss }) => sum + loss, 0),
    /** Of each micro-batch [N][V]. */
    gradients: parts.map(({ gradient }) => gradient),
    tokens,
  };
}

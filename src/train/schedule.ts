/**
 * @file The learning rate: linear warm-up from 0, then cosine to a fraction of the maximum (paper section 3.2:
 * warm-up over the first 10B tokens of a stage, cosine to 10 %). Megatron's convention: step W gives exactly the
 * maximum, step D exactly the minimum; indexed by tokens, so the batch size does not move it.
 */

export interface CosineSchedule {
  maxLearningRate: number;
  /** Final learning rate as a fraction of the maximum; the paper's is 0.1. */
  minRatio: number;
  warmupTokens: number;
  totalTokens: number;
}

/** Learning rate after `tokens` tokens of the stage: 0 at 0, max at warmupTokens, min from totalTokens on. */
export function cosineLearningRate(
  tokens: number,
  { maxLearningRate, minRatio, warmupTokens, totalTokens }: CosineSchedule,
) {
  if (tokens < warmupTokens) return (maxLearningRate * tokens) / warmupTokens;
  const progress = tokens < totalTokens ? (tokens - warmupTokens) / (totalTokens - warmupTokens) : 1;
  return maxLearningRate * (minRatio + (1 - minRatio) * 0.5 * (1 + Math.cos(Math.PI * progress)));
}

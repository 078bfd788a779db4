/**
 * @file The order in which Megatron-LM draws from blended datasets, bit for bit: its weights are float64 divided by
 * numpy's sum, so near ties fall otherwise than in the exact arithmetic of {@link interleave} (of Stage I's first 10,000
 * sequences 102 do). For those who train there and want to know which source a sequence is from.
 */

/** Dataset indices of `size` samples (`build_blending_indices`). */
export function megatronBlend(weights: readonly number[], size: number): Int16Array {
  const sum = numpySum(weights);
  const shares = weights.map((weight) => weight / sum);
  const taken = weights.map(() => 0);
  return Int16Array.from({ length: size }, (_, i) => {
    let best = 0;
    let most = Number.NEGATIVE_INFINITY;
    for (const [d, share] of shares.entries()) {
      const error = share * Math.max(i, 1) - taken[d];
      if (error > most) [best, most] = [d, error];
    }
    taken[best]++;
    return best;
  });
}

/** `numpy.sum` of at most 128 float64: eight sums side by side from 8 on, added in pairs. */
function numpySum(x: readonly number[]): number {
  if (x.length > 128) throw new RangeError(`${x.length} weights: expected at most 128 datasets`);
  if (x.length < 8) return x.reduce((a, b) => a + b, 0);
  const r = x.slice(0, 8);
  const whole = x.length - (x.length % 8);
  for (let i = 8; i < whole; i++) r[i % 8] += x[i];
  let sum = r[0] + r[1] + (r[2] + r[3]) + (r[4] + r[5] + (r[6] + r[7]));
  for (let i = whole; i < x.length; i++) sum += x[i];
  return sum;
}

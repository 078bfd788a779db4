/** @file What the tests of ops share: random arrays and finite differences of float64 functions. */
import { makeRandom } from "../../src/util/random.ts";

/** `size` standard normal numbers, rounded to float32 so that every engine and the reference get the same. */
export function normals(size: number, seed: number, ...labels: string[]): Float64Array {
  const random = makeRandom(seed, ...labels);
  return Float64Array.from({ length: size }, () => Math.fround(random.normal()));
}

/** d⟨dy, f(x)⟩/dx by central differences: in float64 with this step they are good to about 1e-9. */
export function finiteDifferences(
  f: (x: Float64Array) => ArrayLike<number>,
  x: ArrayLike<number>,
  dy: ArrayLike<number>,
  step = 1e-5,
): Float64Array {
  const at = Float64Array.from(x);
  const dot = (y: ArrayLike<number>) => Array.from(y).reduce((sum, value, i) => sum + value * dy[i], 0);
  return at.map((value, i) => {
    at[i] = value + step;
    const above = dot(f(at));
    at[i] = value - step;
    const below = dot(f(at));
    at[i] = value;
    return (above - below) / (2 * step);
  });
}

/** Largest absolute value; NaN when there is one. */
export function largest(x: ArrayLike<number>): number {
  let max = 0;
  for (let i = 0; i < x.length; i++) max = Math.max(max, Math.abs(x[i]));
  return max;
}

/**
 * @file Exact rational numbers of big integers, and their size: a result that would be larger is refused, not computed.
 */

/** In lowest terms, `d` > 0. */
export interface Rational {
  n: bigint;
  d: bigint;
}

/** Thrown where a number would have more than {@link MAX_BITS} bits, or there is none (0 to a negative power, x / 0). */
export class NoNumber extends Error {
  constructor(readonly why: "division by zero" | "too large" | "fractional power") {
    super(why);
  }
}

/** Bits of a numerator or denominator; 2^8192 has 2467 digits. CHOSEN: far beyond what texts compute. */
export const MAX_BITS = 8192;
const MOST = 1n << BigInt(MAX_BITS);

const gcd = (a: bigint, b: bigint): bigint => {
  while (b !== 0n) [a, b] = [b, a % b];
  return a < 0n ? -a : a;
};

export function rational(n: bigint, d = 1n): Rational {
  if (d === 0n) throw new NoNumber("division by zero");
  if (n > MOST || n < -MOST || d > MOST || d < -MOST) throw new NoNumber("too large");
  const g = gcd(n, d) * (d < 0n ? -1n : 1n);
  return g === 1n ? { n, d } : { n: n / g, d: d / g };
}

export const add = (a: Rational, b: Rational) => rational(a.n * b.d + b.n * a.d, a.d * b.d);
export const subtract = (a: Rational, b: Rational) => rational(a.n * b.d - b.n * a.d, a.d * b.d);
export const multiply = (a: Rational, b: Rational) => rational(a.n * b.n, a.d * b.d);
export const divide = (a: Rational, b: Rational) => rational(a.n * b.d, a.d * b.n);
export const negate = ({ n, d }: Rational): Rational => ({ n: -n, d });
export const absolute = ({ n, d }: Rational): Rational => ({ n: n < 0n ? -n : n, d });
export const isZero = ({ n }: Rational) => n === 0n;
/** Negative, zero or positive as a - b is. */
export const compare = (a: Rational, b: Rational): number =>
  Number(a.n * b.d - b.n * a.d > 0n) - Number(a.n * b.d - b.n * a.d < 0n);

const bits = (x: bigint) => (x < 0n ? -x : x).toString(16).length * 4;

/** a to the power of b, which must be whole. The size is known before anything is multiplied. */
export function power(a: Rational, b: Rational): Rational {
  if (b.d !== 1n) throw new NoNumber("fractional power");
  const exponent = b.n < 0n ? -b.n : b.n;
  if (b.n < 0n && a.n === 0n) throw new NoNumber("division by zero");
  const trivial = a.d === 1n && (a.n === 0n || a.n === 1n || a.n === -1n);
  if (!trivial && exponent * BigInt(Math.max(bits(a.n), bits(a.d))) > BigInt(4 * MAX_BITS))
    throw new NoNumber("too large");
  const whole = trivial ? exponent % 2n || (exponent === 0n ? 0n : 2n) : exponent;
  const [n, d] = [a.n ** whole, a.d ** whole];
  return b.n < 0n ? rational(d, n) : rational(n, d);
}

/** "7", "0.25", or "1/3 (0.3333...)": a decimal where it ends within 12 places. */
export function show({ n, d }: Rational): string {
  if (d === 1n) return short(n);
  const sign = n < 0n ? "-" : "";
  const size = n < 0n ? -n : n;
  const scaled = (size * 10n ** 12n) / d;
  const whole = scaled / 10n ** 12n;
  const places = String(scaled % 10n ** 12n).padStart(12, "0");
  if ((size * 10n ** 12n) % d === 0n) return `${sign}${short(whole)}.${places.replace(/0+$/, "")}`;
  return `${short(n)}/${short(d)} (${sign}${short(whole)}.${places.slice(0, 6)}...)`;
}

function short(x: bigint): string {
  const digits = String(x);
  return digits.length <= 40 ? digits : `${digits.slice(0, 12)}... (${digits.length} digits)`;
}

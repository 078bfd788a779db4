/**
 * @file numpy's `RandomState` (Mersenne Twister, MT19937), bit for bit: the permutations of datatrove's and datasketch's
 * MinHash and Megatron's shuffles are drawn from it. Integers are drawn as `randint` of RandomState draws them (mask and
 * reject), `shuffle` is the legacy one.
 */

const N = 624;
const M = 397;

export interface NumpyRandom {
  /** The next 32 bits. */
  uint32(): number;
  /** `randint(low, high, dtype=uint64)`: at least `low`, below `high`. */
  integer(low: bigint, high: bigint): bigint;
  /** `shuffle(items)` of RandomState, in place. */
  shuffle(items: { length: number; [at: number]: number }): void;
}

/** `numpy.random.RandomState(seed)` for a seed of 32 bits. */
export function numpyRandom(seed: number): NumpyRandom {
  if (!(Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32))
    throw new Error(`numpyRandom: the seed is ${seed}, expected a whole number below 2^32`);
  const state = new Int32Array(N);
  state[0] = seed;
  for (let i = 1; i < N; i++) state[i] = Math.imul(1812433253, state[i - 1] ^ (state[i - 1] >>> 30)) + i;
  let at = N;

  const refill = () => {
    for (let i = 0; i < N; i++) {
      const y = (state[i] & 0x80000000) | (state[(i + 1) % N] & 0x7fffffff);
      state[i] = state[(i + M) % N] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
    }
    at = 0;
  };
  const uint32 = () => {
    if (at === N) refill();
    let y = state[at++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  };
  const uint64 = () => {
    const high = BigInt(uint32()); // numpy draws the high half first
    return (high << 32n) | BigInt(uint32());
  };

  return {
    uint32,
    integer: (low, high) => {
      const range = high - low - 1n; // the largest value, before `low` is added
      if (low < 0n || range < 0n || high > 1n << 64n) throw new Error(`numpyRandom: no integers in [${low}, ${high})`);
      if (range === 0n) return low; // nothing is drawn
      const mask = (1n << BigInt(range.toString(2).length)) - 1n;
      const draw = range <= 0xffffffffn ? () => BigInt(uint32()) : uint64;
      for (;;) {
        const value = draw() & mask;
        if (value <= range) return low + value;
      }
    },
    shuffle: (items) => {
      for (let i = items.length - 1; i > 0; i--) {
        const mask = 2 ** (32 - Math.clz32(i)) - 1;
        let j = uint32() & mask;
        while (j > i || j < 0) j = uint32() & mask;
        [items[i], items[j]] = [items[j], items[i]];
      }
    },
  };
}

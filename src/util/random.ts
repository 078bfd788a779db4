/**
 * Seeded randomness: every random choice in the project comes from here, so a seed names a run.
 * The stream is seedrandom's Alea generator; derived streams take a label, so adding one never moves another.
 */
import seedrandom from "seedrandom";

export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
  /** Uniform integer in [0, n). */
  int(n: number): number;
  /** Standard normal (Box-Muller). */
  normal(): number;
  /** One element, uniformly. */
  pick<T>(items: readonly T[]): T;
  /** A new array with the elements in random order (Fisher-Yates). */
  shuffle<T>(items: readonly T[]): T[];
  /** Where the stream is, as JSON. */
  state(): unknown;
  /** Goes on from a {@link state} of any stream. */
  restore(state: unknown): void;
}

/** A generator for `seed` and the labels of what it is for, e.g. `makeRandom(1, "packing", "stage1")`. */
export function makeRandom(seed: number | string, ...labels: string[]): Random {
  let stream = seedrandom.alea([seed, ...labels].join("/"), { state: true });
  const next = () => stream();
  const int = (n: number) => Math.floor(next() * n);
  return {
    next,
    int,
    normal: () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()),
    pick: (items) => items[int(items.length)],
    shuffle: (items) => {
      const out = [...items];
      for (let i = out.length - 1; i > 0; i--) {
        const j = int(i + 1);
        [out[i], out[j]] = [out[j], out[i]];
      }
      return out;
    },
    state: () => stream.state(),
    restore: (state) => {
      stream = seedrandom.alea("", { state: state as seedrandom.State.Alea });
    },
  };
}

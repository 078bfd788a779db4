/**
 * @file A source of tokens that is read in order and, if it must be, more than once: in each pass the documents are in
 * an order of their own, drawn from the seed. Any place of it can be read, so a run can go on from any token.
 */
import { makeRandom } from "../../util/random.ts";
import type { TokenFile } from "./tokenFile.ts";

export interface TokenStream {
  /** Tokens of one pass. */
  tokens: number;
  /** `length` tokens from `cursor` on, which counts over all passes. */
  read(cursor: number, length: number): Int32Array;
}

export function makeTokenStream({ lengths, tokens, read }: TokenFile, seed: number, name: string): TokenStream {
  const starts = new Float64Array(lengths.length + 1); // of the documents in the file
  for (let i = 0; i < lengths.length; i++) starts[i + 1] = starts[i] + lengths[i];
  let pass = -1;
  let order: number[] = [];
  const ends = new Float64Array(lengths.length); // of the documents in the order of the pass

  const turnTo = (wanted: number) => {
    if (wanted === pass) return;
    pass = wanted;
    order = makeRandom(seed, "documents", name, String(pass)).shuffle(Array.from(lengths.keys()));
    let end = 0;
    for (const [i, document] of order.entries()) ends[i] = end += lengths[document];
  };
  return {
    tokens,
    read(cursor, length) {
      const out = new Int32Array(length);
      for (let done = 0; done < length; ) {
        const at = (cursor + done) % tokens;
        turnTo(Math.floor((cursor + done) / tokens));
        const i = firstAbove(ends, at);
        const document = order[i];
        const from = starts[document] + at - (ends[i] - lengths[document]);
        const to = Math.min(starts[document + 1], from + length - done);
        out.set(read(from, to), done);
        done += to - from;
      }
      return out;
    },
  };
}

/** Index of the first element above `value` in ascending numbers. */
function firstAbove(numbers: Float64Array, value: number): number {
  let [low, high] = [0, numbers.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (numbers[middle] > value) high = middle;
    else low = middle + 1;
  }
  return low;
}

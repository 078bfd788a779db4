/**
 * @file Reads a planned mixture sequence by sequence. Its state is a few numbers: a reader made from it goes on with the
 * very next token, in the middle of a stage or across stages, and the chain of hashes proves that it did.
 */
import { createHash } from "node:crypto";
import { UserError } from "../../util/assert.ts";
import type { MixturePlan } from "./plan.ts";
import type { TokenStream } from "./tokenStream.ts";

export interface MixtureState {
  /** Of the plan that this is a place in. */
  fingerprint: string;
  stage: number;
  /** Sequences of the stage that have been read. */
  sequence: number;
  /** Tokens taken of each stream, over all passes and stages. */
  cursors: Record<string, number>;
  /** SHA-256 of the chain so far and the next sequence's ids (int32, little-endian), again and again. */
  chain: string;
}

export interface MixtureSequence {
  stage: string;
  /** From 0 in its stage. */
  sequence: number;
  stream: string;
  /** Where in its stream it begins. */
  cursor: number;
  tokens: Int32Array; // [T]
}

export interface MixtureReader {
  /** The next sequence; null after the last one. */
  next(): MixtureSequence | null;
  state(): MixtureState;
}

/**
 * Goes on from `state`, or begins. `changed`: the plan may be another than the state's (say, other shares for Stage II):
 * every stream still goes on where it stopped, so nothing is repeated or left out.
 * @throws UserError when the plan is another, and `changed` does not allow it
 */
export function makeMixtureReader(
  plan: MixturePlan,
  streams: Record<string, TokenStream>,
  { state, changed = false }: { state?: MixtureState; changed?: boolean } = {},
): MixtureReader {
  if (state && state.fingerprint !== plan.fingerprint && !changed)
    throw new UserError(
      "the data, the seed or the shares are not those that the state was saved with; go on with the same ones, or allow the change: each stream then goes on where it stopped",
    );
  let { stage, sequence, chain } = state ?? { stage: 0, sequence: 0, chain: "" };
  const cursors: Record<string, number> = Object.fromEntries(
    plan.streams.map((name) => [name, state?.cursors[name] ?? 0]),
  );
  return {
    next() {
      while (stage < plan.stages.length && sequence >= plan.stages[stage].order.length) {
        stage++;
        sequence = 0;
      }
      if (stage === plan.stages.length) return null;
      const { name, order } = plan.stages[stage];
      const stream = plan.streams[order[sequence]];
      const cursor = cursors[stream];
      const tokens = streams[stream].read(cursor, plan.sequenceLength);
      cursors[stream] += plan.sequenceLength;
      chain = createHash("sha256").update(chain).update(tokens).digest("hex");
      return { stage: name, sequence: sequence++, stream, cursor, tokens };
    },
    state: () => ({ fingerprint: plan.fingerprint, stage, sequence, cursors: { ...cursors }, chain }),
  };
}

/**
 * @file A mixture planned in tokens before anything is trained: which stream every sequence of every stage is from, and
 * what that takes of each stream. A stream that would be read too often, or has nothing, is told with its numbers.
 */
import { createHash } from "node:crypto";
import { allocate, interleave } from "../mixture.ts";
import { type MixtureRecipe, wholeShares } from "./recipe.ts";

export interface StreamData {
  tokens: number;
  /** Of the ids. */
  sha256: string;
}

export interface PlannedStage {
  name: string;
  /** Sequences by stream. */
  counts: Record<string, number>;
  /** The stream (its index in {@link MixturePlan.streams}) of every sequence, in training order. */
  order: Uint16Array;
}

/** A row of our Table 1. */
export interface StreamUse {
  name: string;
  source: string;
  available: number;
  /** By all stages; more than `available` when it is read more than once. */
  used: number;
  epochs: number;
}

export interface MixturePlan {
  sequenceLength: number;
  streams: string[];
  stages: PlannedStage[];
  use: StreamUse[];
  /** What stands in the way, one line for each. */
  problems: string[];
  notes: string[];
  /** Of all that decides which token comes when. */
  fingerprint: string;
}

/**
 * Plans all stages. A stage's tokens are rounded down to whole sequences; sources get their parts by largest remainder,
 * then the streams of a source equal ones (the only reading of Table 2 that gives Table 1); the order is Megatron-LM's
 * blending in exact arithmetic. `available`: what there is of each stream.
 */
export function planMixture(recipe: MixtureRecipe, available: Record<string, StreamData>): MixturePlan {
  const { sequenceLength, maxEpochs, sources } = recipe;
  const streams = Object.values(sources).flatMap((group) => Object.keys(group));
  const notes: string[] = [];
  const used = new Map(streams.map((name) => [name, 0]));
  const stages = recipe.stages.map(({ name, tokens, shares }): PlannedStage => {
    const sum = Object.values(shares).reduce((a, b) => a + b, 0);
    if (Math.abs(sum - 1) > 1e-9 && Math.abs(sum - 100) > 1e-7)
      notes.push(
        `stage ${name}: the shares sum to ${Number(sum.toPrecision(12))}, neither 1 nor 100; they are taken as proportions`,
      );
    const sequences = Math.floor(tokens / sequenceLength);
    if (sequences * sequenceLength !== tokens)
      notes.push(
        `stage ${name}: ${tokens} tokens are ${sequences} sequences of ${sequenceLength}, ${sequences * sequenceLength} tokens`,
      );
    const perSource = allocate(wholeShares(shares), sequences);
    const counts: Record<string, number> = {};
    for (const [source, group] of Object.entries(sources)) {
      const equal = Object.fromEntries(Object.keys(group).map((stream) => [stream, 1]));
      Object.assign(counts, allocate(equal, perSource[source] ?? 0));
    }
    for (const [stream, n] of Object.entries(counts)) used.set(stream, used.get(stream)! + n * sequenceLength);
    const indexOf = new Map(streams.map((stream, i) => [stream, i]));
    return { name, counts, order: Uint16Array.from(interleave(counts), (stream) => indexOf.get(stream)!) };
  });
  const use = Object.entries(sources).flatMap(([source, group]) =>
    Object.keys(group).map((name): StreamUse => {
      const [has, takes] = [available[name]?.tokens ?? 0, used.get(name)!];
      return { name, source, available: has, used: takes, epochs: takes === 0 ? 0 : takes / has };
    }),
  );
  const problems = use
    .filter(({ epochs }) => epochs > maxEpochs)
    .map(({ name, available, used, epochs }) =>
      available === 0
        ? `${name}: is empty, and the stages take ${used} tokens of it; give it text or no share`
        : `${name}: the stages take ${used} tokens, there are ${available}: ${epochs.toFixed(2)} epochs, more than maxEpochs ${maxEpochs}; take fewer tokens, add text or raise maxEpochs`,
    );
  const hash = createHash("sha256").update(JSON.stringify([sequenceLength, recipe.seed, streams, available]));
  for (const { name, order } of stages) hash.update(name).update(order);
  return { sequenceLength, streams, stages, use, problems, notes, fingerprint: hash.digest("hex") };
}

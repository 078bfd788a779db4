/**
 * @file Log-probabilities of the answers of preference pairs under a model, outside of training; and those of the frozen
 * reference, which is asked once before it and whose answers are kept, so that a run that goes on does not ask again.
 */
import { createHash } from "node:crypto";
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import * as tf from "@tensorflow/tfjs-core";
import type { MaskedExample } from "../data/pack.ts";
import { exampleRow } from "../data/tuning/rows.ts";
import { compile } from "../engine/engine.ts";
import type { Qwen2Config } from "../model/config.ts";
import type { Parameters } from "../model/qwen2.ts";
import { chunk } from "../util/arrays.ts";
import { Stopped } from "../util/assert.ts";
import { writeWhole } from "../util/runDir.ts";
import { type PreferenceRows, preferenceBatch, referenceLogps } from "./dpo.ts";

/** The two sequences of a pair: the prompt, and an answer on which the mask is 1. */
export interface PairSequences {
  chosen: MaskedExample;
  rejected: MaskedExample;
}

/** Sums over the answers' tokens, in nats, a number for each pair. */
export interface PairScores {
  chosen: number[];
  rejected: number[];
}

export interface ScoringOptions {
  onProgress?: (done: number, total: number) => void;
  stop?: AbortSignal;
}

/** Tokens of a longest sequence, rounded up: rows beside each other are as long as this. */
export const paddedLength = (pairs: readonly PairSequences[], multiple: number) => {
  const longest = Math.max(
    ...pairs.flatMap(({ chosen, rejected }) => [chosen.inputIds.length, rejected.inputIds.length]),
  );
  return Math.ceil(longest / multiple) * multiple;
};

/** A pair in two rows of T tokens. */
export const pairRows = (
  { chosen, rejected }: PairSequences,
  T: number,
  padId: number,
  reference = [0, 0],
): PreferenceRows => ({
  chosen: exampleRow(chosen, T, padId),
  rejected: exampleRow(rejected, T, padId),
  referenceChosen: reference[0],
  referenceRejected: reference[1],
});

/** Tokens that are computed at once. */
const TOKENS_PER_RUN = 2048;

export interface PairScorer {
  score(parameters: Parameters, pairs: readonly PairSequences[], options?: ScoringOptions): Promise<PairScores>;
  dispose(): void;
}

/** Scores pairs in rows of a multiple of `padToMultipleOf` tokens. Equal pairs and parameters give equal bits. */
export function makePairScorer(
  config: Qwen2Config,
  { padToMultipleOf, padId, ldAlpha }: { padToMultipleOf: number; padId: number; ldAlpha?: number },
): PairScorer {
  const logps = compile(({ inputIds, labels, documentIds, positionIds, ...parameters }) =>
    referenceLogps(config, parameters, { inputIds, labels, documentIds, positionIds }, { ldAlpha }),
  );
  return {
    async score(parameters, pairs, { onProgress, stop } = {}) {
      const scores: PairScores = { chosen: new Array(pairs.length), rejected: new Array(pairs.length) };
      const lengths = pairs.map((pair) => paddedLength([pair], padToMultipleOf));
      const order = pairs.map((_, i) => i).sort((a, b) => lengths[b] - lengths[a] || a - b);
      for (let from = 0; from < order.length; ) {
        if (stop?.aborted) throw new Stopped();
        const T = lengths[order[from]];
        const alike = lengths.filter((length) => length === T).length;
        const size = Math.max(1, Math.min(alike, Math.floor(TOKENS_PER_RUN / (2 * T))));
        const some = order.slice(from, from + size).filter((i) => lengths[i] === T);
        from += some.length;
        // a last part that is smaller is filled up: one shape of each length
        const filled = Array.from({ length: size }, (_, k) => pairs[some[k] ?? some[0]]);
        const batch = preferenceBatch(filled.map((pair) => pairRows(pair, T, padId)));
        const { inputIds, labels, documentIds, positionIds } = batch;
        const outputs = logps({ inputIds, labels, documentIds, positionIds, ...parameters });
        const [chosen, rejected] = [await outputs.referenceChosen.data(), await outputs.referenceRejected.data()];
        some.forEach((i, k) => {
          scores.chosen[i] = chosen[k];
          scores.rejected[i] = rejected[k];
        });
        tf.dispose([batch, outputs]);
        onProgress?.(from, pairs.length);
        await new Promise((resolve) => setImmediate(resolve)); // lets Ctrl-C in
      }
      return scores;
    },
    dispose: () => logps.dispose(),
  };
}

/** Pairs whose scores are kept together. */
const PAIRS_AT_ONCE = 256;

/**
 * The reference's scores, from the file at `path` as far as it has them for the same `model` (its name and hash) and the
 * same pairs; the rest is computed and added to it. A file of others is written anew.
 */
export async function referenceScores(
  path: string,
  model: string,
  pairs: readonly PairSequences[],
  score: (pairs: readonly PairSequences[]) => Promise<PairScores>,
  onProgress?: (done: number, total: number) => void,
): Promise<PairScores> {
  const hash = createHash("sha256");
  for (const { chosen, rejected } of pairs) hash.update(JSON.stringify([chosen, rejected]));
  const head = JSON.stringify({ model, pairs: pairs.length, sha256: hash.digest("hex") });
  const [found, ...lines] = existsSync(path) ? readFileSync(path, "utf8").split("\n") : [];
  const kept = found === head ? lines.slice(0, -1) : []; // the last is empty, or was cut by a kill
  const parts = kept.map((line) => JSON.parse(line) as PairScores);
  writeWhole(path, [head, ...kept, ""].join("\n"));
  for (const some of chunk(pairs, PAIRS_AT_ONCE).slice(parts.length)) {
    const part = await score(some);
    appendFileSync(path, `${JSON.stringify(part)}\n`);
    parts.push(part);
    onProgress?.(Math.min(pairs.length, parts.length * PAIRS_AT_ONCE), pairs.length);
  }
  return { chosen: parts.flatMap(({ chosen }) => chosen), rejected: parts.flatMap(({ rejected }) => rejected) };
}

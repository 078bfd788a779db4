/**
 * @file Beam search over one prompt's answers, without the model: which beams go on, which are finished, when to stop.
 *
 * The same decisions as `_beam_search` of Hugging Face transformers 5.23 (`generation/utils.py`): of the candidates
 * (beam, token), the best max(2, 1 + stop ids) · numBeams are looked at; those that end compete as finished with
 *
 *     Σ log p / length ^ lengthPenalty        length: new tokens, the stop id included
 *
 * but only if they are among the best numBeams; the others go on. -1e9 stands for "not", as it does there.
 */
import { indicesOfLargest } from "./sampling.ts";

const NOT = -1e9;

export interface BeamOptions {
  numBeams: number;
  /** Above 0 favours long answers, below 0 short ones. */
  lengthPenalty: number;
  /** true: stop when numBeams are finished; false: when the best beam would not beat them at its length; "never": at any. */
  earlyStopping: boolean | "never";
  maxNewTokens: number;
  /** How many stop ids there are: as many more candidates are looked at. */
  stopIds: number;
}

/** New tokens, and Σ log p (running) or that with the length penalty (finished). */
export interface Beam {
  ids: number[];
  score: number;
}

export interface BeamState {
  /** numBeams, best first. */
  running: Beam[];
  /** numBeams, best first; places that nothing has taken yet are not `done`. */
  finished: (Beam & { done: boolean })[];
  /** Tokens of each running beam. */
  length: number;
  /** Whether a running beam may still beat a finished one. */
  improvable: boolean;
}

export function startBeams(numBeams: number): BeamState {
  const beam = (_: unknown, i: number): Beam => ({ ids: [], score: i === 0 ? 0 : NOT }); // all are the same: one counts
  return {
    running: Array.from({ length: numBeams }, beam),
    finished: Array.from({ length: numBeams }, () => ({ ids: [], score: NOT, done: false })),
    length: 0,
    improvable: true,
  };
}

/**
 * One more token. `logprobs`: for each running beam, those of its next token [V]; `stops`: whether these new tokens end
 * an answer. Returns the next state, from which beam each running one comes, and whether the search is over.
 */
export function advanceBeams(
  { running, finished, length, improvable }: BeamState,
  logprobs: Float64Array[],
  { numBeams, lengthPenalty, earlyStopping, maxNewTokens, stopIds }: BeamOptions,
  stops: (ids: number[]) => boolean,
): { state: BeamState; parents: number[]; over: boolean } {
  const V = logprobs[0].length;
  const totals = new Float64Array(numBeams * V);
  logprobs.forEach((row, b) => {
    for (let id = 0; id < V; id++) totals[b * V + id] = running[b].score + row[id];
  });
  const candidates = indicesOfLargest(totals, Math.max(2, 1 + stopIds) * numBeams).map((i) => {
    const parent = Math.floor(i / V);
    const ids = [...running[parent].ids, i % V];
    return { parent, ids, score: totals[i], ends: ids.length === maxNewTokens || stops(ids) };
  });

  const next = best(
    candidates.map((candidate) => ({ ...candidate, score: candidate.score + (candidate.ends ? NOT : 0) })),
    numBeams,
  );
  const closed = !improvable || (earlyStopping === true && finished.every(({ done }) => done));
  const ended = candidates.map(({ ids, score, ends }, i) => {
    const done = ends && i < numBeams;
    return { ids, done, score: score / ids.length ** lengthPenalty + (closed ? NOT : 0) + (done ? 0 : NOT) };
  });
  const kept = best([...finished, ...ended], numBeams);

  const longest = earlyStopping === "never" && lengthPenalty > 0 ? maxNewTokens : length + 1;
  const possible = next[0].score / longest ** lengthPenalty;
  const worst = Math.min(...kept.map(({ score }) => score));
  const state = {
    running: next.map(({ ids, score }) => ({ ids, score })),
    finished: kept,
    length: length + 1,
    improvable: improvable && kept.some(({ done }) => possible > (done ? worst : NOT)),
  };
  const full = earlyStopping === true && kept.every(({ done }) => done);
  const over = !state.improvable || full || candidates.every(({ ends }) => ends);
  return { state, parents: next.map(({ parent }) => parent), over };
}

/** The n of highest score, best first; of equals the earlier. */
const best = <T extends { score: number }>(beams: T[], n: number): T[] =>
  [...beams].sort((a, b) => b.score - a.score).slice(0, n);

/**
 * @file Duplicates among candidates (paper section 4.1): equal keys, MinHash with its candidates' real Jaccard similarity,
 * SimHash, embeddings. Candidates come best first, and the first of several equals is kept; which one a candidate equals,
 * and how much, is in the ledger.
 */
import { createHash } from "node:crypto";
import { jaccard, makeDuplicateFinder } from "../dedup/duplicates.ts";
import { semanticDuplicates } from "../dedup/semantic.ts";
import { makeShingler } from "../dedup/shingles.ts";
import { bitsApart, findNear, makeSimHasher, type SimHashConfig } from "../dedup/simHash.ts";
import type { Candidate } from "./candidates.ts";
import type { Selection } from "./selection.ts";

type TextOf = (candidate: Candidate) => string;

const languageOf = ({ line }: Candidate) => line.language ?? "und";

/** Candidates whose key is the same text. */
export function dropEqual(selection: Selection, order: readonly number[], keyOf: TextOf) {
  const first = new Map<string, number>();
  for (const i of order) {
    const key = createHash("sha1")
      .update(keyOf(selection.candidates.read(i)))
      .digest("base64");
    const of = first.get(key);
    if (of === undefined) first.set(key, i);
    else drop(selection, i, of, "exact", 1, "the same text");
  }
}

export interface NearOptions {
  words: number;
  bands: number;
  rows: number;
  seed: number;
  /** Least Jaccard similarity of the sets of shingles. */
  jaccard: number;
}

/** Candidates of MinHash whose Jaccard similarity is at least the limit; texts of too few words by all their words. */
export function dropNear(selection: Selection, order: readonly number[], textOf: TextOf, options: NearOptions) {
  const { candidates } = selection;
  const { words, bands, rows, seed } = options;
  const finder = makeDuplicateFinder({ words, bands, rows, seed, hash: "xxh64", draw: "allThenAll" });
  for (const i of order) {
    const candidate = candidates.read(i);
    finder.add(textOf(candidate), languageOf(candidate));
  }
  const shingler = makeShingler(words, "xxh64");
  const held = new Map<number, Uint32Array>(); // of the last texts
  const shingles = (i: number) => {
    let hashes = held.get(i);
    if (hashes) return hashes;
    const candidate = candidates.read(i);
    shingler.read(textOf(candidate), languageOf(candidate));
    hashes = shingler.hashes().slice();
    if (held.size >= 256) held.delete(held.keys().next().value!);
    held.set(i, hashes);
    return hashes;
  };
  const similarity = (a: number, b: number) => jaccard(shingles(order[a]), shingles(order[b]));
  for (const { document, of, how } of finder.find((a, b) => similarity(a, b) >= options.jaccard)) {
    const exact = how === "exact";
    const text = exact ? "the same words" : "Jaccard similarity of shingles";
    drop(selection, order[document], order[of], "minHash", exact ? 1 : similarity(document, of), text);
  }
}

/** Fingerprints at most `distance` of 64 bits apart. Texts of fewer words than a shingle have none. */
export function dropSimHash(selection: Selection, order: readonly number[], textOf: TextOf, config: SimHashConfig) {
  const hash = makeSimHasher(config);
  const withHash: number[] = [];
  const fingerprints: number[] = [];
  for (const i of order) {
    const candidate = selection.candidates.read(i);
    const halves = hash(textOf(candidate), languageOf(candidate));
    if (!halves) continue;
    withHash.push(i);
    fingerprints.push(...halves);
  }
  const all = Uint32Array.from(fingerprints);
  for (const { document, of } of findNear(all, config)) {
    const bits = bitsApart(all, document, of);
    drop(selection, withHash[document], withHash[of], "simHash", 1 - bits / 64, `SimHash, ${bits} of 64 bits differ`);
  }
}

/** Embeddings, one row of `vectors` for each of `order`: kept greedily while the greatest cosine is below the limit. */
export function dropAlike(selection: Selection, order: readonly number[], vectors: Float32Array, limit: number) {
  if (order.length === 0) return;
  const decisions = semanticDuplicates(vectors, vectors.length / order.length, { limit, keep: "below" });
  for (const [at, { kept, nearest, similarity, unusable }] of decisions.entries()) {
    if (unusable) selection.note(order[at], "semantic", "its vector is zero or not finite: like nothing");
    if (!kept) drop(selection, order[at], order[nearest!], "semantic", similarity, "cosine of embeddings");
  }
}

function drop(selection: Selection, i: number, of: number, stage: string, similarity: number, how: string) {
  const { id } = selection.candidates.read(of).line;
  selection.drop(i, { stage, reason: `${stage}.duplicate`, duplicateOf: { id, similarity, how } });
}

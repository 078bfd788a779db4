/**
 * @file What depends on other documents: perplexity limits from the run's own distribution, near duplicates, repeated
 * passages. A pass over the chunks collects numbers of each document, never texts.
 */
import { join } from "node:path";
import type { Tokenizer } from "../../tokenizer/bpe.ts";
import { type DuplicateFinder, makeDuplicateFinder } from "../dedup/duplicates.ts";
import { type PerplexityCutoff, perplexityCutoff } from "../lm/perplexity.ts";
import { withoutDirections } from "../rules/directions.ts";
import { readChunks } from "./chunks.ts";
import type { LedgerLine } from "./ledger.ts";
import { makePassageStore, type Passage } from "./passages.ts";
import type { Recipe } from "./recipe.ts";

export const PERPLEXITY = "lm.perplexity";

export interface Across {
  /** Perplexity limits that were derived, by language. */
  cutoffs: Record<string, PerplexityCutoff>;
  isSurprising(line: LedgerLine): boolean;
  /** By the document's number among those that have a text and are not too surprising; -1 where there is none. */
  duplicateOf(document: number): number;
  similarity(document: number): { similarity: number; how: string };
  passages: Map<number, Passage[]>;
  /** Documents that others refer to. */
  referred: ReadonlySet<number>;
  /** Parts in which each language's passages were compared. */
  parts: Record<string, number>;
  ends(text: string): Uint32Array;
}

/** `pause` is called between documents: it may throw to stop. */
export async function compareDocuments(
  folder: string,
  recipe: Recipe,
  pause: (phase: "perplexity" | "duplicates" | "passages", documents: number) => Promise<void>,
  tokenizer?: Tokenizer,
): Promise<Across> {
  const { minHash, substring, perplexity } = recipe;
  const cutoffs: Record<string, PerplexityCutoff> = {};
  const { limit } = perplexity;
  if (typeof limit === "object" && "sd" in limit) {
    const values = new Map<string, number[]>();
    let documents = 0;
    for (const { line, text } of readChunks(folder)) {
      await pause("perplexity", ++documents);
      const value = text === null ? undefined : perplexityOf(line);
      if (value === undefined) continue;
      const known = values.get(line.language!) ?? [];
      values.set(line.language!, known);
      known.push(value);
    }
    for (const [language, sample] of [...values].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const cutoff = perplexityCutoff(language, sample, { rule: "sd", deviations: Number(limit.sd) });
      if (cutoff) cutoffs[language] = cutoff;
    }
  }
  const isSurprising = (line: LedgerLine) => {
    const limit = cutoffs[line.language ?? ""]?.limit;
    return limit !== undefined && (perplexityOf(line) ?? 0) > limit;
  };

  const finder: DuplicateFinder | null = minHash
    ? makeDuplicateFinder({ ...minHash, hash: "xxh64", draw: "allThenAll" }, minHash.similarity)
    : null;
  const store = substring ? makePassageStore(join(folder, "tokens"), substring, tokenizer) : null;
  let count = 0;
  let documents = 0;
  if (finder || store)
    for (const { line, text } of readChunks(folder)) {
      await pause("duplicates", ++documents);
      if (text === null || isSurprising(line)) continue;
      finder?.add(withoutDirections(text), line.language!);
      store?.add(count, line.language!, text);
      count++;
    }
  const of = new Int32Array(count).fill(-1);
  const similarity = new Float64Array(count);
  const exact = new Uint8Array(count);
  for (const found of finder?.find() ?? []) {
    of[found.document] = found.of;
    similarity[found.document] = found.similarity;
    exact[found.document] = found.how === "exact" ? 1 : 0;
  }
  const passages = await store?.find(
    (document) => of[document] >= 0,
    () => pause("passages", documents),
  );
  const referred = new Set<number>();
  for (const earlier of of) if (earlier >= 0) referred.add(earlier);
  for (const list of passages?.values() ?? []) for (const { first } of list) referred.add(first.document);
  return {
    referred,
    ...{ cutoffs, isSurprising, passages: passages ?? new Map(), parts: store?.parts ?? {} },
    duplicateOf: (document) => of[document] ?? -1,
    similarity: (document) => ({
      similarity: similarity[document],
      how: exact[document] ? "exact" : "minHash",
    }),
    ends: (text) => store!.ends(text),
  };
}

const perplexityOf = ({ measures }: LedgerLine) => measures.findLast(({ rule }) => rule === PERPLEXITY)?.value;

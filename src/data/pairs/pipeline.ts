/**
 * @file Pairs through every rule and the similarity: for each pair all measures, whether it is kept, and the reason. The
 * paper's order (section 3.1.2): heuristics, then similarity; nothing decides before everything is measured, so that a
 * limit can be moved later. Memory is that of one block of pairs.
 */
import { type Measure, margin, passes } from "../rules/measure.ts";
import { MARGIN_CUT } from "./embeddings.ts";
import { type HardRuleOptions, hardRules } from "./hardRules.ts";
import { type HeuristicOptions, heuristics } from "./heuristics.ts";
import { opusFilter } from "./opusFilter.ts";
import type { PairItem, Quarantine, SentencePair } from "./pair.ts";
import { exchanged, type Identify, otherLanguage, pairRules } from "./pairRules.ts";
import type { PairScorer } from "./scorer.ts";
import { atLeast } from "./text.ts";

export interface PairsOptions {
  items: AsyncIterable<PairItem> | Iterable<PairItem>;
  /** False leaves a set of rules out. */
  heuristics?: HeuristicOptions | false;
  hardRules?: HardRuleOptions | false;
  opusFilter?: boolean;
  identify?: Identify;
  similarity?: { scorer: PairScorer; cut: number }[];
  /** Pairs that are scored at once: the others that margins compare with. */
  blockSize?: number;
}

export type PairOutcome =
  | {
      pair: SentencePair;
      measures: Measure[];
      kept: boolean;
      /** The first rule that fails, null if kept. */
      reason: string | null;
      /** Sides exchanged, where that is all that is wrong. */
      fix?: SentencePair;
    }
  | { quarantine: Quarantine };

export interface PairCounts {
  in: number;
  kept: number;
  dropped: number;
  quarantined: number;
  reasons: Record<string, number>;
}

/** Yields an outcome for each item, in order, and returns the counts: in = kept + dropped + quarantined. */
export async function* pairsPipeline(options: PairsOptions): AsyncGenerator<PairOutcome, PairCounts> {
  const counts: PairCounts = { in: 0, kept: 0, dropped: 0, quarantined: 0, reasons: {} };
  let block: PairItem[] = [];
  for await (const item of options.items) {
    counts.in++;
    block.push(item);
    if (block.length < (options.blockSize ?? 2048)) continue;
    yield* decide(block, options, counts);
    block = [];
  }
  yield* decide(block, options, counts);
  if (counts.in !== counts.kept + counts.dropped + counts.quarantined)
    throw new Error(`pairs are lost: ${JSON.stringify(counts)}`);
  return counts;
}

async function* decide(block: PairItem[], options: PairsOptions, counts: PairCounts): AsyncGenerator<PairOutcome> {
  const pairs = block.flatMap((item) => ("pair" in item ? [item.pair] : []));
  const whole = pairs.filter(({ source, target }) => source !== "" && target !== "");
  const scored = new Map<SentencePair, Measure[]>(whole.map((pair) => [pair, []]));
  for (const { scorer, cut } of whole.length > 0 ? (options.similarity ?? []) : []) {
    const scores = await scorer.score(whole);
    for (const [i, pair] of whole.entries())
      scored.get(pair)!.push(atLeast(scorer.name, Number.isFinite(scores[i]) ? scores[i] : 0, cut));
  }
  for (const item of block) {
    if ("quarantine" in item) {
      counts.quarantined++;
      yield item;
      continue;
    }
    const { pair } = item;
    const measures = [...measurePair(pair, options), ...(scored.get(pair) ?? [])];
    const failed = measures.find((measure) => !passes(measure));
    const reason = failed ? failed.rule.replace(/^pair\./, "") : null;
    if (reason === null) counts.kept++;
    else {
      counts.dropped++;
      counts.reasons[reason] = (counts.reasons[reason] ?? 0) + 1;
    }
    yield { pair, measures, kept: reason === null, reason, ...(reason === "swapped" ? { fix: exchanged(pair) } : {}) };
  }
}

/** Every rule's measure of one pair, in the order that reasons are given in; an empty side has no others. */
export function measurePair(pair: SentencePair, options: Omit<PairsOptions, "items">): Measure[] {
  const identify = options.identify && remembered(options.identify);
  const measures = pairRules(pair, identify);
  if (margin(measures[0]) < 0) return measures;
  if (options.heuristics !== false) measures.push(...heuristics(pair, options.heuristics));
  if (options.hardRules !== false) {
    const languages = identify ? { otherLanguage: otherLanguage(identify) } : {};
    measures.push(...hardRules(pair, { ...languages, ...options.hardRules }));
  }
  if (options.opusFilter !== false) measures.push(...opusFilter(pair));
  if (pair.givenScore !== undefined) measures.push(atLeast("ccaligned.laserMargin", pair.givenScore, MARGIN_CUT));
  return measures;
}

/** Two sets of rules ask for the same side. */
function remembered(identify: Identify): Identify {
  const known = new Map<string, ReturnType<Identify>>();
  return (text) => {
    const found = known.get(text) ?? identify(text);
    known.set(text, found);
    return found;
  };
}

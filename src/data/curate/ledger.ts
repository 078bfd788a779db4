/**
 * @file The ledger: one line for each document that came in, with every number that a rule measured, its limit, what the
 * document equals, and how it ended. What is in the ledger is enough to move a limit without running again.
 */
import { type Measure, passes } from "../rules/measure.ts";

export type Outcome = "kept" | "dropped" | "quarantined";

export interface LedgerLine {
  id: string;
  /** Name of the file, and the number of the document (or of the damaged place) in it, from 0. */
  source: string;
  ordinal: number;
  offset: number;
  url: string | null;
  /** As identified; null before that. */
  language: string | null;
  /** Code points of the text; 0 where there is none. */
  characters: number;
  outcome: Outcome;
  /** The stage that dropped it; null of what is kept. */
  stage: string | null;
  /** The first rule that it failed, or what is wrong with it. */
  reason: string | null;
  measures: StageMeasure[];
  /** Which document it nearly equals, and how much: by MinHash, or by all its words. */
  duplicateOf?: { id: string; similarity: number; how: string };
  /** Control characters that were taken out of the text. */
  controls?: number;
  /** How the page was encoded, where it is not UTF-8. */
  charset?: string;
  /** Passages that were cut out, in UTF-16 units of the text, and where they are first. */
  cuts?: { from: number; to: number; firstIn: string }[];
  /** How the text begins, or the first bytes of what cannot be read. */
  start?: string;
}

export interface StageMeasure extends Measure {
  stage: string;
}

/** What the measures decide: the first stage with a rule that fails, in the order of `stages`. */
export function decide(
  measures: readonly StageMeasure[],
  stages: readonly string[],
): { stage: string; reason: string } | null {
  for (const stage of stages) {
    const failed = measures.find((measure) => measure.stage === stage && !passes(measure));
    if (failed) return { stage, reason: failed.rule };
  }
  return null;
}

export interface StageCounts {
  in: number;
  kept: number;
  dropped: number;
  quarantined: number;
}

/**
 * In, kept and dropped by stage, from the ledger, line by line in its order. @throws when they do not add up: a document was
 * lost or doubled, which is a fault of ours.
 */
export function makeStageCounter(stages: readonly string[]) {
  const names = ["read", ...stages];
  const counts: Record<string, StageCounts> = Object.fromEntries(
    names.map((stage) => [stage, { in: 0, kept: 0, dropped: 0, quarantined: 0 }]),
  );
  const next = new Map<string, number>(); // of each source
  return {
    add({ source, ordinal, outcome, stage }: LedgerLine) {
      const expected = next.get(source) ?? 0;
      if (ordinal !== expected)
        throw new Error(`ledger: ${source}#${ordinal} where ${source}#${expected} should be: lost or there twice`);
      next.set(source, ordinal + 1);
      for (const name of names) {
        counts[name].in++;
        if (outcome === "quarantined" && name === (stage ?? "read")) counts[name].quarantined++;
        else if (outcome === "dropped" && name === stage) counts[name].dropped++;
        else {
          counts[name].kept++;
          continue;
        }
        break;
      }
    },
    finish(): Record<string, StageCounts> {
      for (const [name, { in: entered, kept, dropped, quarantined }] of Object.entries(counts))
        if (entered !== kept + dropped + quarantined) throw new Error(`ledger: stage ${name} lost documents`);
      names.slice(1).forEach((stage, i) => {
        if (counts[stage].in !== counts[names[i]].kept) throw new Error(`ledger: ${names[i]} and ${stage} do not fit`);
      });
      return { ...counts, total: { ...counts.read, kept: counts[names[names.length - 1]].kept } };
    },
  };
}

export function countStages(lines: Iterable<LedgerLine>, stages: readonly string[]): Record<string, StageCounts> {
  const counter = makeStageCounter(stages);
  for (const line of lines) counter.add(line);
  return counter.finish();
}

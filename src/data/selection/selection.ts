/**
 * @file Which candidates are left, stage by stage, and why the others are not: numbers in columns, decisions by row, and at
 * the end the ledger, the rows that are kept and the counts, in the order in which they came in.
 */
import { join } from "node:path";
import { writeWhole } from "../../util/runDir.ts";
import { countStages, type LedgerLine } from "../curate/ledger.ts";
import { makeRowWriter, type OutputKind } from "../files/writeRows.ts";
import { type Measure, passes } from "../rules/measure.ts";
import type { Candidates, SelectionLine } from "./candidates.ts";

/** What one rule measured of each candidate: NaN where it did not. Without a limit it decides nothing. */
export interface Column {
  stage: string;
  rule: string;
  values: Float64Array;
  limit?: number;
  keep?: Measure["keep"];
}

interface Drop {
  stage: string;
  reason: string;
  duplicateOf?: LedgerLine["duplicateOf"];
}

export interface Selection {
  readonly candidates: Candidates;
  /** Those that are left, in order. */
  alive(): number[];
  drop(i: number, drop: Drop): void;
  /** Keeps the column for the ledger, and drops what fails. */
  decide(column: Column): void;
  note(i: number, stage: string, why: string): void;
  /** A stage that was not run, and why. */
  skip(stage: string, why: string): void;
  /** A stage's limit that was derived, or another fact for the summary. */
  tell(name: string, value: number | string): void;
  finish(options: FinishOptions): SelectionSummary;
}

export interface FinishOptions {
  out: string;
  /** Of the output file. */
  name: string;
  kind: OutputKind;
  stages: readonly string[];
}

export interface SelectionSummary {
  stages: ReturnType<typeof countStages>;
  reasons: Record<string, number>;
  languages: Record<string, { kept: number; dropped: number; quarantined: number }>;
  /** Stages that were not run, and why. */
  skipped: Record<string, string>;
  facts: Record<string, number | string>;
}

export function makeSelection(candidates: Candidates): Selection {
  const alive = new Uint8Array(candidates.count);
  for (let i = 0; i < candidates.count; i++) alive[i] = candidates.read(i).row === null ? 0 : 1;
  const columns: Column[] = [];
  const drops = new Map<number, Drop>();
  const notes = new Map<number, Record<string, string>>();
  const skipped: Record<string, string> = {};
  const facts: Record<string, number | string> = {};
  const drop: Selection["drop"] = (i, why) => {
    alive[i] = 0;
    drops.set(i, why);
  };
  return {
    candidates,
    alive: () => Array.from(alive.keys()).filter((i) => alive[i] === 1),
    drop,
    decide(column) {
      columns.push(column);
      const { stage, rule, values, limit, keep } = column;
      if (limit === undefined || keep === undefined) return;
      for (const [i, value] of values.entries())
        if (alive[i] === 1 && !Number.isNaN(value) && !passes({ rule, value, limit, keep }))
          drop(i, { stage, reason: rule });
    },
    note: (i, stage, why) => void notes.set(i, { ...notes.get(i), [stage]: why }),
    skip: (stage, why) => {
      skipped[stage] = why;
    },
    tell: (name, value) => {
      facts[name] = value;
    },
    finish({ out, name, kind, stages }) {
      const rows = makeRowWriter(join(out, `${name}.${kind}`));
      const ledger = makeRowWriter(join(out, "ledger.jsonl"));
      const reasons: SelectionSummary["reasons"] = {};
      const languages: SelectionSummary["languages"] = {};
      function* lines(): Generator<LedgerLine> {
        for (let i = 0; i < candidates.count; i++) {
          const { line, row } = candidates.read(i);
          complete(line, i);
          if (row !== null && alive[i] === 1) rows.write(row);
          ledger.write({ ...line });
          if (line.reason !== null) reasons[line.reason] = (reasons[line.reason] ?? 0) + 1;
          const language = line.language ?? "und";
          languages[language] ??= { kept: 0, dropped: 0, quarantined: 0 };
          languages[language][line.outcome]++;
          yield { ...line, measures: [] };
        }
      }
      const complete = (line: SelectionLine, i: number) => {
        const values: Record<string, number> = {};
        for (const { stage, rule, values: all, limit, keep } of columns) {
          if (Number.isNaN(all[i])) continue;
          if (limit === undefined || keep === undefined) values[rule] = all[i];
          else line.measures.push({ stage, rule, value: all[i], limit, keep });
        }
        if (Object.keys(values).length > 0) line.values = values;
        if (notes.has(i)) line.notes = notes.get(i);
        const why = drops.get(i);
        if (why) Object.assign(line, { outcome: "dropped", ...why });
      };
      let counts: SelectionSummary["stages"];
      try {
        counts = countStages(lines(), stages);
      } catch (error) {
        rows.discard();
        ledger.discard();
        throw error;
      }
      rows.close();
      ledger.close();
      const sorted = <T>(record: Record<string, T>) =>
        Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
      const summary = { stages: counts, reasons: sorted(reasons), languages: sorted(languages), skipped, facts };
      writeWhole(join(out, "summary.json"), `${JSON.stringify(summary, null, 1)}\n`);
      return summary;
    },
  };
}

/** A column of `count` candidates in which nothing is measured yet. */
export const emptyColumn = (count: number) => new Float64Array(count).fill(Number.NaN);

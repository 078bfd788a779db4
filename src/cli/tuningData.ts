/** @file The examples of `marco sft` and `marco dpo`: read, held out by their question, counted. */
import type { MaskedExample } from "../data/pack.ts";
import { countTokens, isHeldOut, type Quarantined, readTuningRows } from "../data/tuning/rows.ts";
import { UserError } from "../util/assert.ts";
import type { DataSummary } from "../util/trainingSummary.ts";
import type { Tuning } from "./tuning.ts";

/** What a row became: an example, or why it is left out. */
interface Item<Encoded> {
  encoded: Encoded | string;
  language: string;
  /** Decides on which side it is, see `isHeldOut`. */
  question: string;
}

export interface Side<Encoded> {
  examples: (Encoded & { language: string })[];
  summary: DataSummary;
}

export interface TuningData<Encoded> {
  rows: number;
  quarantined: Quarantined[];
  train: Side<Encoded>;
  heldOut?: Side<Encoded>;
}

/**
 * Reads --data, and --eval-data or the recipe's share of --data. `read` says of a row what it is, or why it is none;
 * `sequencesOf` the token sequences of an example.
 * @throws UserError when a side has no example
 */
export async function readTuningData<Encoded extends { cut: number }>(
  { flags, stop, part }: Tuning,
  { evalFraction, seed }: { evalFraction: number; seed: number },
  noun: "chat" | "pair",
  read: (row: Record<string, unknown>, id: string) => Item<Encoded> | string,
  sequencesOf: (example: Encoded) => MaskedExample[],
): Promise<TuningData<Encoded>> {
  const progress = part(`${noun}s`);
  const readFiles = (files: readonly string[]) =>
    readTuningRows(files, read, { stop, onProgress: (rows) => progress.update(rows, rows, "rows read") });
  const side = (items: readonly Item<Encoded>[]): Side<Encoded> => {
    const dropped: Record<string, number> = {};
    const examples: Side<Encoded>["examples"] = [];
    for (const { encoded, language } of items)
      if (typeof encoded === "string") dropped[encoded] = (dropped[encoded] ?? 0) + 1;
      else examples.push({ ...encoded, language });
    const byLanguage = countTokens(
      examples.map((example) => ({ language: example.language, sequences: sequencesOf(example) })),
    );
    const truncated = examples.filter(({ cut }) => cut > 0).length;
    return { examples, summary: { examples: examples.length, dropped, truncated, byLanguage } };
  };
  const given = await readFiles(flags.data);
  const other = flags.evalData ? await readFiles(flags.evalData) : undefined;
  const isOut = ({ question }: Item<Encoded>) => evalFraction > 0 && isHeldOut(question, evalFraction, seed);
  const train = side(given.items.filter((item) => !isOut(item)));
  const heldOut = other || evalFraction > 0 ? side(other?.items ?? given.items.filter(isOut)) : undefined;
  progress.end(`${train.examples.length} to train on${heldOut ? `, ${heldOut.examples.length} held out` : ""}`);
  if (train.examples.length === 0)
    throw new UserError(
      `--data: no ${noun} to train on is left of ${given.rows} rows ${JSON.stringify(train.summary.dropped)}; raise maxLength, or set truncation: truncate`,
    );
  if (heldOut?.examples.length === 0)
    throw new UserError(
      `${other ? "--eval-data" : `evalFraction ${evalFraction}`}: no ${noun} is held out of ${(other ?? given).rows} rows; expected at least one`,
    );
  return {
    rows: given.rows + (other?.rows ?? 0),
    quarantined: [...given.quarantined, ...(other?.quarantined ?? [])],
    train,
    heldOut,
  };
}

/** @file `marco check-losses`: what another trainer computed, against the float64 losses. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { readPieces } from "../data/files/bytes.ts";
import { readLines } from "../data/files/lines.ts";
import { PREFERENCE_LOSSES, type PreferenceLossOptions } from "../losses/preference.ts";
import { compareDump, type DumpReport } from "../testing/compare.ts";
import { type PairsRow, parseDumpRow, type SequencesRow } from "../testing/dump.ts";
import type { Numbered } from "../testing/quantity.ts";
import { UserError } from "../util/assert.ts";
import { startProgress } from "./progress.ts";

interface CheckLossesOptions {
  lossType: PreferenceLossOptions["lossType"];
  beta: number;
  labelSmoothing?: number;
  tolerance: number;
  json?: boolean;
}

/** Exit code where the numbers differ, as diff has it; 2 is for a dump that cannot be read. */
const DIFFER = 1;

/**
 * Trainers log float32: an answer of 300 nats is rounded by 2e-5, its reward by a tenth of that. CHOSEN; take 1e-2 for
 * bfloat16.
 */
const TOLERANCE = 1e-4;

export function addCheckLossesCommand(program: Command) {
  program
    .command("check-losses")
    .description(
      "check another trainer's numbers: a dump of log-probabilities (.jsonl, also .gz or .zst), and the loss, rewards and " +
        "margins that it made of them, are compared with the float64 formulas; docs/check-losses.md shows how to write one",
    )
    .argument("<dump.jsonl>", "a row per batch, pair or micro-batch")
    .addOption(new Option("--loss-type <name>", "of preference rows").choices(PREFERENCE_LOSSES).default("sigmoid"))
    .option("--beta <number>", "β of the preference loss", positive, 0.1)
    .option("--label-smoothing <number>", "ε of the preference loss; 0 unless given", share)
    .option("--tolerance <number>", "how close, relative to max(1, |ours|)", positive, TOLERANCE)
    .option("--json", "the report as JSON")
    .addHelpText("after", "\nExit codes: 0 all agree, 1 something differs, 2 the dump or an option cannot be used.")
    .action(checkLosses);
}

async function checkLosses(path: string, { json, tolerance, ...options }: CheckLossesOptions) {
  const report = compareDump(await readDump(path), options, tolerance);
  console.log(
    json ? JSON.stringify({ dump: path, ...options, tolerance, ...report }) : dumpText(path, report, options),
  );
  if (!report.agrees) process.exitCode = DIFFER;
}

/** All rows of a dump. @throws UserError that names the line, for the first that cannot be used */
async function readDump(path: string): Promise<Numbered<PairsRow | SequencesRow>[]> {
  const progress = startProgress(path);
  const rows: Numbered<PairsRow | SequencesRow>[] = [];
  try {
    for await (const { number, text, reason } of readLines({ name: path, open: () => readPieces(path) }, MAX_LINE)) {
      const where = `${path}: line ${number}`;
      if (text === null) throw new UserError(`${where}: ${reason}`);
      if (text.trim() === "") continue;
      rows.push({ line: number, ...rowOf(text, where) });
      if (rows.length % 1000 === 0) progress.update(rows.length, rows.length, "rows");
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw code ? new UserError(`${path}: cannot be read (${code}); expected a .jsonl file`) : error;
  }
  if (rows.length === 0) throw new UserError(`${path}: no rows; expected a JSON object per line`);
  progress.end(`${rows.length} rows`);
  return rows;
}

/** Longest line in bytes: a micro-batch of long sequences. */
const MAX_LINE = 64 << 20;

function rowOf(text: string, where: string): PairsRow | SequencesRow {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const python = /\b(?:NaN|-?Infinity)\b/.exec(text)?.[0];
    throw new UserError(
      python
        ? `${where}: ${python}, which is no JSON: the trainer computed no number there; look at that batch, or drop the row`
        : `${where}: not JSON (${(error as Error).message})`,
    );
  }
  try {
    return parseDumpRow(value);
  } catch (error) {
    throw error instanceof UserError ? new UserError(`${where}: ${error.message}`) : error;
  }
}

/** A line per quantity, and below it what differs. */
function dumpText(path: string, { rows, quantities, agrees }: DumpReport, options: PreferenceLossOptions): string {
  const digits = (x: number) => `${Number(x.toPrecision(7))}`;
  const width = Math.max(...quantities.map(({ name }) => name.length));
  const { lossType, beta, labelSmoothing } = options;
  return [
    `${path}: ${rows} rows; loss ${lossType}, β ${beta}${labelSmoothing ? `, label smoothing ${labelSmoothing}` : ""}`,
    ...quantities.flatMap(({ name, compared, agree, largestDifference, firstDiffering, mistakes }) => [
      `${name.padEnd(width)}  ${agree} of ${compared} agree, largest difference ${largestDifference.toPrecision(2)}`,
      ...(firstDiffering
        ? [
            `  first: line ${firstDiffering.line}, theirs ${digits(firstDiffering.theirs)}, ours ${digits(firstDiffering.ours)}`,
            mistakes.length > 0
              ? `  likely cause: ${mistakes.join("; or ")} (gives their number in every row)`
              : "  likely cause: none of the known mistakes gives their numbers",
          ]
        : []),
    ]),
    agrees ? "all agree" : "they differ",
  ].join("\n");
}

const positive = (text: string) => numberOf(text, "a number above 0", (x) => x > 0);
const share = (text: string) => numberOf(text, "a probability from 0 to 0.5", (x) => x >= 0 && x <= 0.5);

function numberOf(text: string, expected: string, fits: (x: number) => boolean): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value) || !fits(value))
    throw new InvalidArgumentError(`expected ${expected}`);
  return value;
}

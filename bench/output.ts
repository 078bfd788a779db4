/**
 * @file What the benchmarks print and save: tables, the machine, bench/results/<date>-<cpu>.json.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg, totalmem } from "node:os";
import { here } from "./contenders.ts";
import type { Interval } from "./statistics.ts";

const cpu = cpus()[0]?.model ?? "unknown";

/** The first column to the left, the others to the right. */
export function printTable(table: string[][]) {
  const widths = table[0].map((_, column) => Math.max(...table.map((row) => row[column].length)));
  for (const row of table)
    console.log(row.map((cell, i) => (i ? cell.padStart(widths[i]) : cell.padEnd(widths[i]))).join("  "));
}

export const showInterval = ({ median, low, high }: Interval) =>
  `${median.toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)})`;

export const showBytes = (bytes: number | null) => (bytes === null ? "-" : `${Math.round(bytes / 2 ** 20)} MiB`);

/** Says on which machine this is, and warns when it is busy. */
export function describeMachine() {
  const load = loadavg()[0];
  console.log(`${cpu} · ${availableParallelism()} threads · node ${process.versions.node} · load ${load.toFixed(1)}`);
  if (load > 0.5) console.log("the machine is busy: wait for a load below 0.5, or do not believe the numbers");
  return {
    ...{ cpu, threads: availableParallelism(), memoryBytes: totalmem() },
    ...{ platform: `${process.platform} ${process.arch}`, node: process.versions.node, loadBefore: load },
  };
}

/** Writes bench/results/<date>-<cpu><suffix>.json. */
export function save(suffix: string, machine: object, results: object) {
  const slug = cpu
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "");
  const date = new Date().toISOString().slice(0, 10);
  const name = `${date}-${slug}${suffix}.json`;
  const { dependencies } = JSON.parse(readFileSync(here("../package.json"), "utf8"));
  const content = { date, machine: { ...machine, loadAfter: loadavg()[0] }, dependencies, ...results };
  mkdirSync(here("results"), { recursive: true });
  writeFileSync(here(`results/${name}`), `${JSON.stringify(content, null, 1)}\n`);
  console.log(`\nwritten: bench/results/${name}`);
}

/**
 * @file Is an engine TensorFlow.js? Runs TensorFlow.js core's own tests against it and counts by op:
 *
 *     npm run conformance -- --engine onnx
 *
 * Exits 0 when nothing outside the committed list of exclusions (exclusions.ts) fails.
 */
import { writeFileSync } from "node:fs";
import * as tf from "@tensorflow/tfjs-core";
import { Command } from "commander";
import { main, parse } from "../src/cli/options.ts";
import { UserError } from "../src/util/assert.ts";
import { EXCLUSIONS } from "./exclusions.ts";
import { loadSuite, type TestResult } from "./suite.ts";

interface Options {
  engine: string;
  filter: string;
  json?: string;
  failures?: true;
}

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
  /** Of those that passed: with a kernel that runs on the host. */
  onHost: number;
}

/** Without it, webgpu gives small arrays to TensorFlow.js' CPU kernels, which are not what is tested. */
const FLAGS: Partial<Record<string, Record<string, boolean>>> = { webgpu: { WEBGPU_CPU_FORWARD: false } };

function count(results: TestResult[]): Counts {
  const of = (status: TestResult["status"]) => results.filter((result) => result.status === status);
  const passed = of("passed");
  return {
    passed: passed.length,
    failed: of("failed").length,
    skipped: of("skipped").length,
    onHost: passed.filter(({ onHost }) => onHost.length > 0).length,
  };
}

const percent = (part: number, whole: number) => `${((100 * part) / Math.max(1, whole)).toFixed(2)} %`;

function table(rows: [string, Counts][]): string {
  const width = Math.max(...rows.map(([name]) => name.length));
  const line = (name: string, cells: (string | number)[]) =>
    name.padEnd(width) + cells.map((cell) => String(cell).padStart(9)).join("");
  return [
    line("", ["passed", "failed", "skipped", "on host"]),
    ...rows.map(([name, { passed, failed, skipped, onHost }]) => line(name, [passed, failed, skipped, onHost])),
  ].join("\n");
}

await main(async () => {
  const options = parse<Options>(
    new Command("conformance")
      .description("Runs TensorFlow.js core's own tests against an engine.")
      .requiredOption("--engine <name>", "the engine: onnx, wasm, cpu, ...")
      .option("--filter <text>", "only the tests whose name contains this", "")
      .option("--json <file>", "write every result to this file")
      .option("--failures", "print the name and the first error line of each test that fails"),
    process.argv,
  );
  const suite = await loadSuite();
  const { startEngine } = await import("../src/engine/engine.ts"); // after the suite: our gradients replace the shipped
  const { takeHostKernels } = await import("../src/engine/lazy/host.ts");
  const { takeDeviceFailure } = await import("../src/engine/webgpu.ts");
  const { name } = await startEngine(options.engine);

  const exclusions = EXCLUSIONS.filter(({ engines }) => engines?.includes(name) ?? true);
  const excluded = (test: string) => exclusions.some(({ tests }) => tests.test(test));
  const started = Date.now();
  const all = await suite.run(
    { name, backend: tf.getBackend(), flags: FLAGS[name] ?? {} },
    { include: (test) => test.includes(options.filter) && !excluded(test), takeDeviceFailure, takeHostKernels },
  );
  const results = all.filter((result) => result.name.includes(options.filter));
  if (results.length === 0) throw new UserError(`--filter ${options.filter}: no test has this in its name`);

  const ops = new Map<string, TestResult[]>();
  for (const result of results) ops.set(result.op, [...(ops.get(result.op) ?? []), result]);
  const total = count(results);
  console.log(table([...[...ops].map(([op, tests]): [string, Counts] => [op, count(tests)]), ["all", total]]));
  for (const { tests, reason } of exclusions) {
    const size = results.filter((result) => tests.test(result.name)).length;
    if (size > 0) console.log(`skipped: ${size} tests ${tests}: ${reason}`);
  }
  if (options.failures)
    for (const { name, status, error } of results) if (status === "failed") console.log(`FAILED ${name}: ${error}`);
  const tried = total.passed + total.failed;
  console.log(
    `${name}: ${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped in ${Math.round((Date.now() - started) / 1000)} s: ` +
      `${percent(total.passed, results.length)} of all ${results.length}, ${percent(total.passed, tried)} of the ${tried} not skipped; ` +
      `${total.onHost} of those that passed use a kernel that runs on the host`,
  );
  if (options.json) writeFileSync(options.json, `${JSON.stringify({ engine: name, ...total, results }, null, 1)}\n`);
  process.exitCode = total.failed > 0 ? 1 : 0;
});

/**
 * @file TensorFlow.js core's own tests, as its official backends run them: every gradient and every chained op is
 * registered, one test environment is named after the backend, and Jasmine runs the tests one after the other.
 *
 * The tests ship inside the npm package as ES modules that Node cannot load as they are (no file endings in their
 * imports), so esbuild bundles them first. The bundle has a copy of tfjs-core of its own; engine, backends, kernels and
 * gradients are the same ones all the same, because tfjs-core keeps them in the global scope.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const require = createRequire(import.meta.url);

const ENTRY = `
  import "@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops";
  import "@tensorflow/tfjs-core/dist/register_all_gradients";
  import { setTestEnvs } from "@tensorflow/tfjs-core/dist/jasmine_util";
  export function describeAll(testEnv) {
    setTestEnvs([testEnv]);
    require("@tensorflow/tfjs-core/dist/tests");
  }
`;

export interface TestResult {
  /** The outermost group, in most cases an op. */
  op: string;
  /** Groups and test, without the name of the engine. */
  name: string;
  status: "passed" | "failed" | "skipped";
  /** First line of the first error. */
  error?: string;
  /** Kernels of the engine that ran on the host although it has a device or a compiler for others. */
  onHost: string[];
}

export interface Suite {
  /** Runs the tests that `include` names; what it leaves out is "skipped". */
  run(engine: TestedEngine, options: SuiteOptions): Promise<TestResult[]>;
}

interface TestedEngine {
  name: string;
  backend: string;
  /** TensorFlow.js' flags for all tests. */
  flags: Record<string, boolean>;
}

interface SuiteOptions {
  include: (name: string) => boolean;
  /** What the engine's device refused since the last call, beside the program: that fails the test. */
  takeDeviceFailure: () => Promise<string | undefined>;
  /** The host kernels that ran since the last call. */
  takeHostKernels: () => string[];
}

interface Spec {
  description: string;
  fullName: string;
  status: string;
  failedExpectations: { message: string }[];
}

/** Loads the tests. Call it before the engine's own gradients are registered: the later registration counts. */
export async function loadSuite(): Promise<Suite> {
  const folder = mkdtempSync(join(tmpdir(), "conformance-"));
  const outfile = join(folder, "suite.cjs");
  try {
    await build({
      stdin: { contents: ENTRY, resolveDir: fileURLToPath(new URL(".", import.meta.url)) },
      outfile,
      bundle: true,
      platform: "node",
      format: "cjs",
      external: ["node-fetch"],
      ignoreAnnotations: true, // the package declares its tests free of side effects, which would drop them
      logLevel: "error",
    });
    const jasmine = require("jasmine-core").boot(); // defines describe, it and expect
    const { describeAll } = require(outfile);
    return { run: (engine, options) => run(jasmine, describeAll, engine, options) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function run(
  // biome-ignore lint/suspicious/noExplicitAny: jasmine-core has no types of its own
  jasmine: any,
  describeAll: (testEnv: object) => void,
  { name, backend, flags }: TestedEngine,
  { include, takeDeviceFailure, takeHostKernels }: SuiteOptions,
): Promise<TestResult[]> {
  const suffix = ` ${name} ${JSON.stringify(flags)}`; // how describeWithFlags marks the groups that use the backend
  const plain = (text: string) => text.replaceAll(suffix, "");
  describeAll({ name, backendName: backend, flags, isDataSync: true });
  const results: TestResult[] = [];
  const groups: string[] = [];
  const environment = jasmine.getEnv();
  environment.configure({
    random: false,
    specFilter: (spec: Spec & { getFullName(): string }) => include(plain(spec.getFullName())),
  });
  environment.addReporter({
    suiteStarted: ({ description }: Spec) => void groups.push(plain(description)),
    suiteDone: () => void groups.pop(),
    specStarted: () => void takeHostKernels(),
    specDone: async ({ fullName, status, failedExpectations }: Spec) => {
      const refused = status === "passed" || status === "failed" ? await takeDeviceFailure() : undefined;
      const result: TestResult = {
        op: groups[0],
        name: plain(fullName),
        status: refused ? "failed" : status === "passed" || status === "failed" ? status : "skipped",
        onHost: takeHostKernels(),
      };
      if (result.status === "failed")
        result.error = refused ?? failedExpectations[0]?.message.split("\n")[0] ?? "no message";
      results.push(result);
    },
  });
  await environment.execute();
  return results;
}

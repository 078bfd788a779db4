/**
 * @file On which engines the parity suite runs. `npm test`: those that every installation has and GPU.js on the CPU,
 * without the big cases.
 * `npm run parity` (scripts/parity.ts): every engine of ENGINES in a process of its own, named by PARITY_ENGINE, with
 * the big cases; one that cannot start on this machine is a skipped test whose name says why.
 */
import { beforeAll, describe, test } from "vitest";
import { type EngineName, startEngine } from "../../src/engine/engine.ts";
import { ALWAYS } from "../engines.ts";

const asked = process.env.PARITY_ENGINE as EngineName | undefined;

/** Big arrays and long loops too. */
export const FULL = asked !== undefined;

/** Half a minute a case where there is no GPU: these get fewer of the cases that differ little. */
export const SLOW: readonly EngineName[] = ["webgpu", "gpujs-webgpu"];

const missing =
  asked === undefined || ALWAYS.includes(asked)
    ? null
    : await startEngine(asked).then(
        () => null,
        (error: Error) => /cannot start here \((.*)\); leave/s.exec(error.message)?.[1] ?? error.message,
      );

/** Describes the same tests for each engine; `npm test` has the `usual` ones only. */
export function onEveryEngine(
  tests: (engine: EngineName) => void,
  usual: readonly EngineName[] = [...ALWAYS, "gpujs-webasm"],
) {
  if (missing !== null) test.skip(`${asked}: not here: ${missing}`, () => {});
  else
    for (const engine of asked ? [asked] : usual)
      describe(`engine ${engine}`, () => {
        beforeAll(async () => {
          await startEngine(engine);
        });
        tests(engine);
      });
}

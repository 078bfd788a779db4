/**
 * @file The engines that tests of every engine run on: those that every installation has, or the one that
 * PARITY_ENGINE names (optional ones such as `tensorflow` are tested so).
 */
import type { EngineName } from "../src/engine/engine.ts";

/** What `npm ci` installs for every machine: that one of them does not start is a failure, not a skip. */
export const ALWAYS: readonly EngineName[] = ["onnx", "wasm", "cpu"];

export const ENGINES: readonly EngineName[] = process.env.PARITY_ENGINE
  ? [process.env.PARITY_ENGINE as EngineName]
  : ALWAYS;

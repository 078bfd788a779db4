/**
 * @file Tests of TensorFlow.js core that say nothing about an engine, and why. They are not run and count as skipped;
 * the report gives the share of all tests, with these, and of the others.
 */
import { GPUJS_EXCLUSIONS } from "./gpujs.ts";
import { TENSORFLOW_EXCLUSIONS } from "./tensorflow.ts";
import { WEBGPU_EXCLUSIONS } from "./webgpu.ts";

export interface Exclusion {
  /** Matches a test's full name without the engine's. */
  tests: RegExp;
  reason: string;
  /** The engines that it is for; all of them when left out. */
  engines?: string[];
}

export const EXCLUSIONS: Exclusion[] = [...TENSORFLOW_EXCLUSIONS, ...WEBGPU_EXCLUSIONS, ...GPUJS_EXCLUSIONS];

/**
 * @file `marco-mini/testing`: property tests for other people's losses. A subject is a loss (or a step of gradient
 * accumulation) and what it claims to be; a claim that does not hold is explained by the smallest input that breaks it,
 * and by the known mistake that gives the same numbers, if there is one. examples/property-test-your-loss.ts shows it.
 *
 *     import { lossProperties } from "marco-mini/testing";
 *     for (const { name, check } of lossProperties({ kind: "preference", as: "sigmoid", beta: 0.1, loss: myLoss }))
 *       test(name, check);
 */
export {
  type CheckOptions,
  ClaimError,
  type ClaimResult,
  checkLoss,
  FLOAT32_TOLERANCE,
  type LossProperty,
  type LossReport,
  lossProperties,
  reportText,
  type Subject,
} from "./check.ts";
export type { Counterexample } from "./claim.ts";
export type { Pair, PreferenceLoss, PreferenceResult } from "./preference.ts";
export type { PreferenceClaim } from "./preferenceClaims.ts";
export { claimsOf, type PreferenceCheck } from "./preferencePlan.ts";
export type { StepCheck, StepClaim, StepResult } from "./step.ts";
export { batchOf as tokenBatch, type Row as TokenRow, type TokenBatch, type TokensLoss } from "./tokenBatch.ts";
export { crossEntropyOf } from "./tokenMistakes.ts";
export type { TokensCheck, TokensClaim } from "./tokens.ts";

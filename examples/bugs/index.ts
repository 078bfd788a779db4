/** @file The gallery: defects that public trainers had, by where they sit. */
import { AVERAGING_BUGS } from "./averaging.ts";
import type { Bug } from "./bug.ts";
import { DATA_BUGS } from "./data.ts";
import { MASK_BUGS } from "./mask.ts";
import { METRIC_BUGS } from "./metrics.ts";
import { MODEL_BUGS } from "./model.ts";
import { OPTIMIZER_BUGS } from "./optimizer.ts";
import { PACKING_BUGS } from "./packing.ts";
import { PREFERENCE_BUGS } from "./preference.ts";

export const FAMILIES: Record<string, Bug[]> = {
  "Which tokens count": MASK_BUGS,
  "What is averaged": AVERAGING_BUGS,
  "Packing and mixture": PACKING_BUGS,
  "The decoder": MODEL_BUGS,
  "Optimiser and schedule": OPTIMIZER_BUGS,
  Data: DATA_BUGS,
  Preferences: PREFERENCE_BUGS,
  "What is reported": METRIC_BUGS,
};

export const BUGS: Bug[] = Object.values(FAMILIES).flat();

/**
 * @file The sizes of the findings: small enough that every finding trains its models with several seeds. All CHOSEN; ratios
 * (mixtures, 160 : 140 tokens, 1 : 0.6 rates, warm-ups, the floor of a tenth) are the paper's, through src/train/presets.ts.
 */
import type { Preset } from "marco-mini";
import * as marco from "marco-mini";

/** What is scaled down as in a preset of the replication, and what only findings have. */
type Scaled =
  | "model"
  | "vocabSize"
  | "sequenceLength"
  | "batchSize"
  | "learningRateScale"
  | "base"
  | "continualSequences"
  | "tokenizerBytesPerLanguage";

export interface FindingsPreset extends Pick<Preset, Scaled> {
  name: string;
  /** Seeds 1 to so many, unless --seeds says otherwise. */
  seeds: number;
  /** Characters of each stream at most: more would never be read. */
  streamCharacters: number;
  evaluation: Pick<Preset["evaluation"], "multipleChoicePerLanguage" | "shots"> & {
    /** Characters of held-out text in each language; the corpus has 1,507 (ur) to 16,070 (fr). */
    heldOutCharacters: number;
    /** Held-out pairs of each direction. */
    translationPairs: number;
  };
}

const model = marco.PRESETS.default.model;

export const PRESETS = {
  /** Under ten minutes for all findings: shows that everything runs; the numbers mean little. */
  smoke: {
    name: "smoke",
    seeds: 3,
    model: { ...model, hiddenSize: 64, intermediateSize: 176, numHiddenLayers: 2 },
    vocabSize: 1024,
    sequenceLength: 128,
    batchSize: 8,
    learningRateScale: 300,
    base: { sequences: 480, learningRate: 6e-3 },
    continualSequences: 480,
    tokenizerBytesPerLanguage: 20_000,
    streamCharacters: 120_000,
    evaluation: { heldOutCharacters: 1000, multipleChoicePerLanguage: 4, shots: 1, translationPairs: 8 },
  },
  /** Under three hours for all findings on two quiet cores. */
  default: {
    name: "default",
    seeds: 4,
    model: { ...model, hiddenSize: 96, intermediateSize: 264, numHiddenLayers: 3 },
    vocabSize: 2048,
    sequenceLength: 128,
    batchSize: 8,
    learningRateScale: 300,
    base: { sequences: 24_000, learningRate: 6e-3 },
    continualSequences: 15_000,
    tokenizerBytesPerLanguage: 100_000,
    streamCharacters: 1_500_000,
    evaluation: { heldOutCharacters: 24_000, multipleChoicePerLanguage: 24, shots: 1, translationPairs: 40 },
  },
} satisfies Record<string, FindingsPreset>;

export type PresetName = keyof typeof PRESETS;

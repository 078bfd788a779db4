/**
 * @file The nodes of the mixture tuner: small runs from the base on drawn mixtures at a constant rate, what they measure, the
 * choice, and runs on it (paper section 3.2: tuned on the 1.5B model at a constant learning rate).
 */
import type { Language, Mixture, MixtureRun, MixtureSearch, MixtureSource, Objective, Shares } from "marco-mini";
import * as marco from "marco-mini";
import { type AnswerScores, knowledgeItems, meanOver, scoreAnswers, translationItems } from "../shared/answers.ts";
import { corpus, type StreamLengths, streamsNode } from "../shared/data.ts";
import { evaluationNode } from "../shared/evaluation.ts";
import type { Node } from "../shared/graph.ts";
import { GROUPS } from "../shared/groups.ts";
import type { FindingsPreset } from "../shared/presets.ts";
import { type ModelNode, pretrainNode, type Rate } from "../shared/training.ts";
import { baseModel, stageRate, stageSequences } from "../shared/trunk.ts";

export interface TunerSizes {
  runs: number;
  /** Of each small run. */
  sequences: number;
  /** Characters of held-out text in each language, pairs of each direction, questions of each task and language. */
  heldOutCharacters: number;
  pairs: number;
  questions: number;
}

/** All CHOSEN. */
const SIZES: Record<string, TunerSizes> = {
  smoke: { runs: 6, sequences: 120, heldOutCharacters: 600, pairs: 2, questions: 2 },
  default: { runs: 20, sequences: 640, heldOutCharacters: 3000, pairs: 4, questions: 3 },
};

export function tunerSizes({ name }: FindingsPreset): TunerSizes {
  const sizes = SIZES[name];
  if (!sizes) throw new Error(`no sizes of the mixture tuner for preset ${name}`);
  return sizes;
}

const SOURCES = marco.MIXTURE_SOURCES;

/**
 * Where mixtures are drawn around: half Table 2's Stage I, half equal shares, so that every source is seen with little and with
 * much (CHOSEN); the concentration gives a share of 20 % a standard deviation of 11 points.
 */
export const PRIOR = Object.fromEntries(
  SOURCES.map((source) => [source, marco.TABLE_2.stage1[source] / 200 + 0.5 / SOURCES.length]),
) as Record<MixtureSource, number>;
const CONCENTRATION = 12;

/** How often a stream may be read: four times are as good as new text (Muennighoff et al. 2023). */
const MAX_EPOCHS = 4;

/**
 * CHOSEN, after Table 4's groups: text of the 29 languages alike counts half, translation and knowledge a quarter each.
 * English and Chinese may not get worse than the base.
 */
const WEIGHTS = {
  ...Object.fromEntries(
    Object.entries(GROUPS).map(([group, { length }]) => [group, (2 * length) / marco.LANGUAGES.length]),
  ),
  translation: 1,
  knowledge: 1,
};
const LIMITS = { English: 0, Chinese: 0 };
/** What English and Chinese must be as good as: the base, or what a small run on Table 2's Stage I makes of it. */
export type AsGoodAs = "base" | "table2";

/** Shares in per mille: whole numbers, as the plan of a stage wants them. */
export const perMille = (mixture: Mixture): Shares =>
  marco.allocate(
    Object.fromEntries(SOURCES.map((source) => [source, Math.round(1e6 * mixture[source])])) as Shares,
    1000,
  );

/** The rate of Stage I, constant after its warm-up. */
const constantRate = (preset: FindingsPreset): Rate => ({ ...stageRate(preset, "stage1"), minRatio: 1 });

/** The mixture of the run `index` of this seed. */
export const drawn = (seed: number, index: number): Shares =>
  perMille(marco.drawMixture(PRIOR, CONCENTRATION, marco.makeRandom(seed, "mixture", String(index))));

export function smallRun(preset: FindingsPreset, seed: number, name: string, shares: Shares): ModelNode {
  return pretrainNode({
    ...{ preset, seed, name: `tuner-${name}`, from: baseModel(preset, seed), streams: streamsNode(preset), shares },
    sequences: tunerSizes(preset).sequences,
    rate: constantRate(preset),
  });
}

/** Bits per byte: of text by language, of translations and of answers to knowledge questions. */
export interface TunerScores {
  text: Record<string, number>;
  translation: AnswerScores;
  knowledge: AnswerScores;
}

export function tunerScores(of: ModelNode): Node<TunerScores> {
  const { preset, seed } = of;
  const { heldOutCharacters, pairs, questions } = tunerSizes(preset);
  return evaluationNode(of, {
    kind: "tuner-scores",
    settings: { heldOutCharacters, pairs, questions, seed },
    work: 7,
    run: async ({ model, tokenizer, contextLength }) => {
      const { records, facts } = corpus();
      const options = { seed, contextLength };
      const texts = Object.entries(
        marco.makeHeldOutTexts(records, heldOutCharacters, seed) as Record<Language, string[]>,
      );
      const text = texts.map(async ([language, some]) => {
        return [language, (await marco.bitsPerByte(model, tokenizer, some, contextLength)).bitsPerByte] as const;
      });
      const [translation, knowledge] = await Promise.all([
        scoreAnswers(model, translationItems(records, tokenizer, { ...options, each: pairs })),
        scoreAnswers(model, knowledgeItems(records, facts, tokenizer, { ...options, each: questions })),
      ]);
      return { text: Object.fromEntries(await Promise.all(text)), translation, knowledge };
    },
  });
}

/** ln(bits per byte / the base's), by group of languages (mean over them), of translation and of knowledge. */
export function measuresOf(scores: TunerScores, base: TunerScores): Record<string, number> {
  const groups = Object.entries(GROUPS).map(([group, languages]) => {
    const logs = languages.map((language) => Math.log(scores.text[language] / base.text[language]));
    return [group, logs.reduce((a, b) => a + b, 0) / logs.length] as const;
  });
  const answers = (["translation", "knowledge"] as const).map((what) => {
    const of = (one: TunerScores) => meanOver(one[what], marco.LANGUAGES, "bitsPerByte");
    return [what, Math.log(of(scores) / of(base))] as const;
  });
  return Object.fromEntries([...groups, ...answers]);
}

export const objectiveOf = (measures: Record<string, number>) => marco.weightedMean(WEIGHTS, measures);

export interface Choice extends MixtureSearch {
  /** In per mille. */
  shares: Shares;
  runs: MixtureRun[];
  objectiveFit: { rSquared: number; spearman: number };
  bounds: Objective["bounds"];
  /** What kept a share from being greater, where the choice is at its bound. */
  limited: Record<string, "the text there is" | "the runs">;
}

/** A small run on Table 2's Stage I. */
export const onTable2 = (preset: FindingsPreset, seed: number) =>
  tunerScores(smallRun(preset, seed, "table2", marco.TABLE_2.stage1));

/** Fits the small runs, and chooses the mixture of a Stage I of this preset. */
export function choiceNode(
  preset: FindingsPreset,
  seed: number,
  count = tunerSizes(preset).runs,
  asGoodAs: AsGoodAs = "base",
): Node<Choice> {
  const streams = streamsNode(preset);
  const base = tunerScores(baseModel(preset, seed));
  const runs = Array.from({ length: count }, (_, i) => {
    const shares = drawn(seed, i);
    return { shares, scores: tunerScores(smallRun(preset, seed, String(i + 1), shares)) };
  });
  const tokens = stageSequences(preset).stage1 * preset.sequenceLength;
  const table2 = asGoodAs === "table2" ? onTable2(preset, seed) : undefined;
  return {
    kind: "mixture-choice",
    name: `mixture-choice-${table2 ? "as-table2-" : ""}seed${seed}`,
    settings: { seed, weights: WEIGHTS, limits: table2 ? asGoodAs : LIMITS, maxEpochs: MAX_EPOCHS, tokens },
    parents: [streams, base, ...runs.map(({ scores }) => scores), ...(table2 ? [table2] : [])],
    work: 5,
    async run({ resultOf }) {
      const measured = runs.map(({ shares, scores }): MixtureRun => {
        const mixture = Object.fromEntries(SOURCES.map((source) => [source, shares[source] / 1000]));
        return { mixture, measures: measuresOf(resultOf(scores), resultOf(base)) };
      });
      if (!table2) return choose(measured, resultOf(streams), tokens, seed);
      const { English, Chinese } = measuresOf(resultOf(table2), resultOf(base));
      return choose(measured, resultOf(streams), tokens, seed, { English, Chinese });
    },
  };
}

/** The search over measured runs, for a stage of `tokens`. */
export function choose(
  runs: MixtureRun[],
  lengths: StreamLengths,
  tokens: number,
  seed: number,
  limits: Objective["limits"] = LIMITS,
): Choice {
  const bySource = Object.fromEntries(
    SOURCES.map((source) => [source, marco.streamsOf(source).map((stream) => lengths[stream])]),
  );
  const available = marco.availableShares(bySource, tokens, MAX_EPOCHS);
  const bounds = Object.fromEntries(
    SOURCES.map((source) => {
      const seen = runs.map(({ mixture }) => mixture[source]);
      const max = Math.min(Math.max(...seen), available[source]);
      return [source, { min: Math.min(...seen, max), max }];
    }),
  );
  const objective = { weights: WEIGHTS, limits, bounds };
  const found = marco.searchMixture(runs, SOURCES, objective, PRIOR, { random: marco.makeRandom(seed, "bootstrap") });
  const real = runs.map(({ measures }) => objectiveOf(measures));
  const leftOut = runs.map((_, i) =>
    objectiveOf(Object.fromEntries(Object.entries(found.fits).map(([name, { fit }]) => [name, fit.leftOut[i]]))),
  );
  const limited = SOURCES.filter((source) => found.mixture[source] > bounds[source].max - 1e-6).map((source) => [
    source,
    available[source] <= bounds[source].max ? "the text there is" : "the runs",
  ]);
  return {
    ...{ ...found, runs, bounds, shares: perMille(found.mixture), limited: Object.fromEntries(limited) },
    objectiveFit: { rSquared: marco.rSquared(real, leftOut), spearman: marco.spearman(real, leftOut) },
  };
}

/** A run on what was chosen, which is known only when the choice is finished. */
export function runOnChoice(choice: Node<Choice>, name: string, run: (shares: Shares) => ModelNode): ModelNode {
  const like = run(marco.TABLE_2.stage1); // of the same length, from the same parents
  const { shares: _, ...settings } = like.settings;
  return {
    ...{ ...like, kind: "pretrain-on-choice", name: `${name}-seed${like.seed}`, settings },
    parents: [...like.parents, choice],
    run: (node) => run(node.resultOf(choice).shares).run(node),
  };
}

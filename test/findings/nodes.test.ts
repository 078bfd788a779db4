/** The graphs of the findings on parallel, knowledge and synthetic data, fine-tuning and the mixture; the tuner's choice. */
import { describe, expect, test } from "vitest";
import { dpo } from "../../examples/findings/dpo.ts";
import { knowledgeSynthetic } from "../../examples/findings/knowledge-synthetic.ts";
import { choiceNode, choose, drawn, measuresOf, objectiveOf, PRIOR } from "../../examples/findings/mixture/nodes.ts";
import { mixtureTuner } from "../../examples/findings/mixture-tuner.ts";
import { parallelData } from "../../examples/findings/parallel-data.ts";
import { sftProgress } from "../../examples/findings/sft-progress.ts";
import { closure, hashOf, type Node } from "../../examples/findings/shared/graph.ts";
import { PRESETS } from "../../examples/findings/shared/presets.ts";
import { baseModel, stage1, stage2 } from "../../examples/findings/shared/trunk.ts";
import { type Language, MIXTURE_SOURCES, STREAM_NAMES } from "../../src/index.ts";

const FINDINGS = [parallelData, knowledgeSynthetic, sftProgress, dpo, mixtureTuner];
const nodesOf = (finding: (typeof FINDINGS)[number], preset: keyof typeof PRESETS, seed: number) =>
  closure(Object.values<Node>(finding.nodes(PRESETS[preset], seed)));

describe.each(["smoke", "default"] as const)("the nodes of preset %s", (name) => {
  const preset = PRESETS[name];
  const hashes = (finding: (typeof FINDINGS)[number], seed = 1) => new Set(nodesOf(finding, name, seed).map(hashOf));

  test.each(FINDINGS.map((finding) => [finding.name, finding] as const))(
    "%s branches from the base of its seed",
    (_, finding) => {
      expect(hashes(finding)).toContain(hashOf(baseModel(preset, 1)));
      expect(hashes(finding)).not.toContain(hashOf(baseModel(preset, 2)));
    },
  );

  test("are shared: Stage II by three findings, SFT by two, Stage I by four", () => {
    for (const finding of [knowledgeSynthetic, sftProgress, dpo])
      expect(hashes(finding)).toContain(hashOf(stage2(preset, 1)));
    expect(hashes(mixtureTuner)).toContain(hashOf(stage1(preset, 1)));
    const sft = nodesOf(dpo, name, 1).find(({ kind }) => kind === "sft")!;
    expect(hashes(sftProgress)).toContain(hashOf(sft));
  });

  test("two sizes of model have the same streams, filter and questions, and bases of their own", () => {
    const nodes = nodesOf(parallelData, name, 1);
    const count = (kind: string) => nodes.filter((node) => node.kind === kind).length;
    expect(count("planted-pairs")).toBe(1);
    expect(count("pair-streams")).toBe(2); // unfiltered and filtered
    expect(count("suite")).toBe(1);
    expect(count("pretrain")).toBe(8); // a base, none, unfiltered and filtered, twice
  });
});

describe("the tuner", () => {
  test("draws mixtures in whole per mille around its prior", () => {
    const draws = Array.from({ length: 200 }, (_, i) => drawn(1, i));
    for (const shares of draws) expect(MIXTURE_SOURCES.reduce((sum, source) => sum + shares[source], 0)).toBe(1000);
    for (const source of MIXTURE_SOURCES) {
      const mean = draws.reduce((sum, shares) => sum + shares[source], 0) / 200_000;
      expect(Math.abs(mean - PRIOR[source])).toBeLessThan(0.04);
    }
  });

  test("measures are logarithms against the base: 0 for the base itself, ln 2 for twice the bits", () => {
    const languages = [...STREAM_NAMES.slice(0, 29)] as Language[];
    const score = (bitsPerByte: number) => ({ n: 1, bitsPerByte, information: 0, accuracy: 0 });
    const scores = (bits: number) => ({
      text: Object.fromEntries(languages.map((language) => [language, bits])),
      translation: Object.fromEntries(languages.map((language) => [language, score(bits)])),
      knowledge: Object.fromEntries(languages.map((language) => [language, score(bits)])),
    });
    expect(Object.values(measuresOf(scores(2), scores(2))).every((x) => x === 0)).toBe(true);
    const twice = measuresOf(scores(4), scores(2));
    expect(Object.keys(twice)).toEqual(["English", "Chinese", "Other HR", "LR", "translation", "knowledge"]);
    for (const x of Object.values(twice)) expect(x).toBeCloseTo(Math.LN2, 12);
    expect(objectiveOf(twice)).toBeCloseTo(Math.LN2, 12);
  });

  /** Every measure falls with its own source, LR's most. */
  const runs = Array.from({ length: 24 }, (_, i) => {
    const shares = drawn(3, i);
    const mixture = Object.fromEntries(MIXTURE_SOURCES.map((source) => [source, shares[source] / 1000]));
    const falls = (source: string, slope: number) => -slope * Math.log(mixture[source] + 0.01) - slope * 2.3;
    const measures = {
      ...{ English: falls("english", 0.01), Chinese: falls("chinese", 0.01), "Other HR": falls("otherHR", 0.02) },
      ...{ LR: falls("LR", 0.2), translation: falls("parallel", 0.1), knowledge: falls("knowledge", 0.05) },
    };
    return { mixture, measures };
  });
  const much = Object.fromEntries(STREAM_NAMES.map((stream) => [stream, 1e9]));

  test("gives most to the source that helps most, keeps English and Chinese, and leaves what nothing measures at its least", () => {
    const { mixture, unmet, bounds, shares, objectiveFit } = choose(runs, much, 1e6, 1);
    expect(mixture.LR).toBe(Math.max(...Object.values(mixture)));
    expect(unmet).toEqual([]);
    expect(mixture.english).toBeGreaterThan(0.085); // where ln(share + 0.01) is -2.3
    expect(mixture.synthetic).toBeCloseTo(bounds.synthetic.min, 2);
    expect(Object.values(shares).reduce((a, b) => a + b)).toBe(1000);
    expect(objectiveFit.spearman).toBeGreaterThan(0.95);
  });

  test("reads no stream more than four times, and says what limits it", () => {
    // 1,000 tokens of one LR language, and 19 share equally: 19,000 four times are 7.6 % of a million
    const { mixture, limited } = choose(runs, { ...much, ur: 1000 }, 1e6, 1);
    expect(mixture.LR).toBeCloseTo(0.076, 4);
    expect(limited.LR).toBe("the text there is");
  });

  test("a tighter limit gives more to the source that it protects, at a cost, and is another choice", () => {
    const base = choose(runs, much, 1e6, 1);
    const tighter = choose(runs, much, 1e6, 1, { English: -0.01, Chinese: 0 }); // ln(share + 0.01) at least -1.3
    expect(tighter.mixture.english).toBeCloseTo(Math.exp(-1.3) - 0.01, 2);
    expect(base.mixture.english).toBeLessThan(0.2);
    expect(tighter.objective).toBeGreaterThan(base.objective);
    const preset = PRESETS.smoke;
    expect(hashOf(choiceNode(preset, 1, 6, "table2"))).not.toBe(hashOf(choiceNode(preset, 1, 6)));
  });

  test("more runs are another choice, the same runs the same node", () => {
    const preset = PRESETS.smoke;
    expect(hashOf(choiceNode(preset, 1))).toBe(hashOf(choiceNode(preset, 1, 6)));
    expect(hashOf(choiceNode(preset, 1))).not.toBe(hashOf(choiceNode(preset, 1, 7)));
  });
});

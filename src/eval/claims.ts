/**
 * @file What a run was hoped to show, and whether it does: the miniature's versions of the paper's headline results.
 * A claim that does not hold is reported, never tuned away.
 */
import { HR_LANGUAGES, LR_LANGUAGES } from "../data/languages.ts";
import type { Claim, StageEvaluation } from "../util/results.ts";
import { wilson } from "../util/wilson.ts";

/** The groups of Table 4 that the miniature's tasks stand in for. */
const TASK_GROUPS = {
  understanding: ["continuation", "association"],
  knowledge: ["numbers", "cron", "currency", "capital", "officialLanguage"],
};

const percent = (x: number) => `${x >= 0 ? "+" : ""}${(100 * x).toFixed(1)} %`;

/** The claims of the evaluated stages (base, stage1, stage2, sft, dpo). */
export function makeClaims(evaluations: readonly StageEvaluation[]): Claim[] {
  const of = (stage: string) => evaluations.find((evaluation) => evaluation.stage === stage)!;
  const base = of("base");
  const stage2 = of("stage2");
  const mean = (evaluation: StageEvaluation) =>
    LR_LANGUAGES.reduce((sum, language) => sum + evaluation.bitsPerByte[language], 0) / LR_LANGUAGES.length;
  const lr = mean(stage2) / mean(base) - 1;
  const claims: Claim[] = [
    {
      name: "Stage II lowers the mean bits per byte of the 19 LR languages (Tables 5 to 7: LR gains most)",
      target: "at most -20 %",
      value: `${percent(lr)} (${mean(base).toFixed(3)} to ${mean(stage2).toFixed(3)})`,
      holds: lr <= -0.2,
    },
  ];
  for (const [language, name] of [
    ["en", "English"],
    ["zh", "Chinese"],
  ]) {
    const rise = stage2.bitsPerByte[language] / base.bitsPerByte[language] - 1;
    claims.push({
      name: `${name} is not forgotten after Stage II (bits per byte against the base)`,
      target: "at most +3 %",
      value: percent(rise),
      holds: rise <= 0.03,
    });
  }
  for (const [group, tasks] of Object.entries(TASK_GROUPS)) {
    const results = tasks.flatMap((task) =>
      HR_LANGUAGES.flatMap((language) => stage2.multipleChoice[task]?.[language] ?? []),
    );
    const n = results.reduce((sum, result) => sum + result.n, 0);
    const correct = results.reduce((sum, result) => sum + result.correct, 0);
    const chance = results.reduce((sum, result) => sum + result.n * result.chance, 0) / n;
    const { value, low, high } = wilson(correct, n);
    claims.push({
      name: `Multiple choice of ${group} in the HR languages is above chance after Stage II (${tasks.join(", ")})`,
      target: `95 % interval above ${(100 * chance).toFixed(1)} %`,
      value: `${(100 * value).toFixed(1)} % [${(100 * low).toFixed(1)}, ${(100 * high).toFixed(1)}] of ${n}`,
      holds: low > chance,
    });
  }
  const reward = of("dpo").preference!.rewardAccuracy!;
  claims.push({
    name: "DPO prefers the chosen answer of held-out pairs (reward accuracy against the SFT model)",
    target: "above 0.6",
    value: `${reward.value.toFixed(3)} [${reward.low.toFixed(3)}, ${reward.high.toFixed(3)}] of ${reward.n}`,
    holds: reward.value > 0.6,
  });
  return claims;
}

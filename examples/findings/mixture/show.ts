/** @file A chosen mixture beside Table 2's: a table and a chart. */
import * as Plot from "@observablehq/plot";
import type { Markup, Table } from "marco-mini";
import * as marco from "marco-mini";
import type { AsGoodAs, Choice } from "./nodes.ts";

const rowsOf = ({ mixture, intervals, bounds }: Choice) =>
  marco.MIXTURE_SOURCES.map((source) => ({
    source,
    share: 100 * mixture[source],
    low: 100 * intervals[source].low,
    high: 100 * intervals[source].high,
    least: 100 * bounds[source].min,
    most: 100 * bounds[source].max,
    stage1: marco.TABLE_2.stage1[source],
    stage2: marco.TABLE_2.stage2[source],
  }));

export function choiceTable(choice: Choice, caption: string): Table {
  return {
    caption: `${caption}: shares in per cent`,
    columns: ["choice", "Table 2, Stage I", "Stage II", "could be"],
    rows: rowsOf(choice).map(({ source, share, low, high, least, most, stage1, stage2 }) => ({
      label: source,
      cells: [
        { text: share.toFixed(1), value: share, note: `${low.toFixed(0)} to ${high.toFixed(0)}` },
        { text: `${stage1}`, value: stage1 },
        { text: `${stage2}`, value: stage2 },
        { text: `${least.toFixed(0)} to ${most.toFixed(0)}` },
      ],
    })),
    note: "Small: 95 % of the choices from runs drawn again. Could be: what the runs covered and four passes over the text allow.",
  };
}

export function choiceChart(choice: Choice, title: string): Markup {
  const rows = rowsOf(choice);
  return marco.figure(
    `${title}: the mixture chosen`,
    "per cent; bar: 95 % of choices from runs drawn again; stroke: Table 2's Stage I",
    rows.map(({ source, share, stage1 }) => `${source} ${share.toFixed(0)} against ${stage1}`).join("; "),
    {
      height: 230,
      marginLeft: 82,
      y: { domain: rows.map(({ source }) => source), label: null },
      marks: [
        Plot.gridX({ stroke: "var(--line)", strokeOpacity: 1, ticks: 5 }),
        Plot.axisX({ ticks: 5, tickSize: 3, label: "% of the tokens" }),
        Plot.axisY({ tickSize: 0, label: null }),
        Plot.ruleY(rows, {
          y: "source",
          x1: "low",
          x2: "high",
          stroke: "var(--stage2)",
          strokeOpacity: 0.4,
          strokeWidth: 5,
        }),
        Plot.tickX(rows, { x: "stage1", y: "source", stroke: "var(--text)", strokeWidth: 2 }),
        Plot.dot(rows, { x: "share", y: "source", r: 4, fill: "var(--stage2)" }),
      ],
    },
  );
}

/** How well each measure's regression predicts runs that it has not seen. */
export function fitTable(choices: readonly Choice[]): Table {
  return {
    caption: "Regressions",
    columns: choices.flatMap((_, i) => [`seed ${i + 1}`, "R²", "Spearman"]),
    rows: Object.keys(choices[0].fits).map((measure) => ({
      label: measure,
      cells: choices.flatMap(({ fits }) => {
        const { form, penalty, rSquared, spearman } = fits[measure];
        return [
          { text: `${form}, ${penalty}` },
          { text: rSquared.toFixed(2), value: rSquared },
          { text: spearman.toFixed(2), value: spearman },
        ];
      }),
    })),
    note: "Form and penalty that predict left-out runs best; R² and Spearman are of those predictions, so a little too good.",
  };
}

export function notesOf(choices: readonly Choice[], runs: number, asGoodAs: AsGoodAs): string[] {
  const level = asGoodAs === "base" ? "the base" : "a short run on Table 2's Stage I";
  const unmet = choices.flatMap(({ unmet }, i) => unmet.map((name) => `${name} (seed ${i + 1})`));
  const limited = [
    ...new Set(choices.flatMap(({ limited }) => Object.entries(limited).map(([source, by]) => `${source} by ${by}`))),
  ];
  return [
    `${runs} runs of a seed for seven shares: the intervals of the choice are wide, and stand beside it.`,
    limited.length > 0 ? `Shares that could not be greater: ${limited.join("; ")}.` : "No share is at its bound.",
    unmet.length > 0
      ? `No mixture keeps these as good as ${level}, by the prediction: ${unmet.join(", ")}; the choice comes as near as it can.`
      : `By the prediction English and Chinese stay as good as with ${level}.`,
    "Nothing measures what synthetic data is for, so its share only costs: the choice says nothing against it. Which mixture is best also depends on the " +
      "objective's weights, and on a base that has seen hardly any LR text; Table 2 was tuned for Qwen2.",
  ];
}

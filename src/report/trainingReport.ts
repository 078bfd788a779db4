/**
 * @file One page about one run of `marco sft` or `marco dpo`: curves of training and evaluation, the early-progress curve
 * beside the paper's Figure 7, languages, and what became of the data. Reads summary.json, metrics.jsonl, manifest.json.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../util/assert.ts";
import type { MetricsLine } from "../util/results.ts";
import { writeWhole } from "../util/runDir.ts";
import type { DataSummary, TrainingSummary } from "../util/trainingSummary.ts";
import { bySteps, languageBars, type Series, seriesOf } from "./charts.ts";
import { html, type Markup } from "./markup.ts";
import { charts, page, section, settings, tables } from "./page.ts";
import { labelOf } from "./paper.ts";
import { change, fixed, integer, percent, type Row, short, type Table } from "./tables.ts";

/** The paper's Figure 7: accuracy on MMMLU before SFT, after 230 and after 1150 steps. */
export const FIGURE_7 = { steps: 1150, early: 230, before: 40.8, atEarly: 59.3, atEnd: 60.1, gap: 29 };

/** Writes `report.html` into the folder of a run and returns its path. */
export function writeTrainingReport(folder: string): string {
  const path = join(folder, "report.html");
  const read = (name: string) => {
    try {
      return readFileSync(join(folder, name), "utf8");
    } catch {
      throw new UserError(`${join(folder, name)}: cannot be read; expected the folder of a marco sft or marco dpo run`);
    }
  };
  const metrics = read("metrics.jsonl").split("\n").filter(Boolean);
  const lines = metrics.map((line) => JSON.parse(line) as MetricsLine);
  writeWhole(path, renderTrainingReport(JSON.parse(read("summary.json")), lines, JSON.parse(read("recipe.json"))));
  return path;
}

const NAMES = { sft: "Supervised fine-tuning", dpo: "Direct preference optimisation" };
const GROUPS = { english: "English", chinese: "Chinese", otherHR: "Other HR", LR: "LR" };
const COLORS = { english: "var(--stage1)", chinese: "var(--dpo)", otherHR: "var(--sft)", LR: "var(--stage2)" };
type Group = keyof typeof GROUPS;

/** The page as text. */
export function renderTrainingReport(
  summary: TrainingSummary,
  metrics: MetricsLine[],
  recipe: Record<string, unknown>,
): string {
  const { method } = summary;
  const line = (label: string, color: string, metric: string): Series => {
    return { label, color, points: seriesOf(metrics, method, metric, "step") };
  };
  const color = `var(--${method})`;
  const one = (metric: string, title: string, subtitle: string, options = {}) =>
    bySteps(title, subtitle, [line("", color, metric)], options);
  const two = (title: string, subtitle: string, chosen: string, rejected: string) =>
    bySteps(title, subtitle, [line("chosen", "var(--good)", chosen), line("rejected", "var(--bad)", rejected)], {
      reference: [0, ""],
    });
  const dpo = method === "dpo";
  const training = section(
    "training",
    "Training",
    dpo
      ? "DPO raises the margin between chosen and rejected answers. Both rewards may fall while it grows: then the model writes neither, and the chosen answers' log-probability says so."
      : "Cross-entropy over the answers' tokens; each line of the log is the mean of its steps.",
    charts([
      one("loss", "Loss", dpo ? "per pair" : "nats per answer token"),
      one("learning_rate", "Learning rate", "by step", { rate: true }),
      one("grad_norm", "Gradient norm", "before clipping"),
      ...(dpo
        ? [
            two("Rewards", "β (log π − log π_ref)", "rewards/chosen", "rewards/rejected"),
            one("rewards/margins", "Margin", "rewards/margins", { reference: [0, ""] }),
            one("rewards/accuracies", "Accuracy", "rewards/accuracies", {
              reference: [0.5, "chance"],
              range: [0, 1.02],
            }),
            one("chosen_logp_shift", "Chosen answers", "log π − log π_ref, nats per token", { reference: [0, ""] }),
          ]
        : []),
    ]),
  );
  const metric = dpo ? "rewards/margins" : "loss";
  const score = dpo ? "rewards/accuracies" : "mean_token_accuracy";
  const groups = (what: string) =>
    (Object.keys(GROUPS) as Group[]).map((group) => line(GROUPS[group], COLORS[group], `eval_${group}_${what}`));
  const evaluation =
    summary.lastEvaluation &&
    section(
      "evaluation",
      "Held-out examples",
      "Before the first step, after 1, 2, 4, 8 ..., every evalSteps, and after the last.",
      charts([
        one("eval_loss", "Loss", dpo ? "per pair" : "nats per answer token"),
        one(`eval_${score}`, "Accuracy", `eval_${score}`),
        bySteps(dpo ? "Margin by group" : "Loss by group", `eval_GROUP_${metric}`, groups(metric)),
        bySteps("Early progress", `eval_GROUP_${score}`, groups(score)),
        languageBars(
          dpo ? "Margin by language" : "Loss by language",
          "after training; the stroke: before",
          languagesOf(summary, metric).map(({ label, before, after }) => ({ label, before, after })),
        ),
      ]),
      tables(...earlyProgress(summary, metrics, score), ...byLanguage(summary, metric, score)),
    );
  const data = section(
    "data",
    "Data",
    `${summary.rows} rows read, ${summary.quarantined} of them unusable (quarantine.jsonl). ${Object.entries(
      summary.notes,
    )
      .map(([note, count]) => `${note}: ${count}.`)
      .join(" ")}`,
    tables(
      dataTable("Training", summary.train),
      ...(summary.evaluation ? [dataTable("Held out", summary.evaluation)] : []),
    ),
  );
  const reproduce = section(
    "reproduce",
    "Reproduce",
    "Equal data, recipes and engines give equal models.",
    settings("Recipe", recipe),
  );
  return page(
    `${NAMES[method]}: ${summary.model}`,
    header(summary),
    [training, evaluation, data, reproduce],
    "summary.json, metrics.jsonl and recipe.json",
  );
}

function header(summary: TrainingSummary): Markup {
  const { method, model, reference, engine, parameters, steps, plannedSteps, epochs, best, modelIsBest, alarm } =
    summary;
  const facts: [string, string][] = [
    ["Model", model],
    ...(reference ? [["Reference", reference] as [string, string]] : []),
    ["Parameters", short(parameters)],
    ["Engine", engine],
    ["Steps", steps === plannedSteps ? `${steps}` : `${steps} of ${plannedSteps}`],
    ["Epochs", `${Number(epochs.toPrecision(3))}`],
    ["Examples", `${summary.train.examples}`],
    ...(best
      ? [
          [
            "Best",
            `step ${best.step}, ${best.metric} ${best.value.toPrecision(4)}${modelIsBest ? ", which is model/" : ""}`,
          ] as [string, string],
        ]
      : []),
  ];
  return html`<header>
<p class="kicker">marco-mini · a run of marco ${method}</p>
<h1>${NAMES[method]}</h1>
<dl class="facts">${facts.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
${alarm && html`<p class="lead bad"><span class="mark">Alarm</span> ${alarm}</p>`}
</header>`;
}

/** How much of the whole gain came in the first fifth of the steps, here and in the paper's Figure 7. */
function earlyProgress({ method, steps }: TrainingSummary, metrics: MetricsLine[], score: string): Table[] {
  if (method !== "sft") return [];
  const early = (steps * FIGURE_7.early) / FIGURE_7.steps;
  const row = (label: string, name: string): Row[] => {
    const points = seriesOf(metrics, "sft", name, "step");
    if (points.length < 2) return [];
    const [first, last] = [points[0].y, points[points.length - 1].y];
    const at = points.filter(({ x }) => x <= early).at(-1)!;
    const share = last === first ? undefined : (at.y - first) / (last - first);
    return [{ label, cells: [percent(first), percent(at.y), integer(at.x), percent(last), percent(share)] }];
  };
  const { before, atEarly, atEnd, gap } = FIGURE_7;
  const rows = (Object.keys(GROUPS) as Group[]).flatMap((group) => row(GROUPS[group], `eval_${group}_${score}`));
  const [hr, lr] = ["english", "LR"].map(
    (group) => seriesOf(metrics, "sft", `eval_${group}_${score}`, "step").at(-1)?.y,
  );
  const paper = [before, atEarly, FIGURE_7.early, atEnd, (100 * (atEarly - before)) / (atEnd - before)];
  const ours =
    hr !== undefined && lr !== undefined
      ? ` Here English is ${(100 * (hr - lr)).toFixed(1)} points above LR at the end.`
      : "";
  return [
    {
      caption: "Early-progress curve",
      columns: ["before, %", "early, %", "at step", "end, %", "gain by then, %"],
      rows: [
        ...row("All", `eval_${score}`),
        ...rows,
        { label: "Paper (Figure 7, MMMLU)", kind: "average", cells: paper.map((x, i) => fixed(x, i === 2 ? 0 : 1)) },
      ],
      note: `"Early" is a fifth of the steps, as 230 of 1150. The paper measures MMMLU, this the answers' tokens: compare the shapes. Its gap of about ${gap} points between HR and LR persists.${ours}`,
    },
  ];
}

/** The languages that were evaluated, with a metric of theirs before the first step and after the last. */
function languagesOf(
  { firstEvaluation, lastEvaluation }: Pick<TrainingSummary, "firstEvaluation" | "lastEvaluation">,
  metric: string,
) {
  const suffix = `_${metric}`;
  const skip = ["eval", ...Object.keys(GROUPS).map((group) => `eval_${group}`)];
  return Object.entries(lastEvaluation ?? {})
    .filter(([name]) => name.startsWith("eval_") && name.endsWith(suffix))
    .map(([name, after]) => ({ name, after, prefix: name.slice(0, -suffix.length) }))
    .filter(({ prefix }) => !skip.includes(prefix))
    .map(({ name, after, prefix }) => {
      return { prefix, label: labelOf(prefix.slice("eval_".length)), before: firstEvaluation?.[name], after };
    });
}

function byLanguage(
  { method, firstEvaluation, lastEvaluation }: TrainingSummary,
  metric: string,
  score: string,
): Table[] {
  if (!lastEvaluation) return [];
  const prefixes = languagesOf({ lastEvaluation }, metric).map(({ prefix }) => prefix);
  const rows = ["eval", ...prefixes].map((prefix): Row => {
    const at = (when: Record<string, number> | undefined, name: string) => when?.[`${prefix}_${name}`];
    const [a, b] = [at(firstEvaluation, metric), at(lastEvaluation, metric)];
    return {
      label: prefix === "eval" ? "All" : labelOf(prefix.slice("eval_".length)),
      kind: prefix === "eval" ? "average" : undefined,
      cells: [
        ...[fixed(a, 3), fixed(b, 3)],
        change(a === undefined || b === undefined ? undefined : b - a, 3, method === "sft" ? "down" : "up"),
        ...[percent(at(firstEvaluation, score)), percent(at(lastEvaluation, score))],
      ],
    };
  });
  const name = method === "sft" ? "loss" : "margin";
  return [
    { caption: "By language", columns: [`${name} before`, "after", "change", "accuracy before, %", "after, %"], rows },
  ];
}

function dataTable(
  caption: string,
  { examples, dropped, truncated, packedRows, utilisation, byLanguage }: DataSummary,
): Table {
  const sum = (field: "tokens" | "answerTokens") => Object.values(byLanguage).reduce((n, one) => n + one[field], 0);
  const [tokens, answers] = [sum("tokens"), sum("answerTokens")];
  const facts = [
    ...(packedRows === undefined ? [] : [`${packedRows} rows, ${(100 * utilisation!).toFixed(1)} % full`]),
    ...Object.entries(dropped).map(([reason, count]) => `dropped ${reason}: ${count}`),
    `truncated: ${truncated}`,
  ];
  return {
    caption,
    columns: ["examples", "tokens", "share, %", "answer tokens", "share, %"],
    rows: [
      ...Object.entries(byLanguage).map(
        ([language, one]): Row => ({
          label: labelOf(language),
          cells: [
            integer(one.examples),
            integer(one.tokens),
            percent(one.tokens / tokens),
            integer(one.answerTokens),
            percent(one.answerTokens / answers),
          ],
        }),
      ),
      {
        label: "All",
        kind: "average",
        cells: [integer(examples), integer(tokens), percent(1), integer(answers), percent(1)],
      },
    ],
    note: facts.join("; "),
  };
}

/**
 * One page about one run: `writeReport(directory)` reads the run folder and writes `report.html` beside the results.
 * The page needs no network, no server and no script; its policy forbids all three. Light and dark follow the reader's
 * setting, tables scroll on a phone, and it prints. The same results give the same bytes.
 */
import { join } from "node:path";
import type { Results, StageName } from "../util/results.ts";
import { writeWhole } from "../util/runDir.ts";
import {
  accuracyChart,
  bitsPerByteCharts,
  dpoCharts,
  forgettingChart,
  mixtureCharts,
  trainingCharts,
  translationChart,
  winLossTieChart,
} from "./charts.ts";
import { html, type Markup } from "./markup.ts";
import { beside, charts, page, section, settings, table, tables } from "./page.ts";
import { groupOf } from "./paper.ts";
import { type Run, readRun } from "./readRun.ts";
import {
  accuracyTable,
  bitsPerByteTable,
  type Cell,
  type Direction,
  directionBlocks,
  directionLabel,
  directions,
  duration,
  fixed,
  forgettingTable,
  mean,
  meanAccuracy,
  mixtureTable,
  percent,
  preferenceTable,
  STAGE_LABELS,
  short,
  signatures,
  tasks,
  timesTable,
  totalSeconds,
  translationOf,
  translationTable,
  utilisationTable,
  winLossTieTable,
} from "./tables.ts";

/** Writes `report.html` into the run folder and returns its path. The page appears whole or not at all. */
export function writeReport(directory: string): string {
  const path = join(directory, "report.html");
  writeWhole(path, renderReport(readRun(directory)));
  return path;
}

/** The page as text. */
export function renderReport(run: Run): string {
  const { results } = run;
  const sections = results.evaluations.length === 0 ? [training(run), data(results)] : all(run);
  const title = `${results.preset}, seed ${results.seed}: Marco-LLM in miniature`;
  const main = [claims(results), ...sections, reproduce(run)];
  return page(title, header(results), main, "results.json, metrics.jsonl and manifest.json");
}

function all(run: Run): (Markup | undefined)[] {
  const { results } = run;
  return [training(run), data(results), languages(results), choices(results), translation(results), preference(run)];
}

// ------------------------------------------------------------------------------------------------ head

function header({ preset, seed, engine, model, times, evaluations, claims, tokenizer }: Results): Markup {
  const facts: [string, string][] = [
    ["Preset", preset],
    ["Seed", String(seed)],
    ["Parameters", short(model.parameters)],
    ["Vocabulary", short(tokenizer.vocabSize)],
    ["Time", duration(totalSeconds(times))],
    ["Engine", `${engine.name}: ${engine.reason}`],
  ];
  const [first, last] = [evaluations[0], evaluations[evaluations.length - 1]];
  const cards: [string, string, string][] = [];
  const add = (label: string, from: Cell, to: Cell, note: string) => {
    if (from.value !== undefined && to.value !== undefined) cards.push([label, `${from.text} → ${to.text}`, note]);
  };
  if (evaluations.length > 1) {
    const bits = (e: typeof first, keep: (l: string) => boolean) =>
      fixed(mean(Object.keys(e.bitsPerByte).flatMap((l) => (keep(l) ? e.bitsPerByte[l] : []))), 3);
    const span = `${STAGE_LABELS[first.stage]} → ${STAGE_LABELS[last.stage]}`;
    const lr = (l: string) => groupOf(l) === "LR";
    add("Bits per byte, LR", bits(first, lr), bits(last, lr), `${span}, lower is better`);
    add(
      "Bits per byte, English",
      bits(first, (l) => l === "en"),
      bits(last, (l) => l === "en"),
      span,
    );
    const languages = Object.keys(last.bitsPerByte);
    const accuracy = (e: typeof first) => percent(meanAccuracy(e, languages));
    add("Multiple choice, %", accuracy(first), accuracy(last), `${span}, mean of tasks`);
    const chrf = (e: typeof first) => fixed(mean(e.translation.map((t) => t.chrf)), 1);
    add("Translation, chrF2", chrf(first), chrf(last), `${span}, mean of directions`);
  }
  const held = claims.filter((claim) => claim.holds).length;
  cards.push(["Claims that hold", `${held} of ${claims.length}`, "see below"]);
  return html`<header>
<p class="kicker">marco-mini · a run of the reference implementation of Marco-LLM (arXiv 2412.04003)</p>
<h1>Two-stage multilingual continual pretraining, SFT and DPO, in miniature</h1>
<dl class="facts">${facts.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
<div class="cards">${cards.map(
    ([label, value, note]) => html`<div><span>${label}</span><b>${value}</b><small>${note}</small></div>`,
  )}</div>
<p class="lead">The paper continues Qwen2 (1.5B to 72B parameters) on 300 billion tokens. This model has
${short(model.parameters)} parameters, so levels do not compare with the paper's; directions, shares and trade-offs do.
Numbers of the paper are marked as such.</p>
<nav>${[
    ["claims", "Claims"],
    ["training", "Training"],
    ["data", "Data"],
    ["languages", "Languages"],
    ["choices", "Multiple choice"],
    ["translation", "Translation"],
    ["preferences", "Preferences"],
    ["reproduce", "Reproduce"],
  ].map(([id, label]) => html`<a href="#${id}">${label}</a>`)}</nav>
</header>`;
}

function claims({ claims }: Results): Markup {
  return section(
    "claims",
    "Claims",
    "What was expected of the run before it started, and what came out.",
    html`<div class="scroll"><table class="claims"><thead><tr><th></th><th>claim</th><th>expected</th><th>measured</th></tr></thead>
<tbody>${claims.map(
      (
        c,
      ) => html`<tr class="${c.holds ? "good" : "bad"}"><td><span class="mark">${c.holds ? "✓ holds" : "✗ does not hold"}</span></td><th scope="row">${c.name}</th><td>${c.target}</td><td>${c.value}</td></tr>
`,
    )}</tbody></table></div>`,
  );
}

// ------------------------------------------------------------------------------------------------ sections

function training({ metrics }: Run): Markup {
  return section(
    "training",
    "Training curves",
    "Stage I and Stage II each warm up to their own maximal rate and decay by a cosine to a tenth of it (paper section " +
      "3.2). SFT and DPO have schedules of their own.",
    charts(trainingCharts(metrics)),
  );
}

function data(results: Results): Markup {
  return section(
    "data",
    "Data",
    "Stage II takes share from English, Chinese and the other higher-resourced languages and gives it to lower-resourced " +
      "languages and parallel, knowledge and synthetic data (paper Table 2).",
    charts(mixtureCharts(results)),
    tables(mixtureTable(results), utilisationTable(results)),
  );
}

function languages(results: Results): Markup {
  return section(
    "languages",
    "Languages",
    "Bits per byte do not depend on the tokenizer and compare models on one language; across languages they do not " +
      "compare, because scripts need different numbers of bytes.",
    beside([forgettingChart(results)], forgettingTable(results)),
    beside(bitsPerByteCharts(results), bitsPerByteTable(results)),
  );
}

function choices(results: Results): Markup | undefined {
  const names = tasks(results);
  if (names.length === 0) return undefined;
  return section(
    "choices",
    "Multiple choice",
    'The answer is the choice that the question makes more likely than it was before (acc_mutual_info). "Chance" ' +
      "is what guessing gives; with few items the interval is wide, and a difference inside it means nothing.",
    charts(names.map((task) => accuracyChart(results, task))),
    ...names.map((task, i) => {
      const { caption, ...rest } = accuracyTable(results, task);
      return html`<details${i === 0 && html` open`}><summary>${caption}</summary>${table({ caption, ...rest })}</details>`;
    }),
  );
}

function translation(results: Results): Markup | undefined {
  const all = directions(results);
  if (all.length === 0) return undefined;
  const samples = directionBlocks(all).map(
    ([label, members], i) =>
      html`<details${i === 0 && html` open`}><summary>${label}</summary><div class="cardgrid">${members.map((d) => sampleCards(results, d))}</div></details>`,
  );
  return section(
    "translation",
    "Translation",
    "Greedy, first line of the answer. chrF2 counts characters and needs no tokenizer, so it compares across languages; " +
      "BLEU depends on the tokenizer (Japanese and Thai: characters, because MeCab is not used).",
    charts([translationChart(results)]),
    tables(translationTable(results)),
    html`<p class="note">Signatures: ${signatures(results).map((s) => html`<code>${s}</code> `)}</p>`,
    html`<h3>Samples, side by side across the stages</h3>`,
    ...samples,
  );
}

/** One card per sample of a direction: source, reference and what each model made of it. */
function sampleCards({ evaluations }: Results, direction: Direction): Markup[] {
  const byStage = evaluations.flatMap((e) => {
    const found = translationOf(e, direction);
    return found ? [{ stage: e.stage, samples: found.samples }] : [];
  });
  return byStage[0].samples.map(
    (sample, i) => html`<table class="samples"><caption>${directionLabel(direction)}</caption><tbody>
${line("source", sample.source, direction.source)}
${line("reference", sample.reference, direction.target)}
${byStage.map(({ stage, samples }) => samples[i] && line(stage, samples[i].hypothesis, direction.target))}
</tbody></table>
`,
  );
}

/** One text of a sample; the direction of the script is left to the text, for Arabic, Hebrew and Urdu. */
function line(who: StageName | "source" | "reference", text: string, language: string): Markup {
  const label = who in STAGE_LABELS ? STAGE_LABELS[who as StageName] : who;
  const shown = text === "" ? html`<i>(nothing)</i>` : text;
  return html`<tr class="${who}"><th scope="row">${label}</th><td dir="auto" lang="${language}">${shown}</td></tr>`;
}

function preference(run: Run): Markup | undefined {
  const { results, metrics } = run;
  const measured = results.evaluations.some((e) => e.preference);
  if (!measured && !metrics.some((m) => m.stage === "dpo")) return undefined;
  const verdicts = winLossTieTable(results);
  return section(
    "preferences",
    "Preferences (DPO)",
    "DPO raises the margin between chosen and rejected answers; both rewards may fall while it grows. A win needs one " +
      "point of chrF2 against the reference more than the SFT model's answer, in both orders of presentation.",
    charts(dpoCharts(metrics)),
    measured
      ? beside([winLossTieChart(results)], preferenceTable(results), ...(verdicts ? [verdicts] : []))
      : undefined,
  );
}

function reproduce({ results, manifest }: Run): Markup {
  return section(
    "reproduce",
    "Reproduce",
    "Equal seeds and engines give equal results; only the times differ.",
    tables(timesTable(results)),
    settings("Model, engine and manifest", { engine: results.engine, model: results.model, manifest }),
  );
}

/**
 * @file report.html of a curation: what each stage dropped, by language, with examples, and a slider for each limit that
 * counts again from the ledger's numbers. One page without network: its policy allows its own script only.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { writeWhole } from "../../util/runDir.ts";
import { STAGES } from "./judge.ts";
import type { LedgerLine } from "./ledger.ts";
import { PAGE_SCRIPT, PAGE_STYLE } from "./reportPage.ts";

/** Documents whose numbers are in the page; of more, evenly spread ones. */
const MOST = 20_000;

/** Writes report.html beside ledger.jsonl in `folder`; returns its path. The ledger is read line by line. */
export async function writeCurationReport(folder: string, stages: readonly string[] = STAGES): Promise<string> {
  const path = join(folder, "report.html");
  const lines = () => createInterface({ input: createReadStream(join(folder, "ledger.jsonl")) });
  let total = 0;
  for await (const _ of lines()) total++;
  const step = Math.max(1, Math.ceil(total / MOST));
  const sample: LedgerLine[] = [];
  let number = 0;
  for await (const line of lines()) if (number++ % step === 0) sample.push(JSON.parse(line));
  writeWhole(path, renderCurationReport(sample, total, stages));
  return path;
}

/** The page as text. `total`: how many documents `lines` are a sample of. */
export function renderCurationReport(
  lines: readonly LedgerLine[],
  total: number,
  stages: readonly string[] = STAGES,
): string {
  const rules = [...new Set(lines.flatMap(({ measures }) => measures.map(({ stage, rule }) => `${stage} ${rule}`)))];
  const numberOf = new Map(rules.map((rule, i) => [rule, i]));
  const data = {
    stages,
    rules: rules.map((rule) => {
      const [stage, name] = rule.split(" ");
      const first = lines.flatMap(({ measures }) => measures).find((m) => m.stage === stage && m.rule === name)!;
      return { stage, rule: name, keep: first.keep };
    }),
    documents: lines.map(({ id, url, language, outcome, stage, reason, characters, measures, start, duplicateOf }) => ({
      ...{ id: visible(id), url: url && visible(url), language: language ?? "–" },
      ...{ outcome, stage, reason, characters, start: visible(start ?? "") },
      ...(duplicateOf ? { duplicateOf: duplicateOf.id } : {}),
      measures: measures.map((m) => [numberOf.get(`${m.stage} ${m.rule}`)!, round(m.value), round(m.limit)]),
    })),
  };
  const json = JSON.stringify(data)
    .replace(/</g, "\\u003c")
    .replace(/[\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16)}`);
  const hash = createHash("sha256").update(PAGE_SCRIPT).digest("base64");
  const share = lines.length < total ? `, of which ${lines.length} are shown` : "";
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-${hash}'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Curation report</title>
<style>${PAGE_STYLE}</style>
</head>
<body>
<header><h1>What was kept, what was dropped, and why</h1>
<p>${total} documents${share}. Move a limit, and the page counts again from the numbers that the rules measured; what
near duplicates and repeated passages would be among other documents is not computed again.</p></header>
<section><h2>Stages</h2><div id="stages"></div></section>
<section><h2>Reasons by language</h2><div id="reasons"></div></section>
<section><h2>Limits</h2><label>Language <select id="language"></select></label><p id="moved" aria-live="polite"></p><div id="limits"></div></section>
<section><h2>Documents</h2><label>Reason <select id="reason"></select></label><div id="documents"></div></section>
<noscript><p>The tables need the page's own script.</p></noscript>
<script type="application/json" id="data">${json}</script>
<script>${PAGE_SCRIPT}</script>
</body>
</html>
`;
}

/** Characters that change the order of others are written out (bad input 13). */
const visible = (text: string) =>
  text.replace(/[\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, (c) => `⟨U+${c.charCodeAt(0).toString(16).toUpperCase()}⟩`);

const round = (x: number) => Number(x.toPrecision(6));

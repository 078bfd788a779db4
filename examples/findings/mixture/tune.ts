/** @file The mixture tuner of one seed, as `marco tune-mixture` runs it: small runs, the choice, and a page of it. */
import { join } from "node:path";
import * as marco from "marco-mini";
import { runNodes } from "../shared/pool.ts";
import { PRESETS, type PresetName } from "../shared/presets.ts";
import { type Choice, choiceNode, tunerSizes } from "./nodes.ts";
import { choiceChart, choiceTable, fitTable, notesOf } from "./show.ts";

export { type Choice, PRESETS, type PresetName };

export interface TuneOptions {
  preset: PresetName;
  seed: number;
  /** Small runs; the preset's number without it. */
  runs?: number;
  out: string;
  jobs: number;
  engine: string;
  signal: AbortSignal;
  onProgress: (done: number, total: number, detail: string, left: number | undefined) => void;
}

/** Trains what is missing, chooses, and writes `OUT/PRESET/tune-mixture-SEED.html` and `.json`. */
export async function tuneMixture(options: TuneOptions): Promise<{ choice: Choice; page: string }> {
  const preset = PRESETS[options.preset];
  const { seed, runs = tunerSizes(preset).runs, out, jobs, engine, signal, onProgress } = options;
  const node = choiceNode(preset, seed, runs, "table2");
  const prepare = async () => {
    await marco.startEngine(engine, { onnxSession: { intraOpNumThreads: 1 } });
  };
  const store = await runNodes([node], { out, jobs, signal, prepare, onProgress });
  const choice = store.read(node)!.result;
  const path = join(out, options.preset, `tune-mixture-${seed}`);
  const { html, report } = marco;
  const title = `The mixture chosen for preset ${options.preset}, seed ${seed}`;
  const page = report.page(
    title,
    html`<header><p class="kicker">marco-mini · section 3.2 of Marco-LLM (arXiv 2412.04003) in miniature</p><h1>${title}</h1></header>`,
    [
      report.section(
        "choice",
        "Mixture",
        `From ${runs} short runs at a constant rate, beside the paper's Table 2.`,
        report.beside([choiceChart(choice, "Small runs")], choiceTable(choice, "Choice"), fitTable([choice])),
        html`<ul>${notesOf([choice], runs, "table2").map((note) => html`<li>${note}</li>`)}</ul>`,
      ),
    ],
    `tune-mixture-${seed}.json`,
  );
  marco.writeWhole(`${path}.json`, `${JSON.stringify(choice, null, 1)}\n`);
  marco.writeWhole(`${path}.html`, page);
  return { choice, page: `${path}.html` };
}

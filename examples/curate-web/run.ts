/** @file Planted pages through the real pipeline, and what it did with them. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { curate, type Language, type LedgerLine, parseRecipe, readChunks } from "marco-mini";
import { BLOCKED_DOMAINS, type Page, writeWarc } from "./plant.ts";
import { judgeOutcome, NEAR, type Outcome, type Text } from "./truth.ts";

/**
 * Writes pages.warc.gz and truth.jsonl into `out`, and the pipeline's results into its folder curated. The recipe has the
 * paper's own rules: Gopher's quality rules, FineWeb's and ROOTS' are for prose, and would drop most of the reference of a
 * programming interface before the search for duplicates sees it.
 */
export async function curatePlanted(
  pages: readonly Page[],
  { out, threads, languages }: { out: string; threads: number; languages?: readonly Language[] },
): Promise<Outcome> {
  mkdirSync(out, { recursive: true });
  const warc = join(out, "pages.warc.gz");
  writeFileSync(warc, writeWarc(pages));
  writeFileSync(join(out, "truth.jsonl"), pages.map(({ truth }) => `${JSON.stringify(truth)}\n`).join(""));
  const recipe = parseRecipe({
    ...(languages ? { languages } : {}),
    url: { domains: BLOCKED_DOMAINS },
    rules: { sets: ["paper", "gopherRepetition", "garbled", "blocklist"] },
    // Not datatrove's default: without it, every second pair of similarity 0.7 is taken for duplicates.
    minHash: { similarity: NEAR },
  });
  const folder = join(out, "curated");
  await curate({ inputs: [warc], out: folder, recipe, threads });
  const ledger: LedgerLine[] = readFileSync(join(folder, "ledger.jsonl"), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  const texts: Text[] = [];
  for (const { line, text } of readChunks(folder))
    if (text !== null) texts.push({ id: line.id, url: line.url!, language: line.language!, text });
  return judgeOutcome(pages, ledger, texts, recipe.languages);
}

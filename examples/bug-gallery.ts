/**
 * @file A gallery of the bugs that public trainers shipped, as a page to read and to show:
 *
 *     npx tsx examples/bug-gallery.ts                              runs/bug-gallery.html, in at most three minutes
 *     npx tsx examples/bug-gallery.ts --only mean-of-means --json
 *
 * For each bug the property is tried on our code, where it must hold, and on the broken variation, where fast-check must
 * find a counterexample; then both are run to see what the bug does. Exit code 1 if any of that is not so.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { Command } from "commander";
import * as marco from "marco-mini";
import { tryOut } from "./bugs/bug.ts";
import { BUGS, FAMILIES } from "./bugs/index.ts";
import { type Exhibit, renderGallery } from "./bugs/page.ts";

interface Options {
  out: string;
  only?: string[];
  seed: number;
  json?: boolean;
  pictures: boolean;
}

await marco.main(async () => {
  const command = new Command("bug-gallery")
    .description(
      "Public trainers' bugs: the property that catches each, its smallest counterexample, and what it does.",
    )
    .option("--out <file>", "the page", "runs/bug-gallery.html")
    .option("--only <ids...>", "these bugs only")
    .option("--seed <number>", "seed of fast-check", marco.wholeNumber("--seed", 0), 7)
    .option("--no-pictures", "properties and counterexamples only: seconds")
    .option("--json", "print what was found as JSON");
  const { out, only, seed, json, pictures } = marco.parse<Options>(command, process.argv);
  for (const id of only ?? [])
    if (!BUGS.some((bug) => bug.id === id))
      throw new marco.UserError(`--only ${id}: no such bug; expected one of ${BUGS.map((bug) => bug.id).join(", ")}`);
  const chosen = Object.entries(FAMILIES).flatMap(([family, bugs]) =>
    bugs.filter(({ id }) => !only || only.includes(id)).map((bug) => ({ family, bug })),
  );
  mkdirSync(dirname(out), { recursive: true });

  // ── The properties, on the engine that computes small things of many shapes fastest ─────────────────────────────
  const exhibits: Exhibit[] = [];
  await marco.startEngine("cpu");
  const properties = marco.startProgress("Properties");
  for (const { family, bug } of chosen) {
    properties.update(exhibits.length, chosen.length, bug.id);
    const correct = await tryOut(bug, bug.correct, seed);
    exhibits.push({ family, bug, correct, caught: await tryOut(bug, bug.broken, seed) });
  }
  properties.end(`${exhibits.filter(({ caught }) => caught).length} of ${exhibits.length} bugs caught`);

  // ── The pictures, on the engine that repeats a step fastest ─────────────────────────────────────────────────────
  if (pictures) {
    await marco.startEngine("onnx");
    const progress = marco.startProgress("Pictures");
    const interrupt = new AbortController();
    process.once("SIGINT", () => interrupt.abort()); // the second ends the process
    for (const [i, exhibit] of exhibits.entries()) {
      if (interrupt.signal.aborted) break;
      progress.update(i, exhibits.length, exhibit.bug.id);
      exhibit.picture = await exhibit.bug.picture();
    }
    const drawn = exhibits.filter(({ picture }) => picture).length;
    progress.end(`${drawn} of ${exhibits.length} runs, each with and without its bug`);
    if (interrupt.signal.aborted) process.exitCode = 130; // the page has what there is
  }

  writeFileSync(out, renderGallery(exhibits));
  const faults = exhibits.flatMap(({ bug, correct, caught, picture }) => [
    ...(correct ? [`${bug.id}: the property fails for our code: ${correct.counterexample}: ${correct.said}`] : []),
    ...(caught ? [] : [`${bug.id}: the property does not catch the bug`]),
    ...(picture && !picture.holds ? [`${bug.id}: the picture does not show what it should: ${picture.shows}`] : []),
  ]);
  for (const fault of faults) console.error(fault);
  if (faults.length > 0) process.exitCode ??= 1;
  if (json) {
    const found = exhibits.map(({ family, bug: { id, title, issue, claim }, caught, picture }) => ({
      ...{ id, title, family, issue, claim, caught, picture },
    }));
    console.log(JSON.stringify({ page: out, faults, bugs: found }, null, 2));
  } else console.log(`page: ${out}`);
});

/**
 * @file A run that is killed (kill -9) and started again writes the same bytes, wherever it was: while documents are judged,
 * compared, or written, on one thread or two.
 *
 *     MARCO_KILLS=20 npx vitest run test/data/curate/kill.test.ts     also at so many random times
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { corpusPages } from "../../../examples/curate-web/sources.ts";
import { loadCorpus } from "../../../src/data/corpus.ts";
import { readRecipe } from "../../../src/data/curate/recipe.ts";
import { curate } from "../../../src/data/curate/run.ts";
import { makeRandom } from "../../../src/util/random.ts";
import { makeWarc } from "../web/warcFile.ts";

const folder = mkdtempSync(join(tmpdir(), "marco-kill-"));
afterAll(() => rmSync(folder, { recursive: true }));
const at = (name: string) => join(folder, name);
const [input, recipe] = [at("pages.warc.gz"), at("recipe.json")];

const files = (out: string) =>
  (readdirSync(out, { recursive: true }) as string[])
    .filter((name) => statSync(join(out, name)).isFile())
    .sort()
    .map((name) => [name, readFileSync(join(out, name), "utf8")]);

/** Runs in a process of its own; `afterMs` counts from its first word. Says how far it came, and whether it was killed. */
function run(out: string, threads: number, { phase, afterMs }: { phase?: string; afterMs?: number } = {}) {
  return new Promise<{ killed: boolean; phase: string; ms: number }>((resolve, reject) => {
    const script = new URL("killed.ts", import.meta.url).pathname;
    const words = ["--import", "tsx", script, input, out, recipe, String(threads), ...(phase ? [phase] : [])];
    let began = 0; // the first document was judged
    const child = spawn(process.execPath, words, { stdio: ["ignore", "pipe", "inherit"] });
    let said = "";
    child.stdout.on("data", (data) => {
      if (said === "") began = performance.now();
      if (said === "" && afterMs !== undefined) timer = setTimeout(() => child.kill("SIGKILL"), afterMs);
      said += data;
    });
    let timer: NodeJS.Timeout | undefined;
    child.on("exit", (code, signal) => {
      clearTimeout(timer);
      if (code !== 0 && signal !== "SIGKILL") reject(new Error(`exit code ${code}`));
      const phase = said.trimEnd().split("\n").at(-1)!.split(" ")[0];
      resolve({ killed: signal === "SIGKILL", phase, ms: performance.now() - began });
    });
  });
}

let whole: ReturnType<typeof files>;
beforeAll(async () => {
  const pages = corpusPages(loadCorpus(), { languages: ["en", "de", "zh"], most: 30, seed: 3 });
  const twice = [...pages, ...pages.map((page) => ({ ...page, url: `${page.url}?again` }))];
  writeFileSync(
    input,
    makeWarc(
      twice.map(({ url, article }) => ({ url, body: `<html><body><article>${article}</article></body></html>` })),
      "records",
    ),
  );
  const rules = { sets: ["paper"] };
  writeFileSync(recipe, JSON.stringify({ languages: ["en", "de", "zh"], rules, substring: { bytes: 80 } }));
  await curate({ inputs: [input], out: at("whole"), recipe: readRecipe(recipe), threads: 1 });
  whole = files(at("whole"));
  const summary = JSON.parse(readFileSync(at("whole/summary.json"), "utf8"));
  expect(summary.stages.minHash.dropped).toBeGreaterThan(20);
  expect(whole.some(([name, text]) => name === "ledger.jsonl" && text.includes('"cuts"'))).toBe(true);
}, 60_000);

test("killed while documents are judged, compared and written, on two threads and on one: the same bytes", async () => {
  const kills = { documents: 2, passages: 1, writing: 1 };
  for (const [phase, threads] of Object.entries(kills))
    expect(await run(at("killed"), threads, { phase })).toMatchObject({ killed: true, phase });
  await curate({ inputs: [input], out: at("killed"), recipe: readRecipe(recipe), threads: 1 });
  expect(files(at("killed"))).toEqual(whole);
}, 60_000);

test("row 39: a chunk that lost its end is made again, and what was being written is not taken for whole", async () => {
  const chunk = at("whole/chunks/0000001.jsonl");
  truncateSync(chunk, statSync(chunk).size - 100);
  writeFileSync(at("whole/chunks/0000002.jsonl.partial"), "half of a li");
  rmSync(at("whole/chunks/0000002.jsonl"));
  await curate({ inputs: [input], out: at("whole"), recipe: readRecipe(recipe), threads: 1 });
  expect(files(at("whole"))).toEqual(whole);
}, 60_000);

const KILLS = Number(process.env.MARCO_KILLS ?? 0);
test.runIf(KILLS > 0)(
  "killed at random times: the same bytes",
  async () => {
    for (const threads of [1, 2]) {
      const random = makeRandom(7, "kills", String(threads));
      const { ms } = await run(at(`timed${threads}`), threads);
      const seen: Record<string, number> = {};
      for (let kill = 0; kill < KILLS; kill++) {
        const out = at(`random${threads}`);
        if (kill % 2 === 0) rmSync(out, { recursive: true, force: true });
        const { killed, phase } = await run(out, threads, { afterMs: ms * random.next() });
        seen[killed ? phase : "finished"] = (seen[killed ? phase : "finished"] ?? 0) + 1;
        if (kill % 2 === 0) continue; // the next goes on from here
        await run(out, threads);
        expect(files(out), `after kill ${kill}`).toEqual(whole);
      }
      console.log(`${threads} threads: ${JSON.stringify(seen)}`);
    }
  },
  1_200_000,
);

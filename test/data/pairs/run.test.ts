/**
 * @file `marco data pairs` from files to training text: planted bad pairs get their reasons, nothing is lost, and a stop
 * at any block, or a kill, changes no byte of what comes out.
 */
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadCorpus } from "../../../src/data/corpus.ts";
import { readRows } from "../../../src/data/files/readRows.ts";
import { type Identifier, loadIdentifier } from "../../../src/data/language/identify.ts";
import { parsePairsRecipe, readPairsRecipe } from "../../../src/data/pairs/recipe.ts";
import { type PairsRun, type PairsSummary, runPairs } from "../../../src/data/pairs/run.ts";

const folder = mkdtempSync(join(tmpdir(), "marco-pairs-"));
afterAll(() => rmSync(folder, { recursive: true }));
const at = (name: string) => join(folder, name);

const real = loadCorpus()
  .filter(({ kind, text }) => kind === "message" && text.en && text.de && text.en.split(" ").length >= 6)
  .map(({ text }) => [text.en!, text.de!].map((side) => side.replace(/\s+/g, " ")))
  .filter(([en, de]) => en !== de)
  .slice(0, 600);
const EN = "The committee accepted the proposal for the new building yesterday evening";
const DE = "Der Ausschuss nahm den Vorschlag für das neue Gebäude gestern Abend an";
const FR = "Le comité a accepté hier soir la proposition pour le nouveau bâtiment";
const planted: [source: string, target: string][] = [
  [EN, ""],
  ["", ""],
  [EN, EN.toUpperCase()],
  [DE, EN],
  [EN, FR],
];
const tsv = [...planted, ...real].map((pair) => pair.join("\t"));
const languages = { sourceLanguage: "en", targetLanguage: "de" };
const recipe = parsePairsRecipe({ block: 64, similarity: { sample: 400 } });
let identifier: Identifier;
beforeAll(async () => {
  identifier = await loadIdentifier();
  writeFileSync(at("a.tsv.gz"), gzipSync(`${tsv.join("\n")}\nno tab in this row\none\ttab\ttoo many\n`));
});
afterAll(() => identifier.dispose());

const run = (out: string, more: Partial<PairsRun> = {}) =>
  runPairs({ inputs: [at("a.tsv.gz")], out: at(out), recipe, ...languages, identify: identifier.identify, ...more });
const rowsOf = async (path: string) => {
  const rows = [];
  for await (const item of readRows(at(path))) if ("row" in item) rows.push(item.row);
  return rows;
};
const bytesOf = (out: string) =>
  (readdirSync(at(out), { recursive: true }) as string[])
    .filter((name) => statSync(join(at(out), name)).isFile() && !name.endsWith(".partial"))
    .sort()
    .map((name) => [name, readFileSync(join(at(out), name)).toString("latin1")]);

describe("a file with planted pairs", () => {
  let summary: PairsSummary;
  let ledger: Record<string, unknown>[];
  beforeAll(async () => {
    summary = await run("one");
    ledger = await rowsOf("one/ledger.jsonl");
  });

  test("every row is in the ledger once: in = kept + dropped + quarantined", async () => {
    expect(summary.in).toBe(tsv.length + 2);
    expect(ledger.length).toBe(summary.in);
    expect(summary.kept + summary.dropped + summary.quarantined).toBe(summary.in);
    expect((await rowsOf("one/kept.jsonl")).length).toBe(summary.kept);
    expect(summary.kept).toBeGreaterThan(0.5 * real.length);
  });

  test("row 23: an empty side, or two, is a pair that is dropped", () => {
    expect(ledger.slice(0, 2).map(({ reason }) => reason)).toEqual(["empty_side", "empty_side"]);
  });

  test("row 25: rows with too few or too many columns are set aside with their place, and the others go on", () => {
    expect(ledger.slice(-2)).toMatchObject([
      { outcome: "quarantined", line: tsv.length + 1, reason: "1 columns, expected 2", head: "no tab in this row" },
      { outcome: "quarantined", line: tsv.length + 2, reason: "3 columns, expected 2" },
    ]);
    expect(summary.quarantined).toBe(2);
  });

  test("row 26: equal, swapped and wrong sides have their reasons, and the swapped pair is offered exchanged", () => {
    expect(ledger.slice(2, 5).map(({ reason }) => reason)).toEqual(["identical", "swapped", "wrong_language(target)"]);
    expect(readFileSync(at("one/swapped.tsv"), "utf8").split("\n")[0]).toBe(`${EN}\t${DE}`);
  });

  test("a dropped pair has the measures of all rules", () => {
    const names = (ledger[4].measures as { rule: string }[]).map(({ rule }) => rule);
    for (const start of ["pair.", "paper.", "hardrules.", "opusfilter.", "similarity."])
      expect(names.filter((name) => name.startsWith(start))).not.toEqual([]);
  });

  test("stopped at the first, second, middle or last block and started again: the same bytes", async () => {
    const blocks = Math.ceil(summary.in / recipe.block);
    for (const stop of [0, 1, blocks >> 1, blocks]) {
      const controller = new AbortController();
      let seen = 0;
      const stopped = run("stopped", {
        signal: controller.signal,
        onProgress: ({ step }) => {
          if (step === "decide" && ++seen > stop) controller.abort();
        },
      });
      await stopped.catch(() => {});
    }
    mkdirSync(at("stopped/blocks"), { recursive: true });
    writeFileSync(at("stopped/blocks/000002.jsonl.partial"), "half a li"); // what a kill leaves
    await run("stopped");
    expect(bytesOf("stopped")).toEqual(bytesOf("one"));
  });

  test("another recipe is refused in the same folder", async () => {
    await expect(run("one", { recipe: { ...recipe, seed: 2 } })).rejects.toThrow(/another recipe or other inputs/);
  });
});

test("row 24: files with different numbers of lines are refused, with where they part", async () => {
  writeFileSync(at("m.en"), real.map(([en]) => `${en}\n`).join(""));
  writeFileSync(at("m.de"), real.flatMap(([, de], i) => (i === 41 ? [] : [`${de}\n`])).join(""));
  const refused = run("moses", { inputs: [at("m.en"), at("m.de")] });
  await expect(refused).rejects.toThrow(/m\.en has 600 lines and m\.de 599.*part at line (3\d|4\d)/);
});

test("row 27: text that spells a slot or the table's line break is training text as it is", async () => {
  const text = "Put <tgt_lang> and <output> here ^ and keep <input> as it is";
  writeFileSync(at("slots.tsv"), `${text}\tSetze <tgt_lang> und <output> hier ^ ein und lass <input> stehen\n`);
  const off = { similarity: false, identify: false, heuristics: false, hardRules: false, opusFilter: false };
  await run("slots", { inputs: [at("slots.tsv")], recipe: parsePairsRecipe(off) });
  const [{ text: rendered }] = (await rowsOf("slots/rendered.jsonl")) as { text: string }[];
  expect(rendered).toContain(text);
  expect(rendered.split("<tgt_lang>").length).toBe(3); // one in each side, none replaced
});

test("Moses files and a translation memory give the pairs in order, as Parquet", async () => {
  const some = real.slice(0, 60);
  writeFileSync(at("s.en"), some.map(([en]) => `${en}\n`).join(""));
  writeFileSync(at("s.de"), some.map(([, de]) => `${de}\n`).join(""));
  const tmx = `<tmx version="1.4"><body><tu><tuv xml:lang="en"><seg>${EN}</seg></tuv><tuv xml:lang="de"><seg>${DE}</seg></tuv></tu></body></tmx>`;
  writeFileSync(at("t.tmx"), tmx);
  const off = parsePairsRecipe({ output: "parquet", similarity: false, heuristics: false, hardRules: false });
  await run("mixed", { inputs: [at("s.en"), at("s.de"), at("t.tmx")], recipe: off });
  const kept = await rowsOf("mixed/kept.parquet");
  expect(kept.at(-1)).toMatchObject({ source: EN, target: DE });
  const sources = new Set(some.map(([en]) => en));
  expect(kept.slice(0, -1).every(({ source }) => sources.has(source as string))).toBe(true);
});

test("a side without the other, an unknown kind of file and one language are refused", async () => {
  const refused = (inputs: string[], more = {}) => run("no", { inputs, ...more });
  await expect(refused([at("m.en")])).rejects.toThrow(/its other side .*m\.de is not among the files/);
  await expect(refused([at("m.de")])).rejects.toThrow(/its other side .*m\.en is not among the files/);
  writeFileSync(at("x.docx"), "");
  await expect(refused([at("x.docx")])).rejects.toThrow(/unknown kind of file; expected \.tmx, \.tsv/);
  await expect(refused([at("m.en")], { targetLanguage: "en-GB" })).rejects.toThrow(/both languages are "en"/);
  expect(() => parsePairsRecipe({ blok: 3 })).toThrow(
    /Unrecognized key: "blok"; did you mean block\?; see marco data pairs/,
  );
});

test("the command, killed and started again, writes what one without a kill does", async () => {
  writeFileSync(at("r.json"), JSON.stringify({ block: 16, similarity: { sample: 200 }, quarantined: 0.1 }));
  const command = (out: string, kill?: RegExp) =>
    new Promise<number | null>((resolve) => {
      const args = ["bin/marco.js", "data", "pairs", at("a.tsv.gz"), "--out", at(out), "--recipe", at("r.json")];
      const child = spawn(process.execPath, [...args, "--source", "en", "--target", "de", "--json"], {
        stdio: "ignore",
      });
      const timer = setInterval(() => {
        if (kill && readdirSync(at(out), { recursive: true }).some((name) => kill.test(String(name))))
          child.kill("SIGKILL");
      }, 10);
      child.on("exit", (code) => {
        clearInterval(timer);
        resolve(code);
      });
    });
  mkdirSync(at("killed"));
  expect(await command("killed", /000003\.jsonl$/)).toBe(null);
  expect(await command("killed")).toBe(0);
  await run("whole", { recipe: readPairsRecipe(at("r.json")) });
  expect(bytesOf("killed")).toEqual(bytesOf("whole"));
}, 60_000);

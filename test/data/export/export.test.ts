/**
 * @file The datatrove export: limits are the rules' own, what datatrove cannot say is refused or told; and with a Python
 * that has bench/data/requirements.txt in MARCO_PYTHON, its decisions on sample documents against ours.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { LedgerLine } from "../../../src/data/curate/ledger.ts";
import { parseRecipe } from "../../../src/data/curate/recipe.ts";
import { curate } from "../../../src/data/curate/run.ts";
import { planExport, REASONS } from "../../../src/data/export/plan.ts";
import { writeExport } from "../../../src/data/export/write.ts";
import { writeArpa } from "../../../src/data/lm/arpa.ts";
import { trainKneserNey } from "../../../src/data/lm/kneserNey.ts";
import { limitsOf } from "../../../src/data/rules/fineWeb2.ts";
import { corpusDocuments } from "../../fixtures/data/documents.ts";

const folder = mkdtempSync(join(tmpdir(), "marco-export-"));
afterAll(() => rmSync(folder, { recursive: true }));
const at = (...names: string[]) => join(folder, ...names);

describe("the plan", () => {
  test("has FineWeb-2's limits of each language, and the recipe's in place of them", () => {
    const recipe = parseRecipe({
      languages: ["de", "vi"],
      rules: { limits: { "gopher.minWords": 20 }, limitsByLanguage: { vi: { "fineweb.newlines": 0.5 } } },
    });
    const { de, vi } = planExport(recipe).settings.languages;
    const { topNGrams, duplicateLines } = limitsOf("de").gopherRepetition;
    expect(de!.rules.gopherRepetition.arguments).toMatchObject({
      dup_line_frac: duplicateLines,
      top_n_grams: topNGrams.map((limit, i) => [i + 2, limit]),
    });
    expect(de!.rules.gopherQuality.arguments).toMatchObject({ min_doc_words: 20, max_avg_word_length: 15 });
    expect(de!.rules.fineWeb.arguments).toMatchObject({ new_line_ratio: 0.152 });
    expect(vi!.rules.fineWeb.arguments).toMatchObject({ new_line_ratio: 0.5, line_punct_thr: 0.333 });
  });

  test("every reason of datatrove's filters is a rule that exists", () => {
    const rules = new Set(Object.values(planExport(parseRecipe({ languages: ["en"] })).settings.reasons));
    expect(rules).toEqual(new Set(Object.values(REASONS)));
    expect(() => planExport(parseRecipe({ rules: { limits: { "gopher.minWord": 1 } } }))).toThrow(
      /"gopher.minWord" is no rule of the sets/,
    );
  });

  test("what datatrove cannot say is refused", () => {
    const plan = (limits: Record<string, number>) => planExport(parseRecipe({ languages: ["en"], rules: { limits } }));
    expect(() => plan({ "gopher.bulletLines": 0 })).toThrow(/the limit 0 turns the rule off in datatrove/);
    expect(() => plan({ "gopher.hashes": 0.2 })).toThrow(/one limit for both/);
  });

  test("stages that stay out are told", () => {
    const notes = planExport(parseRecipe({ languages: ["en", "ko"] })).notes.join("\n");
    for (const what of [/garbled has no counterpart/, /repeated passages are not cut/, /words of ko need models/])
      expect(notes).toMatch(what);
    const quiet = { languages: ["en"], rules: { sets: ["paper"] }, substring: false };
    expect(planExport(parseRecipe(quiet)).notes).toEqual([]);
  });

  test("a folder that holds something else is not written to", () => {
    mkdirSync(at("other"));
    writeFileSync(at("other", "mine.txt"), "");
    expect(() => writeExport(parseRecipe({ languages: ["en"] }), at("other"))).toThrow(/holds no export/);
  });
});

const python = process.env.MARCO_PYTHON;
const why = python ? whyNot(python) : "MARCO_PYTHON names no Python";

function whyNot(path: string): string | null {
  try {
    execFileSync(path, ["-c", "import datatrove, fasttext, spacy, tldextract"], { stdio: "ignore" });
    return null;
  } catch {
    return "MARCO_PYTHON has not bench/data/requirements.txt";
  }
}

/** Numbers that count words, or depend on which part of a text is identified, differ by so much of the limit at most. */
const NEAR = 0.05;

describe.skipIf(why)(`datatrove's decisions (${why ?? "MARCO_PYTHON has datatrove"})`, () => {
  const languages = ["en", "de", "fr", "ru", "es"] as const;
  const recipe = parseRecipe({
    languages,
    url: { domains: ["blocked.org"] },
    rules: { sets: ["paper", "gopherQuality", "gopherRepetition", "fineWeb", "roots", "blocklist"] },
    perplexity: { models: { en: at("en.arpa") }, limit: 120 },
    substring: false,
  });
  const all = corpusDocuments(24).filter(({ language }) => [...languages, "it"].includes(language));
  const rows = [
    ...all.map(({ id, text }, i) => ({ id, text, url: `https://www.${i % 20 ? "fine" : "blocked"}.org/${i}` })),
    ...all.filter((_, i) => i % 8 === 0).map(({ id, text }) => ({ id: `${id} copy`, text: `${text} Again.` })),
    ...all
      .filter((_, i) => i % 9 === 0)
      .map(({ id, text }) => ({ id: `${id} line`, text: `${text.slice(0, 300)}\n`.repeat(4) })),
    { id: "short", text: "Few words are here in this text." },
    { id: "empty", text: " \u0000\n " },
    { id: "letters", text: "12 34 ab." },
    { id: "controls", text: `Some \u0007text\r\nwith controls. ${all[0].text}` },
  ];
  const ours = new Map<string, LedgerLine>();
  const theirs = new Map<string, string>();
  beforeAll(async () => {
    const known = all.filter(({ language }, i) => language === "en" && i % 2 === 0);
    const lines = known.flatMap(({ text }) => text.split("\n").map((line) => line.split(/\s+/)));
    writeFileSync(at("en.arpa"), [...writeArpa(trainKneserNey(lines, { order: 3 }))].join(""));
    mkdirSync(at("in"));
    writeFileSync(at("in", "a.jsonl"), rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
    await curate({ inputs: [at("in", "a.jsonl")], out: at("ours"), recipe, threads: 1 });
    for (const line of readFileSync(at("ours", "ledger.jsonl"), "utf8").trim().split("\n")) {
      const entry: LedgerLine = JSON.parse(line);
      ours.set(entry.id, entry);
    }
    writeExport(recipe, at("export"));
    const model = "dist/models/language-identification/assets/lid.176.ftz";
    const lid = join(dirname(createRequire(import.meta.url).resolve("fasttext.wasm.js/package.json")), model);
    const args = ["--input", at("in"), "--output", at("theirs"), "--lid-model", lid, "--workers", "1"];
    execFileSync(python!, [at("export", "pipeline.py"), ...args], { stdio: ["ignore", "pipe", "pipe"] });
    const read = (part: string) => {
      for (const name of readdirSync(at("theirs", part), { recursive: true }) as string[]) {
        if (!name.endsWith(".jsonl")) continue;
        for (const line of readFileSync(at("theirs", part, name), "utf8")
          .trim()
          .split("\n")
          .filter(Boolean)) {
          const { id, metadata } = JSON.parse(line);
          expect(theirs.has(id)).toBe(false);
          theirs.set(id, part === "kept" ? "kept" : (metadata.filter_reason ?? "minHash.duplicate"));
        }
      }
    };
    read("kept");
    read("dropped");
  }, 280_000);

  test("no document is lost or doubled", () => {
    expect([...theirs.keys()].sort()).toEqual(rows.map(({ id }) => id).sort());
  });

  test("are ours, with the same reason, but where a number that counts words is near its limit", () => {
    const differing = [...theirs].filter(([id, reason]) => (ours.get(id)!.reason ?? "kept") !== reason);
    const unexplained = differing.filter(([id, reason]) => {
      const { reason: own, measures } = ours.get(id)!;
      const near = measures.filter(({ rule, value, limit }) => {
        const counts = /^(?:gopher|roots|language)\.|^paper\.symbols$|^fineweb\.newlines$/.test(rule);
        return counts && (rule === own || rule === reason) && Math.abs(value - limit) <= NEAR * limit;
      });
      return near.length === 0;
    });
    expect(unexplained).toEqual([]);
    expect(differing.length).toBeLessThan(0.05 * rows.length);
    const reasons = new Set(theirs.values());
    for (const reason of [
      "kept",
      "minHash.duplicate",
      "url.domain",
      "language.wanted",
      "language.undetermined",
      "empty",
      "lm.perplexity",
    ])
      expect(reasons).toContain(reason);
    expect(reasons.size).toBeGreaterThan(8);
  });

  test("the same steps for Slurm", () => {
    const args = ["--input", "in", "--output", at("slurm"), "--executor", "slurm", "--dry-run"];
    const printed = execFileSync(python!, [at("export", "pipeline.py"), ...args], { encoding: "utf8" });
    expect(printed.match(/^SlurmPipelineExecutor$/gm)?.length).toBe(1 + 4 * languages.length);
  });
});

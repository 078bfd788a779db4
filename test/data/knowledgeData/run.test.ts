/** @file Knowledge data end to end: benchmarks are found through case, punctuation and script, duplicates by words and by meaning. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseKnowledgeRecipe } from "../../../src/data/knowledgeData/recipe.ts";
import { type KnowledgeRun, runKnowledge } from "../../../src/data/knowledgeData/run.ts";
import type { SelectionLine } from "../../../src/data/selection/candidates.ts";

const folder = mkdtempSync(join(tmpdir(), "marco-knowledge-"));
afterAll(() => rmSync(folder, { recursive: true }));
const at = (name: string) => join(folder, name);

const QUESTION =
  "Which gas do the green leaves of plants take from the air in order to make sugar with the light of the sun?";
const CHINESE = "绿色植物的叶子在阳光下利用空气中的哪一种气体来制造糖分并且放出我们所呼吸的氧气呢";
const TEXT =
  "Iron rusts when water and oxygen reach it together, and salt in the water makes it rust faster, which is why ships are painted so often and so well.";
const rows: Record<string, object> = {
  good: { text: TEXT },
  loud: { text: `QUIZ — ${QUESTION.toUpperCase().replace(/ /g, " ... ").replace("?", "!")} Carbon dioxide.` },
  asChat: { instruction: QUESTION, output: "Carbon dioxide, from which they build sugar." },
  chinese: { text: `请回答：${CHINESE}。答案是二氧化碳。`, language: "zh" },
  partly: { text: "Which gas do the green leaves of plants take, and why?" },
  copy: { text: TEXT },
  nearCopy: { text: TEXT.replace("so well", "very well") },
  meaning: { text: "Ships need paint: salt water quickly turns their iron to rust.", id: "m" },
  short: { text: "Two words" },
  shortAgain: { text: "two WORDS!" },
  empty: { text: " \u200b … " },
  noAnswer: { messages: [{ role: "user", content: "Well?" }] },
  special: { text: "The mark <|endoftext|> ends a document.\u0000" },
};
const names = Object.keys(rows);
const recipe = parseKnowledgeRecipe({ quarantined: 0.2 });
/** Iron and paint are one meaning, all else differs. */
const embedder = {
  name: "table",
  embed: async (texts: readonly string[]) =>
    texts.map((text, i) => {
      const vector = new Float32Array(32);
      vector[/iron/i.test(text) ? 0 : 1 + i] = 1;
      return vector;
    }),
};
const run = (out: string, options: Partial<KnowledgeRun> = {}) =>
  runKnowledge({
    inputs: [at("a.jsonl")],
    benchmarks: [at("mmlu.jsonl"), at("ceval.json")],
    out: at(out),
    recipe,
    embedder,
    ...options,
  });
const ledgerOf = (out: string): SelectionLine[] =>
  readFileSync(at(`${out}/ledger.jsonl`), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

beforeAll(() => {
  const lines = Object.values(rows).map((row) => JSON.stringify({ language: "en", ...row }));
  writeFileSync(at("a.jsonl"), `${lines.join("\n")}\nno row\n`);
  writeFileSync(
    at("mmlu.jsonl"),
    `${[
      { task: "biology", query: QUESTION, label: "Carbon dioxide", language: "en" },
      { task: "short", query: "2 + 2?", label: ["4", "four"], language: "en" },
    ]
      .map((row) => JSON.stringify(row))
      .join("\n")}\n`,
  );
  writeFileSync(at("ceval.json"), JSON.stringify([{ text: CHINESE, language: "zh" }]));
});

describe("planted texts", () => {
  let ledger: SelectionLine[];
  let summary: Awaited<ReturnType<typeof run>>;
  beforeAll(async () => {
    summary = await run("one", { recipe: { ...recipe, decontaminate: { words: 13, query: true, overlap: true } } });
    ledger = ledgerOf("one");
  });
  const of = (name: string) => ledger[names.indexOf(name)];

  test("each planted fault is dropped where and why it should be, and all add up", () => {
    expect(Object.fromEntries(names.map((name) => [name, of(name).reason]))).toEqual({
      ...Object.fromEntries(names.map((name) => [name, null])),
      ...{ loud: "decontaminate.ngram", asChat: "decontaminate.ngram", chinese: "decontaminate.ngram" },
      ...{ copy: "exact.duplicate", nearCopy: "minHash.duplicate", meaning: "semantic.duplicate" },
      ...{ shortAgain: "minHash.duplicate", empty: "empty", noAnswer: "bad_turns" },
    });
    expect(ledger.at(-1)).toMatchObject({ outcome: "quarantined", reason: "not JSON", start: "no row" });
    const { in: entered, kept, quarantined } = summary.stages.total;
    expect([entered, kept, quarantined]).toEqual([names.length + 1, 4, 1]);
    expect(readFileSync(at("one/knowledge.jsonl"), "utf8").trim().split("\n")).toHaveLength(kept);
  });

  test("row 29: a benchmark is found in other case and punctuation, and the n-gram and the task are shown", () => {
    expect(of("loud").contamination).toEqual({
      task: "biology",
      ngram: "which gas do the green leaves of plants take from the air in",
    });
    expect(of("chinese").contamination).toMatchObject({ task: "ceval.json" });
    expect(of("partly").contamination).toBeUndefined();
  });

  test("items that are too short to be found are told", () => {
    expect(summary.facts).toMatchObject({ "benchmarks.items": 4, "benchmarks.tooShort": 2 });
  });

  test("rows 17, 19: copies and texts of two words point to the first", () => {
    expect(of("copy").duplicateOf).toEqual({ id: "a.jsonl#0", similarity: 1, how: "the same text" });
    expect(of("shortAgain").duplicateOf).toMatchObject({ id: of("short").id, similarity: 1, how: "the same words" });
    expect(of("nearCopy").duplicateOf!.similarity).toBeGreaterThan(0.7);
    expect(of("meaning").duplicateOf).toMatchObject({ id: "a.jsonl#0", how: "cosine of embeddings" });
  });

  test("rows 12, 28: control characters go, special tokens stay as text and are flagged", () => {
    expect(of("special")).toMatchObject({
      outcome: "kept",
      flags: ["specialTokenText"],
      start: "The mark <|endoftext|> ends a document.",
    });
  });

  test("with datatrove's defaults the question alone is no overlap, question and answer in a row are", async () => {
    const { stages } = await run("defaults");
    expect(stages.decontaminate.dropped).toBe(3);
    const answerApart = ledgerOf("defaults")[names.indexOf("asChat")];
    expect(answerApart.contamination!.ngram).toContain("carbon dioxide".slice(0, 6));
  });

  test("without an embedder the semantic stage is skipped, and says so", async () => {
    const { skipped } = await run("bare", { embedder: undefined });
    expect(skipped).toEqual({ semantic: "no --embedder: nothing else tells meanings apart" });
  });
});

describe("what cannot be right is refused", () => {
  test("no benchmarks, and benchmarks that cannot be read whole", async () => {
    await expect(run("x", { benchmarks: [] })).rejects.toThrow(/^no benchmarks; expected files with --benchmarks, or/);
    writeFileSync(at("bad.jsonl"), '{"question": "a", "answer": "b"}\n');
    await expect(run("y", { benchmarks: [at("bad.jsonl")] })).rejects.toThrow(
      /bad.jsonl: row 0: has keys question, answer; expected \{task, query, label\} or \{text\}/,
    );
    expect(() => parseKnowledgeRecipe({ ngram: 13 })).toThrow(/Unrecognized key: "ngram"; see marco data knowledge/);
  });
});

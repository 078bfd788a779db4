/** @file A folder of results belongs to one recipe, one list of inputs by content, and one version of Unicode. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { claimFolder } from "../../../src/data/files/claimFolder.ts";
import { splitWords, wordAt } from "../../../src/data/rules/words.ts";

const folder = mkdtempSync(join(tmpdir(), "marco-claim-"));
afterAll(() => rmSync(folder, { recursive: true }));
const at = (name: string) => join(folder, name);
const claim = (out: string, more = {}) =>
  claimFolder({ out: at(out), inputs: [at("in.txt")], settings: { seed: 1 }, results: ["result.txt"], ...more });

test("row 38: another recipe, or an input edited to the same length, is refused; --force throws the old run away", () => {
  writeFileSync(at("in.txt"), "one");
  claim("a");
  claim("a"); // the same goes on
  expect(() => claim("a", { settings: { seed: 2 } })).toThrow(/another recipe or other inputs; choose/);
  writeFileSync(at("in.txt"), "two");
  expect(() => claim("a")).toThrow(/\(in\.txt has changed\)/);
  writeFileSync(at("a/result.txt"), "old");
  writeFileSync(at("a/mine.txt"), "stays");
  claim("a", { force: true });
  expect(() => readFileSync(at("a/result.txt"))).toThrow();
  expect(readFileSync(at("a/mine.txt"), "utf8")).toBe("stays");
});

test("row 41: the version of Unicode and of ICU is recorded, and a run of another one is not gone on with", () => {
  claim("b");
  const recorded = JSON.parse(readFileSync(at("b/recipe.json"), "utf8"));
  expect(recorded).toMatchObject({ unicode: process.versions.unicode, icu: process.versions.icu });
  const other = { ...recorded, icu: "60.1", unicode: "10.0", fingerprint: "of that" };
  writeFileSync(at("b/recipe.json"), JSON.stringify(other));
  expect(() => claim("b")).toThrow(/made with Unicode 10\.0, ICU 60\.1; this is \d/);
});

test.each([
  ["zh", "我们昨天在图书馆看书。", ["我们", "昨天", "在", "图书", "馆", "看书", "。"]],
  ["ja", "私は図書館で本を読みます。", ["私", "は", "図書館", "で", "本", "を", "読み", "ます", "。"]],
  ["th", "เราอ่านหนังสือที่ห้องสมุด", ["เรา", "อ่าน", "หนังสือ", "ที่", "ห้อง", "สมุด"]],
])("row 41: the segmenter cuts %s as when limits were set", (language, text, expected) => {
  const words = splitWords(text, language);
  expect(Array.from({ length: words.count }, (_, i) => wordAt(text, words, i))).toEqual(expected);
});

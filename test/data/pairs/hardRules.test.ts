/** @file The hard rules against what bicleaner-hardrules itself answers, and OpusFilter's scores against OpusFilter's. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hardRules } from "../../../src/data/pairs/hardRules.ts";
import { opusFilter } from "../../../src/data/pairs/opusFilter.ts";
import type { SentencePair } from "../../../src/data/pairs/pair.ts";
import { repeatedInCharacters, repeatedInWords } from "../../../src/data/pairs/repeats.ts";
import { type Measure, passes } from "../../../src/data/rules/measure.ts";

const fixture = (name: string) => JSON.parse(readFileSync(`test/fixtures/data/${name}.json`, "utf8"));
const makePair = (source: string, target: string, sourceLanguage = "en", targetLanguage = "de"): SentencePair => ({
  id: "1",
  source,
  target,
  sourceLanguage,
  targetLanguage,
});
const failing = (measures: Measure[]) =>
  measures.filter((m) => !passes(m)).map(({ rule }) => rule.replace("hardrules.", ""));

describe("hard rules", () => {
  const rows: [string, string, string, string, string[]][] = fixture("hardRules");

  it("fail the same rules on the same sides as bicleaner-hardrules 2.10.8, in its order", () => {
    expect(rows.length).toBeGreaterThan(180);
    const differing = rows.flatMap(([s, t, a, b, expected]) => {
      // The tool looks no further at an empty side; it marks rules of the pair "(left,right)".
      const wanted = expected.map((rule) => rule.replace("(left,right)", ""));
      const ours = failing(hardRules(makePair(a, b, s, t)));
      const compared = a === "" || b === "" ? ours.slice(0, 1) : ours;
      return JSON.stringify(compared) === JSON.stringify(wanted) ? [] : [{ a, b, ours, wanted }];
    });
    expect(differing).toEqual([]);
  });

  it("see every one of their golden rules fail and pass", () => {
    const seen = new Set(rows.flatMap(([, , , , rules]) => rules.map((rule) => rule.replace(/\(.*/, ""))));
    expect([...seen].sort()).toEqual(
      [
        "length_ratio no_bad_encoding no_empty no_escaped_unicode no_glued_words no_identical no_literals no_only_numbers",
        "no_only_symbols no_paren no_repeated_words no_space_noise no_titles no_unicode_noise not_too_long not_too_short",
      ].flatMap((line) => line.split(" ")),
    );
  });

  it("measure all rules, and those that need a model only with one", () => {
    const pair = makePair("Home > Products > Cars > Blue cars", "Heim > Produkte > Autos > blaue Autos");
    expect(failing(hardRules(pair))).toEqual(["no_breadcrumbs(left)", "no_breadcrumbs(right)"]); // as documented
    const names = (measures: Measure[]) => new Set(measures.map(({ rule }) => rule.replace(/^hardrules\.|\(.*/g, "")));
    expect(names(hardRules(pair)).size).toBe(17);
    const all = hardRules(pair, {
      also: ["no_urls", "no_number_inconsistencies", "no_script_inconsistencies"],
      otherLanguage: (text) => (text.includes("Cars") ? 0.9 : 0),
      offensive: () => 0.1,
      fluency: () => 0.4,
    });
    expect(names(all).size).toBe(23); // the 24th, wrong_tu, is a row that is no pair
    expect(failing(all)).toEqual([
      "no_breadcrumbs(left)",
      "no_breadcrumbs(right)",
      "no_wrong_language(left)",
      "lm_filter",
    ]);
    expect(all.every(({ value }) => Number.isFinite(value))).toBe(true);
  });

  it("call one word no title, as the tool does", () => {
    expect(failing(hardRules(makePair("Never", "Niemals")))).toEqual(["not_too_short(left)", "not_too_short(right)"]);
  });

  it("find addresses, other numbers and mixed scripts when asked", () => {
    const also = ["no_urls", "no_number_inconsistencies", "no_script_inconsistencies"] as const;
    const pair = makePair("see www.example.org for 12 things", "siehe dort für 13 Dinge мit");
    expect(failing(hardRules(pair, { also: [...also] }))).toEqual([
      "no_urls(left)",
      "no_number_inconsistencies",
      "no_script_inconsistencies(right)",
    ]);
  });
});

describe("repeats", () => {
  it("are found exactly where the obvious search finds one, for any text", () => {
    const text = fc
      .array(fc.constantFrom("a", "b", "ab", " ", " ", "-", "c"), { maxLength: 24 })
      .map((parts) => parts.join(""));
    fc.assert(
      fc.property(text, (given) => {
        const characters = [...given];
        const obvious = characters.some((_, from) =>
          characters.some((_, size) => {
            const unit = characters.slice(from, from + size);
            const next = characters.slice(from + size, from + 2 * size);
            return size >= 3 && unit[0] !== unit[1] && unit.join() === next.join();
          }),
        );
        expect(repeatedInCharacters(given, 3) > 0).toBe(obvious);
        const words = given.split("-").some((run) => {
          const all = run.trim().split(/ +/);
          return all.some((_, from) =>
            all.some((_, size) => {
              const unit = all.slice(from, from + size).join(" ");
              return unit.length >= 4 && unit === all.slice(from + size, from + 2 * size).join(" ");
            }),
          );
        });
        expect(repeatedInWords(given, 4) > 0, given).toBe(words);
      }),
      { numRuns: 500 },
    );
  });
});

describe("OpusFilter's scores", () => {
  const rows: [string, string, Record<string, [number | number[], boolean]>][] = fixture("opusFilter");

  it("and decisions are those of OpusFilter 3.3.1", () => {
    expect(rows.length).toBeGreaterThan(150);
    for (const [source, target, expected] of rows) {
      const measures = opusFilter(makePair(source, target));
      for (const [name, [score, accepted]] of Object.entries(expected)) {
        const of = measures.filter(({ rule }) => rule.replace(/Most|\(.*/g, "") === `opusfilter.${name}`);
        const values = of.filter(({ rule }) => !rule.includes("Most")).map(({ value }) => value);
        const wanted = [score].flat();
        expect(values.length, name).toBe(wanted.length);
        for (let i = 0; i < values.length; i++)
          expect(values[i], `${name}: ${source} | ${target}`).toBeCloseTo(wanted[i], 12);
        expect(of.every(passes), `${name}: ${source} | ${target}`).toBe(accepted);
      }
    }
  });
});

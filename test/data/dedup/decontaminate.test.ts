import { describe, expect, test } from "vitest";
import { DATATROVE_NGRAMS, makeDecontaminator, THIRTEEN_WORDS } from "../../../src/data/dedup/decontaminate.ts";
import { english, golden } from "./fixtures.ts";

const { table, items, real, dropped } = golden.decontamination;

describe("decontamination", () => {
  const modes = [
    // What datatrove's table for HellaSwag keeps.
    ["label", { query: false, overlap: false }, [0, 2, 3, 4, 5, 6]],
    ["query", { query: true, overlap: false }, [2, 3, 5, 6]],
    ["overlap", { query: false, overlap: true }, [0, 3, 4, 5, 6]],
  ] as const;
  test.each(modes)("by n-grams of mode %s drops what datatrove drops, for the same n-gram", (name, mode, kept) => {
    const decontaminator = makeDecontaminator({ ...DATATROVE_NGRAMS, ...mode });
    for (const [task, list] of [
      ["table", items],
      ["real", real],
    ] as const)
      for (const item of list) decontaminator.add({ task, language: "en", ...item });
    const texts: string[] = [...table, ...english];
    const found = texts.flatMap((text, i) => {
      const hit = decontaminator.check(text, "en");
      return hit ? [[i, hit.task, hit.ngram]] : [];
    });
    expect(found).toEqual(dropped[name]);
    expect(found.length).toBeGreaterThan(7);
    expect(table.map((_: string, i: number) => i).filter((i: number) => !decontaminator.check(table[i], "en"))).toEqual(
      kept,
    );
  });

  test("sees through case, punctuation, numbers and diacritics, and shows the n-gram (bad input 29)", () => {
    const decontaminator = makeDecontaminator({ ...THIRTEEN_WORDS, words: 5 });
    expect(decontaminator.add({ task: "facts", language: "fr", label: "L'été 2024 fut très chaud, à Genève!" })).toBe(
      4,
    );
    expect(decontaminator.check("on dit: « L’ETE 1999 FUT TRES... chaud » ici", "fr")).toEqual({
      task: "facts",
      ngram: "l ete 0 fut tres",
    });
    expect(decontaminator.check("l ete fut tres chaud a", "fr")).toBeUndefined();
  });

  test("holds for Chinese and Thai, which have no spaces", () => {
    const decontaminator = makeDecontaminator({ ...THIRTEEN_WORDS, words: 5 });
    const zh = "法律面前人人平等，并有权享受法律的平等保护";
    expect(decontaminator.add({ task: "zh", language: "zh", label: zh })).toBeGreaterThan(3);
    expect(decontaminator.check(`他说：${zh}。`, "zh")?.task).toBe("zh");
    expect(decontaminator.check("今天天气很好，我们去公园散步吧", "zh")).toBeUndefined();
  });

  test("says that an item is too short to be found; the first task of an n-gram is named", () => {
    const decontaminator = makeDecontaminator(THIRTEEN_WORDS);
    expect(decontaminator.add({ task: "a", language: "en", query: "Too", label: "short" })).toBe(0);
    const label = "one two three four five six seven eight nine ten eleven twelve thirteen";
    expect(decontaminator.add({ task: "b", language: "en", label })).toBe(1);
    expect(decontaminator.add({ task: "c", language: "en", label })).toBe(1);
    expect(decontaminator.check(label, "en")).toEqual({ task: "b", ngram: label });
    expect(decontaminator.check("", "en")).toBeUndefined();
  });
});

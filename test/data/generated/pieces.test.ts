/** @file The parts of synthetic data: slots, keywords, what is drawn, and the rules for answers. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadCorpus } from "../../../src/data/corpus.ts";
import { answerMeasures, CHECKS, copiedShare, lengthOf, textMeasures } from "../../../src/data/generated/checks.ts";
import { exchangeOf } from "../../../src/data/generated/conversation.ts";
import { fill, leftover } from "../../../src/data/generated/fill.ts";
import { keywordsFor, makeKeywordCounter, readKeywords } from "../../../src/data/generated/keywords.ts";
import {
  ATTRIBUTES,
  type Drawn,
  KINDS,
  POOLS,
  promptOf,
  slotsOf,
  TEMPLATES,
} from "../../../src/data/generated/prompts.ts";
import { synthesizeSchema } from "../../../src/data/generated/recipe.ts";
import { draw, type Material, readMaterial } from "../../../src/data/generated/synthesize.ts";
import { type Identifier, loadIdentifier } from "../../../src/data/language/identify.ts";
import { LANGUAGES, type Language } from "../../../src/data/languages.ts";
import { failed } from "../../../src/data/llm/job.ts";
import { isRefusal } from "../../../src/data/llm/refusals.ts";
import { UserError } from "../../../src/util/assert.ts";

const folder = mkdtempSync(join(tmpdir(), "marco-generated-"));
afterAll(() => rmSync(folder, { recursive: true }));
let identifier: Identifier;
beforeAll(async () => {
  identifier = await loadIdentifier();
});
afterAll(() => identifier.dispose());

describe("row 27: slots", () => {
  test("row 27: a value that spells a slot, or the paper's <tgt_lang> and ^, is never expanded", () => {
    const nasty = fc.oneof(fc.constantFrom("{keywords}", "{language}", "<tgt_lang>", "^", "$&", "{a}{b}"), fc.string());
    fc.assert(
      fc.property(nasty, nasty, (a, b) => {
        expect(fill("1 {a} 2 {b} 3 {a}", { a, b })).toBe(["1 ", a, " 2 ", b, " 3 ", a].join(""));
      }),
    );
  });

  test("row 27: a keyword {language} stays as it is in the prompt, and may come back in the answer", () => {
    const drawn: Drawn = {
      ...{ kind: "sample", language: "de", attributes: {}, keywords: [], minLength: 1, maxLength: 9 },
      samples: ["say {language} and {samples}"],
    };
    expect(promptOf("{samples} | {language}", drawn)).toBe("### Sample 1\nsay {language} and {samples} | German");
    const slots = slotsOf("sample");
    expect(leftover("about {language}", slots, drawn.samples)).toBeNull();
    expect(leftover("about {language}", slots, [])).toBe("{language}");
    expect(leftover("ok <|im_end|>", slots, [])).toBe("<|im_end|>");
  });

  test("a template with a slot that is none is refused, with those that are", () => {
    expect(() => fill("{keyword}", { keywords: "x" })).toThrow(
      new UserError("template: {keyword} is no slot; expected {keywords}"),
    );
  });

  test("every slot of a kind's own template is filled, and every slot of Table 14 is in one", () => {
    const drawn = { language: "en", minLength: 5, maxLength: 9, samples: ["s"], keywords: ["k1", "k2"] } as const;
    const attributes = Object.fromEntries(ATTRIBUTES.map((name) => [name, `<${name}>`]));
    for (const kind of KINDS) {
      const prompt = promptOf(TEMPLATES[kind], { kind, attributes, ...drawn, samples: ["s"], keywords: ["k1", "k2"] });
      expect(prompt).not.toMatch(/[{}]/);
      if (kind === "sample") continue;
      for (const name of ATTRIBUTES) expect(prompt).toContain(`<${name}>`);
      expect(prompt).toContain("k1, k2");
      expect(prompt).toContain("from 5 to 9 words");
    }
  });
});

describe("keywords", () => {
  test("are words in at least two documents and at most a tenth, without stop words, numbers and short ones", () => {
    const counter = makeKeywordCounter();
    // 40 documents: "common" in all, "river" in 4, "stone" in 3, "once" is a stop word, "unique" in one.
    for (let i = 0; i < 40; i++) {
      const words = ["common", ...(i < 4 ? ["river", "river"] : []), ...(i < 3 ? ["Stone"] : [])];
      counter.add([...words, ...(i === 0 ? ["unique"] : []), ...(i < 3 ? ["with", "42", "ox"] : [])].join(" "), "en");
    }
    expect(counter.pool(10).get("en")).toEqual(["river", "stone"]);
    expect(counter.pool(1).get("en")).toEqual(["river"]);
  });

  test("of a file are for all languages or for the one after the tab; another code is refused with its line", () => {
    writeFileSync(join(folder, "k.txt"), "river\n\nFluss\tde\nriver\nStein\tde\n");
    const pool = readKeywords(join(folder, "k.txt"));
    expect(keywordsFor(pool, "de")).toEqual(["Fluss", "Stein"]);
    expect(keywordsFor(pool, "fr")).toEqual(["river"]);
    writeFileSync(join(folder, "bad.txt"), "river\nx\tsv\n");
    expect(() => readKeywords(join(folder, "bad.txt"))).toThrow(/line 2: "sv" is none of en zh/);
  });
});

describe("what is drawn", () => {
  const recipe = synthesizeSchema.parse({
    ...{ models: [{ folder: "f" }], count: 10, languages: ["en", "ja"], lengths: [[10, 20]] },
  });
  const material: Material = {
    keywords: new Map([[null, ["a", "b", "c", "d", "e"]]]),
    samples: new Map([["en", [1, 2, 3, 4, 5].map((i) => ({ id: String(i), text: "word ".repeat(i) }))]]),
    unreadable: [],
  };
  const all = Array.from({ length: 600 }, (_, i) => draw(recipe, material, i));

  test("is the same for the same number, whatever was drawn before; another seed draws others", () => {
    expect(draw(recipe, material, 17)).toEqual(all[17]);
    const other = Array.from({ length: 60 }, (_, i) => draw({ ...recipe, seed: 2 }, material, i));
    expect(other).not.toEqual(all.slice(0, 60));
  });

  test("takes kinds in turn, languages with equal chance, two to four different keywords, attributes of the pools", () => {
    const texts = all.filter((one) => !("lacking" in one)) as Drawn[];
    expect(all.map((one, i) => ("lacking" in one ? "sample" : one.kind) === KINDS[i % 3]).every(Boolean)).toBe(true);
    const japanese = texts.filter(({ language, kind }) => language === "ja" && kind !== "sample");
    expect(japanese.length).toBeGreaterThan(160); // 200 of 400 expected, standard deviation 10
    expect(japanese.length).toBeLessThan(240);
    for (const { kind, keywords, attributes, language, minLength, maxLength } of texts) {
      if (kind === "sample") continue;
      expect(keywords.length).toBeGreaterThanOrEqual(2);
      expect(keywords.length).toBeLessThanOrEqual(4);
      expect(new Set(keywords).size).toBe(keywords.length);
      for (const name of ATTRIBUTES) expect(POOLS[name]).toContain(attributes[name]);
      expect([minLength, maxLength]).toEqual(language === "ja" ? [20, 40] : [10, 20]); // characters count twice
    }
    for (const name of ATTRIBUTES)
      expect(new Set(texts.map((one) => one.attributes[name])).size).toBeGreaterThanOrEqual(POOLS[name].length);
  });

  test("samples are of the language, and the new one has their length; a language without any has none", () => {
    const samples = all.filter((_, i) => i % 3 === 2);
    for (const one of samples) {
      if ("lacking" in one) {
        expect(one).toEqual({ lacking: "noSamples", language: "ja" });
        continue;
      }
      expect(one.samples.length).toBe(3);
      const lengths = one.samples.map((text) => text.split(" ").length);
      expect([one.minLength, one.maxLength]).toEqual([Math.min(...lengths), Math.max(...lengths)]);
    }
  });

  test("row 9: bad rows of samples are told, and the pool is a fair draw of the good ones", async () => {
    const rows = Array.from({ length: 200 }, (_, i) => JSON.stringify({ text: `sample number ${i}`, language: "en" }));
    writeFileSync(join(folder, "s.jsonl"), [...rows, "{bad", '{"no": 1}'].join("\n"));
    const some = {
      ...recipe,
      kinds: ["sample" as const],
      samples: { ...recipe.samples, files: [join(folder, "s.jsonl")], pool: 20 },
    };
    const { samples, unreadable } = await readMaterial(some, identifier.identify);
    expect(unreadable.map(({ ordinal, reason }) => [ordinal, reason])).toEqual([
      [200, "not JSON"],
      [201, 'no "text"'],
    ]);
    const numbers = samples.get("en")!.map(({ text }) => Number(text.split(" ").at(-1)));
    expect(new Set(numbers).size).toBe(20);
    expect(numbers.some((n) => n >= 150) && numbers.some((n) => n < 50)).toBe(true);
    expect(await readMaterial(some, identifier.identify)).toEqual({ keywords: new Map(), samples, unreadable });
  });

  test("a kind without what it is made of is refused before anything is asked", async () => {
    await expect(readMaterial(recipe, identifier.identify)).rejects.toThrow(
      "need one of keywords.file and keywords.documents",
    );
    await expect(readMaterial({ ...recipe, kinds: ["sample"] }, identifier.identify)).rejects.toThrow("samples.files");
  });
});

describe("an answer", () => {
  const udhr = loadCorpus().filter(({ source }) => source === "udhr");
  const article = (language: "en" | "de" | "ja") =>
    udhr
      .slice(5, 11)
      .map(({ text }) => text[language]!)
      .join("\n");
  const expected = { language: "en" as Language, minLength: 80, maxLength: 200, prompt: "Write in English." };
  const reason = (text: string, more = {}, finishReason = "stop") =>
    failed([
      ...answerMeasures({ text, finishReason }, { slots: ["language"], given: [] }),
      ...textMeasures(text, { ...expected, ...more }, identifier.identify, CHECKS),
    ]);

  test.each([
    ["a good one", article("en"), {}, "stop", null],
    ["an empty one", " \n", {}, "stop", "empty"],
    ["one of signs alone", "!!! ---", {}, "stop", "empty"],
    ["one that was cut", article("en"), {}, "length", "cut"],
    ["one that refuses", "I'm sorry, but I cannot help with that.", {}, "stop", "refusal"],
    ["one with a slot", `${article("en")} {language}`, {}, "stop", "leftover"],
    ["one in German", article("de"), {}, "stop", "language"],
    ["one too short to tell its language", "Fine.", {}, "stop", "language"],
    ["one that is too short", article("en"), { minLength: 400 }, "stop", "tooShort"],
    ["one that is too long", article("en"), { minLength: 5, maxLength: 20 }, "stop", "tooLong"],
    ["one that copies a sample", article("en"), { prompt: `Samples:\n${article("en")}` }, "stop", "copied"],
    ["one that repeats itself", `${udhr[5].text.en} `.repeat(9), {}, "stop", "duplicate5Grams"],
    [
      "Japanese, counted in characters",
      article("ja"),
      { language: "ja", minLength: 150, maxLength: 400 },
      "stop",
      null,
    ],
  ])("%s", (_, text, more, finishReason, outcome) => {
    expect(reason(text, more, finishReason)).toBe(outcome);
  });

  test("copies are counted in runs of five words", () => {
    // 6 words are 2 runs; the first is in the other text.
    expect(copiedShare("one two three four five six", "zero one two three four five 6", "en")).toBe(0.5);
    expect(copiedShare("two three", "one two three", "en")).toBe(1);
    expect(copiedShare("", "one", "en")).toBe(0);
    expect(lengthOf("一二 三\n四", "zh")).toBe(4);
  });

  test("refusals are known in several languages; articles of the Declaration in all 29 are none", () => {
    const refusals = [
      ...[
        "I can’t assist with that request.",
        "As an AI language model, I do not have opinions.",
        "抱歉，我无法提供这些内容。",
      ],
      ...[
        "申し訳ありませんが、お手伝いできません。",
        "Es tut mir leid, dabei kann ich nicht helfen.",
        "Lo siento, pero no puedo ayudar.",
      ],
      ...[
        "Извините, я не могу с этим помочь.",
        "আমি দুঃখিত, আমি সাহায্য করতে পারি না।",
        "मलाई माफ गर्नुहोस्, म सक्दिन।",
        "죄송합니다. 도와드릴 수 없습니다.",
      ],
    ];
    expect(refusals.filter((text) => !isRefusal(text))).toEqual([]);
    const taken = LANGUAGES.flatMap((language) => udhr.filter(({ text }) => isRefusal(text[language] ?? "")));
    expect(taken).toEqual([]);
  });
});

test("an exchange is read from three layouts; what is none has a reason", () => {
  const exchange = { system: "", instruction: "", question: "Q", answer: "A" };
  expect(exchangeOf({ question: "Q", answer: "A" })).toEqual(exchange);
  expect(exchangeOf({ instruction: "I", input: "Q", output: "A" })).toEqual({ ...exchange, instruction: "I" });
  const turn = (role: string, content: unknown) => ({ role, content });
  const messages = [turn("user", "Q"), turn("assistant", "A")];
  expect(exchangeOf({ messages })).toEqual(exchange);
  expect(exchangeOf({ messages: [turn("system", "S"), ...messages] })).toEqual({ ...exchange, system: "S" });
  expect(exchangeOf({ messages: [...messages, ...messages] })).toEqual({ reason: "several turns" });
  expect(exchangeOf({ messages: [turn("user", null)] })).toEqual({ reason: "a message without role and content" });
  expect(exchangeOf({ messages: [turn("user", "Q"), turn("user", "Q")] })).toEqual({
    reason: "not a question and an answer",
  });
  expect(exchangeOf({ instruction: "I" })).toEqual({ reason: 'no "output" or "answer"' });
  expect(exchangeOf({ output: "A" })).toEqual({ reason: 'no "instruction", "question" or "messages"' });
});

/** @file The rules that datatrove has not, on inputs small enough to count by hand. */
import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { loadCorpus } from "../../../src/data/corpus.ts";
import { LANGUAGES } from "../../../src/data/languages.ts";
import { blocklist, findBlocked, indexWords, makeBlocklist } from "../../../src/data/rules/blocklist.ts";
import { readDocument } from "../../../src/data/rules/document.ts";
import { ENGLISH_LIMITS, limitsOf } from "../../../src/data/rules/fineWeb2.ts";
import { garbled } from "../../../src/data/rules/garbled.ts";
import { gopherRepetition } from "../../../src/data/rules/gopherRepetition.ts";
import { type Measure, margin, passes } from "../../../src/data/rules/measure.ts";
import { countMojibake } from "../../../src/data/rules/mojibake.ts";
import { codePointUnits, countNGrams } from "../../../src/data/rules/nGrams.ts";
import { characterRepetition, wordRepetition } from "../../../src/data/rules/roots.ts";
import { deriveLimits, withLimits } from "../../../src/data/rules/thresholds.ts";
import { splitWords, wordAt } from "../../../src/data/rules/words.ts";
import { quantile } from "../../../src/util/quantile.ts";
import { allMeasures } from "./measureAll.ts";

const wordsOf = (text: string, language = "en") => {
  const words = splitWords(text, language);
  return Array.from({ length: words.count }, (_, i) => wordAt(text, words, i));
};
const numberOf = (measures: Measure[], rule: string) => measures.find((measure) => measure.rule === rule)!.value;

describe("words", () => {
  test.each([
    ["Hello, world!", "Hello|,|world|!"],
    ["(a well-written, 3.14-long list...)", "(|a|well|-|written|,|3.14-long|list|...|)"],
    ["The U.S. and J. Smith's end.", "The|U.S.|and|J.|Smith|'s|end|."],
    ["don't «stop» …", "don't|«|stop|»|…"],
    ["and/or 1:30 a=b $5 9€ +1 5+", "and|/|or|1:30|a|=|b|$|5|9|€|+1|5|+"],
    ["see https://x.org/a-b?c=d, now", "see|https://x.org/a-b?c=d|,|now"],
    ["ok😀😀 x", "ok|😀|😀|x"],
    ["a\u3000b\u00a0c\n", "a|b|c"],
    ["", ""],
  ])("%j", (text, words) => expect(wordsOf(text).join("|")).toBe(words));

  test("Chinese, Japanese and Thai are segmented, the Latin in them is not", () => {
    expect(wordsOf("我喜欢Node.js。", "zh")).toEqual(["我", "喜欢", "Node.js", "。"]);
    expect(wordsOf("東京に行く", "ja").join("")).toBe("東京に行く");
    expect(wordsOf("สวัสดีชาวโลก", "th").length).toBeGreaterThan(1);
    expect(wordsOf("我喜欢", "en")).toEqual(["我喜欢"]);
  });

  test("lose nothing but white space", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(..."aZé1.-,'…:/😀我は ไ\n#") }),
        fc.constantFrom("en", "zh"),
        (text, language) => {
          expect(wordsOf(text, language).join("")).toBe(text.replace(/\s/gu, ""));
        },
      ),
    );
  });
});

describe("n-grams", () => {
  /** The definition, with strings. */
  const slow = (text: string, n: number) => {
    const characters = [...text];
    const counts = new Map<string, number>();
    for (let i = 0; i + n <= characters.length; i++) {
      const gram = characters.slice(i, i + n).join("");
      counts.set(gram, (counts.get(gram) ?? 0) + 1);
    }
    const sorted = [...counts.values()].sort((a, b) => b - a);
    const repeated = sorted.filter((times) => times > 1).length;
    const top = sorted.slice(0, Math.min(Math.floor(Math.sqrt(sorted.length)), repeated));
    const sum = (values: number[]) => values.reduce((a, b) => a + b, 0);
    return sorted.length === 0 ? 0 : sum(top) / sum(sorted);
  };
  test("character repetition is ROOTS' definition", () => {
    const unit = fc.constantFrom("a", "b", "😀");
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 60 }), fc.integer({ min: 1, max: 4 }), (text, n) => {
        expect(characterRepetition(text, n)).toBe(slow(text, n));
      }),
    );
    // aaaa: "aa" three times is the one distinct bigram
    expect([characterRepetition("aaaa", 2), characterRepetition("abcd", 2), characterRepetition("a", 2)]).toEqual([
      1, 0, 0,
    ]);
  });

  test("word repetition: two of four bigrams are the same", () => {
    expect(wordRepetition(Uint32Array.of(1, 2, 1, 2, 3), 2)).toBe(0.5);
    expect(wordRepetition(new Uint32Array(), 5)).toBe(0);
  });

  test("repeated word n-grams are datatrove's definition, in any text", () => {
    const find = (words: string[], n: number) => {
      const seen = new Set<string>();
      let repeated = 0;
      for (let i = 0; i < words.length - n + 1; ) {
        const gram = words.slice(i, i + n).join("");
        if (seen.has(gram)) {
          repeated += [...gram].length;
          i += n;
        } else {
          seen.add(gram);
          i++;
        }
      }
      return repeated;
    };
    const top = (words: string[], n: number) => {
      const counts = new Map<string, number>();
      for (let i = 0; i < words.length - n + 1; i++) {
        const gram = words.slice(i, i + n).join(" ");
        counts.set(gram, (counts.get(gram) ?? 0) + 1);
      }
      const [gram, times] = [...counts].reduce((best, entry) => (entry[1] > best[1] ? entry : best), ["", 0]);
      return [...gram].length * times;
    };
    const word = fc.constantFrom("a", "aa", "aab", "b", "ba", "😀", "abaabaabaabab", "bb");
    fc.assert(
      fc.property(fc.array(word, { maxLength: 60 }), (list) => {
        const text = list.join(" ");
        const words = wordsOf(text);
        const measures = gopherRepetition(readDocument(text, "en"));
        const length = [...text].length || 1;
        for (let n = 2; n < 5; n++) expect(numberOf(measures, `gopher.top${n}Gram`)).toBe(top(words, n) / length);
        for (let n = 5; n < 11; n++) {
          expect(numberOf(measures, `gopher.duplicate${n}Grams`)).toBe(find(words, n) / length);
        }
      }),
    );
  });

  test("equal hashes of different n-grams are told apart", () => {
    // Thue-Morse words of 2^11 collide under any polynomial modulo 2^32
    let [a, b] = ["a", "b"];
    for (let i = 0; i < 11; i++) [a, b] = [a + b, b + a];
    expect(countNGrams(codePointUnits(a + b), a.length).distinct).toBe(
      new Set(Array.from({ length: a.length + 1 }, (_, i) => (a + b).slice(i, i + a.length))).size,
    );
    const repeated = gopherRepetition(readDocument(`${a} x ${b} x y z u v ${b} x ${a} w`, "en"));
    expect(numberOf(repeated, "gopher.duplicate5Grams")).toBe(0);
  });
});

describe("garbled text", () => {
  const sentences: Record<string, string> = {
    fr: "Les élèves français ont été très étonnés : « où est-il allé ? » — à l'école…",
    de: "Die Straße ist groß, und wir hatten viel Spaß“ – sagte der Bäcker: „Grüße aus Köln“.",
    es: "¿Dónde está el niño? El año pasado comió piñas en España; «qué», preguntó él.",
    vi: "Mọi người sinh ra đều được tự do và bình đẳng về nhân phẩm và quyền lợi.",
    ru: "Рёбра и Рёв; С\u00a0другом. Все люди рождаются свободными и равными в своём достоинстве.",
    uk: "Рівне, Рівне. Усі люди народжуються вільними і рівними у своїй гідності та правах.",
    zh: "人人生而自由，在尊严和权利上一律平等。",
    ar: "يولد جميع الناس أحرارًا متساوين في الكرامة والحقوق.",
  };
  const decode = (text: string, page: string) => new TextDecoder(page).decode(Buffer.from(text));

  test.each(Object.entries(sentences))(
    "%s as it is has none; read in the wrong code page, it has",
    (language, text) => {
      expect(countMojibake(text, language)).toBe(0);
      const share = (broken: string) => countMojibake(broken, language) / broken.length;
      expect(share(decode(text, "windows-1252"))).toBeGreaterThan(0.02);
      expect(share(Buffer.from(text).toString("latin1"))).toBeGreaterThan(0.02);
      if (["ru", "uk"].includes(language)) expect(share(decode(text, "windows-1251"))).toBeGreaterThan(0.5);
    },
  );

  const rule = (text: string, name: string, language = "en") =>
    numberOf(garbled(readDocument(text, language)), `garbled.${name}`);
  test("counts by hand", () => {
    expect(rule("ab\ufffd\ufffd", "replacement")).toBe(0.5);
    expect(rule("a\ud800", "replacement")).toBe(0.5); // a lone half is written as U+FFFD
    expect(rule("a\0\x07\x9fb\n\t\r", "control")).toBe(3 / 8);
    expect(rule("a\ue000\u{f0000}b", "privateUse")).toBe(0.5);
    expect(rule("?????abc??", "repeatedSymbols")).toBe(0.5); // five in a row, two are none
    expect(rule("aaaaaaaa11111 ", "repeatedSymbols")).toBe(0);
    expect(rule("привет äöü", "expectedScript", "ru")).toBeCloseTo(6 / 9, 15);
    expect(rule("привет abc", "expectedScript", "ru")).toBe(1); // names and code are in ASCII everywhere
    expect(rule("abc", "expectedScript", "ru")).toBe(0);
    expect(rule("ab ▒¤ 1#", "symbols")).toBe(3 / 8);
    expect(rule("привет abc", "expectedScript", "en")).toBeCloseTo(3 / 9, 15);
    expect(rule("раураl two", "mixedWords")).toBe(0.5); // "paypal" with Cyrillic letters
    expect(rule("日本語のテスト", "expectedScript", "ja")).toBe(1);
    expect(rule("42", "expectedScript")).toBe(1);
  });
});

describe("blocked words", () => {
  test("count where no letter touches them; in unspaced languages anywhere", () => {
    const list = indexWords(["bad", "very bad", "x"], "words");
    expect(findBlocked("bad, badly very bad! x-ray unbad bad9", list)).toEqual(["bad", "very bad", "x"]);
    const unspaced = indexWords(["悪い", "bad", "3p", "ラバー", "กู"], "unspaced");
    expect(findBlocked("unbadly", indexWords(["bad"], "anywhere"))).toEqual(["bad"]);
    expect(findBlocked("とても悪い人 3p、bad！ラバーの ก็กู", unspaced)).toEqual(["悪い", "3p", "bad", "ラバー", "กู"]);
    expect(findBlocked("radius:3px unbad スクラバー ラバーズ กู้", unspaced)).toEqual([]); // parts of longer words
    expect(findBlocked("", list)).toEqual([]);
  });

  test("one in passing drops a short text, not the Declaration of Human Rights", () => {
    const articles = loadCorpus().filter(({ source }) => source === "udhr");
    for (const language of ["en", "es", "fr", "ja", "pt", "zh"] as const) {
      const text = articles.map(({ text }) => text[language] ?? "").join("\n");
      const [measure] = blocklist(readDocument(text, language), makeBlocklist(language));
      expect(passes(measure), language).toBe(true);
      if (language !== "zh") expect(measure.value).toBeGreaterThan(0);
    }
    expect(passes(blocklist(readDocument("See free sex here now.", "en"), makeBlocklist("en"))[0])).toBe(false);
  });

  test("lists: naughty-words' where it has the language, and the user's", () => {
    const share = (text: string, language: string, extra?: string[]) =>
      blocklist(readDocument(text, language), makeBlocklist(language, extra))[0].value;
    expect(share("Some porn here", "en")).toBe(1 / 3);
    expect(share("Nimm das Angebot", "kk", ["ANGEBOT"])).toBe(1 / 3);
    expect(share("", "en")).toBe(0);
    expect(makeBlocklist("kk").byStart.size).toBe(0);
  });
});

describe("limits", () => {
  test("every language of the paper has some; English has Gopher's and FineWeb's", () => {
    expect(LANGUAGES.every((language) => limitsOf(language).gopherRepetition.duplicateNGrams.length === 6)).toBe(true);
    expect(limitsOf("en")).toBe(ENGLISH_LIMITS);
    const thai = limitsOf("th");
    expect([thai.languageScore, thai.fineWeb.minTerminalLines, thai.gopherQuality.maxWordLength]).toEqual([0.9, 0, 10]);
    expect(limitsOf("az").gopherRepetition.topNGrams[0]).toBe(0.514); // the outlier
  });

  const sample = (values: number[], keep: Measure["keep"], limit: number) =>
    values.map((value): Measure[] => [{ rule: "r", value, limit, keep }]);
  test("derived: 10th or 90th percentile, within a factor of two of the published number", () => {
    const values = Array.from({ length: 11 }, (_, i) => i / 10);
    expect(deriveLimits(sample(values, "atLeast", 0.15))[0]).toEqual({
      rule: "r",
      keep: "atLeast",
      published: 0.15,
      percentile: 0.1,
      limit: 0.1,
      documents: 11,
    });
    expect(deriveLimits(sample(values, "atMost", 0.3))[0]).toMatchObject({ percentile: 0.9, limit: 0.6 });
    expect(deriveLimits(sample(values, "atLeast", 0.8))[0]).toMatchObject({ percentile: 0.1, limit: 0.4 });
    expect(deriveLimits(sample(values, "atMost", 0))[0].limit).toBe(0); // nothing of it is allowed
    expect(deriveLimits(sample(values, "atMost", 1))[0].limit).toBe(1); // the rule is off
    expect(quantile([4, 1, 3, 2], 0.5)).toBe(2.5); // numpy.quantile
  });

  test("replace the published ones in measures", () => {
    const [measure] = withLimits([{ rule: "r", value: 0.2, limit: 0.1, keep: "atMost" }], new Map([["r", 0.3]]));
    expect([passes(measure), margin(measure).toFixed(2)]).toEqual([true, "0.10"]);
  });
});

describe("bad input", () => {
  test.each(["", " \n\t ", "!!! ??? ---", "\0", "\ud800", "\u200d\ufeff"])(
    "%j is `empty`, and no number is NaN",
    (text) => {
      for (const language of LANGUAGES) {
        const measures = allMeasures(text, language);
        expect(passes(measures.find(({ rule }) => rule === "empty")!)).toBe(false);
        expect(measures.filter(({ value, limit }) => !Number.isFinite(value) || !Number.isFinite(limit))).toEqual([]);
      }
    },
  );

  test("rule names are unique", () => {
    const names = allMeasures("One two three.", "en").map(({ rule }) => rule);
    expect(new Set(names).size).toBe(names.length);
  });

  test("all rules on 256 KiB made to be slow take less than half a second", () => {
    // In a process of its own: vitest's imports make inner loops several times slower.
    const seconds: Record<string, number> = JSON.parse(
      execFileSync(process.execPath, ["--import", "tsx", "test/data/rules/hostile.ts"], { encoding: "utf8" }),
    );
    expect(Object.entries(seconds).filter(([, taken]) => taken >= 0.5)).toEqual([]);
    expect(Object.keys(seconds).length).toBeGreaterThan(10);
  });
});

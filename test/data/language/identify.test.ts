import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { Worker } from "node:worker_threads";
import { afterAll, describe, expect, test } from "vitest";
import { loadCorpus } from "../../../src/data/corpus.ts";
import {
  type Identification,
  languageMeasure,
  loadIdentifier,
  MIN_LETTERS,
  prepare,
} from "../../../src/data/language/identify.ts";
import { LANGUAGES } from "../../../src/data/languages.ts";
import { passes } from "../../../src/data/rules/measure.ts";

const identifier = await loadIdentifier();
const { identify } = identifier;
afterAll(identifier.dispose);

test("says what fastText's Python says of datatrove's four sentences, to float32's last digits", () => {
  // fasttext-numpy2-wheel 0.9.2, lid.176.ftz, predict(text, 1)
  const expected: [string, string, number][] = [
    ["Hello, world! This is a test", "en", 0.9784075021743774],
    ["Un magicien n'est jamais en retard Frodon Sacquet.", "fr", 0.9727554321289062],
    ["Um mago nunca chega tarde, Frodo Bolseiro. Nem cedo.", "pt", 0.6978271007537842],
    [
      "Molti tra i vivi meritano la morte. E parecchi che sono morti avrebbero meritato la vita.",
      "it",
      0.993266224861145,
    ],
  ];
  for (const [text, language, probability] of expected) {
    const found = identify(text);
    expect(found.language).toBe(language);
    expect(found.probability).toBeCloseTo(probability, 6);
  }
});

test("names the language of the declaration's preamble in at least 28 of 29", () => {
  const articles = loadCorpus().filter(({ kind }) => kind === "article");
  const wrong = LANGUAGES.filter((language) => {
    const text = articles.flatMap((record) => record.text[language] ?? []).join("\n");
    return identify(text).language !== language;
  });
  expect(wrong.length, wrong.join()).toBeLessThanOrEqual(1);
});

describe("text that is no language", () => {
  test.each([
    ["nothing", ""],
    ["white space", " \n\t\0 "],
    ["emoji", "😀😁😂".repeat(20)],
    ["numbers", "12 34 ".repeat(50)],
    ["three characters", "abc"],
    ["one letter too few", `${"ab ".repeat(9)}a`],
    ["lone surrogates", "\ud800".repeat(50)],
  ])("%s: und", (_what, text) => {
    expect(identify(text)).toEqual({ language: "und", probability: 0, labels: [] });
  });

  test(`${MIN_LETTERS} letters are enough, of any script`, () => {
    expect(identify("我们一起去公园玩吧今天天气很好大家都很高兴").language).toBe("zh");
    expect(identify("This is just twenty letters.").language).toBe("en");
  });

  test("row 21: code and mixed scripts get some label, and nothing throws", () => {
    for (const text of [
      "for (let index = 0; index < length; index++) { total[index] += part[index]; }",
      "Привет hello 你好 مرحبا שלום Γειά",
    ]) {
      expect(identify(text).labels.length).toBeGreaterThan(0);
    }
  });
});

test("row 21: a line feed or NUL changes nothing", () => {
  const text = "All human beings are born free and equal in dignity and rights.";
  expect(identify(text.replaceAll(" ", "\n"))).toEqual(identify(text));
  expect(identify(text.replace(" ", "\0"))).toEqual(identify(text));
  expect(prepare("a\r\n\tb\u2028c")).toBe("a b c");
});

test("of a long text the beginning, middle and end are read", () => {
  const text = `${"a".repeat(5000)}${"b".repeat(5000)}${"c".repeat(5000)}`;
  expect(prepare(text)).toMatch(/^a{1024} b{1024} c{1024}$/);
});

test("among neighbours CLD3 has a say: both answers are kept, and more is right than by fastText alone", () => {
  const articles = loadCorpus().filter(({ kind }) => kind === "article");
  let [alone, together, asked] = [0, 0, 0];
  for (const language of ["ms", "id", "ne"] as const) {
    for (const text of articles.flatMap((record) => record.text[language] ?? [])) {
      const found = identify(text);
      if (found.labels[0]?.language === language) alone++;
      if (found.language === language) together++;
      if (found.second) asked++;
    }
  }
  expect(together).toBeGreaterThan(alone + 10);
  expect(asked).toBeGreaterThan(120);
});

test("the measure is the probability of the language asked for, against its limit", () => {
  const found: Identification = {
    language: "id",
    probability: 0.9,
    labels: [
      { language: "ms", probability: 0.7 },
      { language: "id", probability: 0.2 },
    ],
  };
  expect(languageMeasure(found, "id", 0.685)).toEqual({
    rule: "language.score",
    value: 0.9,
    limit: 0.685,
    keep: "atLeast",
  });
  expect(passes(languageMeasure(found, "ms", 0.618))).toBe(false); // CLD3 said otherwise
  expect(languageMeasure(found, "fr", 0.5).value).toBe(0);
});

test("works in a worker thread", async () => {
  const worker = new Worker(
    `const { parentPort } = require("node:worker_threads");
     import("tsx/esm/api").then(({ register }) => register()).then(() => import(${JSON.stringify(new URL("../../../src/data/language/identify.ts", import.meta.url).href)}))
       .then(({ loadIdentifier }) => loadIdentifier())
       .then(({ identify }) => parentPort.postMessage(identify("Alle Menschen sind frei und gleich geboren.")));`,
    { eval: true, execArgv: [] },
  );
  const found = await new Promise<Identification>((resolve, reject) =>
    worker.once("message", resolve).once("error", reject),
  );
  await worker.terminate();
  expect(found.language).toBe("de");
});

test("loads nothing before it is asked to, opens no connection, and lets the process end", () => {
  const source = readFileSync("src/data/language/identify.ts", "utf8");
  expect(source).not.toMatch(/^import [^;]*"(fasttext\.wasm\.js|cld3-asm)"/m);
  const program = `
    import net from "node:net";
    globalThis.fetch = net.Socket.prototype.connect = () => { throw new Error("network"); };
    const { loadIdentifier } = await import("./src/data/language/identify.ts");
    const { identify } = await loadIdentifier();
    process.stdout.write(identify("Toda persona tiene derecho a la vida, a la libertad.").language);
  `;
  const args = ["--import", "tsx", "--input-type=module", "-e", program];
  expect(execFileSync(process.execPath, args, { encoding: "utf8", timeout: 30_000 })).toBe("es");
});

test("names of code, addresses and numbers are left out where words are left; capitals become small", () => {
  const words = "This module opens a window (if it can) and waits for an answer";
  expect(prepare(`${words}, app.whenReady() https://x.org/a 42 newWindow`)).toBe(`${words},`);
  expect(prepare("app.quit() f(x) 1")).toBe("app.quit() f(x) 1"); // nothing else is there
  expect(prepare("größe() 日本語(x)")).toBe("größe() 日本語(x)"); // only ASCII is judged
  expect(prepare("ALLE MENSCHEN SIND FREI, ÜBERALL")).toBe("alle menschen sind frei, überall");
});

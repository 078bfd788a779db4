/** The report of a made-up run: safe, self-contained, exact and the same every time. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseHTML } from "linkedom";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LANGUAGE_NAMES, LANGUAGES, languageGroup } from "../../src/data/languages.ts";
import { TABLE_1 as DATA_TABLE_1 } from "../../src/data/mixture.ts";
import { spread, thin } from "../../src/report/charts.ts";
import { renderReport, writeReport } from "../../src/report/html.ts";
import { groupOf, labelOf, TABLE_1 } from "../../src/report/paper.ts";
import { readRun } from "../../src/report/readRun.ts";
import { STAGE_LABELS, summaryTable } from "../../src/report/tables.ts";
import { UserError } from "../../src/util/assert.ts";
import type { Results } from "../../src/util/results.ts";
import { makeMetrics, makeResults, manifest, writeRun } from "./fixture.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "marco-report-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

const results = makeResults();
const render = (changes: Partial<Results> = {}) =>
  renderReport({ results: { ...results, ...changes }, metrics: makeMetrics(), manifest });
const page = render();

interface Element {
  textContent: string;
  tagName: string;
  getAttribute(name: string): string | null;
  querySelector(selector: string): Element;
  querySelectorAll(selector: string): Element[];
  attributes: { name: string; value: string }[];
}
const parse = (text: string): Element => parseHTML(text).document as unknown as Element;

/** Row label -> the exact values of its cells, of the table with this caption. */
function valuesOf(document: Element, caption: string): Map<string, (number | undefined)[]> {
  const table = [...document.querySelectorAll("[role=region]")].find((region) =>
    region.getAttribute("aria-label")?.startsWith(caption),
  );
  expect(table, `table "${caption}"`).toBeDefined();
  return new Map(
    [...table!.querySelectorAll("tbody tr")].map((row) => [
      row.querySelector("th").textContent,
      [...row.querySelectorAll("td")].map((cell) => {
        const data = cell.querySelector("data");
        return data ? Number(data.getAttribute("value")) : undefined;
      }),
    ]),
  );
}

describe("self-contained", () => {
  const document = parse(page);

  it("forbids scripts, network and frames by policy, and has none", () => {
    const policy = document.querySelector("meta[http-equiv=Content-Security-Policy]").getAttribute("content");
    expect(policy).toBe("default-src 'none'; style-src 'unsafe-inline'; img-src data:");
    expect([...document.querySelectorAll("script, iframe, object, embed, link, img, form, base")]).toEqual([]);
  });

  it("names no address outside itself", () => {
    expect(page).not.toMatch(/https?:|\/\/[a-z]|@import|url\(/i);
    for (const element of document.querySelectorAll("[href], [src]")) {
      expect(element.getAttribute("href")).toMatch(/^#/);
      expect(element.getAttribute("src")).toBeNull();
    }
  });

  it("every link inside leads to a section", () => {
    const ids = [...document.querySelectorAll("section")].map((section) => `#${section.getAttribute("id")}`);
    expect([...document.querySelectorAll("nav a")].map((a) => a.getAttribute("href"))).toEqual(ids);
  });

  it("every chart says in words what it shows", () => {
    const charts = [...document.querySelectorAll("figure svg")];
    expect(charts.length).toBeGreaterThan(15);
    for (const chart of charts) {
      expect(chart.getAttribute("role")).toBe("img");
      expect(chart.getAttribute("aria-label")?.length).toBeGreaterThan(30);
      expect(chart.getAttribute("aria-label")).not.toMatch(/NaN|undefined|Infinity/);
    }
  });

  it("leaves the direction of sample texts to the text", () => {
    const cells = [...document.querySelectorAll(".samples td")];
    expect(cells.length).toBeGreaterThan(50);
    for (const cell of cells) expect(cell.getAttribute("dir")).toBe("auto");
  });

  it("draws and prints no NaN and no undefined", () => {
    expect(page.replace(/<style>.*?<\/style>/gs, "")).not.toMatch(/NaN|undefined|Infinity|\[object/);
  });
});

describe("hostile text", () => {
  const attack = `"><script>alert(1)</script><img src=x onerror=alert(2)>'&<svg onload=alert(3)>`;
  const hostile = makeResults();
  hostile.preset = attack;
  hostile.engine = { name: attack, reason: attack };
  hostile.model.config = { [attack]: attack };
  hostile.claims = [{ name: attack, target: attack, value: attack, holds: true }];
  hostile.utilisation.push({ name: attack, group: attack, available: 10, used: 1 });
  for (const m of hostile.mixture) m.sources.push({ source: attack, target: 0.1, realised: 0.1, tokens: 1 });
  for (const e of hostile.evaluations) {
    e.bitsPerByte[attack] = 2;
    e.multipleChoice[attack] = {
      [attack]: { n: 4, correct: 2, value: 0.5, low: 0.1, high: 0.9, chance: 0.5, acc: 0.5, accNorm: 0.5 },
    };
    e.translation.push({
      ...e.translation[0],
      source: attack,
      target: attack,
      bleuSignature: attack,
      samples: [{ source: attack, reference: attack, hypothesis: attack }],
    });
    if (e.preference?.winLossTie) e.preference.winLossTie[attack] = { win: 1, loss: 0, tie: 0 };
  }
  const metrics = [{ ...makeMetrics()[0], [attack]: attack }];
  const text = renderReport({ results: hostile, metrics, manifest: { [attack]: [attack, { [attack]: attack }] } });

  it("is shown and never becomes markup", () => {
    const document = parse(text);
    expect([...document.querySelectorAll("script, img, [onerror], [onload]")]).toEqual([]);
    for (const element of document.querySelectorAll("*")) {
      for (const { name } of element.attributes) expect(name).not.toMatch(/^on/i);
    }
    expect(text).not.toMatch(/<script|<img/i);
    expect(document.querySelector(".claims tbody th").textContent).toBe(attack);
    expect(document.querySelector("dd").textContent).toBe(attack);
  });
});

describe("numbers equal results.json", () => {
  const document = parse(page);
  const { evaluations } = results;

  it("bits per byte", () => {
    const table = valuesOf(document, "Bits per byte");
    for (const language of LANGUAGES) {
      const values = evaluations.map((e) => e.bitsPerByte[language]);
      const row = table.get(LANGUAGE_NAMES[language])!;
      expect(row.slice(0, -1)).toEqual([results.tokenizer.bytesPerToken[language], ...values]);
      expect(row.at(-1)).toBeCloseTo(100 * (values.at(-1)! / values[0] - 1), 9);
    }
    const lr = LANGUAGES.filter((l) => languageGroup(l) === "LR").map((l) => evaluations[0].bitsPerByte[l]);
    expect(table.get("Average LR (19)")![1]).toBeCloseTo(lr.reduce((a, b) => a + b) / 19, 9);
  });

  it("multiple choice with its intervals", () => {
    for (const task of Object.keys(evaluations[0].multipleChoice)) {
      const table = valuesOf(document, `${task}: accuracy`);
      for (const language of LANGUAGES) {
        const values = evaluations.map((e) => e.multipleChoice[task][language].value);
        expect(table.get(LANGUAGE_NAMES[language])!.slice(2)).toEqual(values);
      }
    }
    const { low, high } = evaluations[0].multipleChoice.capitals.en;
    expect(page).toContain(`[${(100 * low).toFixed(0)}–${(100 * high).toFixed(0)}]`);
  });

  it("translation, preferences, mixture, Table 1", () => {
    const translation = valuesOf(document, "Translation of held-out pairs");
    evaluations[0].translation.forEach(({ source, target, n }, i) => {
      expect(translation.get(`${labelOf(source)} → ${labelOf(target)}`)).toEqual([
        n,
        ...evaluations.map((e) => e.translation[i].chrf),
        ...evaluations.map((e) => e.translation[i].bleu),
        undefined,
      ]);
    });

    const verdicts = evaluations[4].preference!.winLossTie!;
    const wins = valuesOf(document, "DPO against SFT");
    for (const l of LANGUAGES) {
      const { win, loss, tie } = verdicts[l];
      expect(wins.get(LANGUAGE_NAMES[l])!.slice(0, 3)).toEqual([win, loss, tie]);
    }

    const pairs = valuesOf(document, "Held-out pairs");
    const { accuracy, rewardAccuracy } = evaluations[4].preference!;
    expect(pairs.get("DPO")).toEqual([accuracy.n, accuracy.value, rewardAccuracy!.value]);

    const mixture = valuesOf(document, "The mixture");
    expect(mixture.get("English")).toEqual(
      results.mixture.flatMap(({ sources }) => [sources[0].target, sources[0].realised]),
    );

    const corpus = valuesOf(document, "Corpus and its use");
    for (const { name, available, used } of results.utilisation) {
      const paper = TABLE_1.find((row) => row.name === name)!;
      expect(corpus.get(labelOf(name))).toEqual([
        available,
        used,
        used / available,
        paper.available,
        paper.used,
        paper.utilisation,
      ]);
    }
  });

  it("shows a rounded text for every exact value", () => {
    const cells = [...document.querySelectorAll("td data")];
    expect(cells.length).toBeGreaterThan(800);
    for (const cell of cells) expect(cell.textContent).toMatch(/\d/);
  });

  it("marks each claim as holding or not", () => {
    const marks = [...document.querySelectorAll(".claims .mark")].map((mark) => mark.textContent);
    expect(marks).toEqual(results.claims.map((claim) => (claim.holds ? "✓ holds" : "✗ does not hold")));
  });
});

describe("the paper's numbers", () => {
  it("are Table 1 as the data module has it, with the same languages and groups", () => {
    expect(TABLE_1.map(({ name, available, used, utilisation }) => ({ name, available, used, utilisation }))).toEqual(
      DATA_TABLE_1,
    );
    for (const language of LANGUAGES) {
      expect(labelOf(language)).toBe(LANGUAGE_NAMES[language]);
      expect(groupOf(language)).toBe(languageGroup(language) === "LR" ? "LR" : "HR");
    }
  });
});

describe("writeReport", () => {
  it("writes the same bytes for the same files, and nothing else", () => {
    writeRun(directory);
    const path = writeReport(directory);
    const first = readFileSync(path, "utf8");
    expect(readFileSync(writeReport(directory), "utf8") === first).toBe(true); // (a diff would be 300 kB)
    expect(first === page).toBe(true);
    expect(readdirSync(directory).sort()).toEqual(["manifest.json", "metrics.jsonl", "report.html", "results.json"]);
  });

  it("reports a run that stopped after the base model", () => {
    const base = { evaluations: results.evaluations.slice(0, 1), mixture: results.mixture.slice(0, 1), claims: [] };
    const text = renderReport({
      results: { ...results, ...base },
      metrics: makeMetrics().filter((line) => line.stage === "base"),
      manifest: {},
    });
    expect(text).toContain("Pretraining loss");
    expect(text.replace(/<style>.*?<\/style>/gs, "")).not.toMatch(/NaN|undefined|Infinity/);
    expect(text).not.toContain("Preferences (DPO)");
  });

  it("reports training alone when nothing has been evaluated", () => {
    const text = render({ evaluations: [] });
    expect(text).toContain("DPO loss");
    expect(text).not.toContain("Bits per byte");
  });

  const broken: [what: string, file: string, content: string | undefined, message: RegExp][] = [
    ["no results", "results.json", undefined, /results\.json: cannot be read; expected a run folder/],
    ["no metrics", "metrics.jsonl", undefined, /metrics\.jsonl: cannot be read/],
    ["no manifest", "manifest.json", undefined, /manifest\.json: cannot be read/],
    [
      "half-written results",
      "results.json",
      '{"preset": "wor',
      /results\.json is not JSON; the run was probably stopped/,
    ],
    ["a missing key", "results.json", '{"preset": "x"}', /results\.json does not follow the contract.*seed: /],
    [
      "a half-written last line",
      "metrics.jsonl",
      '{"stage":"base","step":1,"tokens":2}\n{"sta',
      /metrics\.jsonl, line 2/,
    ],
    ["an unknown stage", "metrics.jsonl", '{"stage":"stage3","step":1,"tokens":2}', /metrics\.jsonl, line 1.*stage: /],
    ["a loss that was NaN", "metrics.jsonl", '{"stage":"base","step":1,"tokens":2,"loss":null}', /line 1.*loss: /],
    ["a manifest that is a list", "manifest.json", "[]", /manifest\.json does not follow the contract/],
  ];
  it.each(broken)("says what is wrong with %s, and writes nothing", (_, file, content, message) => {
    writeRun(directory);
    if (content === undefined) rmSync(join(directory, file));
    else writeFileSync(join(directory, file), content);
    expect(() => writeReport(directory)).toThrow(UserError);
    expect(() => readRun(directory)).toThrow(message);
    expect(readdirSync(directory)).not.toContain("report.html");
  });
});

describe("summaryTable", () => {
  const text = summaryTable(results);

  it("has one aligned line per model and one per claim", () => {
    const lines = text.split("\n");
    const models = lines.filter((line) => /^(Base|Stage I|Stage II|SFT|DPO) /.test(line));
    expect(models).toHaveLength(results.evaluations.length);
    expect(new Set(models.map((line) => line.length)).size).toBe(1);
    expect(text).toContain(results.evaluations[0].bitsPerByte.en.toFixed(3));
    for (const { name, holds } of results.claims) expect(text).toContain(`${holds ? "✓" : "✗"} ${name}`);
    expect(Object.values(STAGE_LABELS).every((label) => text.includes(label))).toBe(true);
  });
});

describe("time", () => {
  it("is the run's own total when it has one, else the sum, and never both", () => {
    const seconds = { base: 10, dpo: 5 };
    const times = (s: Record<string, number>) => ({ ...results, times: { ...results.times, seconds: s } });
    expect(valuesOf(parse(render(times(seconds))), "Time").get("Total")).toEqual([15, undefined]);
    expect(valuesOf(parse(render(times({ ...seconds, total: 20 }))), "Time").get("Total")).toEqual([20, undefined]);
  });
});

describe("drawing helpers", () => {
  it("thin keeps the mean and at most the limit", () => {
    const points = Array.from({ length: 1000 }, (_, i) => ({ x: i, y: 2 * i }));
    const few = thin(points, 100);
    expect(few).toHaveLength(100);
    expect(few[0]).toEqual({ x: 4.5, y: 9 });
    expect(thin(points.slice(0, 100), 100)).toEqual(points.slice(0, 100));
  });

  it("spread moves labels apart by the gap and keeps their order", () => {
    expect(spread([1, 1, 1], 1)).toEqual([0, 1, 2]);
    expect(spread([5, 0], 1)).toEqual([5, 0]);
    expect(spread([], 1)).toEqual([]);
  });
});

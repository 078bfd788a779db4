/**
 * @file `marco data synthesize` and `marco data translate` from a real HTTP server that answers with real text and with
 * every fault, and from a tiny model of our own: what is kept, why the rest is not, and that neither kill -9 nor Ctrl-C
 * changes a byte or pays an answer twice.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { addDataCommand } from "../../src/cli/data.ts";
import { parseAsync } from "../../src/cli/options.ts";
import { openOwnModel } from "../../src/cli/ownModel.ts";
import { loadCorpus } from "../../src/data/corpus.ts";
import { synthesizeSchema, translateSchema } from "../../src/data/generated/recipe.ts";
import { synthesize } from "../../src/data/generated/synthesize.ts";
import { translateRows } from "../../src/data/generated/translate.ts";
import { type Identifier, loadIdentifier } from "../../src/data/language/identify.ts";
import { LANGUAGE_NAMES, type Language } from "../../src/data/languages.ts";
import { makeEndpoint } from "../../src/data/llm/endpoint.ts";
import { openSession } from "../../src/data/llm/session.ts";
import { UserError } from "../../src/util/assert.ts";
import { type Asked, completion, type Reply, startServer, status } from "../data/llm/server.ts";
import { saveTinyModel } from "./tinyModel.ts";

const folder = mkdtempSync(join(tmpdir(), "marco-synthesize-"));
const at = (...parts: string[]) => join(folder, ...parts);
let identifier: Identifier;
beforeAll(async () => {
  identifier = await loadIdentifier();
});
afterAll(() => {
  identifier.dispose();
  rmSync(folder, { recursive: true });
});

const articles = loadCorpus().filter(({ source, key }) => source === "udhr" && key.startsWith("article"));
const LANGUAGES_HERE = ["en", "de", "ru"] as const;
const languageIn = (text: string) =>
  LANGUAGES_HERE.find((language) => new RegExp(`(?:into|in) ${LANGUAGE_NAMES[language]}\\b`).test(text))!;

/** Three articles in the language that is asked for, drawn by the seed. */
const essay = ({ messages, seed }: Asked) => {
  const language = languageIn(messages[0].content);
  const from = (seed! % 13) * 3;
  return articles
    .slice(from, from + 3)
    .map(({ text }) => text[language])
    .join("\n");
};
/** Every fault in turn, by the seed, among good answers. */
const faulty: ((body: Asked) => Reply)[] = [
  () => "I'm sorry, but I cannot help with that.",
  () => "",
  (body) => (response) => response.end(completion(essay(body), { finish_reason: "length" })),
  (body) => `${essay(body)} {keywords}`,
  ({ messages }) =>
    articles
      .slice(0, 3)
      .map(({ text }) => text[languageIn(messages[0].content) === "de" ? "fr" : "it"])
      .join("\n"),
  () => status(400, "the prompt is too long"),
];
const reply = (body: Asked): Reply =>
  body.seed! % 3 === 0 ? faulty[Math.floor(body.seed! / 3) % faulty.length](body) : essay(body);

const lines = (path: string) =>
  readFileSync(path, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));

function marco(args: string[], onStart?: (kill: (signal: NodeJS.Signals) => void) => void) {
  return new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) => {
    const child = spawn(process.execPath, ["bin/marco.js", "data", ...args]);
    const out = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const)
      child[name].setEncoding("utf8").on("data", (text: string) => {
        out[name] += text;
      });
    child.on("close", (code) => resolve({ code, ...out }));
    onStart?.((signal) => child.kill(signal));
  });
}

/** The command without a process of its own, which would take two seconds to start. */
async function inProcess(args: string[]) {
  const program = new Command("marco");
  addDataCommand(program);
  const log = vi.spyOn(console, "log").mockImplementation(() => {});
  try {
    await parseAsync(program, ["node", "marco", "data", ...args]);
  } finally {
    log.mockRestore();
  }
}

describe("synthesize", () => {
  const COUNT = 90;
  const recipeOf = (endpoint: string) => ({
    ...{ count: COUNT, languages: [...LANGUAGES_HERE], kinds: ["explanation", "story"], concurrency: 3, retries: 0 },
    models: [
      { endpoint, model: "first" },
      { endpoint, model: "second" },
    ],
    ...{ keywords: { file: at("keywords.txt") }, lengths: [[60, 120]], limits: { quarantined: 1 } },
  });
  beforeAll(() => writeFileSync(at("keywords.txt"), "law\nfreedom\nschool\nRecht\tde\nFreiheit\tde\nSchule\tde\n"));

  test("every text is accounted for, says where it is from, and is what was asked; a kill changes nothing", async () => {
    const server = await startServer(reply);
    try {
      const recipe = synthesizeSchema.parse(recipeOf(server.endpoint));
      const session = openSession({ path: at("whole", "answers.jsonl"), ...recipe });
      const models = recipe.models.map(({ model }) =>
        session.use(makeEndpoint({ endpoint: server.endpoint, model: model!, timeoutSeconds: 5 })),
      );
      const counts = await synthesize({ out: at("whole"), recipe, models, identify: identifier.identify });
      writeFileSync(at("whole", "summary.json"), `${JSON.stringify(counts, null, 1)}\n`);
      session.close();

      expect(counts.in).toBe(COUNT);
      expect(counts.kept + counts.dropped + counts.quarantined).toBe(COUNT);
      const ledger = lines(at("whole", "ledger.jsonl"));
      expect(ledger.map(({ id }) => id)).toEqual(Array.from({ length: COUNT }, (_, i) => `synthetic#${i}`));
      const texts = lines(at("whole", "texts.jsonl"));
      expect(texts.map(({ id }) => id)).toEqual(ledger.filter((l) => l.outcome === "kept").map(({ id }) => id));
      for (const { language, keywords, text, provenance } of texts) {
        expect(identifier.identify(text).language).toBe(language);
        if (language === "de") expect(["Recht", "Freiheit", "Schule"]).toEqual(expect.arrayContaining(keywords));
        const asked = server.asked.find(({ seed }) => seed === provenance.seed)!;
        expect(provenance).toMatchObject({
          model: asked.model,
          host: new URL(server.endpoint).host,
          topP: asked.top_p,
        });
      }
      expect(new Set(texts.map(({ provenance }) => provenance.model))).toEqual(new Set(["first", "second"]));
      expect(new Set(texts.map(({ text }) => text)).size).toBe(texts.length);

      // Each planted fault has its reason, and nothing else of the planted ones is kept.
      const reasons = [
        "refusal",
        "empty",
        "cut",
        "leftover",
        "language",
        expect.stringMatching(/^no answer: .*too long$/),
      ];
      const seen = new Set<number>();
      for (const { reason, outcome, provenance, prompt } of ledger) {
        if (!provenance || outcome === "quarantined") continue;
        const { seed } = provenance;
        if (seed % 3 !== 0)
          expect(reason ?? "none").toMatch(/^(none|duplicate|top\dGram|duplicate\d+Grams)$/); // a law repeats itself
        else expect(reason).toEqual(reasons[Math.floor(seed / 3) % 6]);
        seen.add(seed % 3 === 0 ? Math.floor(seed / 3) % 6 : 9);
        expect(prompt).toMatch(/Write in (English|German|Russian) only/);
      }
      expect([...seen].sort()).toEqual([0, 1, 2, 3, 4, 9]);
      expect(ledger.filter(({ outcome }) => outcome === "quarantined").map(({ reason }) => reason)).toEqual(
        Array(counts.quarantined).fill(reasons[5]),
      );
      expect(counts.quarantined).toBeGreaterThan(0);

      // The same as a command, killed and interrupted on its way.
      writeFileSync(at("recipe.json"), JSON.stringify(recipeOf(server.endpoint)));
      const args = ["synthesize", "--recipe", at("recipe.json"), "--out", at("killed")];
      const before = server.asked.length;
      const afterRequests = (requests: number, then: () => void) => {
        const goal = server.asked.length + requests;
        const timer = setInterval(() => {
          if (server.asked.length < goal) return;
          clearInterval(timer);
          then();
        }, 1);
      };
      const killed = await marco(args, (kill) => afterRequests(17, () => kill("SIGKILL")));
      expect(killed.code).toBeNull();
      const said = vi.spyOn(console, "error").mockImplementation(() => {});
      afterRequests(20, () => process.kill(process.pid, "SIGINT")); // a real signal, to ourselves
      await inProcess(args);
      expect([process.exitCode, said.mock.calls]).toEqual([130, [["the same command goes on from here"]]]);
      process.exitCode = undefined;
      said.mockRestore();
      expect(server.asked.length).toBeLessThan(before + COUNT);
      await inProcess(args);
      for (const name of ["texts.jsonl", "ledger.jsonl", "summary.json"])
        expect(readFileSync(at("killed", name), "utf8")).toBe(readFileSync(at("whole", name), "utf8"));
      // Asked twice: what was under way at the kill (at most three), and what was refused, which has no answer to keep.
      const asked = server.asked.slice(before).map((body) => JSON.stringify(body));
      const twice = asked.filter(
        (one, i) =>
          asked.indexOf(one) !== i &&
          !(JSON.parse(one).seed % 3 === 0 && Math.floor(JSON.parse(one).seed / 3) % 6 === 5),
      );
      expect(twice.length).toBeLessThanOrEqual(3);
    } finally {
      await server.close();
    }
  });

  test("row 38: a budget ends the command before it is passed, and a higher one goes on; edited keywords do not", async () => {
    const server = await startServer(essay);
    try {
      const run = (requests: number, count = 12) => {
        const recipe = { ...recipeOf(server.endpoint), count, budget: { requests } };
        writeFileSync(at("small.json"), JSON.stringify(recipe));
        return inProcess(["synthesize", "--recipe", at("small.json"), "--out", at("small")]);
      };
      await expect(run(5)).rejects.toThrow(
        "budget.requests: 5 of 5 are used, the next request may need 1; raise it and run the same command",
      );
      expect(server.asked.length).toBe(5);
      await run(12);
      expect(JSON.parse(readFileSync(at("small", "summary.json"), "utf8")).in).toBe(12);
      const texts = readFileSync(at("small", "texts.jsonl"), "utf8");
      expect(server.asked.length).toBe(12);
      await run(14, 14); // more of them begin with the same ones
      expect(server.asked.length).toBe(14);
      expect(readFileSync(at("small", "texts.jsonl"), "utf8").startsWith(texts)).toBe(true);
      writeFileSync(at("keywords.txt"), readFileSync(at("keywords.txt"), "utf8").replace("school", "peace"));
      await expect(run(14, 14)).rejects.toThrow(/other inputs \(keywords\.txt has changed\)/);
    } finally {
      await server.close();
    }
  });

  test("an own model writes too: its nonsense is dropped for its reasons, the same again each time", async () => {
    await saveTinyModel(at("tiny"), 1024);
    const model = await openOwnModel(at("tiny"), "onnx");
    const recipe = synthesizeSchema.parse({
      ...{ models: [{ folder: at("tiny") }], count: 3, languages: ["en"], kinds: ["story"], output: "parquet" },
      ...{ keywords: { file: at("keywords.txt") }, sampling: { maxTokens: 12 } },
    });
    const run = async (name: string) => {
      const session = openSession({ path: at(name, "answers.jsonl"), ...recipe });
      const counts = await synthesize({
        out: at(name),
        recipe,
        models: [session.use(model)],
        identify: identifier.identify,
      });
      session.close();
      return counts;
    };
    const counts = await run("own");
    expect(counts).toMatchObject({ in: 3, kept: 0, dropped: 3, quarantined: 0 });
    expect(await run("own again")).toEqual(counts);
    const ledger = readFileSync(at("own", "ledger.jsonl"), "utf8");
    expect(readFileSync(at("own again", "ledger.jsonl"), "utf8")).toBe(ledger);
    expect(JSON.parse(ledger.split("\n")[0]).provenance).toMatchObject({ host: "own model", maxTokens: 12 });
  });
});

describe("translate", () => {
  const long = (language: Language, i: number) => articles[i].text[language]!;
  /** Translates articles by the corpus. */
  const translator = ({ messages }: Asked): Reply => {
    const [, text] = /---\n(.*)\n---$/s.exec(messages[0].content)!;
    const target = languageIn(messages[0].content);
    const found = articles.find(({ text: all }) => Object.values(all).includes(text.replace(" {name}", "")));
    return found?.text[target] ?? text;
  };

  test("one part becomes another language and the rest stays; what is lost or left is dropped", async () => {
    const server = await startServer(translator);
    const rows: object[] = Array.from({ length: 24 }, (_, i) => ({
      instruction: long("en", i),
      input: long("en", i + 1),
      output: long("de", i + 2),
    }));
    rows.push({ question: "12 + 30 = ?", answer: "42" }); // nothing that could be identified
    rows.push({ instruction: "", input: `${long("en", 5)} {name}`, output: "42" }); // the mark is lost
    rows.push({ question: "Where does this sentence stand in all the articles?", answer: "1" }); // comes back untranslated
    rows.push({ messages: [1, 2, 3, 4].map((i) => ({ role: i % 2 ? "user" : "assistant", content: "x" })) });
    rows.push({ nothing: 1 });
    writeFileSync(at("rows.jsonl"), `${rows.map((row) => JSON.stringify(row)).join("\n")}\n{"torn`);
    try {
      const recipe = translateSchema.parse({
        ...{ models: [{ endpoint: server.endpoint, model: "m" }], languages: ["en", "de", "ru"] },
      });
      const session = openSession({ path: at("translated", "answers.jsonl"), ...recipe });
      const model = session.use(makeEndpoint({ endpoint: server.endpoint, model: "m", timeoutSeconds: 5 }));
      const options = { inputs: [at("rows.jsonl")], recipe, models: [model], identify: identifier.identify };
      const counts = await translateRows({ ...options, out: at("translated") });
      expect(counts).toMatchObject({ in: 30, kept: 24, dropped: 4, quarantined: 2 });
      expect(counts.reasons).toEqual({
        ...{ nothingToTranslate: 1, marks: 1, untranslated: 1, severalTurns: 1 },
        ...{ 'no "instruction", "question" or "messages"': 1, "not JSON": 1 },
      });
      const out = lines(at("translated", "rows.jsonl"));
      const names = { instruction: "instruction", question: "input", answer: "output" } as const;
      const drawn = { parts: new Set<string>(), targets: new Set<string>() };
      for (const [i, row] of out.entries()) {
        const part = row.part as keyof typeof names;
        const original = rows[i] as Record<string, string>;
        for (const [name, key] of Object.entries(names)) expect(row[key] === original[key]).toBe(name !== part);
        expect(identifier.identify(row[names[part]]).language).toBe(row.to);
        expect(row.languages[part]).toBe(row.to);
        expect(row.from).toBe(part === "answer" ? "de" : "en");
        drawn.parts.add(part);
        drawn.targets.add(row.to);
      }
      expect(drawn).toEqual({ parts: new Set(Object.keys(names)), targets: new Set(["en", "de", "ru"]) });

      const asked = server.asked.length;
      expect(await translateRows({ ...options, out: at("translated again") })).toEqual(counts);
      session.close();
      expect(server.asked.length).toBe(asked);
      expect(readFileSync(at("translated again", "rows.jsonl"))).toEqual(readFileSync(at("translated", "rows.jsonl")));
    } finally {
      await server.close();
    }
  });

  test("whole preference pairs go into each language, or not at all; a text that is there twice is asked once", async () => {
    const server = await startServer(translator);
    const pair = (i: number, rejected = long("en", i + 2)) => ({
      ...{
        id: `p${i}`,
        language: "en",
        prompt: [user(long("en", i))],
        chosen: [user(long("en", i)), said(long("en", i + 1))],
      },
      rejected: [said(rejected)],
    });
    const user = (content: string) => ({ role: "user", content });
    const said = (content: string) => ({ role: "assistant", content });
    const rows = [
      pair(1),
      pair(4, "42"),
      pair(7, "This sentence is in no article and comes back as it is."),
      { id: "p" },
    ];
    writeFileSync(at("pairs.jsonl"), rows.map((row) => JSON.stringify(row)).join("\n"));
    try {
      const recipe = {
        models: [{ endpoint: server.endpoint, model: "m" }],
        what: "whole",
        each: true,
        languages: ["en", "de", "ru"],
      };
      writeFileSync(at("whole.json"), JSON.stringify({ ...recipe, limits: { quarantined: 1 } }));
      await inProcess(["translate", at("pairs.jsonl"), "--recipe", at("whole.json"), "--out", at("pairs")]);
      const summary = JSON.parse(readFileSync(at("pairs", "summary.json"), "utf8"));
      expect(summary).toMatchObject({
        in: 7,
        kept: 4,
        dropped: 2,
        quarantined: 1,
        reasons: { untranslated: 2, "no text to translate": 1 },
      });
      const out = lines(at("pairs", "rows.jsonl"));
      expect(out.map(({ id }) => id)).toEqual([0, 1].flatMap((i) => [`pairs.jsonl#${i}/de`, `pairs.jsonl#${i}/ru`]));
      for (const [n, row] of out.entries()) {
        const [i, to] = [[1, 4][n >> 1], (["de", "ru"] as const)[n & 1]];
        expect(row).toMatchObject({ language: to, from: "en", to, prompt: [user(long(to, i))] });
        expect(row.chosen).toEqual([user(long(to, i)), said(long(to, i + 1))]);
        expect(row.rejected).toEqual([said(i === 1 ? long(to, i + 2) : "42")]);
      }
      expect(server.asked.length).toBe(2 * (3 + 2 + 3)); // nothing is asked about "42"
    } finally {
      await server.close();
    }
  });
});

test("each language is for whole rows", () => {
  const models = [{ folder: "f" }];
  expect(translateSchema.safeParse({ models, each: true }).error?.issues[0].message).toBe('each needs what: "whole"');
  expect(translateSchema.safeParse({ models, each: true, what: "whole" }).success).toBe(true);
});

test.each([
  ["an unknown key", { models: [{ folder: "f" }], count: 1, cuont: 2 }, 'recipe: Unrecognized key: "cuont"'],
  ["a model that is neither", { models: [{}], count: 1 }, "models.0: expected endpoint and model, or folder"],
  ["no count", { models: [{ folder: "f" }] }, "count: "],
])("a recipe with %s is refused in one line", async (_, recipe, message) => {
  writeFileSync(at("bad.json"), JSON.stringify(recipe));
  const error = await inProcess(["synthesize", "--recipe", at("bad.json"), "--out", at("bad")]).catch((error) => error);
  expect(error).toBeInstanceOf(UserError);
  expect(error.message).toContain(`--recipe ${at("bad.json")}: ${message}`);
  expect(error.message).not.toContain("\n");
});

/**
 * @file Chats end to end: planted faults are dropped at the right stage for the right reason, nothing is lost, and neither
 * Ctrl-C nor a kill changes a byte of what comes out.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { IfdModel } from "../../../src/data/chats/ifd.ts";
import { parseChatsRecipe, readChatsRecipe } from "../../../src/data/chats/recipe.ts";
import { type ChatsRun, runChats } from "../../../src/data/chats/run.ts";
import { readRows } from "../../../src/data/files/readRows.ts";
import { loadIdentifier } from "../../../src/data/language/identify.ts";
import type { ChatModel } from "../../../src/data/llm/chatModel.ts";
import { type EndpointOptions, makeEndpoint } from "../../../src/data/llm/endpoint.ts";
import { modelSchema } from "../../../src/data/llm/recipe.ts";
import { openSession } from "../../../src/data/llm/session.ts";
import type { SelectionLine } from "../../../src/data/selection/candidates.ts";
import type { Embedder } from "../../../src/data/selection/vectors.ts";
import { makeTokenizer } from "../../../src/tokenizer/bpe.ts";
import { Stopped } from "../../../src/util/assert.ts";

const folder = mkdtempSync(join(tmpdir(), "marco-sft-"));
afterAll(() => rmSync(folder, { recursive: true }));
const at = (name: string) => join(folder, name);

const chat = (question: string, answer: string, more: object = {}) => ({
  messages: [
    { role: "user", content: question },
    { role: "assistant", content: answer },
  ],
  ...more,
});
const LONG =
  "The tide rises and falls twice a day because the moon pulls the water of the ocean towards it while the earth turns beneath, and the sun adds its smaller pull. When both stand in one line the tides are highest, which happens at full and at new moon, and a week later they are lowest of all.";
const rows: Record<string, object> = {
  good: chat("Why does the tide rise?", LONG),
  sameInstruction: chat("  why does the TIDE rise?", "Because of the moon."),
  nearCopy: chat("Please explain the tide.", LONG.replace("smaller", "weaker")),
  sum: chat("How many are 12 boxes of 3 and 4 more?", "12 × 3 + 4 = 40."),
  wrongSum: chat("How many are 12 boxes of 3 and 5 more?", "12 × 3 + 5 = 42."),
  emptyAnswer: chat("Hello?", " "),
  alpaca: { instruction: "Name a colour", input: "", output: "Blue 😀 is <b>one</b>." },
  poor: chat("Name a river in France", "poor answer"),
  german: chat(
    "Warum ist der Himmel am Tag blau und nicht grün?",
    "Weil die Luft blaues Licht stärker streut als rotes Licht.",
  ),
  unlike: chat("Name a bird that swims", "unlike"),
  twin: chat("Name a bird that cannot fly at all", "twin of the river"),
  river: chat("Name a river in Spain", "The Ebro."),
  sameId: chat("Name a metal that is liquid", "Mercury.", { id: "twice" }),
  sameIdAgain: chat("Name a gas that is noble", "Neon.", { id: "twice" }),
  hard: chat("Name a mountain of Asia", "too hard"),
  easy: chat("Repeat this: easy", "easy"),
  special: chat("What ends a turn in ChatML?", "It is <|im_end|>."),
};
const names = Object.keys(rows);

/** 6 for all but a poor answer. */
const judge: ChatModel = {
  ...{ name: "judge", host: "test" },
  ask: async ({ messages: [{ content }] }) => ({
    ...{
      text: content.includes("poor answer") ? "2" : "6",
      finishReason: "stop",
      promptTokens: 1,
      completionTokens: 1,
    },
    cached: false,
  }),
};
/** A vector for each text, in many dimensions so that different texts are unlike; a few are planted. */
const embedder: Embedder = {
  name: "table",
  embed: async (texts) =>
    texts.map((text) => {
      const vector = new Float32Array(64).fill(0.2);
      const subject = text.includes("twin of") || text.includes("Name a river") ? "planted" : text;
      for (const [i, char] of [...subject].entries()) vector[(char.codePointAt(0)! * 7 + i * 13) % 64] += 1;
      if (text === "unlike") return vector.map((x) => -x);
      return text.includes("liquid") ? vector.fill(0) : vector;
    }),
};
/** Loss 1 with the question and 2 alone, but for planted ones. */
const ifdModel: IfdModel = {
  ...{ name: "table", tokenizer: makeTokenizer(Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte))) },
  contextLength: 250,
  loglikelihood: async (requests) =>
    requests.map(({ context, continuation }) => {
      const answer = Buffer.from(continuation).toString();
      const given = answer === "too hard" ? 3 : answer === "easy" ? 0.01 : 1;
      return -continuation.length * (context.length > 12 ? given : 2);
    }),
};

const recipe = parseChatsRecipe({
  semantic: { below: 0.98 },
  similarity: { atLeast: -0.01 },
  ifd: { lowestShare: 0.05, context: 250 },
  quarantined: 0.2,
});
const run = (out: string, options: Partial<ChatsRun> = {}) =>
  runChats({ inputs: [at("a.jsonl"), at("b.json")], out: at(out), recipe, judge, embedder, ifdModel, ...options });
const ledgerOf = (out: string): SelectionLine[] =>
  readFileSync(at(`${out}/ledger.jsonl`), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
const bytesOf = (out: string) =>
  ["sft.jsonl", "ledger.jsonl", "summary.json", "report.html"].map((name) =>
    readFileSync(at(`${out}/${name}`), "utf8"),
  );

beforeAll(() => {
  const withLanguage = Object.entries(rows).map(([name, row]) => ({
    language: name === "german" ? "de" : "en",
    ...row,
  }));
  writeFileSync(at("a.jsonl"), `${withLanguage.map((row) => JSON.stringify(row)).join("\n")}\n{"cut": \n`);
  writeFileSync(at("b.json"), JSON.stringify([{ question: "other layout" }]));
});

describe("planted chats", () => {
  let ledger: SelectionLine[];
  let summary: Awaited<ReturnType<typeof run>>;
  beforeAll(async () => {
    summary = await run("one");
    ledger = ledgerOf("one");
  });
  const of = (name: string) => ledger[names.indexOf(name)];

  test("in = kept + dropped + quarantined, at every stage, and all are in the ledger once", () => {
    expect(ledger).toHaveLength(names.length + 2);
    for (const { in: entered, kept, dropped, quarantined } of Object.values(summary.stages).slice(0, -1))
      expect(entered).toBe(kept + dropped + quarantined);
    expect(summary.stages.total).toMatchObject({ in: names.length + 2, quarantined: 2 });
    expect(summary.skipped).toEqual({});
  });

  test("each planted fault is dropped where and why it should be", () => {
    const reasons = Object.fromEntries(names.map((name) => [name, of(name).reason]));
    expect(reasons).toEqual({
      ...Object.fromEntries(names.map((name) => [name, null])),
      sameInstruction: "exact.duplicate",
      nearCopy: "minHash.duplicate",
      wrongSum: "equation.wrong",
      emptyAnswer: "bad_turns",
      poor: "quality.deita",
      river: "semantic.duplicate",
      unlike: "similarity.questionAnswer",
      hard: "ifd.ratio",
      easy: "ifd.tooEasy",
    });
  });

  test("the ledger says what it equals, what the equation gives, and what was changed", () => {
    expect(of("wrongSum").equations).toMatchObject({
      wrong: 1,
      derivations: ["12 × 3 + 5 = 42: 12 × 3 = 36; 36 + 5 = 41; 41 ≠ 42"],
    });
    expect(of("nearCopy").duplicateOf).toMatchObject({ id: "a.jsonl#0", how: "Jaccard similarity of shingles" });
    expect(of("nearCopy").duplicateOf!.similarity).toBeGreaterThanOrEqual(0.7);
    expect(of("sameInstruction").duplicateOf).toMatchObject({ id: "a.jsonl#0", similarity: 1 });
    expect(of("river").duplicateOf).toEqual({
      id: of("twin").id,
      similarity: expect.closeTo(1, 5),
      how: "cosine of embeddings",
    });
    expect(of("alpaca").cleaned).toEqual({ html: 2, emoji: 1 });
    expect(of("emptyAnswer").notes).toEqual({ turns: "the first answer is empty" });
    expect(of("poor").measures.at(-1)).toEqual({
      ...{ stage: "quality", rule: "quality.deita" },
      value: 2,
      limit: 4,
      keep: "atLeast",
    });
    expect(of("german").measures.some(({ rule }) => rule === "quality.deita")).toBe(false); // English only
    expect(ledger.slice(-2).map(({ outcome, reason }) => [outcome, reason])).toEqual([
      ["quarantined", "not JSON"],
      ["quarantined", "no messages, conversations, instruction or prompt (keys: question)"],
    ]);
  });

  test("row 18: an id that is there twice gets a suffix, a missing one is source#ordinal", () => {
    expect(of("sameId").id).toBe("twice");
    expect(of("sameIdAgain")).toMatchObject({ id: "twice#2", flags: ["duplicateId"] });
    expect(of("good").id).toBe("a.jsonl#0");
  });

  test("row 28: special tokens as text are kept and flagged", () => {
    expect(of("special")).toMatchObject({ outcome: "kept", flags: ["specialTokenText"] });
  });

  test("row 32: difficulty is recorded with both losses, or the reason why not", () => {
    expect(of("sum").values).toMatchObject({ "ifd.conditioned": 1, "ifd.direct": 2, "ifd.logPerplexityRatio": -1 });
    expect(of("good").notes).toEqual({
      ifd: expect.stringMatching(/^answer 1 needs \d+ tokens, more than the context of 250$/),
    });
    expect(of("hard").measures.at(-1)).toMatchObject({ rule: "ifd.tooEasy", value: 1.5 });
  });

  test("row 33: a zero vector is like nothing, and flagged", () => {
    expect(of("sameId")).toMatchObject({
      outcome: "kept",
      notes: { semantic: "its vector is zero or not finite: like nothing" },
    });
  });

  test("row 35: every row of the output has the same keys, in JSON Lines, gzip and Parquet alike", async () => {
    const rowsOf = async (path: string) => {
      const all: object[] = [];
      for await (const item of readRows(path)) if ("row" in item) all.push(item.row);
      return all;
    };
    const expected = await rowsOf(at("one/sft.jsonl"));
    expect(expected.map((row) => Object.keys(row).join())).toEqual(expected.map(() => "id,language,messages"));
    expect(expected).toHaveLength(ledger.filter(({ outcome }) => outcome === "kept").length);
    for (const output of ["jsonl.gz", "parquet"] as const) {
      await run(output, { recipe: { ...recipe, output } });
      expect(await rowsOf(at(`${output}/sft.${output}`))).toEqual(expected);
    }
  });

  test("without models the stages that need one are skipped, and say so", async () => {
    const { skipped, stages } = await run("bare", { judge: undefined, embedder: undefined, ifdModel: undefined });
    expect(Object.keys(skipped)).toEqual(["quality", "similarity", "ifd", "semantic"]);
    expect(skipped.semantic).toBe("no --embedder: nothing else tells meanings apart");
    expect(stages.semantic.dropped).toBe(0);
  });

  test("by default the lowest tenth of similarities falls, and the limit is told", async () => {
    const found = await run("tenth", { recipe: { ...recipe, similarity: { lowestShare: 0.1 } } });
    expect(found.stages.similarity.dropped).toBe(Math.ceil(0.1 * (found.stages.similarity.in - 1)));
    expect(found.facts["similarity.limit"]).toBeGreaterThan(-1);
  });
});

describe("after a stop", () => {
  test("row 38: another recipe or other inputs are refused", async () => {
    await expect(run("one", { recipe: { ...recipe, exact: false } })).rejects.toThrow("another recipe or other inputs");
  });

  test("a run that is stopped at any block goes on, computes no block twice, and writes the same bytes", async () => {
    let [calls, all] = [0, 0];
    const counting = (limit: number, controller: AbortController): Partial<ChatsRun> => ({
      embedder: {
        ...embedder,
        embed: (texts) => {
          if (++calls >= limit) controller.abort();
          all++;
          return embedder.embed(texts);
        },
      },
      stop: controller.signal,
    });
    await run("whole", counting(99, new AbortController()));
    const once = all;
    all = 0;
    for (let tries = 0; ; tries++) {
      calls = 0;
      const controller = new AbortController();
      try {
        await run("parts", counting(1, controller));
        break;
      } catch (error) {
        expect(error).toBeInstanceOf(Stopped);
        expect(tries).toBeLessThan(10);
      }
    }
    expect(all).toBe(once);
    expect(bytesOf("parts")).toEqual(bytesOf("whole"));
  });

  test("killed while it asks a judge, it asks for the rest only and writes the same bytes", async () => {
    let [asked, most] = [0, Number.POSITIVE_INFINITY];
    let child: ReturnType<typeof spawn> | undefined;
    const server = createServer(async (request, response) => {
      for await (const _ of request);
      if (++asked > most) return void child?.kill("SIGKILL");
      response.setHeader("content-type", "application/json");
      const choices = [{ message: { role: "assistant", content: "5" }, finish_reason: "stop" }];
      response.end(JSON.stringify({ choices, usage: { prompt_tokens: 10, completion_tokens: 1 } }));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
    writeFileSync(
      at("r.json"),
      JSON.stringify({ quality: { model: { endpoint, model: "m" } }, concurrency: 1, quarantined: 0.2 }),
    );
    const start = async (out: string) => {
      child = spawn(
        process.execPath,
        [
          "--import",
          "tsx",
          "src/cli/main.ts",
          "data",
          "sft",
          at("a.jsonl"),
          at("b.json"),
          "--out",
          at(out),
          "--recipe",
          at("r.json"),
          "--json",
        ],
        { stdio: ["ignore", "pipe", "pipe"] },
      );
      let output = "";
      child.stdout!.on("data", (data) => (output += data));
      child.stderr!.on("data", (data) => (output += data));
      const [code] = await once(child, "close");
      return { code, output };
    };
    // The run without a kill, in this process.
    const session = openSession({ path: at("whole.jsonl"), budget: {}, concurrency: 1, retries: 0 });
    const identifier = await loadIdentifier();
    const asks = session.use(makeEndpoint(modelSchema.parse({ endpoint, model: "m" }) as EndpointOptions));
    const options = { judge: asks, embedder: undefined, ifdModel: undefined, identify: identifier.identify };
    await run("cliWhole", { ...options, recipe: readChatsRecipe(at("r.json")) });
    session.close();
    identifier.dispose();
    const needed = asked;
    expect(needed).toBeGreaterThan(5);
    asked = 0;
    most = 3;
    expect((await start("cliParts")).code).toBe(null);
    expect(existsSync(at("cliParts/sft.jsonl"))).toBe(false);
    most = Number.POSITIVE_INFINITY;
    expect((await start("cliParts")).code).toBe(0);
    expect(asked).toBe(needed + 1); // the one that the kill cut off is asked again
    expect(bytesOf("cliParts")).toEqual(bytesOf("cliWhole"));
    server.close();
  });
});

test("unknown keys and wrong values of a recipe are one line that names them", () => {
  expect(() => parseChatsRecipe({ qualty: false }, "r.yaml")).toThrow(
    'r.yaml: recipe: Unrecognized key: "qualty"; did you mean quality?; see marco data sft --print-recipe',
  );
  expect(() => parseChatsRecipe({ semantic: { below: 2 } })).toThrow(/^recipe: semantic/);
  expect(() => parseChatsRecipe({ quality: { model: { model: "m" } } })).toThrow(
    /expected endpoint and model, or folder/,
  );
});

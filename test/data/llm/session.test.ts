/**
 * @file Models over HTTP, from a server that misbehaves: what is asked again and what is not, what it costs, and that no
 * answer is paid twice.
 */
import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { openAnswerFile } from "../../../src/data/llm/answerFile.ts";
import { makeBudget } from "../../../src/data/llm/budget.ts";
import { AskError, type ChatRequest, itemSeed, requestKey } from "../../../src/data/llm/chatModel.ts";
import { makeEndpoint, promptBound } from "../../../src/data/llm/endpoint.ts";
import { inOrder, together } from "../../../src/data/llm/inOrder.ts";
import { modelSchema } from "../../../src/data/llm/recipe.ts";
import { openSession, type SessionOptions } from "../../../src/data/llm/session.ts";
import { Stopped, UserError } from "../../../src/util/assert.ts";
import { type Asked, completion, type Reply, startServer, status } from "./server.ts";

const folder = mkdtempSync(join(tmpdir(), "marco-llm-"));
afterAll(() => rmSync(folder, { recursive: true }));
let files = 0;
const newPath = () => join(folder, `${files++}.jsonl`);

const toClose: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of toClose.splice(0)) await close();
});

/** A server whose replies come in turn (the last one again and again), and a session that asks it. */
async function setUp(replies: Reply[] | ((body: Asked) => Reply), options: Partial<SessionOptions> = {}) {
  let turn = 0;
  const server = await startServer((body) =>
    Array.isArray(replies) ? replies[Math.min(turn++, replies.length - 1)] : replies(body),
  );
  toClose.push(server.close);
  const path = options.path ?? newPath();
  const open = (more: Partial<SessionOptions> = {}) => {
    const session = openSession({
      ...{ path, budget: {}, concurrency: 2, retries: 3, firstDelaySeconds: 0.01 },
      ...options,
      ...more,
    });
    toClose.push(session.close);
    const endpoint = makeEndpoint({ endpoint: server.endpoint, model: "m", timeoutSeconds: 0.3 });
    return { session, model: session.use(endpoint, { prompt: 1e6, completion: 2e6 }) };
  };
  return { server, path, open, ...open() };
}

const say = (content: string, more: Partial<ChatRequest> = {}): ChatRequest => ({
  messages: [{ role: "user", content }],
  ...more,
});

describe("one request", () => {
  test("says what the protocol says, and reads text, reason, usage and the first token's log-probabilities", async () => {
    const reply: Reply = (response) =>
      response.end(
        completion("4", {
          finish_reason: "length",
          logprobs: {
            content: [
              {
                top_logprobs: [
                  { token: "4", logprob: -0.5 },
                  { token: "5", logprob: -1.5 },
                ],
              },
            ],
          },
        }),
      );
    const { server, model } = await setUp([reply]);
    const request = say("hi", { temperature: 0.5, topP: 0.9, seed: 7, maxTokens: 3, stop: ["."], topLogprobs: 2 });
    expect(await model.ask(request)).toEqual({
      ...{ text: "4", finishReason: "length", promptTokens: 10, completionTokens: 5, cached: false },
      firstTokenLogprobs: { "4": -0.5, "5": -1.5 },
    });
    expect(server.asked).toEqual([
      {
        ...{ model: "m", messages: [{ role: "user", content: "hi" }], temperature: 0.5, top_p: 0.9, seed: 7 },
        ...{ max_tokens: 3, stop: ["."], logprobs: true, top_logprobs: 2 },
      },
    ]);
  });

  test("sends the key of the environment variable as a header, and no message or file holds it", async () => {
    process.env.MARCO_TEST_KEY = "sk-very-secret-1234";
    const server = await startServer(({ messages }) =>
      messages[0].content === "bad" ? status(401, "Incorrect API key provided: sk-very-secret-1234.") : "fine",
    );
    toClose.push(server.close);
    const path = newPath();
    const session = openSession({ path, budget: {}, concurrency: 1, retries: 0 });
    toClose.push(session.close);
    const model = session.use(
      makeEndpoint({ endpoint: server.endpoint, model: "m", keyVariable: "MARCO_TEST_KEY", timeoutSeconds: 5 }),
    );
    await model.ask(say("good"));
    expect(server.headers[0].authorization).toBe("Bearer sk-very-secret-1234");
    const error = await model.ask(say("bad")).catch((error) => error);
    expect(error).toBeInstanceOf(UserError);
    expect(error.message).toContain("answers 401: Incorrect API key provided: ***.; check the key in MARCO_TEST_KEY");
    expect(readFileSync(path, "utf8")).not.toContain("secret");
  });

  test.each([
    ["an address that is none", { endpoint: "localhost" }, "is not an address"],
    ["a password in the address", { endpoint: "http://u:p@h/v1" }, "holds a user or a password"],
    ["a key in place of its variable's name", { keyVariable: "sk-abc" }, "NAME of an environment variable"],
    ["a variable that is not set", { keyVariable: "MARCO_NOT_SET" }, "MARCO_NOT_SET is not set"],
  ])("%s is refused in one line that does not repeat it", (_, wrong, message) => {
    const make = () => makeEndpoint({ endpoint: "http://h/v1", model: "m", timeoutSeconds: 1, ...wrong });
    expect(make).toThrow(UserError);
    expect(make).toThrow(message);
    expect(make).not.toThrow(/sk-abc|u:p/);
  });
});

describe("what fails and passes is asked again", () => {
  const hang: Reply = () => {};
  const cut: Reply = (response) => {
    response.writeHead(200, { "content-length": "500" });
    response.write('{"choices": [{"mess');
    setTimeout(() => response.destroy(), 10);
  };
  test.each<[string, Reply]>([
    ["429", status(429, "slow down")],
    ["500", status(500, "oops")],
    ["503 with HTML", (response) => response.writeHead(503).end("<html>down</html>")],
    ["an answer that never comes", hang],
    ["an answer that is cut", cut],
    ["a connection that is reset", (response) => response.destroy()],
    ["a body that is not JSON", (response) => response.end("<html>welcome</html>")],
    ["JSON that is no completion", (response) => response.end('{"choices": []}')],
    ["an answer without text", (response) => response.end(completion(null as unknown as string))],
  ])("%s", async (_, bad) => {
    const { server, model } = await setUp([bad, "good"]);
    expect((await model.ask(say("x"))).text).toBe("good");
    expect(server.asked.length).toBe(2);
  });

  test("no sooner than Retry-After says", async () => {
    const { model } = await setUp([status(429, "slow down", { "retry-after": "0.4" }), "good"]);
    const start = performance.now();
    await model.ask(say("x"));
    expect(performance.now() - start).toBeGreaterThan(395);
  });

  test("not where the endpoint asks for hours", async () => {
    const later = new Date(Date.now() + 7200_000).toUTCString();
    const { server, model } = await setUp([status(429, "quota", { "retry-after": later })]);
    await expect(model.ask(say("x"))).rejects.toThrow(/asks to wait 7[12]\d\d s: run the same command then/);
    expect(server.asked.length).toBe(1);
  });

  test("as often as `retries` says; then the reason, and the next request has its own chance", async () => {
    const { server, model } = await setUp(({ messages }) =>
      messages[0].content === "x" ? status(500, "oops") : "fine",
    );
    await expect(model.ask(say("x"))).rejects.toThrow(/answers 500: oops$/);
    expect(server.asked.length).toBe(4);
    expect((await model.ask(say("y"))).text).toBe("fine");
  });

  test("five requests in a row that fail so end the job", async () => {
    const { model } = await setUp([status(500, "oops")], { retries: 0 });
    const errors = [];
    for (let i = 0; i < 6; i++) errors.push(await model.ask(say(String(i))).catch((error) => error));
    expect(errors.map((error) => error instanceof UserError)).toEqual([false, false, false, false, true, true]);
    expect(errors[4].message).toContain("5 requests in a row failed: the same command goes on from here");
  });
});

describe("what does not pass is not asked again", () => {
  test("400 is the request's own fault; others go on", async () => {
    const { server, model } = await setUp([status(400, "too long"), "fine"]);
    const error = await model.ask(say("x")).catch((error) => error);
    expect(error).toBeInstanceOf(AskError);
    expect(error.message).toMatch(/^127\.0\.0\.1:\d+ answers 400: too long$/);
    expect((await model.ask(say("y"))).text).toBe("fine");
    expect(server.asked.length).toBe(2);
  });

  test.each([
    [401, "check the key"],
    [404, "check the address and the model's name m"],
  ])("%s is the user's to mend, and nothing more is sent", async (code, remedy) => {
    const { server, model } = await setUp([status(code, "no")]);
    await expect(model.ask(say("x"))).rejects.toThrow(UserError);
    await expect(model.ask(say("y"))).rejects.toThrow(remedy);
    expect(server.asked.length).toBe(1);
  });
});

describe("an answer is paid once", () => {
  test("by another session it is read from the file, and equal questions under way are one request", async () => {
    const { server, model, open } = await setUp(({ messages }) => messages[0].content.toUpperCase());
    const [first, second] = await Promise.all([model.ask(say("a")), model.ask(say("a"))]);
    expect([first.text, first.cached, second.text, second.cached]).toEqual(["A", false, "A", true]);
    const later = open();
    expect(await later.model.ask(say("a"))).toEqual({ ...first, cached: true });
    expect(later.session.spent).toEqual({ requests: 1, tokens: 15, money: 10 * 1 + 5 * 2 });
    expect(server.asked.length).toBe(1);
  });

  test("another seed, temperature, model or message is another question", () => {
    const model = { name: "m", host: "h" };
    const requests = [
      say("a"),
      say("a", { seed: 1 }),
      say("a", { temperature: 0 }),
      say("b"),
      say("a", { stop: ["."] }),
    ];
    const keys = [...requests.map((r) => requestKey(model, r)), requestKey({ ...model, name: "n" }, say("a"))];
    expect(new Set(keys).size).toBe(6);
    expect(requestKey(model, say("a", { maxTokens: 1024 }))).toBe(requestKey(model, say("a")));
  });

  test("row 39: a file that was cut anywhere, as by a kill, keeps its whole lines and goes on", async () => {
    const { path, model, session } = await setUp(["ä1", "b2", "c3"]);
    for (const text of ["a", "b", "c"]) await model.ask(say(text));
    session.close();
    toClose.length = 1; // the server
    const bytes = readFileSync(path);
    const ends = [...bytes.keys()].filter((at) => bytes[at] === 10);
    for (let length = 0; length <= bytes.length; length += 7) {
      writeFileSync(path, bytes);
      truncateSync(path, length);
      const file = openAnswerFile(path);
      const whole = ends.filter((at) => at < length).length;
      expect(file.size).toBe(whole);
      expect(file.spent.requests).toBe(whole);
      file.add({
        key: "new",
        answer: { text: "x", finishReason: "stop", promptTokens: 1, completionTokens: 1 },
        model: "m",
        requests: 1,
        tokens: 2,
        money: 0,
      });
      expect(file.get("new")?.text).toBe("x");
      file.close();
      expect(
        readFileSync(path, "utf8")
          .trimEnd()
          .split("\n")
          .map((line) => JSON.parse(line).key)
          .at(-1),
      ).toBe("new");
    }
  });

  test("row 39: a line that is damaged in the middle is told, not passed over: it may have been paid for", () => {
    const path = newPath();
    writeFileSync(path, '{"key":"a","requests":1,"tokens":1,"money":0}\n');
    appendFileSync(path, "\0\0\n{}\n");
    expect(() => openAnswerFile(path)).toThrow(/byte 46 begins a line that is not JSON; take that line away/);
    expect(statSync(path).size).toBe(52);
  });
});

describe("the budget is never passed", () => {
  test("of requests, failed ones among them; the next run counts those before", async () => {
    const { server, model, open } = await setUp([status(500, "oops"), "a", "b", "c"], { budget: { requests: 3 } });
    await model.ask(say("a"));
    await model.ask(say("b"));
    await expect(model.ask(say("c"))).rejects.toThrow(
      "budget.requests: 3 of 3 are used, the next request may need 1; raise it and run the same command, which goes on from here",
    );
    const more = open({ budget: { requests: 4 } });
    await more.model.ask(say("a"));
    expect((await more.model.ask(say("c"))).text).toBe("c");
    await expect(more.model.ask(say("d"))).rejects.toThrow("budget.requests: 4 of 4");
    expect(server.asked.length).toBe(4);
  });

  test("of tokens and money, whatever is asked at once", async () => {
    for (const budget of [{ tokens: 400 }, { money: 700 }]) {
      const { model, session } = await setUp(() => "x", { budget, concurrency: 8 });
      const request = (i: number) => say(`question ${i}`, { maxTokens: 50 });
      const asked = await Promise.allSettled(Array.from({ length: 30 }, (_, i) => model.ask(request(i))));
      const reasons = asked.flatMap((one) => (one.status === "rejected" ? [one.reason.message] : []));
      expect(reasons.length).toBeGreaterThan(0);
      expect(new Set(reasons).size).toBe(1);
      expect(session.spent.tokens).toBeLessThanOrEqual(budget.tokens ?? Number.POSITIVE_INFINITY);
      expect(session.spent.money).toBeLessThanOrEqual(budget.money ?? Number.POSITIVE_INFINITY);
      const [name, limit, most] = budget.tokens
        ? (["tokens", budget.tokens, promptBound(request(10)) + 50] as const)
        : (["money", budget.money!, promptBound(request(10)) + 100] as const);
      expect(session.spent[name] + most).toBeGreaterThan(limit); // no room for another one was left
    }
  });

  test("any requests: what is set aside and spent stays within every limit", async () => {
    const cost = fc.record({ requests: fc.constant(1), tokens: fc.nat(50), money: fc.nat(9) });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(cost, fc.double({ min: 0, max: 1, noNaN: true }))), async (jobs) => {
        const limits = { requests: 20, tokens: 300, money: 60 };
        const spent = { requests: 0, tokens: 0, money: 0 };
        const budget = makeBudget(limits, spent);
        const one = async ([most, share]: (typeof jobs)[number]) => {
          await budget.reserve(most);
          await Promise.resolve();
          spent.requests += 1;
          spent.tokens += Math.floor(most.tokens * share);
          spent.money += Math.floor(most.money * share);
          budget.release(most);
        };
        await Promise.allSettled(jobs.map(one));
        for (const name of ["requests", "tokens", "money"] as const)
          expect(spent[name]).toBeLessThanOrEqual(limits[name]);
      }),
      { numRuns: 50 },
    );
  });
});

describe("several at once", () => {
  test("no more than `concurrency`, and results in the order of the items", async () => {
    const { server, model } = await setUp(({ messages }) => messages[0].content, { concurrency: 3 });
    const items = Array.from({ length: 12 }, (_, i) => String(i));
    const texts: string[] = [];
    for await (const { text } of inOrder(items, 9, (item) => model.ask(say(item)))) texts.push(text);
    expect(texts).toEqual(items);
    expect(server.state.most).toBe(3);
  });

  test("what is asked together ends together: a failure waits for the others", async () => {
    const ended: string[] = [];
    const late = new Promise<void>((resolve) => setTimeout(resolve, 30)).then(() => void ended.push("late"));
    await expect(
      together([Promise.reject(new Error("first")), late, Promise.reject(new Error("second"))]),
    ).rejects.toThrow("first");
    expect(ended).toEqual(["late"]);
    expect(await together([Promise.resolve(1), Promise.resolve(2)])).toEqual([1, 2]);
  });

  test("a folder that cannot be is told in one line", () => {
    const path = newPath();
    writeFileSync(path, "");
    expect(() => openAnswerFile(join(path, "answers.jsonl"))).toThrow(
      /cannot be opened \((EEXIST|ENOTDIR)\); choose another --out/,
    );
  });

  test("after `stop` nothing is sent, what is under way is kept, and what is known still comes", async () => {
    const stop = new AbortController();
    const { server, model, path } = await setUp(
      () => (response) => {
        setTimeout(() => response.end(completion("late")), 80);
      },
      { stop: stop.signal },
    );
    const asked = ["a", "b", "c", "d"].map((text) => model.ask(say(text)));
    await new Promise((resolve) => setTimeout(resolve, 40));
    stop.abort();
    const ended = await Promise.allSettled(asked);
    expect(ended.map((one) => (one.status === "fulfilled" ? one.value.text : one.reason instanceof Stopped))).toEqual(
      ["late", "late", true, true], // two at once
    );
    expect(server.asked.length).toBe(2);
    expect(readFileSync(path, "utf8").trimEnd().split("\n").length).toBe(2);
    expect((await model.ask(say("a"))).cached).toBe(true);
  });
});

test("seeds of items are whole numbers that every endpoint takes, and differ", () => {
  const seeds = Array.from({ length: 1000 }, (_, i) => itemSeed(1, "story", String(i)));
  expect(new Set(seeds).size).toBe(1000);
  expect(seeds.every((seed) => Number.isInteger(seed) && seed >= 0 && seed < 2 ** 31)).toBe(true);
  expect(itemSeed(1, "story", "0")).toBe(seeds[0]);
});

test("a model of a recipe is an endpoint with a name or a folder, not both", () => {
  expect(modelSchema.safeParse({ endpoint: "http://h/v1", model: "m" }).success).toBe(true);
  expect(modelSchema.safeParse({ folder: "f" }).success).toBe(true);
  for (const wrong of [{}, { endpoint: "http://h/v1" }, { folder: "f", model: "m" }, { folder: "f", api_key: "x" }])
    expect(modelSchema.safeParse(wrong).success).toBe(false);
});

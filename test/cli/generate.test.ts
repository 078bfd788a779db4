/**
 * @file `marco generate` and `marco chat` as processes on a tiny model's directory: what is written where, Ctrl-C, and
 * what is refused.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { Command } from "commander";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openModel, textOf, textStream } from "../../src/cli/answers.ts";
import { addChatCommand } from "../../src/cli/chat.ts";
import { addGenerateCommand } from "../../src/cli/generate.ts";
import { parseAsync } from "../../src/cli/options.ts";
import { startEngine } from "../../src/engine/engine.ts";
import { saveModel } from "../../src/model/checkpoint.ts";
import { initParameters } from "../../src/model/init.ts";
import { makeTokenizer } from "../../src/tokenizer/bpe.ts";
import { saveTokenizer } from "../../src/tokenizer/tokenizerFiles.ts";
import { trainBpe } from "../../src/tokenizer/trainBpe.ts";
import { UserError } from "../../src/util/assert.ts";
import { TINY } from "../train/tiny.ts";

const folder = mkdtempSync(join(tmpdir(), "marco-generate-"));
afterAll(() => rmSync(folder, { recursive: true }));
const SMALL = join(folder, "small"); // a context of 64
const LONG = join(folder, "long"); // one that takes long to fill

beforeAll(async () => {
  await startEngine("onnx");
  const ranks = trainBpe({ en: ["one two three two one, öäü 水 three"] }, { vocabSize: 275 });
  const tokenizer = makeTokenizer(ranks);
  for (const [directory, maxPositionEmbeddings] of [
    [SMALL, 64],
    [LONG, 65536],
  ] as const) {
    const config = { ...TINY, vocabSize: tokenizer.vocabSize + 5, maxPositionEmbeddings }; // padded, as Qwen2's is
    const parameters = initParameters(config, 5);
    await saveModel(directory, parameters, config, tokenizer.special.imEnd);
    saveTokenizer(directory, ranks, { defaultSystem: null });
    tf.dispose(parameters);
  }
  const generation = { do_sample: true, temperature: 0.7, top_p: 0.9, eos_token_id: [tokenizer.special.imEnd, 7] };
  writeFileSync(join(SMALL, "generation_config.json"), JSON.stringify(generation));
});

/** Runs `marco`; `onOutput` may send a signal. */
function marco(args: string[], input: string, onOutput?: (kill: (signal: NodeJS.Signals) => void) => void) {
  return new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) => {
    const child = spawn(process.execPath, ["bin/marco.js", ...args, "--engine", "onnx"]);
    const out = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const)
      child[name].setEncoding("utf8").on("data", (text: string) => {
        out[name] += text;
        if (name === "stdout") onOutput?.((signal) => child.kill(signal));
      });
    child.on("close", (code) => resolve({ code, ...out }));
    child.stdin.end(input);
  });
}

test("generate: a line a prompt, JSON out, as the library answers with the model's own defaults", async () => {
  const { code, stdout, stderr } = await marco(
    ["generate", "--model", SMALL, "--lines", "--json", "--seed", "5", "--max-new-tokens", "8"],
    "one two\nthree 水\n",
  );
  expect(stderr).toContain("sampling, temperature 0.7, top-k 50, top-p 0.9, seed 5; stops at <|im_end|> ");
  expect(stderr).toMatch(/, at most 8 new tokens\n\d+ tokens in [\d.]+ s, [\d.]+ tokens\/s; ended by \w+(, \w+)?\n$/);
  expect(code).toBe(0);
  const { tokenizer, generate } = await openModel(SMALL, "onnx");
  const prompts = ["one two", "three 水"];
  const answers = await generate(
    prompts.map((prompt) => tokenizer.encode(prompt)),
    {
      ...{ maxNewTokens: 8, doSample: true, temperature: 0.7, topK: 50, topP: 0.9, seed: 5 },
      stopIds: [tokenizer.special.imEnd, 7],
    },
  );
  expect(
    stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line)),
  ).toEqual(answers.map((answer, i) => ({ prompt: prompts[i], text: textOf(tokenizer, answer.ids), ...answer })));
});

test("generate: Ctrl-C ends it with what has been written", async () => {
  let sent = false;
  const { code, stdout, stderr } = await marco(
    ["generate", "--model", LONG, "--prompt", "one", "--max-new-tokens", "60000"],
    "",
    (kill) => {
      if (!sent) kill("SIGINT");
      sent = true;
    },
  );
  expect(code).toBe(130);
  expect(stderr).toMatch(/greedy; [\s\S]*\d tokens in [\s\S]*; ended by aborted\n$/);
  expect(stdout.length).toBeGreaterThan(1);
  expect(stdout.endsWith("\n")).toBe(true);
});

test("chat: a message a line; commands; the oldest messages go when the context is full; --save and --load", async () => {
  const file = join(folder, "talk.json");
  const long = "one two three two one, three ".repeat(2);
  const flags = ["--model", SMALL, "--greedy", "--max-new-tokens", "6", "--save", file];
  const first = await marco(
    ["chat", ...flags],
    `lost\n/reset\none\n/what\n/system three\ntwo\n\n${long}\n${long.repeat(9)}\n/help\n/exit\nnot read\n`,
  );
  expect(first.code).toBe(0);
  expect(first.stderr).toContain("[there is no command /what; /help lists them]");
  expect(first.stderr).toContain("[system message: three]");
  expect(first.stderr).toContain("[the oldest 2 of 3 messages do not fit the context of 64 any more]");
  expect(first.stderr).toMatch(/\[\d+ tokens and an answer of 6 do not fit the context of 64; write less\]/);
  expect(first.stderr).toContain("/reset          forget");
  const saved = JSON.parse(readFileSync(file, "utf8"));
  expect(saved.map(({ role }: { role: string }) => role)).toEqual(["system", "user", "assistant", "user", "assistant"]);
  expect([saved[0].content, saved[1].content, saved[3].content]).toEqual(["three", "two", long]);
  expect(first.stdout.endsWith(`${saved[2].content}\n${saved[4].content}\n`)).toBe(true);
  const second = await marco(["chat", ...flags, "--load", file], "one\n");
  expect(second.code).toBe(0);
  expect(JSON.parse(readFileSync(file, "utf8")).slice(0, 6)).toEqual([...saved, { role: "user", content: "one" }]);
});

describe("refused in one line", () => {
  const refusal = async (name: "generate" | "chat", ...args: string[]) => {
    const program = new Command("marco");
    (name === "chat" ? addChatCommand : addGenerateCommand)(program);
    const error = await parseAsync(program, ["node", "marco", name, ...args]).then(
      () => "was accepted",
      (error) => error,
    );
    expect(error).toBeInstanceOf(UserError);
    expect(error.message).not.toContain("\n");
    return error.message as string;
  };
  const model = () => ["--model", SMALL, "--engine", "onnx", "--prompt", "one"];

  test("flags: unknown, missing, out of range, against each other", async () => {
    expect(await refusal("generate", ...model(), "--modle", "x")).toContain(
      "unknown option '--modle' (Did you mean --model?)",
    );
    expect(await refusal("generate", "--prompt", "x")).toContain("required option '--model <folder>' not specified");
    for (const [flag, value, expected] of [
      ["--top-p", "0", "a number above 0, at most 1"],
      ["--top-k", "1.5", "a whole number, 0 or more"],
      ["--temperature", "0", "a number above 0 (without sampling, the likeliest token is taken)"],
      ["--min-p", "x", "a number from 0 to 1"],
      ["--max-new-tokens", "0", "a whole number of at least 1"],
      ["--seed", "", "a whole number, 0 or more"],
    ])
      expect(await refusal("generate", `${flag}=${value}`)).toBe(`${flag} ${value}: expected ${expected}`);
    expect(await refusal("chat", "--model", "x", "--beams", "2", "--seed", "1")).toContain(
      "option '--beams <number>' cannot be used with option '--seed <number>'",
    );
    expect(await refusal("generate", ...model(), "--length-penalty", "2")).toBe(
      "--length-penalty counts only in beam search; add --beams",
    );
  });

  test("a model that is not there, a run's folder, a prompt that is empty or does not fit", async () => {
    const none = join(folder, "none");
    expect(await refusal("generate", "--model", none, "--prompt", "x")).toBe(
      `--model ${none}: has no config.json; expected a Hugging Face model directory`,
    );
    expect(await refusal("generate", ...model(), "--prompt", "")).toContain("--prompt: the text is empty");
    expect(await refusal("generate", ...model(), "--max-new-tokens", "64")).toBe(
      "--prompt: 1 tokens, and 64 new, do not fit the model's context of 64; shorten the prompt or --max-new-tokens",
    );
    expect(await refusal("generate", ...model(), "--prompt", "ö水".repeat(60))).toMatch(
      /new, do not fit .* the prompt$/,
    );
  });

  test("a conversation that is none, and a file that cannot be written", async () => {
    const file = join(folder, "bad.json");
    const load = async (content: string) => {
      writeFileSync(file, content);
      return refusal("chat", "--model", SMALL, "--load", file);
    };
    const end = "; expected a conversation that --save wrote";
    expect(await load("{")).toBe(`--load ${file}: is not JSON${end}`);
    expect(await load('[{"role":"user"}]')).toContain(`--load ${file}: 0.content: `);
    expect(await load('[{"role":"user","content":"x"}]')).toBe(`--load ${file}: the last message has no answer${end}`);
    expect(await load('[{"role":"assistant","content":"x"}]')).toContain("message 0 is the assistant's out of turn");
    expect(await refusal("chat", "--model", SMALL, "--load", join(folder, "none.json"))).toContain(
      "cannot be read (ENOENT)",
    );
    expect(await refusal("chat", "--model", SMALL, "--save", join(file, "x", "y.json"))).toContain(
      "cannot be written (ENOTDIR)",
    );
  });
});

test("text comes as soon as it is sure, and ends before the first stop string, however it is cut into tokens", () => {
  const bytes = (text: string) => new TextEncoder().encode(text);
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom("a", "b", "ab", "ba", "ö", "abb"), { maxLength: 12 }),
      fc.array(fc.constantFrom("b", "ab", "abb", "öa", "bab"), { maxLength: 2 }),
      (pieces, stops) => {
        const whole = pieces.join("");
        const ends = stops.flatMap((stop) => {
          const at = whole.indexOf(stop);
          return at < 0 ? [] : [{ at, end: at + stop.length }];
        });
        const [first] = ends.sort((a, b) => a.end - b.end || a.at - b.at);
        const stream = textStream({ tokenBytes: (id) => bytes(whole).subarray(id, id + 1) }, stops);
        let text = "";
        for (let i = 0; i < bytes(whole).length; i++) {
          text += stream.push(i);
          if (stops.length === 0)
            expect(whole.startsWith(text) && whole.length - text.length <= bytes(whole).length - i).toBe(true);
        }
        expect(text + stream.end()).toBe(first ? whole.slice(0, first.at) : whole);
      },
    ),
  );
});

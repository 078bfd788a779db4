/**
 * @file Chats and preference pairs as token ids: what counts in the loss, what is left out.
 */
import { beforeAll, describe, expect, test } from "vitest";
import { answerRow, chatExample, chatPrompt, tokenizePairs } from "../../src/data/chatRows.ts";
import { IGNORE } from "../../src/data/pack.ts";
import type { PreferencePair } from "../../src/data/preferences.ts";
import { makeTokenizer, type Tokenizer } from "../../src/tokenizer/bpe.ts";

let tokenizer: Tokenizer;
beforeAll(() => {
  tokenizer = makeTokenizer(Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte))); // one id per byte
});

const bytes = (text: string) => [...Buffer.from(text)];
const messages = [
  { role: "user" as const, content: "Hi?" },
  { role: "assistant" as const, content: "Yo" },
];

describe("a chat", () => {
  test("is ChatML without a default system message; the answer and its end count", () => {
    const { imStart, imEnd } = tokenizer.special;
    const { inputIds, lossMask } = chatExample(tokenizer, messages);
    const question = [imStart, ...bytes("user\nHi?"), imEnd, ...bytes("\n"), imStart, ...bytes("assistant\n")];
    expect(inputIds).toEqual([...question, ...bytes("Yo"), imEnd, ...bytes("\n")]);
    expect(lossMask).toEqual([...question.map(() => 0), 1, 1, 1, 0]);
  });

  test("keeps the system message that it brings", () => {
    const system = { role: "system" as const, content: "Be brief." };
    const { inputIds, lossMask } = chatExample(tokenizer, [system, ...messages]);
    expect(tokenizer.decode(inputIds).startsWith("<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user")).toBe(
      true,
    );
    expect(lossMask.reduce((a, b) => a + b)).toBe(3);
  });

  test("starts with its own prompt, so training and generation see the same ids", () => {
    const prompt = chatPrompt(tokenizer, messages.slice(0, 1));
    const { inputIds, lossMask } = chatExample(tokenizer, messages);
    expect(inputIds.slice(0, prompt.length)).toEqual(prompt);
    expect(lossMask.indexOf(1)).toBe(prompt.length); // the first answer token follows the prompt
  });
});

describe("preference pairs", () => {
  const pair = (chosen: string, rejected: string): PreferencePair => ({
    prompt: messages.slice(0, 1),
    chosen,
    rejected,
    language: "en",
    corruption: "truncated",
    task: "facts",
    key: "k",
  });
  const length = () => chatPrompt(tokenizer, messages.slice(0, 1)).length;

  test("are a prompt and two answers that end", () => {
    const { pairs, tooLong } = tokenizePairs(tokenizer, [pair("good", "go")], 64);
    const { imEnd } = tokenizer.special;
    expect(tooLong).toBe(0);
    expect(pairs).toEqual([
      {
        language: "en",
        prompt: chatPrompt(tokenizer, messages.slice(0, 1)),
        chosen: [...bytes("good"), imEnd],
        rejected: [...bytes("go"), imEnd],
        reference: "good",
      },
    ]);
  });

  test("are dropped and counted when either answer does not fit, kept when it just does", () => {
    const given = [pair("abcd", "ab"), pair("abcde", "ab"), pair("a", "abcd"), pair("a", "abcde")];
    const { pairs, tooLong } = tokenizePairs(tokenizer, given, length() + 5); // four bytes and the end
    expect(pairs.map(({ reference }) => reference)).toEqual(["abcd", "a"]);
    expect(tooLong).toBe(2);
  });
});

describe("answerRow", () => {
  test("labels the answer only, pads without a label and outside the document", () => {
    const row = answerRow([10, 11, 12], [20, 21], 7, 99);
    expect([...row.inputIds]).toEqual([10, 11, 12, 20, 21, 99, 99]);
    expect([...row.labels]).toEqual([IGNORE, IGNORE, IGNORE, 20, 21, IGNORE, IGNORE]);
    expect([...row.documentIds]).toEqual([1, 1, 1, 1, 1, 0, 0]);
    expect([...row.positionIds]).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  test("an answer that ends with the padding id keeps its label: length decides, not the id", () => {
    expect([...answerRow([10], [20, 99], 4, 99).labels]).toEqual([IGNORE, 20, 99, IGNORE]);
  });

  test("fills a row exactly and refuses one token more", () => {
    expect([...answerRow([1, 2], [3], 3, 0).labels]).toEqual([IGNORE, IGNORE, 3]);
    expect(() => answerRow([1, 2], [3, 4], 3, 0)).toThrow("answerRow: 4 tokens do not fit a row of 3");
  });
});

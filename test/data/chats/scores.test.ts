/** @file Deita's score and IFD by hand, and what is recorded where there is none. */
import { describe, expect, test } from "vitest";
import { type Loglikelihood, measureIfd } from "../../../src/data/chats/ifd.ts";
import { askQuality, deitaPrompt, deitaScore } from "../../../src/data/chats/quality.ts";
import { AskError, type ChatAnswer, type ChatModel } from "../../../src/data/llm/chatModel.ts";
import { cosine } from "../../../src/data/selection/vectors.ts";
import { makeTokenizer } from "../../../src/tokenizer/bpe.ts";
import type { ChatMessage } from "../../../src/tokenizer/chatTemplate.ts";

const model = (answer: Partial<ChatAnswer> | Error): ChatModel & { asked: string[] } => {
  const asked: string[] = [];
  return {
    ...{ name: "judge", host: "test", asked },
    ask: async ({ messages }) => {
      asked.push(messages[0].content);
      if (answer instanceof Error) throw answer;
      return { text: "", finishReason: "stop", promptTokens: 1, completionTokens: 1, cached: false, ...answer };
    },
  };
};

describe("quality", () => {
  test("the score is the mean of 1 to 6 under the softmax of six logits", () => {
    expect(deitaScore([0, 0, 0, 0, 0, 0])).toBe(3.5);
    expect(deitaScore([-1e9, -1e9, -1e9, -1e9, -1e9, 5])).toBe(6);
    // 1 and 2 with odds 1 : e: (1 + 2 e) / (1 + e)
    expect(deitaScore([0, 1, -1e9, -1e9, -1e9, -1e9])).toBeCloseTo((1 + 2 * Math.E) / (1 + Math.E), 12);
    expect(deitaScore([1000, 1000, 1000, 1000, 1000, 1000])).toBe(3.5);
  });

  test("log-probabilities serve as logits: they differ by one number", () => {
    const logits = [0.3, -1, 2, 0.5, 1.5, -0.7];
    expect(deitaScore(logits.map((logit) => logit - 7.25))).toBeCloseTo(deitaScore(logits), 12);
  });

  test("Deita's example has a score in reach, and its prompt is the scorer's", () => {
    // The value itself needs the 13B scorer; what can be checked here is the range and the prompt.
    expect(deitaPrompt("word to describe UI with helpful tooltips", "User-friendly or intuitive UI")).toBe(
      "You are a helpful assistant. Please identify the quality score of the Response corresponding to the Question. \n #Question#:\nword to describe UI with helpful tooltips\n#Response#:\nUser-friendly or intuitive UI \n##Quality: ",
    );
  });

  test("six digits among the likeliest first tokens give the formula, with or without a space before them", async () => {
    const firstTokenLogprobs = { "1": -3, " 2": -2, "2": -2.5, "3": -1, "4": -4, "5": -5, "6": -6, the: -0.5 };
    const found = await askQuality(model({ text: "3", firstTokenLogprobs }), "q", "a", true);
    expect(found).toEqual({ score: deitaScore([-3, -2, -1, -4, -5, -6]), how: "logprobs" });
  });

  test("else the number in the answer counts, and without one the score is a neutral 3.0 with its reason", async () => {
    expect(await askQuality(model({ text: " 5." }), "q", "a", false)).toEqual({ score: 5, how: "number" });
    expect(await askQuality(model({ text: "**4**/6" }), "q", "a", false)).toEqual({ score: 4, how: "number" });
    for (const text of ["7", "10", "4.5", "", "I would say 5"])
      expect(await askQuality(model({ text }), "q", "a", false)).toMatchObject({
        ...{ score: 3, how: "neutral", why: expect.stringContaining("expected a number from 1 to 6") },
      });
    const failed = await askQuality(model(new AskError("HTTP 400", false, false)), "q", "a", false);
    expect(failed).toEqual({ score: 3, how: "neutral", why: "no answer: HTTP 400" });
    await expect(askQuality(model(new Error("ours")), "q", "a", false)).rejects.toThrow("ours");
  });

  test("a scorer gets Deita's prompt, another model an instruction with both texts", async () => {
    const judge = model({ text: "5" });
    await askQuality(judge, "QQ", "AA", true);
    await askQuality(judge, "QQ", "AA", false);
    expect(judge.asked[0]).toBe(deitaPrompt("QQ", "AA"));
    expect(judge.asked[1]).toMatch(/from 1 .* to 6[\s\S]*<question>\nQQ\n<\/question>[\s\S]*<response>\nAA\n/);
  });
});

describe("IFD", () => {
  const bytes = Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte));
  const tokenizer = makeTokenizer(bytes);
  const chat = (question: string, ...answers: string[]): ChatMessage[] =>
    answers.flatMap((content) => [
      { role: "user", content: question },
      { role: "assistant", content },
    ]);
  const ifd = (loglikelihood: Loglikelihood, chats: ChatMessage[][], contextLength = 100) =>
    measureIfd({ name: "m", tokenizer, contextLength, loglikelihood }, chats);
  /** p = 1/2 for each token after a question, 1/8 for each alone. */
  const table: Loglikelihood = async (requests) =>
    requests.map(({ context, continuation }) => continuation.length * Math.log(context.length > 12 ? 1 / 2 : 1 / 8));

  test("is loss with the question over loss alone, over all answers of a chat", async () => {
    const [one, two] = await ifd(table, [chat("why?", "so"), chat("why?", "so", "thus")]);
    for (const found of [one, two]) {
      expect(found).toMatchObject({
        conditioned: expect.closeTo(Math.log(2), 12),
        direct: expect.closeTo(Math.log(8), 12),
      });
      expect((found as { ratio: number }).ratio).toBeCloseTo(1 / 3, 12);
    }
  });

  test("row 32: an answer without tokens, one that is too long, and no finite number have their reasons", async () => {
    expect(await ifd(table, [chat("why?", "")])).toEqual(["the answer has no tokens"]);
    expect(await ifd(table, [chat("why?", "x".repeat(90))])).toEqual([
      expect.stringMatching(/^answer 1 needs \d+ tokens, more than the context of 100$/),
    ]);
    const nan: Loglikelihood = async (requests) => requests.map(() => Number.NaN);
    expect(await ifd(nan, [chat("why?", "so")])).toEqual(["the model gives no finite number"]);
    const certain: Loglikelihood = async (requests) => requests.map(() => 0);
    expect(await ifd(certain, [chat("why?", "so")])).toEqual(["the model gives no finite number"]);
  });

  test("row 32: one chat that cannot be measured does not move the others", async () => {
    const found = await ifd(table, [chat("a", ""), chat("why?", "so"), chat("b", "x".repeat(99)), chat("why?", "so")]);
    expect(found[1]).toEqual(found[3]);
    expect((found[1] as { ratio: number }).ratio).toBeCloseTo(1 / 3, 12);
  });
});

test("row 33: the cosine with a zero vector or NaN is 0", () => {
  const v = Float32Array.of(3, 4);
  expect(cosine(v, v)).toBeCloseTo(1, 12);
  expect(cosine(v, Float32Array.of(-4, 3))).toBe(0);
  expect(cosine(v, Float32Array.of(0, 0))).toBe(0);
  expect(cosine(v, Float32Array.of(Number.NaN, 1))).toBe(0);
});

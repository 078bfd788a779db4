/** @file A tiny real model of our own as a chat model: what it answers, that it is the same again, and its name. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openModel } from "../../src/cli/answers.ts";
import { openChatModel } from "../../src/cli/ownModel.ts";
import { AskError } from "../../src/data/llm/chatModel.ts";
import { modelSchema } from "../../src/data/llm/recipe.ts";
import { renderChat } from "../../src/tokenizer/chatTemplate.ts";
import { saveTinyModel } from "./tinyModel.ts";

const folder = mkdtempSync(join(tmpdir(), "marco-own-"));
afterAll(() => rmSync(folder, { recursive: true }));
beforeAll(() => saveTinyModel(folder, 128));

const open = () => openChatModel(modelSchema.parse({ folder, engine: "onnx" }));
const messages = [{ role: "user" as const, content: "one two" }];

test("greedy answers are the generator's, and the first log-probabilities say which token it begins with", async () => {
  const model = await open();
  const { text, promptTokens, firstTokenLogprobs, finishReason } = await model.ask({
    ...{ messages, temperature: 0, maxTokens: 6, topLogprobs: 3 },
  });
  const { tokenizer, generate, nextLogprobs } = await openModel(folder, "onnx");
  const { inputIds } = renderChat(tokenizer, messages, { defaultSystem: null, addGenerationPrompt: true });
  const [expected] = await generate([inputIds], { maxNewTokens: 6, stopIds: [tokenizer.special.imEnd] });
  expect(text).toBe(tokenizer.decode(expected.ids));
  expect(finishReason).toBe(expected.finishReason);
  expect(promptTokens).toBe(inputIds.length);

  const logprobs = await nextLogprobs(inputIds);
  expect(logprobs.reduce((sum, x) => sum + Math.exp(x), 0)).toBeCloseTo(1, 9);
  const likeliest = logprobs.indexOf(Math.max(...logprobs));
  const first = expected.ids[0] ?? tokenizer.special.imEnd; // an empty answer ends at once
  expect(likeliest).toBe(first);
  expect(Math.max(...Object.values(firstTokenLogprobs!))).toBe(logprobs[likeliest]);
});

test("sampled answers are the same for the same seed, also when others are asked at once, and others for others", async () => {
  const model = await open();
  const ask = (seed: number) => model.ask({ messages, temperature: 1, topP: 0.95, seed, maxTokens: 12 });
  const together = await Promise.all([1, 2, 3, 4].map(ask));
  const alone = [];
  for (const seed of [4, 3, 2, 1]) alone.unshift(await ask(seed));
  expect(alone.map(({ text }) => text)).toEqual(together.map(({ text }) => text));
  expect(new Set(alone.map(({ text }) => text)).size).toBeGreaterThan(1);
});

test("a question that does not fit is refused alone; the longest answer is what fits", async () => {
  const model = await open();
  const long = [{ role: "user" as const, content: "水".repeat(200) }];
  const error = await model.ask({ messages: long, temperature: 0 }).catch((error) => error);
  expect(error).toBeInstanceOf(AskError);
  expect(error.message).toMatch(/^\d+ tokens do not fit the context of 128$/);
  const { promptTokens, completionTokens } = await model.ask({ messages, temperature: 0, maxTokens: 5000 });
  expect(promptTokens + completionTokens).toBeLessThanOrEqual(128);
});

test("its name changes with its files, so that no answer is taken for another model's", async () => {
  const before = (await open()).name;
  expect((await open()).name).toBe(before);
  expect(before).toMatch(/^marco-own-\w+@[0-9a-f]{12}$/);
  writeFileSync(join(folder, "generation_config.json"), JSON.stringify({ eos_token_id: [7] }));
  expect((await open()).name).not.toBe(before);
});

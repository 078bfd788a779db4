/**
 * @file Checks that need what is not in the repository, skipped without it: a Python with Hugging Face's tokenizers
 * (MARCO_PYTHON), and Qwen2's real vocabulary (MARCO_QWEN_TIKTOKEN, the path of qwen.tiktoken; make_qwen2.py says where
 * that is from).
 */
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadCorpus } from "../../src/data/corpus.ts";
import type { Tokenizer } from "../../src/tokenizer/bpe.ts";
import { renderChat } from "../../src/tokenizer/chatTemplate.ts";
import { loadTokenizer, loadVocabulary, saveTokenizer } from "../../src/tokenizer/tokenizerFiles.ts";
import { GOLDEN, hardText, QWEN2_GOLDEN, SMALL_DIR, UDHR } from "./fixtures.ts";

const { MARCO_PYTHON, MARCO_QWEN_TIKTOKEN } = process.env;
const temporary = mkdtempSync(join(tmpdir(), "tokenizer-"));
afterAll(() => rmSync(temporary, { recursive: true }));

/** Encodes texts here and in Python with the tokenizer in a directory; all ids must be equal. */
function expectSameIds(directory: string, texts: readonly string[]): void {
  const input = texts.map((text) => JSON.stringify(text)).join("\n");
  const script = new URL("../fixtures/tokenizer/encode.py", import.meta.url).pathname;
  const { status, stdout, stderr } = spawnSync(MARCO_PYTHON!, [script, directory], { input, maxBuffer: 2 ** 30 });
  expect(status, `${stderr}`).toBe(0);
  const theirs = `${stdout}`.trimEnd().split("\n");
  expect(theirs.length).toBe(texts.length);
  const tokenizer = loadTokenizer(directory);
  const start = performance.now();
  const ours = texts.map((text) => tokenizer.encode(text));
  const seconds = (performance.now() - start) / 1000;
  const tokens = ours.reduce((sum, ids) => sum + ids.length, 0);
  const differ = texts.filter((_, i) => `[${ours[i]}]` !== theirs[i]);
  console.log(
    `${texts.length} texts, ${tokens} tokens, ${differ.length} differ; here ${seconds.toFixed(2)} s. ${stderr}`,
  );
  expect(differ.slice(0, 3)).toEqual([]);
  tokenizer.free();
}

/** Hard texts; below also with a long pre-token, which makes our own merges encode them. */
const hardTexts = () => fc.sample(hardText, { numRuns: 3000, seed: 1 });

/** Every 40th text of the corpus (14,000 in 29 languages), hard texts and unbroken ones. */
const manyTexts = () => [
  ...hardTexts(),
  ...hardTexts().map((text) => `${text}${"-".repeat(150)}\n`),
  ...loadCorpus()
    .flatMap(({ text }) => Object.values(text) as string[])
    .filter((_, i) => i % 40 === 0),
  ...GOLDEN.texts.map(({ text }) => text),
  ...Object.values(UDHR).map((texts) => texts.join("").replace(/[^\p{L}]/gu, "")), // one word of thousands of letters
  ...["a", "ab", "中", "!", " ", "\n", "ก", "😀", "\u0301", " \n", "é", "-="].map((unit) => unit.repeat(3000)),
];

describe.skipIf(!MARCO_PYTHON)("Hugging Face tokenizers", () => {
  it("gives the same ids with the tokenizer that we wrote", () => expectSameIds(SMALL_DIR, manyTexts()));

  it.skipIf(!MARCO_QWEN_TIKTOKEN)("gives the same ids with Qwen2's vocabulary, written by us", () => {
    const directory = join(temporary, "huggingFace");
    saveTokenizer(directory, loadVocabulary(qwenDirectory()).ranks);
    expectSameIds(directory, manyTexts());
  });
});

/** A directory that holds the real vocabulary. */
function qwenDirectory(): string {
  const directory = join(temporary, "qwen");
  mkdirSync(directory, { recursive: true });
  copyFileSync(MARCO_QWEN_TIKTOKEN!, join(directory, "qwen.tiktoken"));
  return directory;
}

describe.skipIf(!MARCO_QWEN_TIKTOKEN)("Qwen2's vocabulary", () => {
  let tokenizer: Tokenizer;
  beforeAll(() => {
    tokenizer = loadTokenizer(qwenDirectory());
  });

  it("has Qwen2's ids", () => {
    expect(tokenizer.vocabSize).toBe(151646);
    expect(tokenizer.special).toEqual({ endOfText: 151643, imStart: 151644, imEnd: 151645 });
    expect(tokenizer.encode("Hello world")).toEqual([9707, 1879]);
    expect(tokenizer.encode(" Hello world")).toEqual([21927, 1879]);
  });

  it("gives Hugging Face's golden ids: hard texts and 29 languages", () => {
    for (const [i, { text }] of GOLDEN.texts.entries())
      expect(tokenizer.encode(text), text).toEqual(QWEN2_GOLDEN.texts[i]);
  });

  it("gives Hugging Face's ids of chats", () => {
    for (const [i, { messages, addGenerationPrompt, text }] of GOLDEN.chats.small.entries())
      expect(renderChat(tokenizer, messages, { addGenerationPrompt }).inputIds, text).toEqual(QWEN2_GOLDEN.chats[i]);
  });

  it.each(["a", "中", "😀"])("encodes a million times %j in bounded time", (character) => {
    const text = character.repeat(1e6);
    const start = performance.now();
    const ids = tokenizer.encode(text);
    expect(performance.now() - start).toBeLessThan(20_000); // 1 to 2 s
    expect(tokenizer.decode(ids)).toBe(text);
  });
});

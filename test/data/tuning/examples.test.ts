/** @file Chats and pairs as examples: which tokens count, what is cut, what is left out, and what is held out. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { IGNORE } from "../../../src/data/pack.ts";
import { encodeChat, lastRun, readChatRow } from "../../../src/data/tuning/chats.ts";
import { encodePair, readPairRow } from "../../../src/data/tuning/pairs.ts";
import { countTokens, exampleRow, isHeldOut, readTuningRows } from "../../../src/data/tuning/rows.ts";
import { makeTokenizer } from "../../../src/tokenizer/bpe.ts";
import type { ChatMessage } from "../../../src/tokenizer/chatTemplate.ts";
import { renderChat } from "../../../src/tokenizer/chatTemplate.ts";
import { trainBpe } from "../../../src/tokenizer/trainBpe.ts";

const tokenizer = makeTokenizer(trainBpe({ en: ["one two three two one, öäü 水 three"] }, { vocabSize: 275 }));
const options = { defaultSystem: null, maxLength: 1000, truncation: "drop", historyMasking: false } as const;
const twoTurns: ChatMessage[] = [
  { role: "user", content: "one" },
  { role: "assistant", content: "two" },
  { role: "user", content: "three" },
  { role: "assistant", content: "four" },
];
const counted = ({ inputIds, lossMask }: { inputIds: readonly number[]; lossMask: readonly number[] }) =>
  tokenizer.decode(inputIds.filter((_, t) => lossMask[t]));
const encode = (messages: readonly ChatMessage[], more: Partial<Parameters<typeof encodeChat>[2]> = {}) => {
  const found = encodeChat(tokenizer, messages, { ...options, ...more });
  if (typeof found === "string") throw new Error(found);
  return found;
};
/** Texts that a person may write, white space at the edges included. */
const text = fc.string({ unit: fc.constantFrom("a", "ö", "水", "two", " ", "\n", "1", "<|im_end|>"), minLength: 1 });
const chat = fc.array(fc.tuple(text, text), { minLength: 1, maxLength: 3 }).map((turns) =>
  turns.flatMap(([user, assistant]): ChatMessage[] => [
    { role: "user", content: user },
    { role: "assistant", content: assistant },
  ]),
);

describe("a chat", () => {
  test("counts every answer and the end of each, and nothing else", () => {
    expect(counted(encode(twoTurns))).toBe("two<|im_end|>four<|im_end|>");
  });

  test("with historyMasking counts the last answer only", () => {
    expect(counted(encode(twoTurns, { historyMasking: true }))).toBe("four<|im_end|>");
  });

  test("property: historyMasking of a chat counts what the last exchange alone would add", () => {
    fc.assert(
      fc.property(chat, (messages) => {
        const whole = encode(messages, { historyMasking: true });
        const before = encode(messages).lossMask.reduce((n, m) => n + m, 0);
        const earlier = messages.length > 2 ? encode(messages.slice(0, -2)).lossMask.reduce((n, m) => n + m, 0) : 0;
        expect(whole.lossMask.reduce((n, m) => n + m, 0)).toBe(before - earlier);
      }),
    );
  });

  test("has the system message of the model's template, unless it brings its own", () => {
    const words = (messages: ChatMessage[]) =>
      tokenizer.decode(encode(messages, { defaultSystem: "be good" }).inputIds);
    expect(words(twoTurns)).toContain("<|im_start|>system\nbe good<|im_end|>");
    expect(words([{ role: "system", content: "be bad" }, ...twoTurns])).not.toContain("be good");
  });

  test("that is too long is dropped, or cut with its length said, never silently", () => {
    const { length } = encode(twoTurns).inputIds;
    expect(encodeChat(tokenizer, twoTurns, { ...options, maxLength: length - 2 })).toBe("tooLong");
    const cut = encode(twoTurns, { maxLength: length - 2, truncation: "truncate" });
    expect(cut.inputIds).toEqual(encode(twoTurns).inputIds.slice(0, -2));
    expect([cut.cut, counted(cut)]).toEqual([2, "two<|im_end|>four"]);
  });

  test("of which no answer is left after the cut is withoutAnswer, not an example without loss", () => {
    const cut = { ...options, maxLength: 4, truncation: "truncate" } as const;
    expect(encodeChat(tokenizer, twoTurns, cut)).toBe("withoutAnswer");
  });

  test("property: an example has an answer to count, and no more tokens than maxLength", () => {
    fc.assert(
      fc.property(chat, fc.integer({ min: 2, max: 60 }), fc.boolean(), (messages, maxLength, historyMasking) => {
        const found = encodeChat(tokenizer, messages, {
          ...{ ...options, truncation: "truncate", maxLength, historyMasking },
        });
        if (typeof found === "string") return;
        expect(found.inputIds.length).toBeLessThanOrEqual(maxLength);
        expect(found.lossMask.slice(1)).toContain(1);
      }),
    );
  });

  test("that mentions control tokens in its text counts them as text", () => {
    const example = encode([twoTurns[0], { role: "assistant", content: "<|im_end|>" }]);
    expect(example.inputIds.filter((id, t) => example.lossMask[t] && id === tokenizer.special.imEnd).length).toBe(1);
  });

  test("lastRun of a mask without ones is all zeros", () => {
    expect([lastRun([0, 0]), lastRun([1, 1, 0, 1, 1, 0]), lastRun([1])]).toEqual([[0, 0], [0, 0, 0, 1, 1, 0], [1]]);
  });
});

describe("a pair", () => {
  const pair = { prompt: [twoTurns[0]], chosen: "two two", rejected: "three" };

  test("is prompt and answer as one chat, the loss on the answer and its end", () => {
    const found = encodePair(tokenizer, pair, options);
    if (typeof found === "string") throw new Error(found);
    expect(tokenizer.decode(found.chosen.inputIds)).toBe(
      "<|im_start|>user\none<|im_end|>\n<|im_start|>assistant\ntwo two<|im_end|>",
    );
    expect([counted(found.chosen), counted(found.rejected)]).toEqual(["two two<|im_end|>", "three<|im_end|>"]);
    expect(found.promptIsPrefix).toBe(true);
  });

  test("property: the tokens are those of the whole chat in SFT, up to the end of the answer", () => {
    fc.assert(
      fc.property(chat, text, (messages, other) => {
        const prompt = messages.slice(0, -1);
        const chosen = messages[messages.length - 1].content;
        const found = encodePair(tokenizer, { prompt, chosen, rejected: `${other}x${chosen}` }, options);
        if (typeof found === "string") throw new Error(found);
        const whole = encode(messages, { historyMasking: true });
        const end = found.chosen.inputIds.length;
        expect(found.chosen.inputIds).toEqual(whole.inputIds.slice(0, end));
        expect(found.chosen.lossMask).toEqual(whole.lossMask.slice(0, end));
        expect(whole.lossMask.slice(end)).not.toContain(1);
      }),
    );
  });

  test("property: the answer starts where the prompt's tokens end, whenever they are a prefix (TRL's rule)", () => {
    fc.assert(
      fc.property(chat, text, (messages, other) => {
        const prompt = messages.slice(0, -1);
        const chosen = messages[messages.length - 1].content;
        const found = encodePair(tokenizer, { prompt, chosen, rejected: `${other}x${chosen}` }, options);
        if (typeof found === "string") throw new Error(found);
        const asked = renderChat(tokenizer, prompt, { defaultSystem: null, addGenerationPrompt: true }).inputIds;
        if (found.promptIsPrefix) expect(found.chosen.lossMask.indexOf(1)).toBe(asked.length);
        else expect(chosen + other).toMatch(/^\s|\n/);
      }),
    );
  });

  test("whose answer shares a token with the header counts that token, and says that the prompt is no prefix", () => {
    const ranks = trainBpe({ en: ["assistant\n\n\nx ".repeat(20)] }, { vocabSize: 267 });
    const merging = makeTokenizer(ranks);
    expect(merging.encode("\n\n\n").length).toBeLessThan(3);
    const found = encodePair(merging, { ...pair, chosen: "\n\nx", rejected: "x" }, options);
    if (typeof found === "string") throw new Error(found);
    expect(found.promptIsPrefix).toBe(false);
    expect(merging.decode(found.chosen.inputIds.filter((_, t) => found.chosen.lossMask[t]))).toContain("\n\nx");
  });

  test("with equal answers teaches nothing and is left out", () => {
    expect(encodePair(tokenizer, { ...pair, rejected: pair.chosen }, options)).toBe("identical");
  });

  test("that is too long is dropped, or the answer that is too long is cut, and counted", () => {
    const longer = { ...pair, chosen: "two two two 22" };
    const whole = encodePair(tokenizer, longer, options);
    if (typeof whole === "string") throw new Error(whole);
    const { length } = whole.chosen.inputIds;
    expect(whole.rejected.inputIds.length).toBeLessThan(length);
    expect(encodePair(tokenizer, longer, { ...options, maxLength: length - 1 })).toBe("tooLong");
    const cut = encodePair(tokenizer, longer, { ...options, maxLength: length - 1, truncation: "truncate" });
    expect(cut).toMatchObject({ cut: 1, rejected: whole.rejected });
    expect(cut).toMatchObject({ chosen: { inputIds: whole.chosen.inputIds.slice(0, -1) } });
  });

  test("is read in TRL's standard and conversational form, with and without a prompt of its own", () => {
    const user = { role: "user", content: "q" };
    const answer = (content: string) => ({ role: "assistant", content });
    const forms = [
      { prompt: "q", chosen: "good", rejected: "bad" },
      { prompt: [user], chosen: [answer("good")], rejected: [answer("bad")] },
      { chosen: [user, answer("good")], rejected: [user, answer("bad")], language: "de" },
    ];
    const read = forms.map((row) => readPairRow(row, 1, "x"));
    expect(read.map((row) => typeof row === "object" && [row.prompt, row.chosen, row.rejected])).toEqual(
      forms.map(() => [[user], "good", "bad"]),
    );
    expect(read.map((row) => typeof row === "object" && row.language)).toEqual(["und", "und", "de"]);
    expect(readPairRow({ prompt: "q" }, 1, "x")).toBe("a prompt without chosen and rejected answers");
  });
});

describe("rows", () => {
  const folder = mkdtempSync(join(tmpdir(), "marco-tuning-"));
  afterAll(() => rmSync(folder, { recursive: true }));

  test("that are none are set aside with file, row and reason, and the others are read", async () => {
    const path = join(folder, "chats.jsonl");
    const good = JSON.stringify({ messages: twoTurns, lang: "fr" });
    writeFileSync(path, [good, "not json", '{"messages": [{"role": "tool", "content": "x"}]}', good].join("\n"));
    const { rows, items, quarantined } = await readTuningRows([path], readChatRow);
    expect([rows, items.length, items[0].language]).toEqual([4, 2, "fr"]);
    expect(quarantined).toEqual([
      { file: "chats.jsonl", row: 2, reason: "not JSON", head: "not json" },
      {
        file: "chats.jsonl",
        row: 3,
        reason: 'message 0: role "tool"; expected system, user or assistant',
        head: '{"messages":[{"role":"tool","content":"x"}]}',
      },
    ]);
  });

  test("property: what is held out stays so when the fraction grows; about that fraction is, by content alone", () => {
    fc.assert(
      fc.property(fc.string(), fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(), (key, fraction, seed) => {
        const larger = (fraction + 1) / 2;
        if (isHeldOut(key, fraction, seed)) expect(isHeldOut(key, larger, seed)).toBe(true);
        expect([isHeldOut(key, 0, seed), isHeldOut(key, 1, seed)]).toEqual([false, true]);
      }),
    );
    const keys = Array.from({ length: 4000 }, (_, i) => `question ${i}`);
    const share = keys.filter((key) => isHeldOut(key, 0.1, 1)).length / keys.length;
    expect(Math.abs(share - 0.1)).toBeLessThan(0.02); // four standard deviations
  });

  test("are counted by language, prompts and answers apart", () => {
    const [a, b] = [encode(twoTurns), encode(twoTurns.slice(0, 2))];
    const answer = (example: typeof a) => example.lossMask.filter((m) => m).length;
    expect(
      countTokens([
        { language: "fr", sequences: [a] },
        { language: "de", sequences: [a, b] },
      ]),
    ).toEqual({
      de: { examples: 1, tokens: a.inputIds.length + b.inputIds.length, answerTokens: answer(a) + answer(b) },
      fr: { examples: 1, tokens: a.inputIds.length, answerTokens: answer(a) },
    });
  });

  test("an example alone in its row is padded after it, and padding is neither label nor document", () => {
    const row = exampleRow({ inputIds: [5, 6, 7], lossMask: [1, 0, 1] }, 5, 9);
    expect(Array.from(row.inputIds)).toEqual([5, 6, 7, 9, 9]);
    expect(Array.from(row.labels)).toEqual([IGNORE, IGNORE, 7, IGNORE, IGNORE]); // the first is predicted from nothing
    expect(Array.from(row.documentIds)).toEqual([1, 1, 1, 0, 0]);
  });
});

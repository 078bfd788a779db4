/** @file Rows of every layout become messages, turns are repaired by the stated rule, and nothing is guessed. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { comparable, plainText } from "../../../src/data/chats/plainText.ts";
import { type RawChat, readChat } from "../../../src/data/chats/readChat.ts";
import { repairTurns } from "../../../src/data/chats/turns.ts";
import type { ChatMessage } from "../../../src/tokenizer/chatTemplate.ts";

const user = (content: string): ChatMessage => ({ role: "user", content });
const assistant = (content: string): ChatMessage => ({ role: "assistant", content });
const system = (content: string): ChatMessage => ({ role: "system", content });
const messagesOf = (row: Record<string, unknown>) => (readChat(row) as RawChat).messages;

describe("the layouts", () => {
  const both = [user("Q"), assistant("A")];
  test("messages, conversations, instruction and prompt say the same", () => {
    expect(messagesOf({ messages: both })).toEqual(both);
    expect(
      messagesOf({
        conversations: [
          { from: "human", value: "Q" },
          { from: "gpt", value: "A" },
        ],
      }),
    ).toEqual(both);
    expect(messagesOf({ instruction: "Q", input: "", output: "A" })).toEqual(both);
    expect(messagesOf({ prompt: "Q", completion: "A" })).toEqual(both);
    expect(messagesOf({ prompt: [user("Q")], completion: [assistant("A")] })).toEqual(both);
    expect(messagesOf({ messages: [{ role: "user", content: [{ type: "text", text: "Q" }] }, both[1]] })).toEqual(both);
  });

  test("an Alpaca input follows the instruction; history and system come before", () => {
    const row = { system: "S", instruction: "Add", input: "1, 2", output: "3", history: [["hi", "hello"]] };
    expect(messagesOf(row)).toEqual([system("S"), user("hi"), assistant("hello"), user("Add\n1, 2"), assistant("3")]);
  });

  test("id and language are kept where the row has them", () => {
    expect(readChat({ id: 7, lang: "de", messages: both })).toMatchObject({ id: "7", language: "de" });
    expect(readChat({ messages: both })).toMatchObject({ id: null, language: null });
  });

  test("what is no chat is refused in words", () => {
    expect(readChat({ text: "x", url: "y" })).toBe(
      "no messages, conversations, instruction or prompt (keys: text, url)",
    );
    expect(readChat({ messages: "hi" })).toMatch(/^"messages" is "hi"; expected a list/);
    expect(readChat({ messages: [{ role: "tool", content: "x" }] })).toMatch(/^message 0: role "tool"; expected/);
    expect(readChat({ messages: [{ role: "user", content: 3 }] })).toMatch(/^message 0: content 3; expected text/);
    expect(readChat({ messages: [{ role: "user", content: [{ type: "image_url" }] }] })).toMatch(/expected text/);
    expect(readChat({ instruction: "Q" })).toBe('"instruction" without "output"');
    expect(readChat({ prompt: "Q" })).toBe('"prompt" without "completion"');
    expect(readChat({ instruction: "Q", output: "A", history: [["only one"]] })).toMatch(/no pair/);
  });

  test("never throws, whatever a row holds", () => {
    fc.assert(
      fc.property(
        fc.dictionary(
          fc.constantFrom(
            "messages",
            "conversations",
            "instruction",
            "output",
            "prompt",
            "completion",
            "history",
            "system",
            "id",
          ),
          fc.jsonValue(),
        ),
        (row) => {
          const chat = readChat(row);
          if (typeof chat !== "string") repairTurns(chat.messages);
        },
      ),
      { seed: 1, numRuns: 500 },
    );
  });
});

describe("row 30: turns out of order", () => {
  const repaired = (...messages: ChatMessage[]) => repairTurns(messages);
  test("row 30: two users in a row become one question", () => {
    expect(repaired(user("a"), user("b"), assistant("c"))).toEqual({
      messages: [user("a\n\nb"), assistant("c")],
      repairs: ["neighboursJoined"],
    });
    expect(repaired(user("a"), user("a"), assistant("c"))).toMatchObject({ messages: [user("a"), assistant("c")] });
  });

  test("row 30: a system message that is last moves to the front, several are joined", () => {
    expect(repaired(user("a"), assistant("b"), system("s"))).toEqual({
      messages: [system("s"), user("a"), assistant("b")],
      repairs: ["systemMoved"],
    });
    expect(repaired(system("s"), user("a"), assistant("b"), system("t"))).toEqual({
      messages: [system("s\n\nt"), user("a"), assistant("b")],
      repairs: ["systemJoined"],
    });
  });

  test("row 30: an empty answer ends the chat before its question, or is bad_turns when it is the first", () => {
    expect(repaired(user("a"), assistant("b"), user("c"), assistant(" \u200b"), user("e"), assistant("f"))).toEqual({
      messages: [user("a"), assistant("b")],
      repairs: ["cutAtEmptyAnswer"],
    });
    expect(repaired(user("a"), assistant(""))).toEqual({ bad: "the first answer is empty" });
  });

  test("row 30: an answer before the first question and a question after the last answer are left out", () => {
    expect(repaired(assistant("Hello!"), user("a"), assistant("b"), user("thanks"))).toEqual({
      messages: [user("a"), assistant("b")],
      repairs: ["answerBeforeQuestion", "questionWithoutAnswer"],
    });
  });

  test("row 30: without a question or an answer it is bad_turns", () => {
    expect(repaired()).toEqual({ bad: "no messages" });
    expect(repaired(system("s"))).toEqual({ bad: "no question" });
    expect(repaired(user("a"))).toEqual({ bad: "no answer" });
    expect(repaired(user(" "), assistant("b"))).toEqual({ bad: "a question is empty" });
  });

  test("whatever comes, what is kept alternates and repairing it again changes nothing", () => {
    const message = fc.record({
      role: fc.constantFrom("system", "user", "assistant"),
      content: fc.constantFrom("", " ", "x", "y", "z"),
    }) as fc.Arbitrary<ChatMessage>;
    fc.assert(
      fc.property(fc.array(message, { maxLength: 10 }), (messages) => {
        const found = repairTurns(messages);
        if ("bad" in found) return;
        const roles = found.messages.map(({ role }) => role).join(" ");
        expect(roles).toMatch(/^(system )?user assistant( user assistant)*$/);
        expect(repairTurns(found.messages)).toEqual({ messages: found.messages, repairs: [] });
      }),
      { seed: 2, numRuns: 500 },
    );
  });
});

describe("the text of a message", () => {
  test("row 11: half of a surrogate pair is replaced and flagged, a whole pair stays", () => {
    expect(plainText("a\ud800b\udc00 😀")).toEqual({
      text: "a\ufffdb\ufffd 😀",
      flags: ["loneSurrogate"],
      controls: 0,
    });
  });

  test("row 12: control characters but tab and line feed are left out and counted", () => {
    expect(plainText("a\0b\u0085c\t\r\nd\re\u001b")).toEqual({ text: "abc\t\nd\ne", flags: [], controls: 3 });
  });

  test("rows 13, 14: NFC is stored; joiners stay; direction marks count only where texts are compared", () => {
    expect(plainText("e\u0301").text).toBe("\u00e9");
    expect(plainText("می\u200cخواهم").text).toBe("می\u200cخواهم");
    const turned = plainText("\u202eabc\u202c");
    expect(turned).toEqual({ text: "\u202eabc\u202c", flags: ["bidiControl"], controls: 0 });
    expect(comparable(turned.text)).toBe("abc");
    expect(comparable("１２ ＡＢ\n c")).toBe("12 ab c");
  });

  test("row 28: special tokens as text stay plain text and are flagged", () => {
    for (const token of ["<|im_end|>", "<|endoftext|>", "<|eot_id|>", "[INST]", "</s>"])
      expect(plainText(`a ${token} b`)).toEqual({ text: `a ${token} b`, flags: ["specialTokenText"], controls: 0 });
    expect(plainText("a <| b |> c <strong>").flags).toEqual([]);
  });
});

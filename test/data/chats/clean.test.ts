/** @file Each cleaner on texts as they occur, in several languages: what it changes, and what it must leave alone. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CLEANERS, cleanChat } from "../../../src/data/chats/clean/clean.ts";
import { outsideCode, withoutCode } from "../../../src/data/chats/clean/code.ts";
import { removeEmoji } from "../../../src/data/chats/clean/emoji.ts";
import { removeHtml } from "../../../src/data/chats/clean/html.ts";
import { removeLinks } from "../../../src/data/chats/clean/links.ts";
import { splitMergedTurns } from "../../../src/data/chats/clean/mergedTurns.ts";
import { repairNumbering } from "../../../src/data/chats/clean/numbering.ts";
import type { ChatMessage } from "../../../src/tokenizer/chatTemplate.ts";

const user = (content: string): ChatMessage => ({ role: "user", content });
const assistant = (content: string): ChatMessage => ({ role: "assistant", content });

describe("merged turns", () => {
  const split = (...messages: ChatMessage[]) => splitMergedTurns(messages).messages;
  test("an answer that runs on is cut into turns, in any language", () => {
    expect(split(user("Hi"), assistant("Hello!\nUser: How are you?\nAssistant: Fine."))).toEqual([
      user("Hi"),
      assistant("Hello!"),
      user("How are you?"),
      assistant("Fine."),
    ]);
    expect(split(user("你好"), assistant("你好！\n用户：天气怎么样？\n助手：很好。"))).toHaveLength(4);
    expect(split(user("Привет"), assistant("Здравствуйте!\nПользователь: Как дела?\nАссистент: Хорошо."))).toHaveLength(
      4,
    );
    expect(split(user("a"), assistant("b\n### Instruction:\nc\n### Response:\nd"))).toEqual([
      user("a"),
      assistant("b"),
      user("c"),
      assistant("d"),
    ]);
  });

  test("a whole dialogue in the question becomes its turns", () => {
    expect(split(user("Human: a\n\nAssistant: b\n\nHuman: c"), assistant("d"))).toEqual([
      user("a"),
      assistant("b"),
      user("c"),
      assistant("d"),
    ]);
  });

  test("the speaker's own name at the beginning goes", () => {
    expect(splitMergedTurns([user("a"), assistant("**Assistant:** b")])).toEqual({
      messages: [user("a"), assistant("b")],
      count: 1,
    });
  });

  test("dialogues that are asked for, questions and answers, and code stay", () => {
    for (const chat of [
      [user("Write a dialogue of a user and a bot."), assistant("User: Hi\nBot: Hello")],
      [user("写一段对话"), assistant("用户：你好\n助手：你好")],
      [user("Make a quiz"), assistant("Q: 1 + 1?\nA: 2")],
      [user("How is the log made?"), assistant("```\nUser: x\nAssistant: y\n```")],
      [user("Who am I?"), assistant("The user: a person. An assistant: me.")],
    ])
      expect(split(...chat)).toEqual(chat);
  });
});

describe("numbering", () => {
  const repaired = (text: string) => repairNumbering(text).text;
  test("repeated and falling numbers go on from the one before", () => {
    expect(repairNumbering("1. a\n1. b\n1. c")).toEqual({ text: "1. a\n2. b\n3. c", count: 2 });
    expect(repaired("1. a\n2. b\n2. c\n3. d")).toBe("1. a\n2. b\n3. c\n4. d");
    expect(repaired("1. a\n\n   more on a\n\n1. b")).toBe("1. a\n\n   more on a\n\n2. b");
    expect(repaired("1、甲\n1、乙\n2、丙")).toBe("1、甲\n2、乙\n3、丙");
  });

  test("a label that is there twice loses one", () => {
    expect(repaired("1. 1. a\n2. 2. b")).toBe("1. a\n2. b");
  });

  test("right lists, dates, gaps, count-downs, nested and new lists stay", () => {
    for (const text of [
      "1. a\n2. b\n3. c",
      "1. Januar: Neujahr\n6. Januar: Dreikönig\n1. Mai: Tag der Arbeit".split("\n").slice(0, 2).join("\n"),
      "1. a\n2. b\n4. d",
      "3. c\n2. b\n1. a",
      "1. a\n   1. a1\n   2. a2\n2. b\n   1. b1",
      "Pros:\n1. a\n2. b\nCons:\n1. c\n2. d",
      "1. a\n2. b\n1. c\n2. d",
      "3. Oktober 1990\n3. Oktober 1991",
      "It costs 1. 5 or 1. 6",
    ])
      expect(repairNumbering(text)).toEqual({ text, count: 0 });
  });
});

describe("HTML", () => {
  const cleaned = (text: string) => removeHtml(text).text;
  test("tags go, breaks and items stay as lines, entities are decoded", () => {
    expect(removeHtml("<p>Hello <b>world</b>!<br/>Bye&nbsp;&amp; thanks</p>")).toEqual({
      text: "Hello world!\nBye\u00a0& thanks\n",
      count: 7,
    });
    expect(cleaned("<ul><li>un</li><li>deux</li></ul>")).toBe("- un\n- deux\n");
    expect(cleaned('Siehe <a href="https://x.org/?a>b" title="t">hier</a>.')).toBe("Siehe hier.");
    expect(cleaned("<div class='x'>中文</div><!-- c --><script>alert('<')</script>")).toBe("中文\n");
    expect(cleaned("&#8220;caf&eacute;&#x201D; &lt;b&gt;")).toBe("“café” <b>");
  });

  test("comparisons, types, unknown and single tags, pages and unknown entities stay", () => {
    for (const text of [
      "if a < b and c > d",
      "Vec<T> and Map<string, number>",
      "<think>so</think> yes",
      "use the <p> tag",
      "x<br",
      "<!DOCTYPE html>\n<html><body><p>a</p></body></html>",
      "R&D; AT&T &unknown; &#0; &#xd800;",
      "a <- b, 1 <2> 3",
      "<i",
    ])
      expect(removeHtml(text)).toEqual({ text, count: 0 });
  });
});

describe("emoji", () => {
  const cleaned = (text: string) => removeEmoji(text).text.trim();
  test("sequences, skin tones, flags and keycaps go whole, and leave one space", () => {
    expect(removeEmoji("Great 👍🏽 job!")).toEqual({ text: "Great job!", count: 1 });
    expect(cleaned("👩‍👩‍👧‍👦 family 🇩🇪🇫🇷, heart ❤️")).toBe("family, heart");
    expect(cleaned("🏴󠁧󠁢󠁥󠁮󠁧󠁿 and 👩🏽‍⚕️ and 🏳️‍🌈")).toBe("and and");
    expect(cleaned("1️⃣ one #️⃣")).toBe("1 one #");
    expect(cleaned("很好😀！\n😀 はい")).toBe("很好！\nはい");
    expect(cleaned("a 🙂\nb")).toBe("a\nb");
  });

  test("text is no emoji", () => {
    for (const text of ["© 2024 ™ ®", "a ↔ b → c", "✓ ✔ ☐ ♥ ♀", "1 # * 9", "नमस्ते می‌خواهم", "a  \nb"])
      expect(removeEmoji(text)).toEqual({ text, count: 0 });
  });
});

describe("links", () => {
  const cleaned = (text: string) => removeLinks(text).text;
  test("the text of a link stays, an address goes with its brackets", () => {
    expect(removeLinks('See [the docs](https://x.org/a_(b) "T") and https://y.org/z?q=1.')).toEqual({
      text: "See the docs and.",
      count: 2,
    });
    expect(cleaned("![A cat](https://x.org/c.png) sits (https://x.org) <https://x.org/y>")).toBe("A cat sits");
    expect(cleaned("参见https://example.org/路径。谢谢")).toBe("参见路径。谢谢");
    expect(cleaned("Смотри https://ru.wikipedia.org/wiki/Москва_(город), там")).toBe("Смотри, там");
    expect(cleaned("www.example.org hat Recht")).toBe(" hat Recht");
    expect(cleaned("a\n[1]: https://x.org/a\n[2]: https://x.org/b\nb")).toBe("a\nb");
  });

  test("what is no address stays", () => {
    for (const text of [
      "http is a protocol",
      "a[0](x)",
      "and/or",
      "user@www.example.org",
      "version 1.2.3",
      "[x] done (later)",
    ])
      expect(removeLinks(text)).toEqual({ text, count: 0 });
  });
});

describe("all of them", () => {
  const hard =
    "Use `Vec<T>` 👍 here:\n\n```html\n<p>😀 https://x.org</p>\n1. a\n1. b\n```\n\n$a < b$ and \\(x <i> y</i>\\) and `<b>x</b>`\n\n~~~\nUser: a\n~~~";
  test("code and formulas are not touched", () => {
    expect(cleanChat([user("q"), assistant(hard)])).toEqual({
      messages: [user("q"), assistant(hard.replace(" 👍", ""))],
      counts: { emoji: 1 },
    });
    expect(withoutCode("a `b` c\n```\nd\n```")).toBe("a     c\n   \n \n   ");
    expect(outsideCode("```\nnever closed 😀", () => "!")).toContain("never closed 😀");
  });

  test("what a chat is about stays", () => {
    for (const [question, answer] of [
      ["How do I make text bold in HTML?", "<b>bold</b>"],
      ["What does this emoji mean?", "😀 is a smile"],
      ["Give me the URL of the docs", "https://example.org"],
      ["这个表情是什么意思", "😀 是笑"],
      ["Was bedeutet 😀?", "😀 heißt Freude"],
    ])
      expect(cleanChat([user(question), assistant(answer)])).toEqual({
        messages: [user(question), assistant(answer)],
        counts: {},
      });
  });

  test("each is counted, and can be left out", () => {
    const chat = [user("hi"), assistant("1. <b>a</b> 😀\n1. b https://x.org\nUser: c\nAssistant: d")];
    expect(cleanChat(chat).counts).toEqual({ mergedTurns: 2, numbering: 1, html: 2, emoji: 1, links: 1 });
    expect(cleanChat(chat).messages).toEqual([user("hi"), assistant("1. a\n2. b"), user("c"), assistant("d")]);
    expect(cleanChat(chat, [])).toEqual({ messages: chat, counts: {} });
  });

  test("any text takes bounded time, and emoji are gone the first time", () => {
    const bits = [
      "<b>",
      "</b>",
      "<a href='",
      "http://",
      "[x](",
      ")",
      "(",
      "😀",
      "`",
      "```\n",
      "$",
      "\n",
      "1. ",
      "1. ",
      "User: ",
      "AI: ",
      "&amp;",
      "<!--",
      " ",
    ];
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...bits), { maxLength: 30 }), (list) => {
        const text = list.join("");
        expect(removeEmoji(removeEmoji(text).text).count).toBe(0);
        cleanChat([user("q"), assistant(text)]);
      }),
      { seed: 6, numRuns: 500 },
    );
    for (const piece of [...bits, "<a b", '<p "', "[[", "](", "http://a.", "http://(", "1. 1. ", "`a", "$a", "\\("]) {
      const start = performance.now();
      cleanChat([user("q"), assistant(piece.repeat(4000))], CLEANERS);
      expect([piece, performance.now() - start < 2000]).toEqual([piece, true]);
    }
  });
});

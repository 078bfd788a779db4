/** What the tokenizer's tests share: text in 29 languages, Hugging Face's golden ids, and hard text for properties. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import type { ChatMessage } from "../../src/tokenizer/chatTemplate.ts";

const fixture = new URL("../fixtures/tokenizer/", import.meta.url);
const read = (name: string) => JSON.parse(readFileSync(new URL(name, fixture), "utf8"));

/** Five articles of the Universal Declaration of Human Rights in each of the 29 languages. */
export const UDHR: Record<string, string[]> = read("udhr.json");

interface GoldenText {
  text: string;
  ids: number[];
}

export interface GoldenChat {
  messages: ChatMessage[];
  addGenerationPrompt: boolean;
  text: string;
  ids: number[];
  /** 1 where a token is the assistant's, by Hugging Face's `return_assistant_tokens_mask`. */
  lossMask: number[];
}

/** What Hugging Face makes of the small tokenizer (make.py). */
export const GOLDEN: {
  texts: GoldenText[];
  /** By the small tokenizer with these tokens added, as Qwen2.5 adds 19 to Qwen2's three. */
  added: { tokens: { id: number; content: string; special: boolean; normalized: boolean }[]; texts: GoldenText[] };
  /** By the small tokenizer, and by one of the bytes, two line breaks (256) and three (257). */
  chats: { small: GoldenChat[]; breaks: GoldenChat[] };
} = read("golden.json");

/** Ids of the texts and small chats of {@link GOLDEN} by the real vocabulary of Qwen2 (make_qwen2.py). */
export const QWEN2_GOLDEN: { texts: number[][]; chats: number[][] } = read("qwen2.json");

/** The small tokenizer that the golden ids belong to: UDHR, 600 ids. */
export const SMALL_DIR = new URL("small/", fixture).pathname;
export const SMALL_VOCAB_SIZE = 600;

/** Blocks of our languages in which Unicode has assigned nothing new for years, so that all engines class them alike. */
const BLOCKS = [
  [0x0000, 0x052f], // Latin, marks, Greek, Cyrillic
  [0x0590, 0x05f4], // Hebrew
  [0x0600, 0x06ff], // Arabic
  [0x0900, 0x09fd], // Devanagari, Bengali
  [0x0e01, 0x0e5b], // Thai
  [0x1100, 0x11ff], // Hangul letters
  [0x2000, 0x206f], // punctuation
  [0x3000, 0x30ff], // CJK punctuation, kana
  [0x4e00, 0x9fa5], // Chinese characters
  [0xac00, 0xd7a3], // Hangul syllables
  [0x1f300, 0x1f64f], // emoji
];
const character = fc
  .oneof(...BLOCKS.map(([min, max]) => fc.integer({ min, max })))
  .map((codePoint) => String.fromCodePoint(codePoint));

/** Text made of pieces that tokenizers get wrong, and of any characters of our languages. */
export const hardText = fc
  .array(
    fc.oneof(
      fc.constantFrom(..."aZé文ไ้กअ्가'sSſtlL 0٣½\r\n\t\v\u0085\u00a0\u200b\u3000\ufeff.!<|>\u0301"),
      fc.constantFrom("'LL", "'ſ", "  ", "\r\n", "<|im_end|>", "😀", "👩‍👧", "🇹🇷", "حَ", "ﷺ"),
      character,
    ),
    { maxLength: 30 },
  )
  .map((parts) => parts.join(""));

/** {@link mergeBytes} as its definition says, quadratic: the oracle of it and of tiktoken. */
export function mergeSlowly(bytes: string, rankOf: ReadonlyMap<string, number>, limit = Infinity): number[] {
  const parts = [...bytes];
  for (;;) {
    let best = limit;
    let at = -1;
    for (let i = 0; i + 1 < parts.length; i++) {
      const rank = rankOf.get(parts[i] + parts[i + 1]) ?? Infinity;
      if (rank < best) [best, at] = [rank, i];
    }
    if (at < 0) return parts.map((part) => rankOf.get(part)!);
    parts.splice(at, 2, parts[at] + parts[at + 1]);
  }
}

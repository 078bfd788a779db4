/**
 * @file Chats as examples for supervised fine-tuning (paper section 4.1): ChatML by the model's own template, the loss on
 * the assistant's content and the `<|im_end|>` after it, in every turn or only in the last.
 */
import type { Tokenizer } from "../../tokenizer/bpe.ts";
import { type ChatMessage, renderChat } from "../../tokenizer/chatTemplate.ts";
import { readChat } from "../chats/readChat.ts";
import { repairTurns, type TurnRepair } from "../chats/turns.ts";
import type { Row } from "../files/readRows.ts";
import { type MaskedExample, targetsIn } from "../pack.ts";
import { languageOf } from "./rows.ts";

export interface ChatRow {
  messages: ChatMessage[];
  language: string;
  /** What was mended in the order of its turns, by name. */
  repairs: TurnRepair[];
}

/** The chat of a row (OpenAI's and TRL's messages, ShareGPT, Alpaca, prompt and completion), or why it is none. */
export function readChatRow(row: Row): ChatRow | string {
  const raw = readChat(row);
  if (typeof raw === "string") return raw;
  const turns = repairTurns(raw.messages);
  if ("bad" in turns) return turns.bad;
  return { ...turns, language: languageOf(row) };
}

/** What a chat is asked first: decides with {@link isHeldOut} on which side it is. */
export const questionOf = (messages: readonly ChatMessage[]) =>
  messages.find(({ role }) => role === "user")?.content ?? "";

export const TRUNCATION = ["drop", "truncate"] as const;

export interface EncodeOptions {
  /** System message of chats that bring none; null for none. See `defaultSystemOf`. */
  defaultSystem: string | null;
  /** Tokens of the longest example. */
  maxLength: number;
  /**
   * Longer examples: `drop` leaves them out, since an answer that is cut teaches not to end; `truncate` keeps their first
   * `maxLength` tokens, as TRL's max_length does.
   */
  truncation: (typeof TRUNCATION)[number];
}

export interface EncodedChat extends MaskedExample {
  /** Tokens that were cut off at the end. */
  cut: number;
}

/**
 * A chat as an example, or why there is none: `tooLong`, or `withoutAnswer` when nothing of an answer is left to count.
 * `historyMasking` (LLaMA-Factory's mask_history) counts the last answer only; else every answer counts.
 */
export function encodeChat(
  tokenizer: Tokenizer,
  messages: readonly ChatMessage[],
  { defaultSystem, maxLength, truncation, historyMasking }: EncodeOptions & { historyMasking: boolean },
): EncodedChat | "tooLong" | "withoutAnswer" {
  const rendered = renderChat(tokenizer, messages, { defaultSystem });
  const lossMask = historyMasking ? lastRun(rendered.lossMask) : rendered.lossMask;
  const cut = Math.max(0, rendered.inputIds.length - maxLength);
  if (cut > 0 && truncation === "drop") return "tooLong";
  const example = { inputIds: rendered.inputIds.slice(0, maxLength), lossMask: lossMask.slice(0, maxLength), cut };
  return targetsIn(example) > 0 ? example : "withoutAnswer";
}

/** The mask with its last run of ones alone: the role header between two answers keeps their runs apart. */
export function lastRun(mask: readonly number[]): number[] {
  const end = mask.lastIndexOf(1);
  const start = mask.lastIndexOf(0, end) + 1;
  return mask.map((_, t) => (end >= 0 && t >= start && t <= end ? 1 : 0));
}

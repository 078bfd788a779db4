/**
 * @file Preference pairs as examples for direct preference optimisation (paper section 4.2): prompt and answer are encoded
 * TOGETHER, as one chat, as in SFT and when the model is asked, and the answer is what follows the prompt's tokens (TRL's
 * rule, dpo_trainer.py). Where the prompt's tokens are not the beginning of the whole's (an answer that starts with white
 * space and a line break shares a token with the header), the answer starts at the first token that reaches into it; TRL
 * cuts by the prompt's length there. Such pairs are counted.
 *
 * Answers end with `<|im_end|>`, which counts; the line break of the template after it does not (TRL counts it: the model
 * never writes it). Prompt and answers in plain text are one question and its answers; TRL encodes them without a template.
 */
import type { Tokenizer } from "../../tokenizer/bpe.ts";
import { type ChatMessage, renderChat } from "../../tokenizer/chatTemplate.ts";
import type { Row } from "../files/readRows.ts";
import type { MaskedExample } from "../pack.ts";
import { readPreference } from "../preferencePairs/layouts.ts";
import { type EncodeOptions, lastRun } from "./chats.ts";
import { languageOf } from "./rows.ts";

export interface PairRow {
  prompt: ChatMessage[];
  chosen: string;
  rejected: string;
  language: string;
}

/** The pair of a row (`marco data preferences`, TRL's layouts, LMSYS, UltraFeedback), or why it is none. */
export function readPairRow(row: Row, seed: number, id: string): PairRow | string {
  const read = readPreference(row, seed, id);
  if ("reason" in read) return read.reason;
  if (!("pair" in read)) return "a prompt without chosen and rejected answers";
  const { prompt, chosen, rejected } = read.pair;
  return { prompt, chosen, rejected, language: languageOf(row) };
}

export interface EncodedPair {
  chosen: MaskedExample;
  rejected: MaskedExample;
  /** Answers that lost tokens at their end. */
  cut: number;
  /** The prompt's tokens begin both sequences. */
  promptIsPrefix: boolean;
}

/** A pair as two sequences, or why there is none: `tooLong`, `withoutAnswer`, or `identical` answers, which teach nothing. */
export function encodePair(
  tokenizer: Tokenizer,
  { prompt, chosen, rejected }: Pick<PairRow, "prompt" | "chosen" | "rejected">,
  { defaultSystem, maxLength, truncation }: EncodeOptions,
): EncodedPair | "tooLong" | "withoutAnswer" | "identical" {
  const { inputIds: promptIds } = renderChat(tokenizer, prompt, { defaultSystem, addGenerationPrompt: true });
  let cut = 0;
  let promptIsPrefix = true;
  const sides = [chosen, rejected].map((content) => {
    const whole = renderChat(tokenizer, [...prompt, { role: "assistant", content }], { defaultSystem });
    const lossMask = lastRun(whole.lossMask);
    const end = lossMask.lastIndexOf(1) + 1; // without the line break after the last <|im_end|>
    if (!promptIds.every((id, t) => whole.inputIds[t] === id)) promptIsPrefix = false;
    if (end > maxLength) cut++;
    const length = Math.min(end, maxLength);
    return { inputIds: whole.inputIds.slice(0, length), lossMask: lossMask.slice(0, length) };
  });
  if (cut > 0 && truncation === "drop") return "tooLong";
  if (!sides.every(({ lossMask }) => lossMask.includes(1))) return "withoutAnswer";
  const [a, b] = sides;
  if (a.inputIds.length === b.inputIds.length && a.inputIds.every((id, t) => id === b.inputIds[t])) return "identical";
  return { chosen: a, rejected: b, cut, promptIsPrefix };
}
